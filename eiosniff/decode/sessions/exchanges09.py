"""Requests, answers and WebSockets of Socket.IO 0.9, into the ledgers: its handshakes, polling, refusals.

`sessions` asks here first. What is recorded is the same as of Engine.IO, in the same ledgers, as far as there is such a
thing in 0.9; sessions and attempts are marked `socketio09`.
"""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio.packets import parse_error_body
from eiosniff.decode.facts import is_upgrade, note_server, query_of, request_facts
from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.sessions.exchanges import WITHOUT_ENGINEIO
from eiosniff.decode.sessions.openings import Openings
from eiosniff.decode.sessions.session_packets import note_transport, note_use
from eiosniff.decode.sessions.session_packets09 import SessionState09
from eiosniff.decode.socketio.packets09 import (
    MARK,
    Target,
    looks_like_packet,
    parse_handshake,
    parse_target,
    split_payload,
)
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import POLLING, WEBSOCKET, EioPacket, OpenPacket
from eiosniff.model.http import BODY_KEPT, TEXT_LIMIT, HttpMessage, HttpRequest, HttpResponse, Query
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.model.trouble import Anomaly, AnomalyKind

_DEFAULT_RESOURCE: Final = "/socket.io"
_OVER_HTTP: Final = ("htmlfile", "xhr-polling", "jsonp-polling")
_OVER_WEBSOCKET: Final = ("websocket", "flashsocket")
_OK: Final = 200
_SWITCHING: Final = 101
_SERVER_MARK: Final = "sid-09"  # a sid that it gave out: the shape tells the server, see `knowledge/servers.toml`


class Exchanges09:
    """What is asked and answered in Socket.IO 0.9, on all connections. Whether a record was one of it is returned."""

    def __init__(self, openings: Openings) -> None:
        self._openings = openings

    def request(self, conversation: Conversation, request: HttpRequest) -> bool:
        """Take a request of any kind."""
        target = _target_of(request)
        if target is None or request.method in WITHOUT_ENGINEIO:
            return False
        if not target.sid:
            if not _is_expected(self._openings, target):
                return False  # the answer will tell
            self._openings.begin_attempt(conversation, request, query_of(request), upgrade=False, socketio09=True)
            conversation.is_engineio = True
            return True
        session = self._openings.by_sid.get((conversation.ledger.server, target.sid))
        if session is None:
            return _is_expected(self._openings, target)  # not captured from its beginning; the answer will tell
        if not session.socketio09:
            return False
        conversation.is_engineio = True
        self._session_request(conversation, session, request, target)
        return True

    def _session_request(
        self, conversation: Conversation, session: Session, request: HttpRequest, target: Target
    ) -> None:
        upgrade = is_upgrade(request)
        if upgrade:
            facts = request_facts(request, query_of(request), upgrade, conversation.channel)
            self._openings.peers.note_request(session.client, facts)
        note_use(session, conversation.ledger.stream, WEBSOCKET if upgrade else POLLING, request.last)
        state = self._openings.states[session]
        if upgrade or not isinstance(state, SessionState09):
            return
        if not target.transport or query_of(request).first("disconnect") is not None:
            # How a page says goodbye while it is unloaded, and no poll.
            state.farewell(Closing(CLIENT, CloseHow.DISCONNECT, request.last))
            return
        state.reopen()
        state.polls.ask(conversation, request.first, request.last, request.method == b"POST")
        note_transport(session, POLLING)
        if request.body:
            self._payload(conversation, session, target, request, CLIENT)

    def response(self, conversation: Conversation, response: HttpResponse) -> bool:
        """Take an answer of any kind."""
        request = response.request
        if request is None or 100 <= response.status < _OK or response.accepts_websocket:
            return False
        target = _target_of(request)
        if target is None or request.method in WITHOUT_ENGINEIO:
            return False
        if not target.sid:
            return self._handshake_answered(conversation, request, response)
        session = self._openings.by_sid.get((conversation.ledger.server, target.sid))
        if session is None:
            polled = target.transport in _OVER_HTTP and self._is_unknown(conversation, target)
            if response.status != _OK or not polled:
                return _is_expected(self._openings, target)
            session = _midstream(self._openings, conversation, request, target, response)
            self._session_request(conversation, session, request, target)
        if not session.socketio09:
            return False
        self._session_answered(conversation, session, target, request, response)
        return True

    def _handshake_answered(self, conversation: Conversation, request: HttpRequest, response: HttpResponse) -> bool:
        opening = parse_handshake(response.body) if response.status == _OK else None
        attempt = conversation.attempts.pop(request, None)
        if attempt is None:
            if opening is None or self._openings.path is not None:
                return False
            self._openings.begin_attempt(conversation, request, query_of(request), upgrade=False, socketio09=True)
            conversation.is_engineio = True
            attempt = conversation.attempts.pop(request)
        attempt.status = response.status
        attempt.answer = response.last
        server = self._openings.peers.server(conversation.ledger.server)
        note_server(server, response)
        if opening is not None:
            self._open(conversation, attempt, opening, response)
            return True
        attempt.body = response.body[:BODY_KEPT]
        if response.status >= 300:
            attempt.error = parse_error_body(response.body, response.header(b"content-type"))
            if attempt.error is not None:
                server.marks.setdefault("error-style", attempt.error.style)
        outcome = Outcome.FOREIGN if response.status < 300 else Outcome.REFUSED
        if outcome is Outcome.FOREIGN and (response.missing or not response.complete):
            outcome = Outcome.UNANSWERED  # as far as the capture shows
        self._openings.settle(conversation.ledger, attempt, outcome)
        return True

    def _open(self, conversation: Conversation, attempt: Attempt, opening: OpenPacket, response: HttpResponse) -> None:
        session = self._openings.open(conversation, attempt, opening, POLLING, response.last)
        session.requests_answered += 1
        session.transports.clear()  # the handshake belongs to none
        server = session.server
        if server.handshake is opening:
            server.handshake = None  # that ledger has the one of Engine.IO
        server.marks.setdefault(_SERVER_MARK, opening.sid)

    def _is_unknown(self, conversation: Conversation, target: Target) -> bool:
        """Whether a sid is of a session that began before the capture, and not of one that was let go."""
        if self._openings.register.is_retired(conversation.ledger.server, target.sid):
            return False
        chosen = self._openings.path
        return chosen is None or _is_expected(self._openings, target)

    def _session_answered(
        self,
        conversation: Conversation,
        session: Session,
        target: Target,
        request: HttpRequest,
        response: HttpResponse,
    ) -> None:
        state = self._openings.states[session]
        state.polls.answer(conversation)
        if response.status != _OK or not target.transport:
            return
        session.requests_answered += 1
        note_use(session, conversation.ledger.stream, POLLING, response.last)
        if request.method != b"POST":  # which is answered `1`
            self._payload(conversation, session, target, response, SERVER)

    def _payload(
        self, conversation: Conversation, session: Session, target: Target, message: HttpMessage, side: Side
    ) -> None:
        state = self._openings.states[session]
        payload = split_payload(message.body, target.transport, side)
        whole = message.complete and message.body_kept and not message.missing
        if payload.trouble and whole:
            found = message.body[:40].decode("latin-1")
            state.anomaly(Anomaly(AnomalyKind.EIO_BAD_PAYLOAD, side, message.last, payload.trouble, found))
        texts = payload.texts
        if not whole:  # what has a hole (read as zeros) or is cut says nothing
            streamed = side is SERVER and target.transport == "htmlfile"
            texts = [text for text in texts[: None if message.complete or streamed else -1] if b"\0" not in text]
        for text in texts:
            packet = EioPacket(-1, text, False, side, POLLING, message.last, message.packets)
            state.engineio(packet, conversation, message.end)

    def upgrade(self, conversation: Conversation, upgrade: Upgrade) -> bool:
        """Take the change of a connection to WebSocket."""
        request = upgrade.request
        target = _target_of(request) if request is not None else None
        if target is None or not target.sid:
            return False
        session = self._openings.by_sid.get((conversation.ledger.server, target.sid))
        if session is None:
            return True  # the first message will tell
        if not session.socketio09:
            return False
        _carry(self._openings, conversation, session)
        return True


