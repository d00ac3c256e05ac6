"""Requests and their answers, into the ledgers: handshakes, polling, refusals."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio import parse_error_body, parse_open
from eiosniff.decode.facts import is_upgrade, note_server, query_of, request_facts
from eiosniff.decode.openings import REQUESTS_UNDER_WAY, Openings
from eiosniff.decode.payload import decode_payload
from eiosniff.decode.session_packets import note_use
from eiosniff.model.attempt import Attempt, Outcome, RefusedRequest
from eiosniff.model.engineio import POLLING, WEBSOCKET, EioType
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind

BODY_KEPT: Final = 300
POLLS_UNDER_WAY: Final = 16  # connections of one session: a client has two requests under way at most
# A preflight or a probe asks what a request would be answered; neither is one of Engine.IO, and no body answers it.
WITHOUT_ENGINEIO: Final = (b"OPTIONS", b"HEAD")


class Exchanges:
    """What is asked and answered over HTTP, of all connections."""

    def __init__(self, openings: Openings) -> None:
        self._openings = openings

    def request(self, conversation: Conversation, request: HttpRequest) -> None:
        """Take a request of any kind."""
        query, upgrade = query_of(request), is_upgrade(request)
        if not self._openings.is_engineio(query, upgrade):
            return
        conversation.is_engineio = True
        if request.method in WITHOUT_ENGINEIO:
            return
        sid = query.first("sid")
        if not sid:
            self._openings.begin_attempt(conversation, request, query, upgrade)
            return
        session = self._openings.by_sid.get((conversation.ledger.server, sid))
        if session is None:
            if self._openings.register.is_retired(conversation.ledger.server, sid):
                return  # too late to change anything
            # Not captured from its beginning; the answer will tell whether the server knows it.
            conversation.ask_unknown(request)
            if len(conversation.unknown) > REQUESTS_UNDER_WAY:
                del conversation.unknown[next(iter(conversation.unknown))]
            return
        self._session_request(conversation, session, request, upgrade)

    def _session_request(
        self, conversation: Conversation, session: Session, request: HttpRequest, upgrade: bool
    ) -> None:
        if upgrade and session.client.websocket_request is None:  # it tells more than the handshake over polling
            facts = request_facts(request, query_of(request), upgrade, conversation.ledger.stream)
            self._openings.peers.note_request(session.client, facts)
        if not upgrade:
            polls = self._openings.states[session].polls
            polls[conversation] = None
            if len(polls) > POLLS_UNDER_WAY:
                del polls[next(iter(polls))]
            conversation.polled = session
        note_use(session, conversation.ledger.stream, WEBSOCKET if upgrade else POLLING, request.last)
        if request.body and not upgrade:
            self._payload(conversation, session, request.body, request, CLIENT)

    def response(self, conversation: Conversation, response: HttpResponse) -> None:
        """Take an answer of any kind."""
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
        ours = conversation.is_engineio and self._openings.is_engineio(query, upgrade)
        if request.method in WITHOUT_ENGINEIO or not ours:
            return
        session = self._openings.by_sid.get((conversation.ledger.server, query.first("sid") or ""))
        if request in conversation.unknown:
            del conversation.unknown[request]
            if session is None and response.status != 200:
                return  # refused, of a session that the capture does not show
            session = session or self._openings.midstream(conversation, query, request)
            self._session_request(conversation, session, request, upgrade)
        if session is not None:
            self._session_answered(conversation, session, response)

    def _attempt_answered(self, conversation: Conversation, attempt: Attempt, response: HttpResponse) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        if response.status >= 300:
            self._refused(conversation, attempt, response, Outcome.REFUSED)
            return
        note_server(self._openings.peers.server(conversation.ledger.server), response)
        payload = decode_payload(
            response.body, response.header(b"content-type"), None, SERVER, response.last, response.packets
        )
        packets = payload.packets
        opening = parse_open(packets[0].data) if packets and packets[0].type == EioType.OPEN else None
        if opening is None:
            attempt.body = response.body[:BODY_KEPT]
            self._openings.peers.settle(conversation.ledger, attempt, Outcome.FOREIGN)
            return
        session = self._openings.open(conversation, attempt, opening, POLLING, response.last)
        session.revisions[SERVER] = payload.revision_shape
        session.requests_answered += 1
        for packet in packets:
            self._openings.states[session].engineio(packet, conversation, response.end)

    def _refused(self, conversation: Conversation, attempt: Attempt, response: HttpResponse, outcome: Outcome) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        attempt.error = parse_error_body(response.body, response.header(b"content-type"))
        attempt.body = response.body[:BODY_KEPT]
        server = self._openings.peers.server(conversation.ledger.server)
        note_server(server, response)
        if attempt.error is not None:
            server.marks.setdefault("error-style", attempt.error.style)
        self._openings.peers.settle(conversation.ledger, attempt, outcome)

    def _session_answered(self, conversation: Conversation, session: Session, response: HttpResponse) -> None:
        state = self._openings.states[session]
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
        hint = self._openings.states[session].revision(side)
        payload = decode_payload(body, message.header(b"content-type"), hint, side, message.last, message.packets)
        if payload.revision_shape is not None and len(payload.packets) > 0:
            session.revisions[side] = session.revisions[side] or payload.revision_shape
        if payload.trouble and message.complete and message.body_kept and not message.missing:
            found = body[:40].decode("latin-1")
            anomaly = Anomaly(AnomalyKind.EIO_BAD_PAYLOAD, side, message.last, payload.trouble, found)
            self._openings.states[session].anomaly(anomaly)
        packets = payload.packets
        if message.missing or not message.complete:  # what has a hole (read as zeros) or is cut says nothing
            packets = [packet for packet in packets[: None if message.complete else -1] if b"\0" not in packet.data]
        for packet in packets:
            self._openings.states[session].engineio(packet, conversation, message.end)
