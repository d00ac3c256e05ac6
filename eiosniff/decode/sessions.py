"""From records of connections to sessions: a session is a sid over all its connections.

Sees the records of all conversations in the order of the captured packets that completed them, and fills the ledgers
of sessions, clients and servers. Judges nothing.
"""

from typing import Final

from eiosniff.decode.conversation import Conversation, Record
from eiosniff.decode.engineio import decode_message, decode_payload, parse_error_body, parse_open
from eiosniff.decode.facts import (
    is_engineio,
    is_engineio_text,
    is_upgrade,
    note_server,
    query_of,
    request_facts,
)
from eiosniff.decode.http1 import Upgrade
from eiosniff.decode.peers import Peers, Retire
from eiosniff.decode.register import Register
from eiosniff.decode.session_packets import Listener, SessionState, Watcher, note_transport, note_use
from eiosniff.model.engineio import POLLING, WEBSOCKET, EioType, OpenPacket, ServerError, Transport
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse, Query
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import (
    MAX_GAPS,
    MAX_SESSIONS,
    Attempt,
    Client,
    CloseHow,
    Closing,
    Outcome,
    RefusedRequest,
    Session,
)
from eiosniff.model.tcp import EndKind, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap
from eiosniff.model.websocket import BINARY, TEXT, Opcode, WsControl, WsMessage

_BODY_KEPT: Final = 300
_EARLY_MESSAGES: Final = 8
# Of one connection: those before were never answered, or the capture lacks the answers.
_REQUESTS_UNDER_WAY: Final = 1024
_POLLS_UNDER_WAY: Final = 16  # connections of one session: a client has two requests under way at most
# A preflight or a probe asks what a request would be answered; neither is one of Engine.IO, and no body answers it.
_WITHOUT_ENGINEIO: Final = (b"OPTIONS", b"HEAD")
_CLOSES: Final = {EndKind.FIN: CloseHow.FIN, EndKind.RST: CloseHow.RST}


