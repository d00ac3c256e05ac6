"""Requests and their answers, into the ledgers: handshakes, polling, refusals."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio.packets import parse_error_body, parse_open
from eiosniff.decode.engineio.payload import decode_payload, looks_like_payload
from eiosniff.decode.facts import (
    SWITCHING,
    answer_facts,
    cookie_names,
    is_last,
    is_upgrade,
    note_server,
    odd_head,
    query_of,
    request_facts,
)
from eiosniff.decode.sessions import costs, payload_facts
from eiosniff.decode.sessions.cors import Preflights
from eiosniff.decode.sessions.openings import REQUESTS_UNDER_WAY, Openings
from eiosniff.decode.sessions.poll_answers import note_answer
from eiosniff.decode.sessions.polls import NO_POLL, Poll
from eiosniff.decode.sessions.session_packets import SessionState, note_use
from eiosniff.decode.socketio.packets import decode_packet
from eiosniff.model.attempt import Attempt, Outcome, RefusedRequest, Transfer
from eiosniff.model.engineio import POLLING, WEBSOCKET, EioPacket, EioType
from eiosniff.model.http import BODY_KEPT, HttpMessage, HttpRequest, HttpResponse, Query
from eiosniff.model.payloads import MANY_PACKETS
from eiosniff.model.provenance import CLIENT, NO_PACKET, SERVER, Side
from eiosniff.model.session import LARGE_MESSAGE, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.trouble import Anomaly, AnomalyKind

_MAX_ANSWERED_ALONE: Final = 256
# A preflight or a probe asks what a request would be answered; neither is one of Engine.IO, and no body answers it.
ANSWER_TO_POST: Final = b"ok"  # Engine.IO protocol, "HTTP long-polling"; python-engineio writes it in capitals
PREFLIGHT: Final = b"OPTIONS"
WITHOUT_ENGINEIO: Final = (PREFLIGHT, b"HEAD")


class Exchanges:
    """What is asked and answered over HTTP, of all connections."""

    def __init__(self, openings: Openings) -> None:
        self._openings = openings
        self._preflights = Preflights(openings)

    def request(self, conversation: Conversation, request: HttpRequest) -> None:
        """Take a request of any kind."""
        query, upgrade = query_of(request), is_upgrade(request)
        if not self._openings.is_engineio(query, upgrade):
            return
        conversation.is_engineio = True
        conversation.asked = request.last
        if request.method in WITHOUT_ENGINEIO:
            if request.method == PREFLIGHT:
                self._preflights.asked(conversation, request, query)
            return
        sid = query.first("sid")
        if not sid:
            self._openings.begin_attempt(conversation, request, query, upgrade)
            return
        session = self._openings.by_sid.get((conversation.ledger.server, sid))
        if session is None:
            if self._openings.register.is_retired(conversation.ledger.server, sid):
                return  # too late to change anything
            session = self._openings.elsewhere(conversation, sid)
        if session is None:
            # Not captured from its beginning; the answer will tell whether the server knows it.
            conversation.ask_unknown(request, self._openings.is_forwarded(conversation, request, sid))
            if len(conversation.unknown) > REQUESTS_UNDER_WAY:
                del conversation.unknown[next(iter(conversation.unknown))]
            # A client that goes on was answered.
            unseen = len(conversation.unknown) > 1 and not conversation.heard(SERVER, request.last)
            if unseen or conversation.lacks_server(request.last):
                self.take_unanswered(conversation)
            return
        self._session_request(conversation, session, request, upgrade)

    def take_unanswered(self, conversation: Conversation) -> None:
        """The answers to requests with unknown sids are not in the capture: take it that the server knew them."""
        for request, forwarded in list(conversation.unknown.items()):
            query, upgrade = query_of(request), is_upgrade(request)
            session = self._openings.by_sid.get((conversation.ledger.server, query.first("sid") or ""))
            session = session or self._openings.midstream(conversation, query, request, forwarded)
            self._session_request(conversation, session, request, upgrade)
            self._openings.hops.answered(request)
        conversation.unknown.clear()

    def _session_request(
        self, conversation: Conversation, session: Session, request: HttpRequest, upgrade: bool
    ) -> None:
        if upgrade and session.client.websocket_request is None:  # it tells more than the handshake over polling
            facts = request_facts(request, query_of(request), upgrade, conversation.ledger.stream)
            self._openings.peers.note_request(session.client, facts)
        state = self._openings.states[session]
        state.upgrades.ask(conversation, request, upgrade)
        conversation.polled = session  # of an upgrade too: it may end, or be spoilt, before it is answered
        if conversation not in state.upgrades.under_way:
            post = request.method == b"POST"
            if state.upgrades.under_way and not post:
                state.upgrades.polled(request.last)
            over = state.polls.was_answered(request) or state.polls.ask_in_vain(conversation, request)
            state.polls.ask(conversation, request.first, request.last, post, over)
            costs.asked(session, conversation.ledger, request)
        session.head_bytes[CLIENT] += len(request.head)
        session.body_bytes[CLIENT] += request.body_length
        if session.cookies_set:
            if any(name in session.cookies_set for name in cookie_names(request)):
                session.cookies_returned += 1
            else:
                session.cookies_missing += 1
        if max(request.body_length, payload_facts.announced(request)) >= LARGE_MESSAGE:
            whole = Transfer(CLIENT, request.first, request.last, request.body_length, request.complete)
            session.transfers.add(whole, request.last.ts_ns)
        note_use(session, conversation.ledger.stream, WEBSOCKET if upgrade else POLLING, request.last)
        if request.method == b"POST":
            payload_facts.note_post(session, request)
        if request.body and not upgrade:
            self._payload(conversation, session, request.body, request, CLIENT)

    def response(self, conversation: Conversation, response: HttpResponse) -> None:
        """Take an answer of any kind."""
        request = response.request
        if 100 <= response.status < 200 or response.accepts_websocket:
            if response.inside_websocket and response.status == SWITCHING:
                self._switched_again(conversation, response)
            elif request is not None and request in conversation.attempts and response.status == SWITCHING:
                conversation.attempts[request].status = SWITCHING  # perhaps to HTTP/2, over which the answer comes
            return
        if conversation.last_answer is None and not response.inside_websocket and is_last(response):
            conversation.last_answer = response.last
        conversation.answered = response.last
        if request is None:
            self._answer_alone(conversation, response)
            return
        attempt = conversation.attempts.pop(request, None)
        if attempt is not None:
            self._openings.hops.answered(request)
            if response.inside_websocket:
                self._written_inside(conversation, attempt, response)
            if response.inside_websocket and attempt.outcome is not Outcome.PENDING:
                return  # what came before it stands
            if response.inside_websocket:
                self._refused(conversation, attempt, response, Outcome.REFUSED_AFTER_101)
            else:
                self._attempt_answered(conversation, attempt, response)
            return
        query, upgrade = query_of(request), is_upgrade(request)
        ours = conversation.is_engineio and self._openings.is_engineio(query, upgrade)
        if request.method in WITHOUT_ENGINEIO or not ours:
            if ours and request.method == PREFLIGHT:
                self._preflights.answered(conversation, request, response)
                if response.status >= 400:
                    self._preflight_refused(conversation, query, request, response)
            return
        session = self._openings.by_sid.get((conversation.ledger.server, query.first("sid") or ""))
        if request in conversation.unknown:
            forwarded = conversation.unknown.pop(request)
            self._openings.hops.answered(request)
            if session is None and response.status != 200:
                if not forwarded:
                    self._unknown_refused(conversation, request, response)
                return
            session = session or self._openings.midstream(conversation, query, request, forwarded)
            self._session_request(conversation, session, request, upgrade)
        if session is not None:
            self._session_answered(conversation, session, response)

    def _attempt_answered(self, conversation: Conversation, attempt: Attempt, response: HttpResponse) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        attempt.answered = answer_facts(response)
        attempt.abandoned = conversation.ended[CLIENT]
        if response.status >= 300:
            attempt.answered.body = response.body[:BODY_KEPT]
            self._refused(conversation, attempt, response, Outcome.REFUSED)
            return
        note_server(self._openings.peers.server(conversation.ledger.server), response)
        if response.withheld:
            attempt.withheld = True
            # An answer that is no refusal opens a session; the page just does not hear of it.
            self._openings.open(conversation, attempt, None, POLLING, response.last).midstream = False
            return
        payload = decode_payload(
            response.body, response.header(b"content-type"), None, SERVER, response.last, response.packets
        )
        packets = payload.packets
        opening = parse_open(packets[0].data) if packets and packets[0].type == EioType.OPEN else None
        if opening is None:
            attempt.body = attempt.answered.body = response.body[:BODY_KEPT]
            # Of an answer that the capture has only in part, nothing is known.
            seen = response.complete and not response.missing
            self._openings.settle(conversation.ledger, attempt, Outcome.FOREIGN if seen else Outcome.UNSEEN)
            return
        session = self._openings.open(conversation, attempt, opening, POLLING, response.last)
        session.revisions[SERVER] = payload.revision_shape
        session.head_bytes[CLIENT] += len(response.request.head) if response.request is not None else 0
        self._count(session, response)
        for packet in packets:
            self._openings.states[session].engineio(packet, conversation, response.end)
        if response.request is not None:
            costs.asked(session, conversation.ledger, response.request)
            costs.answered(session, response.request, response, 0)

    def _answer_alone(self, conversation: Conversation, response: HttpResponse) -> None:
        """An answer whose request was not captured: what it holds tells whether it is one of Engine.IO."""
        body = response.body
        early = conversation.early_frame
        if early is not None and early.refused is None and response.status >= 400:
            early.refused = answer_facts(response)
        if response.status != 200 or self._openings.path is not None or not looks_like_payload(body):
            return
        if body.lower() == ANSWER_TO_POST:
            return
        session = conversation.polled or self._openings.answered_alone.get(conversation.ledger.peers)
        if session is not None and session not in self._openings.states:
            session = None
        if session is None and not conversation.ledger.midstream:
            session = self._polled_elsewhere(conversation, response)
        packets = decode_payload(
            body, response.header(b"content-type"), None, SERVER, response.last, response.packets
        ).packets
        first = packets[0] if packets else None
        opening = parse_open(first.data) if first is not None and first.type == EioType.OPEN else None
        if opening is not None:
            attempt = self._openings.unannounced_attempt(conversation, response)
            session = self._openings.open(conversation, attempt, opening, POLLING, response.last)
        elif session is None:
            if first is None or not isinstance(decode_packet(first), SioPacket):
                return  # a body of one digit may be anything's
            session = self._openings.midstream_polling(conversation, response.first)
        conversation.is_engineio = True
        conversation.polled = session
        answered_alone = self._openings.answered_alone
        answered_alone[conversation.ledger.peers] = session
        if len(answered_alone) > _MAX_ANSWERED_ALONE:
            del answered_alone[next(iter(answered_alone))]
        session.requests_answered += 1
        note_use(session, conversation.ledger.stream, POLLING, response.last)
        self._payload(conversation, session, body, response, SERVER)

    def _polled_elsewhere(self, conversation: Conversation, response: HttpResponse) -> Session | None:
        """The session that these two have, and that waits for an answer to a poll which the capture lacks."""
        session = self._openings.register.latest.get(conversation.ledger.peers)
        if session is None or session.on_websocket or session.closing is not None:
            return None
        if self._openings.states[session].polls.pending_get() is not None:
            return None
        self._openings.note_gap(session, CLIENT, response.first, conversation)
        return session

    def _refused(self, conversation: Conversation, attempt: Attempt, response: HttpResponse, outcome: Outcome) -> None:
        attempt.status = response.status
        attempt.answer = response.last
        attempt.error = parse_error_body(response.body, response.header(b"content-type"))
        if response.status == 400 and response.request is not None:
            attempt.odd_head = odd_head(response.request.head)
        attempt.body = response.body[:BODY_KEPT]
        server = self._openings.peers.server(conversation.ledger.server)
        note_server(server, response)
        if attempt.error is not None:
            server.marks.setdefault("error-style", attempt.error.style)
        self._openings.settle(conversation.ledger, attempt, outcome)

    def _session_answered(self, conversation: Conversation, session: Session, response: HttpResponse) -> None:
        state = self._openings.states[session]
        poll = state.polls.answer(conversation)
        request = response.request
        assert request is not None
        if poll.asked is NO_PACKET:
            state.polls.early = request
        refused = response.status >= 300 or response.inside_websocket
        self._upgrade_answered(conversation, session, response, refused)
        if state.upgrades.under_way:
            state.upgrades.poll_answered(poll.asked, response.first)
        payload_facts.note_answer(session, request, response)
        if refused:
            self._session_refused(session, request, response, poll, conversation.channel)
            return
        self._count(session, response)
        note_use(session, conversation.ledger.stream, POLLING, response.last)
        server, messages = session.server, costs.messages_of(session)
        if request.method == b"POST":  # what answers a POST is no payload
            server.marks.setdefault("post-ok", response.body[:10].decode("latin-1"))
        elif response.status != 204:
            note_answer(session, poll.asked, response)
            self._payload(conversation, session, response.body, response, SERVER)
        costs.answered(session, request, response, costs.messages_of(session) - messages)

    @staticmethod
    def _count(session: Session, response: HttpResponse) -> None:
        session.requests_answered += 1
        if response.request is not None and response.request.method == b"GET":
            session.polls += 1
        session.head_bytes[SERVER] += len(response.head)
        session.body_bytes[SERVER] += response.body_length

    def _switched_again(self, conversation: Conversation, response: HttpResponse) -> None:
        """A second 101, inside the WebSocket: another handler has accepted the same request."""
        state = self._openings.state_of(conversation.session)
        if conversation.attempt is not None:
            self._written_inside(conversation, conversation.attempt, response)
        elif state is not None:
            self._upgrade_answered(conversation, state.session, response, refused=False)

    def _upgrade_answered(
        self, conversation: Conversation, session: Session, response: HttpResponse, refused: bool
    ) -> None:
        """The answer to an upgrade, if it was one, or what was written into the WebSocket after it."""
        attempted = self._openings.states[session].upgrades.answered(conversation, response, refused)
        if attempted is not None and not session.forwarded:
            session.client.http_inside.add(attempted, response.last.ts_ns)

    def _written_inside(self, conversation: Conversation, attempt: Attempt, response: HttpResponse) -> None:
        """HTTP in the WebSocket that a handshake asked for."""
        if attempt.inside is not None:
            return
        attempt.inside = answer_facts(response)
        attempt.inside.body = response.body[:BODY_KEPT]
        if not attempt.forwarded:
            client = self._openings.peers.client(conversation.ledger, attempt.request.user_agent)
            client.http_inside.add(attempt, response.last.ts_ns)

    def _preflight_refused(
        self, conversation: Conversation, query: Query, request: HttpRequest, response: HttpResponse
    ) -> None:
        session = self._openings.by_sid.get((conversation.ledger.server, query.first("sid") or ""))
        if session is not None and session in self._openings.states:
            poll = Poll(request.last, False, session.last, None)
            refusal = self._refusal(session, request, response, poll, conversation.channel)
            session.preflights.add(refusal, refusal.answer.ts_ns)

    def _unknown_refused(self, conversation: Conversation, request: HttpRequest, response: HttpResponse) -> None:
        """A request with a sid was refused, and the capture does not show that session."""
        refusal = self._refusal(None, request, response, NO_POLL, conversation.channel)
        error = refusal.error
        if error is not None and error.says_unknown_sid:
            client = self._openings.peers.client(conversation.ledger, refusal.asked.user_agent)
            client.unknown_sids.add(refusal, refusal.answer.ts_ns)

    def _session_refused(
        self, session: Session, request: HttpRequest, response: HttpResponse, poll: Poll, channel: int
    ) -> None:
        refusal = self._refusal(session, request, response, poll, channel)
        session.refusals.add(refusal, refusal.answer.ts_ns)
        self._openings.states[session].polls.refused(refusal)
        if refusal.error is not None:
            session.server.marks.setdefault("error-style", refusal.error.style)

    @staticmethod
    def _refusal(
        session: Session | None, request: HttpRequest, response: HttpResponse, poll: Poll, channel: int
    ) -> RefusedRequest:
        error = parse_error_body(response.body, response.header(b"content-type"))
        closing = session.closing if session is not None else None
        # Of a request that went on when it was refused, the end may have come in the same batch, or be still to come.
        asked = request.last if request.complete and request.order <= response.order else request.first
        answered = answer_facts(response)
        answered.body = response.body[:BODY_KEPT]
        facts = request_facts(request, query_of(request), is_upgrade(request), channel)
        facts.place = asked
        return RefusedRequest(
            asked=facts,
            answered=answered,
            request=asked,
            answer=response.last,
            status=response.status,
            error=error,
            transport=WEBSOCKET if is_upgrade(request) else POLLING,
            after_close=closing is not None and closing.place.number <= response.last.number,
            idle_ns=asked.ts_ns - poll.before.ts_ns if session is not None else 0,
            overlaps=poll.overlaps,
            inside_websocket=response.inside_websocket,
        )

    def _payload(
        self, conversation: Conversation, session: Session, body: bytes, message: HttpMessage, side: Side
    ) -> None:
        state = self._openings.states[session]
        hint = state.revision(side)
        payload = decode_payload(body, message.header(b"content-type"), hint, side, message.last, message.packets)
        shape, whole = payload.revision_shape, message.complete and not message.missing
        if whole and payload_facts.speaks_old_framing(session, side, shape):
            state.no_payload(conversation, message, payload_facts.old_framing(message), "framed as up to revision 3")
            return
        if shape is not None and len(payload.packets) > 0:
            session.revisions[side] = session.revisions[side] or shape
        if payload.trouble and whole and message.body_kept:
            kind = AnomalyKind.EIO_BAD_LENGTH if shape == 3 else AnomalyKind.EIO_BAD_PAYLOAD
            anomaly = Anomaly(kind, side, message.last, payload.trouble, body[:40].decode("latin-1"))
            state.no_payload(conversation, message, anomaly, f"not an Engine.IO payload: {payload.trouble}")
        if not whole:
            self._damaged(state, payload.packets, conversation, message)
            return
        if not message.body_kept:
            state.lose(side)
        packets = payload.packets
        if len(packets) == 1:
            state.engineio(packets[0], conversation, message.end)
            return
        at = 0
        while at < len(packets):
            pieces = payload_facts.torn(packets, at) if shape == 4 else 0
            if pieces:
                anomaly = payload_facts.torn_packet(packets[at : at + pieces])
                state.no_payload(conversation, message, anomaly, "a packet with a record separator inside")
                at += pieces
            else:
                state.engineio(packets[at], conversation, message.end)
                at += 1
        if len(packets) > MANY_PACKETS:
            payload_facts.note_crowd(state, side, message, packets)

    @staticmethod
    def _damaged(
        state: SessionState, packets: list[EioPacket], conversation: Conversation, message: HttpMessage
    ) -> None:
        """What has a hole (read as zeros) or is cut says nothing."""
        for packet in packets if message.complete else packets[: max(0, len(packets) - 1)]:
            if b"\0" in packet.data:
                state.session.unreadable[packet.side] += 1
                state.lose(packet.side)
            else:
                state.engineio(packet, conversation, message.end)
        state.lose(message.side)
