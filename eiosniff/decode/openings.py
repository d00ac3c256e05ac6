"""How sessions come about, and where they are found: what polling and WebSocket have in common."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.facts import is_engineio, is_upgrade, request_facts
from eiosniff.decode.peers import Peers, Retire
from eiosniff.decode.register import Register
from eiosniff.decode.session_packets import Listener, SessionState, Watcher, note_transport, note_use
from eiosniff.decode.session_packets09 import SessionState09
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import POLLING, WEBSOCKET, OpenPacket, Transport
from eiosniff.model.http import HttpRequest, Query
from eiosniff.model.peers import Client
from eiosniff.model.provenance import CLIENT, PacketRef
from eiosniff.model.session import MAX_GAPS, Session

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
    ) -> None:
        self.peers = Peers(most, retire)
        self.register = Register(most, self.peers, retire)
        self.states = self.register.states
        self.by_sid = self.register.by_sid
        self.path = path
        self._watch = watch
        self._listener = listener

    def state_of(self, conversation: Conversation) -> SessionState | None:
        """That of the session which a WebSocket is part of; None where there is none, or it was let go."""
        session = conversation.session
        return None if session is None else self.states.get(session)

    def is_engineio(self, query: Query, upgrade: bool) -> bool:
        """Whether a request is one of Engine.IO, under the path that the user chose."""
        if self.path is not None:
            return query.path.rstrip("/") == self.path.rstrip("/")
        return is_engineio(query, upgrade)

    def begin_attempt(
        self, conversation: Conversation, request: HttpRequest, query: Query, upgrade: bool, socketio09: bool = False
    ) -> None:
        """A client asks for a session."""
        facts = request_facts(request, query, upgrade, conversation.ledger.stream)
        attempt = Attempt(facts, socketio09=socketio09)
        conversation.ask(request, attempt)
        under_way = conversation.attempts
        if len(under_way) > REQUESTS_UNDER_WAY:
            self.peers.settle(conversation.ledger, under_way.pop(next(iter(under_way))), Outcome.UNANSWERED)
        client = self.peers.client(conversation.ledger, facts.user_agent)
        self.peers.begin(client, attempt, busy=self._is_busy(self.peers.last_attempt(client)))

    def _is_busy(self, attempt: Attempt | None) -> bool:
        if attempt is None or attempt.session is None:
            return False
        state = self.states[attempt.session]
        return state.open_websockets > 0 or any(not poll.over for poll in state.polls)

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
        session = self._new(conversation, client, sid, attempt.request.path, place, attempt.socketio09)
        session.attempt = attempt
        session.handshake = opening
        session.claimed_eio = attempt.request.eio
        attempt.session = session
        attempt.answer = place
        server = session.server
        server.handshake = server.handshake or opening
        note_transport(session, transport)
        self.peers.settle(conversation.ledger, attempt, Outcome.OPENED)
        note_use(session, conversation.ledger.stream, transport, attempt.request.place)
        if transport is WEBSOCKET:
            self.carry(conversation, session)
        else:
            conversation.polled = session
        # Without the client's direction, what it did not say is not known.
        session.midstream = opening is None or not conversation.heard(CLIENT, place)
        return session

    def midstream(
        self, conversation: Conversation, query: Query, request: HttpRequest, socketio09: bool = False
    ) -> Session:
        """A session whose opening was not captured, by a request with its sid."""
        facts = request_facts(request, query, is_upgrade(request), conversation.ledger.stream)
        client = self.peers.client(conversation.ledger, facts.user_agent)
        self.peers.note_request(client, facts)
        session = self._new(conversation, client, query.first("sid") or "", query.path, request.last, socketio09)
        session.claimed_eio = facts.eio
        session.midstream = True
        if not facts.upgrade:  # an upgrade counts when it is confirmed
            note_transport(session, POLLING)
        return session

    def midstream_websocket(self, conversation: Conversation, socketio09: bool = False) -> Session:
        """A WebSocket whose handshake was not captured, speaking Engine.IO or Socket.IO 0.9."""
        client = self.peers.client(conversation.ledger, "")
        session = self._new(conversation, client, None, None, conversation.ledger.first, socketio09)
        session.midstream = True
        note_transport(session, WEBSOCKET)
        note_use(session, conversation.ledger.stream, WEBSOCKET, conversation.ledger.first)
        conversation.is_engineio = True
        self.carry(conversation, session)
        return session

    def carry(self, conversation: Conversation, session: Session) -> None:
        """A WebSocket that carries the session from its opening on."""
        conversation.session = session
        state = self.states[session]
        state.open_websockets += 1
        state.carrier = conversation.ledger.stream

    def _new(
        self,
        conversation: Conversation,
        client: Client,
        sid: str | None,
        path: str | None,
        place: PacketRef,
        socketio09: bool = False,
    ) -> Session:
        ledger = conversation.ledger
        server = self.peers.server(ledger.server)
        session = Session(self.register.total + 1, sid, path, client, server, ledger.client, place)
        session.last = place
        session.socketio09 = socketio09
        kind = SessionState09 if socketio09 else SessionState
        self.register.add(session, kind(session, self._watch, self._listener))
        return session

    def note_gap(self, session: Session, place: PacketRef) -> None:
        """Bytes of a session are missing from the capture, as a packet showed."""
        if len(session.gaps) < MAX_GAPS and session in self.states:
            session.gaps.append(place.number)