class Sessions:
    """The sessions, clients and servers of one capture: all that are active, and up to `most` of each.

    `watch` asks TCP for the acknowledgement of a ping. `listener` hears every packet (for `eiosniff decode`). `path`:
    only requests under it. `retire` is told of each ledger that is let go.
    """

    def __init__(
        self,
        watch: Watcher,
        listener: Listener | None = None,
        path: str | None = None,
        most: int = MAX_SESSIONS,
        retire: Retire = lambda _: None,
    ) -> None:
        self._peers = Peers(most, retire)
        self.clients = self._peers.clients
        self.servers = self._peers.servers
        self._watch = watch
        self._listener = listener
        self._path = path
        self._register = Register(most, self._peers, retire)
        self._states = self._register.states
        self._by_sid = self._register.by_sid

    @property
    def sessions(self) -> list[Session]:
        """Those in memory, in the order of their opening."""
        return list(self._states)

    @property
    def total(self) -> int:
        """How many sessions there were."""
        return self._register.total

    def handle(self, conversation: Conversation, record: Record) -> None:
        """Take one record."""
        if isinstance(record, WsMessage):
            self._ws_message(conversation, record)
        elif isinstance(record, HttpRequest):
            self._request(conversation, record)
        elif isinstance(record, HttpResponse):
            self._response(conversation, record)
        elif isinstance(record, StreamEnd):
            self._end(conversation, record)
        elif isinstance(record, Upgrade):
            self._upgrade(conversation, record)
        elif isinstance(record, WsControl):
            self._ws_control(conversation, record)
        elif isinstance(record, Anomaly):
            self._anomaly(conversation, record)
        elif isinstance(record, Gap):
            self._gap(conversation, record)

    def close(self) -> None:
        """The capture is over."""
        self._peers.close()

    # ------------------------------------------------------------------ requests and answers

    def _request(self, conversation: Conversation, request: HttpRequest) -> None:
        query, upgrade = query_of(request), is_upgrade(request)
        if not self._is_engineio(query, upgrade):
            return
        conversation.is_engineio = True
        if request.method in _WITHOUT_ENGINEIO:
            return
        sid = query.first("sid")
        if not sid:
            self._begin_attempt(conversation, request, query, upgrade)
            return
        session = self._by_sid.get((conversation.ledger.server, sid))
        if session is None:
            if self._register.is_retired(conversation.ledger.server, sid):
                return  # too late to change anything
            # Not captured from its beginning; the answer will tell whether the server knows it.
            conversation.ask_unknown(request)
            if len(conversation.unknown) > _REQUESTS_UNDER_WAY:
                del conversation.unknown[next(iter(conversation.unknown))]
            return
        self._session_request(conversation, session, request, upgrade)

    def _is_engineio(self, query: Query, upgrade: bool) -> bool:
        if self._path is not None:
            return query.path.rstrip("/") == self._path.rstrip("/")
        return is_engineio(query, upgrade)

    def _session_request(
        self, conversation: Conversation, session: Session, request: HttpRequest, upgrade: bool
    ) -> None:
        if upgrade and session.client.websocket_request is None:  # it tells more than the handshake over polling
            query = query_of(request)
            self._peers.note_request(session.client, request_facts(request, query, upgrade, conversation.ledger.stream))
        if not upgrade:
            polls = self._states[session].polls
            polls[conversation] = None
            if len(polls) > _POLLS_UNDER_WAY:
                del polls[next(iter(polls))]
            conversation.polled = session
        note_use(session, conversation.ledger.stream, WEBSOCKET if upgrade else POLLING, request.last)
        if request.body and not upgrade:
            self._payload(conversation, session, request.body, request, CLIENT)

    def _begin_attempt(self, conversation: Conversation, request: HttpRequest, query: Query, upgrade: bool) -> None:
        facts = request_facts(request, query, upgrade, conversation.ledger.stream)
        attempt = Attempt(facts)
        conversation.ask(request, attempt)
        under_way = conversation.attempts
        if len(under_way) > _REQUESTS_UNDER_WAY:
            self._peers.settle(conversation.ledger, under_way.pop(next(iter(under_way))), Outcome.UNANSWERED)
        client = self._peers.client(conversation.ledger, facts.user_agent)
        self._peers.begin(client, attempt, busy=self._is_busy(self._peers.last_attempt(client)))

    def _is_busy(self, attempt: Attempt | None) -> bool:
        if attempt is None or attempt.session is None:
            return False
        state = self._states[attempt.session]
        return state.open_websockets > 0 or any(not poll.over for poll in state.polls)

    def _response(self, conversation: Conversation, response: HttpResponse) -> None:
        request = response.request
        if request is None or 100 <= response.status < 200:
            return
        attempt = conversation.attempts.pop(request, None)
        if attempt is not None:
            if response.inside_websocket:
                self._refused(conversation, attempt, response, Outcome.REFUSED_AFTER_101)
            else:
                self._attempt_answered(conversation, attempt, response)
            return
        query, upgrade = query_of(request), is_upgrade(request)
        if request.method in _WITHOUT_ENGINEIO or not (conversation.is_engineio and self._is_engineio(query, upgrade)):
            return
        session = self._by_sid.get((conversation.ledger.server, query.first("sid") or ""))
        if request in conversation.unknown:
            del conversation.unknown[request]
            if session is None and response.status != 200:
                return  # refused, of a session that the capture does not show
            session = session or self._midstream_session(conversation, query, request)
            self._session_request(conversation, session, request, upgrade)
        if session is not None:
            self._session_answered(conversation, session, response)

    def _attempt_answered(self, conversation: Conversation, attempt: Attempt, response: HttpResponse) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        if response.status >= 300:
            self._refused(conversation, attempt, response, Outcome.REFUSED)
            return
        note_server(self._peers.server(conversation.ledger.server), response)
        payload = decode_payload(
            response.body, response.header(b"content-type"), None, SERVER, response.last, response.packets
        )
        packets = payload.packets
        opening = parse_open(packets[0].data) if packets and packets[0].type == EioType.OPEN else None
        if opening is None:
            attempt.body = response.body[:_BODY_KEPT]
            self._peers.settle(conversation.ledger, attempt, Outcome.FOREIGN)
            return
        session = self._open(conversation, attempt, opening, POLLING, response.last)
        session.revisions[SERVER] = payload.revision_shape
        session.requests_answered += 1
        for packet in packets:
            self._states[session].engineio(packet, conversation, response.end)

    def _refused(self, conversation: Conversation, attempt: Attempt, response: HttpResponse, outcome: Outcome) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        attempt.error = parse_error_body(response.body, response.header(b"content-type"))
        attempt.body = response.body[:_BODY_KEPT]
        server = self._peers.server(conversation.ledger.server)
        note_server(server, response)
        if attempt.error is not None:
            server.marks.setdefault("error-style", attempt.error.style)
        self._peers.settle(conversation.ledger, attempt, outcome)

    def _session_answered(self, conversation: Conversation, session: Session, response: HttpResponse) -> None:
        state = self._states[session]
        state.polls.pop(conversation, None)
        request = response.request
        assert request is not None
        if response.status >= 300 or response.inside_websocket:
            self._session_refused(session, request, response)
            return
        session.requests_answered += 1
        note_use(session, conversation.ledger.stream, POLLING, response.last)
        server = session.server
        if request.method == b"POST":  # what answers a POST is no payload
            server.marks.setdefault("post-ok", response.body[:10].decode("latin-1"))
        elif response.status != 204:
            self._payload(conversation, session, response.body, response, SERVER)

    def _session_refused(self, session: Session, request: HttpRequest, response: HttpResponse) -> None:
        error = parse_error_body(response.body, response.header(b"content-type"))
        closing = session.closing
        # Of a request that went on when it was refused, the end may have come in the same batch, or be still to come.
        asked = request.last if request.complete and request.order <= response.order else request.first
        refusal = RefusedRequest(
            request=asked,
            answer=response.last,
            status=response.status,
            error=error,
            transport=WEBSOCKET if is_upgrade(request) else POLLING,
            after_close=closing is not None and closing.place.number <= response.last.number,
            idle_ns=asked.ts_ns - session.last.ts_ns,
        )
        session.refusals.add(refusal, refusal.answer.ts_ns)
        if error is not None:
            session.server.marks.setdefault("error-style", error.style)

    def _payload(
        self, conversation: Conversation, session: Session, body: bytes, message: HttpMessage, side: Side
    ) -> None:
        hint = self._states[session].revision(side)
        payload = decode_payload(body, message.header(b"content-type"), hint, side, message.last, message.packets)
        if payload.revision_shape is not None and len(payload.packets) > 0:
            session.revisions[side] = session.revisions[side] or payload.revision_shape
        if payload.trouble and message.complete and message.body_kept and not message.missing:
            found = body[:40].decode("latin-1")
            anomaly = Anomaly(AnomalyKind.EIO_BAD_PAYLOAD, side, message.last, payload.trouble, found)
            self._states[session].anomaly(anomaly)
        packets = payload.packets
        if message.missing or not message.complete:  # what has a hole (read as zeros) or is cut says nothing
            packets = [packet for packet in packets[: None if message.complete else -1] if b"\0" not in packet.data]
        for packet in packets:
            self._states[session].engineio(packet, conversation, message.end)

    # ------------------------------------------------------------------ WebSocket

    def _upgrade(self, conversation: Conversation, upgrade: Upgrade) -> None:
        request = upgrade.request
        if request is None:
            return
        answer = upgrade.response.last if upgrade.response else None
        attempt = conversation.attempts.get(request)
        if attempt is not None:
            attempt.status = 101
            attempt.answer = answer
            conversation.attempt = attempt
            return
        query = query_of(request)
        sid = query.first("sid")
        session = self._by_sid.get((conversation.ledger.server, sid or ""))
        retired = session is None and self._register.is_retired(conversation.ledger.server, sid)
        if session is None and sid and not retired and self._is_engineio(query, upgrade=True):
            session = self._midstream_session(conversation, query, request)
        conversation.unknown.pop(request, None)
        if session is not None:
            conversation.session = session
            self._states[session].open_websockets += 1

    def _ws_message(self, conversation: Conversation, message: WsMessage) -> None:
        session = conversation.session
        if session is None:
            session = self._ws_without_session(conversation, message)
            if session is None:
                return
        if not message.readable:
            self._note_gap(session, message.last)
            return
        state = self._states.get(session)
        if state is None:
            return  # it was let go: this is what its peer had in flight
        side, payload, binary = message.side, message.payload, message.opcode == BINARY
        revision = state.revision(side) if binary or payload.startswith(b"b") else 4  # else it makes no difference
        packet = decode_message(payload, binary, revision, side, WEBSOCKET, message.last, message.packets)
        uses = session.connections
        if uses and uses[-1].stream == conversation.ledger.stream:
            uses[-1].last = message.last
        state.engineio(packet, conversation, message.end)

    def _ws_without_session(self, conversation: Conversation, message: WsMessage) -> Session | None:
        """The first messages after an upgrade without a sid: the server should open a session."""
        attempt = conversation.attempt
        text = message.payload if message.readable and message.opcode == TEXT else b""
        opening = parse_open(text[1:]) if message.side is SERVER and text.startswith(b"0{") else None
        if opening is not None:
            if attempt is None:
                if self._path is not None:
                    conversation.forget()
                    return None
                attempt = self._unannounced_attempt(conversation)
            return self._open_websocket(conversation, attempt, opening, message)
        if attempt is None:
            if conversation.upgrade is None and is_engineio_text(text, message):
                return self._midstream_websocket(conversation)
            if text if conversation.upgrade is None else message.side is SERVER:
                conversation.forget()
            return None
        if message.side is CLIENT:
            attempt.client_said = attempt.client_said or message.payload[:_BODY_KEPT] or b"?"
            if len(conversation.early) < _EARLY_MESSAGES:
                conversation.early = [*conversation.early, message]
        elif conversation.lossy or not message.readable:  # the open packet may be among what is missing
            return self._open_websocket(conversation, attempt, None, message)
        elif attempt.outcome is Outcome.PENDING:
            attempt.body = message.payload[:_BODY_KEPT]
            attempt.answer = message.last
            self._peers.settle(conversation.ledger, attempt, Outcome.FOREIGN)
        return None

    def _open_websocket(
        self, conversation: Conversation, attempt: Attempt, opening: OpenPacket | None, message: WsMessage
    ) -> Session:
        session = self._open(conversation, attempt, opening, WEBSOCKET, message.last)
        for early in conversation.early:
            self._ws_message(conversation, early)
        conversation.early = []
        return session

    def _unannounced_attempt(self, conversation: Conversation) -> Attempt:
        """A WebSocket whose request said nothing of Engine.IO, and that turned out to be it."""
        request = conversation.upgrade.request if conversation.upgrade else None
        if request is None:
            request = HttpRequest(b"", 0, conversation.ledger.first)
        conversation.is_engineio = True
        self._begin_attempt(conversation, request, query_of(request), upgrade=True)
        return conversation.attempts[request]

    def _ws_control(self, conversation: Conversation, frame: WsControl) -> None:
        if frame.opcode != Opcode.CLOSE:
            return
        session, attempt = conversation.session, conversation.attempt
        reason = frame.close_reason.decode("utf-8", "backslashreplace")
        if session is not None:
            state = self._states.get(session)
            if state is not None and state.carrier == conversation.ledger.stream:
                state.close(Closing(frame.side, CloseHow.WS_CLOSE, frame.last, frame.close_code, reason))
        elif attempt is not None and attempt.outcome is Outcome.PENDING and attempt.ended is None:
            attempt.ended, attempt.ended_by = frame.last, frame.side
            if reason:
                attempt.error = ServerError(None, reason, "close")

    def _end(self, conversation: Conversation, end: StreamEnd) -> None:
        for attempt in conversation.attempts.values():
            if attempt.outcome is Outcome.PENDING:
                if end.kind is not EndKind.CAPTURE_ENDED and attempt.ended is None:
                    attempt.ended, attempt.ended_by = end.place, end.side
                if conversation.over:
                    silent = attempt.status == 101 and not conversation.lossy
                    self._peers.settle(
                        conversation.ledger, attempt, Outcome.SILENT_AFTER_101 if silent else Outcome.UNANSWERED
                    )
        if conversation.over:
            conversation.attempts.clear()
            conversation.unknown.clear()
        session = conversation.session
        state = self._states.get(session) if session is not None else None
        if state is None:
            return
        if conversation.over:
            state.open_websockets = max(0, state.open_websockets - 1)
        how = _CLOSES.get(end.kind)
        if how is not None and state.carrier == conversation.ledger.stream:
            state.close(Closing(end.side, how, end.place))

    def _anomaly(self, conversation: Conversation, anomaly: Anomaly) -> None:
        state = self._states.get(conversation.session) if conversation.session is not None else None
        if state is not None:
            state.anomaly(anomaly)

    def _gap(self, conversation: Conversation, gap: Gap) -> None:
        conversation.lossy = True
        session = conversation.session or conversation.polled
        if session is not None:
            self._note_gap(session, gap.place)

    def _note_gap(self, session: Session, place: PacketRef) -> None:
        if len(session.gaps) < MAX_GAPS and session in self._states:
            session.gaps.append(place.number)

    # ------------------------------------------------------------------ sessions

    def _open(
        self,
        conversation: Conversation,
        attempt: Attempt,
        opening: OpenPacket | None,
        transport: Transport,
        place: PacketRef,
    ) -> Session:
        """The server opened a session; `opening` is None where the capture lacks its open packet."""
        client = self._peers.client(conversation.ledger, attempt.request.user_agent)
        session = self._new(conversation, client, opening.sid if opening else None, attempt.request.path, place)
        session.attempt = attempt
        session.handshake = opening
        session.claimed_eio = attempt.request.eio
        attempt.session = session
        attempt.answer = place
        server = session.server
        server.handshake = server.handshake or opening
        note_transport(session, transport)
        self._peers.settle(conversation.ledger, attempt, Outcome.OPENED)
        note_use(session, conversation.ledger.stream, transport, attempt.request.place)
        if transport is WEBSOCKET:
            self._carry(conversation, session)
        else:
            conversation.polled = session
        # Without the client's direction, what it did not say is not known.
        session.midstream = opening is None or not conversation.heard(CLIENT, place)
        return session

    def _midstream_session(self, conversation: Conversation, query: Query, request: HttpRequest) -> Session:
        facts = request_facts(request, query, is_upgrade(request), conversation.ledger.stream)
        client = self._peers.client(conversation.ledger, facts.user_agent)
        self._peers.note_request(client, facts)
        session = self._new(conversation, client, query.first("sid") or "", query.path, request.last)
        session.claimed_eio = facts.eio
        session.midstream = True
        if not facts.upgrade:  # an upgrade counts when it is confirmed
            note_transport(session, POLLING)
        return session

    def _midstream_websocket(self, conversation: Conversation) -> Session:
        """A WebSocket whose handshake was not captured, speaking Engine.IO."""
        client = self._peers.client(conversation.ledger, "")
        session = self._new(conversation, client, None, None, conversation.ledger.first)
        session.midstream = True
        note_transport(session, WEBSOCKET)
        note_use(session, conversation.ledger.stream, WEBSOCKET, conversation.ledger.first)
        conversation.is_engineio = True
        self._carry(conversation, session)
        return session

    def _carry(self, conversation: Conversation, session: Session) -> None:
        """A WebSocket that carries the session from its opening on."""
        conversation.session = session
        state = self._states[session]
        state.open_websockets += 1
        state.carrier = conversation.ledger.stream

    def _new(
        self, conversation: Conversation, client: Client, sid: str | None, path: str | None, place: PacketRef
    ) -> Session:
        ledger = conversation.ledger
        server = self._peers.server(ledger.server)
        session = Session(self._register.total + 1, sid, path, client, server, ledger.client, place)
        session.last = place
        session.proxied_for = ledger.proxied_for
        self._register.add(session, SessionState(session, self._watch, self._listener))
        return session
