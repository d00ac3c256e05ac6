"""How sessions come about, and where they are found: what polling and WebSocket have in common."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.facts import is_engineio, is_upgrade, query_of, request_facts
from eiosniff.decode.sessions.cors import note_origin
from eiosniff.decode.sessions.endings import Watcher
from eiosniff.decode.sessions.hops import Hops
from eiosniff.decode.sessions.peers import Peers, Retire
from eiosniff.decode.sessions.register import Register
from eiosniff.decode.sessions.session_packets import Listener, SessionState, note_transport, note_use
from eiosniff.decode.sessions.session_packets09 import SessionState09
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import POLLING, WEBSOCKET, OpenPacket, Transport
from eiosniff.model.http import HttpMessage, HttpRequest, Query
from eiosniff.model.peers import Client
from eiosniff.model.provenance import CLIENT, SERVER, Endpoint, PacketRef, Side
from eiosniff.model.session import MAX_GAPS, Connection, Session
from eiosniff.model.websocket import WsMessage

# Of one connection: those before were never answered, or the capture lacks the answers.
REQUESTS_UNDER_WAY: Final = 1024


class Openings:
    """The sessions, clients and servers of one capture, as `Sessions` has them; opens and finds sessions."""

    def __init__(
        self,
        watch: Watcher,
        listener: Listener | None,
        path: str | None,
        most: int,
        retire: Retire,
        changed: set[Session] | None = None,
    ) -> None:
        self.peers = Peers(most, retire)
        self.register = Register(most, self.peers, retire, changed)
        self.states = self.register.states
        self.by_sid = self.register.by_sid
        self.hops = Hops()
        # The last session of two addresses between which only what the server sends was captured.
        self.answered_alone: dict[tuple[str, Endpoint], Session] = {}
        self._hop_ledgers: dict[Attempt, Connection] = {}  # of attempts that were forwarded
        self.path = path
        self._watch = watch
        self._listener = listener

    def is_engineio(self, query: Query, upgrade: bool) -> bool:
        """Whether a request is one of Engine.IO, under the path that the user chose."""
        if self.path is not None:
            return query.path.rstrip("/") == self.path.rstrip("/")
        return is_engineio(query, upgrade)

    def elsewhere(self, conversation: Conversation, sid: str) -> Session | None:
        """The session that a client goes on with at another address of its server."""
        session = self.register.has(sid)
        if session is None or session.client_endpoint.address != conversation.ledger.client.address:
            return None
        if any(poll.ledger.client == conversation.ledger.client for poll in self.states[session].polls.under_way):
            return None  # a NAT between the two
        self.register.add_server(session, conversation.ledger.server)
        return session

    def is_forwarded(self, conversation: Conversation, request: HttpRequest, sid: str) -> bool:
        """Whether a request with a sid that its server did not give out in this capture was forwarded by a proxy."""
        return self.hops.ask(conversation, request) is not None or self.register.has(sid) is not None

    def state_of(self, session: Session | None) -> SessionState | None:
        """What decoding a session needs; None if there is none, or it was let go."""
        return self.states.get(session) if session is not None else None

    def begin_attempt(
        self, conversation: Conversation, request: HttpRequest, query: Query, upgrade: bool, socketio09: bool = False
    ) -> None:
        """A client asks for a session."""
        facts = request_facts(request, query, upgrade, conversation.channel)
        attempt = Attempt(
            facts, socketio09=socketio09, after_last=conversation.last_answer, after=conversation.answered
        )
        before = self.hops.ask(conversation, request) if request.target else None
        conversation.ask(request, attempt)
        under_way = conversation.attempts
        if len(under_way) > REQUESTS_UNDER_WAY:
            self.settle(conversation.ledger, under_way.pop(next(iter(under_way))), Outcome.UNANSWERED)
        outer = before[0].attempts.get(before[1]) if before is not None else None
        if outer is not None and outer.hop is None:
            attempt.forwarded = True
            outer.hop = attempt
            self._hop_ledgers[attempt] = conversation.ledger
        elif not request.target and self.hops.may_be_behind(conversation):
            attempt.forwarded = True  # the capture lost the request; the same may wait in front of a proxy
        else:
            self._begin(conversation.ledger, attempt)

    def _begin(self, ledger: Connection, attempt: Attempt) -> None:
        client = self.peers.client(ledger, attempt.request.user_agent)
        self.peers.begin(client, attempt, busy=self._is_busy(self.peers.last_attempt(client)))

    def settle(self, ledger: Connection, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has come to its end. One that was forwarded counts only if it came to another end than the one in
        front of the proxy, which is known later."""
        hop = attempt.hop
        behind = self._hop_ledgers.pop(hop, None) if hop is not None else None
        if attempt.forwarded:
            attempt.outcome = outcome
            return
        self.peers.settle(ledger, attempt, outcome)
        if hop is None or behind is None:
            return
        if hop.outcome is Outcome.PENDING:
            agree = outcome in (Outcome.UNANSWERED, Outcome.UNSEEN, Outcome.SILENT_AFTER_101)
        else:
            agree = (hop.outcome, hop.status) == (outcome, attempt.status)
        if not agree:
            ended, hop.outcome = hop.outcome, Outcome.PENDING
            hop.forwarded = False
            self._begin(behind, hop)
            if ended is not Outcome.PENDING:
                self.peers.settle(behind, hop, ended)
            if hop.session is not None:
                self.register.stands_alone(hop.session)

    def _is_busy(self, attempt: Attempt | None) -> bool:
        if attempt is None or attempt.session is None:
            return False
        state = self.states[attempt.session]
        return state.open_websockets > 0 or state.polls.busy

    def open(
        self,
        conversation: Conversation,
        attempt: Attempt,
        opening: OpenPacket | None,
        transport: Transport,
        place: PacketRef,
    ) -> Session:
        """The server opened a session; `opening` is None where the capture lacks its open packet."""
        client = self.peers.client(conversation.ledger, attempt.request.user_agent)
        sid = opening.sid if opening else None
        given = self.by_sid.get((conversation.ledger.server, sid)) if sid else None
        if given is not None and given.handshake is not None:
            attempt.given_before = given.opened
        session = self._new(
            conversation, client, sid, attempt.request.path, place, attempt.forwarded, attempt.socketio09
        )
        session.attempt = attempt
        session.handshake = opening
        session.claimed_eio = attempt.request.eio
        attempt.session = session
        attempt.answer = place
        server = session.server
        note_origin(server, attempt)
        server.handshake = server.handshake or opening
        if sid is not None:
            self.peers.sids.note(server, sid, place)
        if attempt.answered is not None and attempt.answered.cookies:
            session.cookies_set = tuple([name for name, _ in attempt.answered.cookies])
        note_transport(session, transport)
        self.settle(conversation.ledger, attempt, Outcome.OPENED)
        note_use(session, conversation.ledger.stream, transport, attempt.request.place)
        if transport is not POLLING:
            self.carry(conversation, session)
        else:
            conversation.polled = session
        # Without the client's direction, what it did not say is not known.
        session.midstream = opening is None or not conversation.heard(CLIENT, place)
        return session

    def midstream(
        self,
        conversation: Conversation,
        query: Query,
        request: HttpRequest,
        forwarded: bool = False,
        socketio09: bool = False,
    ) -> Session:
        """A session whose opening was not captured, by a request with its sid."""
        facts = request_facts(request, query, is_upgrade(request), conversation.channel)
        client = self.peers.client(conversation.ledger, facts.user_agent)
        self.peers.note_request(client, facts)
        sid = query.first("sid") or ""
        session = self._new(conversation, client, sid, query.path, request.last, forwarded, socketio09)
        session.claimed_eio = facts.eio
        session.midstream = True
        if not facts.upgrade:  # an upgrade counts when it is confirmed
            note_transport(session, POLLING)
        return session

    def midstream_polling(self, conversation: Conversation, place: PacketRef) -> Session:
        """A session over polling of which only what the server sends was captured, and not its opening."""
        client = self.peers.client(conversation.ledger, "")
        session = self._new(conversation, client, None, None, place)
        session.midstream = True
        note_transport(session, POLLING)
        return session

    def unannounced_attempt(self, conversation: Conversation, message: HttpMessage | WsMessage) -> Attempt:
        """The request of a session that was opened, where it was not captured or said nothing of Engine.IO."""
        request: HttpRequest | None = None
        if isinstance(message, WsMessage) and conversation.upgrade is not None:
            # Before that, it may be what the connection changes over to later, and was read ahead.
            request = conversation.upgrade.request
        if request is None:
            place = message.first if isinstance(message, HttpMessage) else conversation.ledger.first
            request = HttpRequest(b"", 0, place)
        conversation.is_engineio = True
        self.begin_attempt(conversation, request, query_of(request), upgrade=isinstance(message, WsMessage))
        return conversation.attempts[request]

    def midstream_websocket(self, conversation: Conversation, socketio09: bool = False) -> Session:
        """The session of a WebSocket that speaks Engine.IO (or Socket.IO 0.9) and whose request was not captured: the
        one whose polling was answered last between the same two, if it may be upgraded, else a session of its own."""
        ledger = conversation.ledger
        session = self.answered_alone.get(ledger.peers)
        may_upgrade = (
            session is not None
            and session in self.states
            and session.handshake is not None
            and WEBSOCKET.value in session.handshake.upgrades
            and self.states[session].carrier is None
        )
        if session is None or not may_upgrade:
            client = self.peers.client(ledger, "")
            session = self._new(conversation, client, None, None, ledger.first, socketio09=socketio09)
            session.midstream = True
            note_transport(session, WEBSOCKET)
            self.carry(conversation, session)
        else:
            conversation.session = session
            self.states[session].open_websockets += 1
        note_use(session, ledger.stream, WEBSOCKET, ledger.first)
        conversation.is_engineio = True
        return session

    def carry(self, conversation: Conversation, session: Session) -> None:
        """A WebSocket that carries the session from its opening on."""
        conversation.session = session
        state = self.states[session]
        state.open_websockets += 1
        state.carrier = conversation.channel

    def _new(
        self,
        conversation: Conversation,
        client: Client,
        sid: str | None,
        path: str | None,
        place: PacketRef,
        forwarded: bool = False,
        socketio09: bool = False,
    ) -> Session:
        ledger = conversation.ledger
        server = self.peers.server(ledger.server)
        session = Session(0, sid, path, client, server, ledger.client, place)
        session.last = place
        session.encrypted = ledger.encrypted
        session.proxied_for = ledger.proxied_for
        session.forwarded = forwarded
        session.socketio09 = socketio09
        kind = SessionState09 if socketio09 else SessionState
        state = kind(session, self._watch, self._listener, self.register.changed)
        state.messages.recoveries = self.peers.recoveries
        self.register.add(session, state)
        return session

    def note_gap(self, session: Session, side: Side, place: PacketRef, conversation: Conversation) -> None:
        """Bytes of a session are missing from the capture in one of its connections, as a packet showed."""
        if len(session.gaps) < MAX_GAPS and session in self.states:
            before = session.last_from[side]
            if before is None or conversation.session is None:
                # Over HTTP: what was said since then came on other connections.
                known = conversation.answered if side is SERVER else conversation.asked
                before = min(before or session.opened, known or conversation.ledger.first)
            session.gaps.append(place.number)
            session.gap_starts.append(min(before.number, place.number))