def midstream_websocket(openings: Openings, conversation: Conversation, text: bytes) -> Session | None:
    """The session of a WebSocket that is part of no known one, by the first of its messages that is text.

    None where that is no packet of Socket.IO 0.9, or the request for the WebSocket was another one.
    """
    if not looks_like_packet(text):
        return None
    request = conversation.upgrade.request if conversation.upgrade else None
    if request is None:
        return openings.midstream_websocket(conversation, socketio09=True)
    target = _target_of(request)
    server = conversation.ledger.server
    if target is None or target.transport not in _OVER_WEBSOCKET:
        return None
    if (server, target.sid) in openings.by_sid or openings.register.is_retired(server, target.sid):
        return None
    if openings.path is not None and not _is_expected(openings, target):
        return None
    session = _midstream(openings, conversation, request, target, None)
    note_use(session, conversation.ledger.stream, WEBSOCKET, request.last)
    _carry(openings, conversation, session)
    return session


def _target_of(request: HttpRequest) -> Target | None:
    """What a request is about, if it may be one of Socket.IO 0.9: asked for every request, and answer, of all."""
    return parse_target(query_of(request)) if MARK in request.target else None


def _is_expected(openings: Openings, target: Target) -> bool:
    """Whether such a request is surely one of Socket.IO 0.9, by its path alone: other programs count from 1, too."""
    if openings.path is not None:
        return target.resource.rstrip("/") == openings.path.rstrip("/")
    return target.resource == _DEFAULT_RESOURCE


def _midstream(
    openings: Openings, conversation: Conversation, request: HttpRequest, target: Target, response: HttpResponse | None
) -> Session:
    """A session whose handshake was not captured, by a request with its sid. The client's ledger shows that instead."""
    # As it would have been asked for in Engine.IO, and its path as in the handshake.
    query = Query(f"{target.resource}/1/", (*query_of(request).parameters, ("sid", target.sid)))
    session = openings.midstream(conversation, query, request, socketio09=True)
    session.transports.clear()  # counted with what is said on it
    session.server.marks.setdefault(_SERVER_MARK, target.sid[:TEXT_LIMIT])
    conversation.is_engineio = True
    facts = request_facts(request, query_of(request), is_upgrade(request), conversation.channel)
    status, answer = (_SWITCHING, None) if response is None else (response.status, response.last)
    attempt = Attempt(facts, Outcome.OPENED, status, answer=answer, socketio09=True)
    openings.settle(conversation.ledger, attempt, Outcome.OPENED)
    return session


def _carry(openings: Openings, conversation: Conversation, session: Session) -> None:
    state = openings.states[session]
    if isinstance(state, SessionState09):
        state.reopen()
    note_transport(session, WEBSOCKET)
    openings.carry(conversation, session)
