"""What is said over WebTransport, into the ledgers: which session it carries, and its packets (Engine.IO protocol,
"WebTransport").

The URL says nothing of Engine.IO but the path; the first packet of the client does: `0` asks for a session, and
`0{"sid":"..."}` goes on with one that it has over polling.
"""

import json
from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio.packets import decode_message, parse_open
from eiosniff.decode.facts import answer_facts, query_of
from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.sessions import payload_facts
from eiosniff.decode.sessions.openings import Openings
from eiosniff.decode.sessions.session_packets import note_use
from eiosniff.model.attempt import Attempt, Outcome, Transfer
from eiosniff.model.engineio import PING, PONG, UPGRADE, WEBTRANSPORT, EioPacket, OpenPacket, ServerError
from eiosniff.model.http import BODY_KEPT, HttpRequest, Query, text_of
from eiosniff.model.payloads import Sent
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import LARGE_MESSAGE, CloseHow, Closing, Session
from eiosniff.model.trouble import Anomaly
from eiosniff.model.webtransport import MAX_TRIES, WtClose, WtMessage, WtOpening, WtTry, WtUnsupported

_REVISION: Final = 4  # no other has WebTransport
_EARLY_MESSAGES: Final = 8
_MAX_UNDER_WAY: Final = 4_096
_PROBE: Final = b"probe"
_REFUSED: Final = 300
_ASKS: Final = b"0"
_UPGRADES: Final = b"0{"


def _sid_of(text: bytes) -> str | None:
    """The session that a client goes on with, by its first packet."""
    try:
        value = json.loads(text[1:])
    except (ValueError, RecursionError):
        return None
    sid = value.get("sid") if isinstance(value, dict) else None
    return sid if isinstance(sid, str) and sid else None


class WebTransports:
    """All WebTransport sessions."""

    def __init__(self, openings: Openings) -> None:
        self._openings = openings
        self._tries: dict[Conversation, WtTry] = {}  # that are not confirmed
        self._early: dict[Conversation, list[WtMessage]] = {}  # what clients said before their session was opened

    # ------------------------------------------------------------------ how it begins

    def opening(self, conversation: Conversation, opening: WtOpening) -> None:
        """A WebTransport session was asked for, and accepted or refused."""
        request, response = opening.request, opening.response
        conversation.upgrade = Upgrade(request, response)
        conversation.asked = request.last
        if not opening.over and (response is None or response.status < _REFUSED):
            return  # the first packet will tell what it is
        if not self._is_ours(conversation, request):
            return
        session = self._may_upgrade(conversation)
        if session is not None:
            tried = self._try(conversation, session, None)
            if response is not None:
                tried.ended, tried.ended_by, tried.status = response.last, SERVER, response.status
            return
        attempt = self._begin(conversation)
        if attempt is not None and response is not None:
            attempt.answer = response.last
            self._openings.settle(conversation.ledger, attempt, Outcome.REFUSED)

    def unsupported(self, conversation: Conversation, found: WtUnsupported) -> None:
        """The server of a connection does not speak WebTransport. What the client wanted there it does not say; that it
        was an upgrade is known by its session."""
        if found.void:
            self.lost(conversation)
            return
        session = self._may_upgrade(conversation)
        if session is not None:
            tried = self._try(conversation, session, None)
            tried.ended, tried.ended_by = found.place, SERVER
            tried.request, tried.unsupported = found.asked, found.place

    def _fails(self, conversation: Conversation, place: PacketRef, side: Side) -> None:
        """A WebTransport session is over before anything of Engine.IO was said in it: the server never answered the
        CONNECT, or ended what it had accepted."""
        upgrade = conversation.upgrade
        if upgrade is None or upgrade.request is None or conversation.lossy or upgrade.request in conversation.attempts:
            return
        response = upgrade.response
        if response is not None and (side is CLIENT or response.status >= _REFUSED):
            return  # it had its reasons, and nothing was asked of the server; or that is told
        if not self._is_ours(conversation, upgrade.request):
            return
        session = self._may_upgrade(conversation)
        if session is not None:
            tried = self._try(conversation, session, None)
            tried.ended, tried.ended_by = place, side
            return
        attempt = self._begin(conversation)
        if attempt is not None:
            attempt.ended, attempt.ended_by = place, side
            self._openings.settle(conversation.ledger, attempt, Outcome.UNANSWERED)

    def _is_ours(self, conversation: Conversation, request: HttpRequest) -> bool:
        """Whether a CONNECT in which nothing was said is one of Engine.IO: by its path, which is a usual one or that of
        what these two have over polling."""
        query = query_of(request)
        if self._openings.is_engineio(query, upgrade=True):
            return True
        latest = self._openings.register.latest.get(conversation.ledger.peers)
        return self._openings.path is None and latest is not None and latest.path == query.path

    def _may_upgrade(self, conversation: Conversation) -> Session | None:
        """The session over polling that these two have, if its server offers WebTransport."""
        session = self._openings.register.latest.get(conversation.ledger.peers)
        state = self._openings.state_of(session)
        if session is None or state is None or state.carrier is not None or session.handshake is None:
            return None
        return session if WEBTRANSPORT.value in session.handshake.upgrades else None

    def _begin(self, conversation: Conversation) -> Attempt | None:
        """The client asks for a session of Engine.IO."""
        upgrade = conversation.upgrade
        request = upgrade.request if upgrade is not None else None
        if upgrade is None or request is None or request in conversation.attempts:
            return None
        query = query_of(request)
        if self._openings.path is not None and not self._openings.is_engineio(query, upgrade=True):
            conversation.forget()
            return None
        conversation.is_engineio = True
        self._openings.begin_attempt(conversation, request, query, upgrade=False)
        self._pair(conversation, request)
        attempt = conversation.attempt = conversation.attempts[request]
        response = upgrade.response
        if response is not None:
            attempt.status = response.status
            attempt.answered = answer_facts(response)
        return attempt

    def _pair(self, conversation: Conversation, request: HttpRequest) -> None:
        """Browsers ask for WebTransport without their User-Agent: the session over polling of the same address tells
        which program it may be."""
        latest = self._openings.register.latest.get(conversation.ledger.peers)
        if latest is not None and not request.header(b"user-agent") and not conversation.attempts[request].forwarded:
            peers = self._openings.peers
            peers.pair(peers.client(conversation.ledger, ""), latest.client)

    def anomaly(self, conversation: Conversation, anomaly: Anomaly) -> None:
        """What a client says is no Engine.IO from its beginning: it asked for a session all the same."""
        if conversation.session is not None or conversation.upgrade is None or conversation.attempt is not None:
            return
        session = self._may_upgrade(conversation)
        if session is not None and anomaly.side is CLIENT and anomaly.found.startswith(_UPGRADES.decode()):
            conversation.session = session
            self._try(conversation, session, anomaly.place)
        else:
            self._begin(conversation)

    # ------------------------------------------------------------------ what is said

    def message(self, conversation: Conversation, message: WtMessage) -> None:
        """Take a packet."""
        session = conversation.session
        if session is None:
            session = self._without_session(conversation, message)
            if session is None:
                return
        state = self._openings.states.get(session)
        if state is None:
            return  # it was let go: this is what its peer had in flight
        stream = conversation.ledger.stream
        if message.missing or not message.readable:
            self._openings.note_gap(session, message.side, message.last, conversation)
            state.lose_message(message, stream)
            return
        payload, side = message.payload, message.side
        if not payload:
            return  # an anomaly says so
        packet = decode_message(payload, message.binary, _REVISION, side, WEBTRANSPORT, message.last, message.packets)
        uses = session.connections
        if uses and uses[-1].stream == stream:
            uses[-1].last = message.last
        size = len(payload)
        if size > payload_facts.largest(session.payloads, side):
            payload_facts.note_sent(session.payloads, Sent(side, message.first, message.last, size, True))
        if size >= LARGE_MESSAGE:
            session.transfers.add(Transfer(side, message.first, message.last, size, True), message.last.ts_ns)
        if self._tries:
            self._said(conversation, packet)
        state.engineio(packet, conversation, message.end)

    def _without_session(self, conversation: Conversation, message: WtMessage) -> Session | None:
        """The first packets: the client should ask for a session or name one, the server open it."""
        attempt = conversation.attempt
        text = message.payload if message.readable and not message.missing and not message.binary else b""
        if message.side is SERVER:
            opening = parse_open(text[1:]) if text.startswith(_UPGRADES) else None
            if attempt is None:
                attempt = self._begin(conversation)
            if attempt is None:
                return None
            if opening is not None or conversation.lossy:
                return self._open(conversation, attempt, opening, message)
            if attempt.outcome is Outcome.PENDING:
                attempt.body = message.payload[:BODY_KEPT]
                attempt.answer = message.last
                self._openings.settle(conversation.ledger, attempt, Outcome.FOREIGN)
            return None
        sid = _sid_of(text) if attempt is None and text.startswith(_UPGRADES) else None
        if sid is not None:
            return self._go_on(conversation, sid, message)
        attempt = attempt or self._begin(conversation)
        if attempt is not None and text != _ASKS:
            attempt.client_said = attempt.client_said or message.payload[:BODY_KEPT]
        early = self._early.setdefault(conversation, []) if len(self._early) < _MAX_UNDER_WAY else []
        if len(early) < _EARLY_MESSAGES:
            early.append(message)
        return None

    def _open(
        self, conversation: Conversation, attempt: Attempt, opening: OpenPacket | None, message: WtMessage
    ) -> Session:
        session = self._openings.open(conversation, attempt, opening, WEBTRANSPORT, message.last)
        session.revisions = [_REVISION, _REVISION]
        if conversation.lossy:
            self._openings.note_gap(session, CLIENT, message.last, conversation)
        for early in self._early.pop(conversation, []):
            self.message(conversation, early)
        return session

    def _go_on(self, conversation: Conversation, sid: str, message: WtMessage) -> Session | None:
        """The client goes on with a session that it has."""
        openings, ledger = self._openings, conversation.ledger
        if conversation.upgrade is None or conversation.upgrade.request is None:
            return None
        request = conversation.upgrade.request
        if openings.path is not None and not openings.is_engineio(query_of(request), upgrade=True):
            conversation.forget()
            return None
        session = openings.by_sid.get((ledger.server, sid))
        if session is None:
            if openings.register.is_retired(ledger.server, sid):
                return None
            session = openings.elsewhere(conversation, sid)
        if session is None:
            session = openings.midstream(conversation, Query(query_of(request).path, (("sid", sid),)), request)
        conversation.session = session
        conversation.is_engineio = True
        openings.states[session].open_websockets += 1
        note_use(session, ledger.stream, WEBTRANSPORT, request.last)
        self._try(conversation, session, message.last)
        return session

    def _try(self, conversation: Conversation, session: Session, first: PacketRef | None) -> WtTry:
        upgrade = conversation.upgrade
        asked = (
            upgrade.request.last if upgrade is not None and upgrade.request is not None else conversation.ledger.first
        )
        conversation.is_engineio = True
        tried = WtTry(asked, conversation.ledger.stream, first)
        if upgrade is not None and upgrade.response is not None and upgrade.response.status < _REFUSED:
            tried.accepted = upgrade.response.last
        session.webtransport_count += 1
        if len(session.webtransports) == MAX_TRIES:  # the last one is more telling than the last but one
            session.webtransports.pop()
        session.webtransports.append(tried)
        self._tries[conversation] = tried
        if len(self._tries) > _MAX_UNDER_WAY:
            del self._tries[next(iter(self._tries))]
        return tried

    def _said(self, conversation: Conversation, packet: EioPacket) -> None:
        """A packet in what may be a try."""
        tried = self._tries.get(conversation)
        if tried is None:
            return
        if packet.side is SERVER:
            if packet.type == PONG and packet.data == _PROBE:
                tried.probe_answered = tried.probe_answered or packet.place
        elif packet.type == PING and packet.data == _PROBE:
            tried.probe = tried.probe or packet.place
        elif packet.type == UPGRADE:
            tried.confirmed = packet.place
            del self._tries[conversation]

    # ------------------------------------------------------------------ how it ends

    def closed(self, conversation: Conversation, close: WtClose) -> None:
        """A side closes the WebTransport session."""
        side, place = close.side, close.place
        tried = self._tries.get(conversation)
        if tried is not None and tried.ended is None:
            tried.ended, tried.ended_by = place, side
        self._early.pop(conversation, None)
        reason = text_of(close.reason)
        session, attempt = conversation.session, conversation.attempt
        state = self._openings.state_of(session)
        first = not conversation.ended[0] and not conversation.ended[1]
        if state is not None and session is not None:
            if first:
                state.open_websockets = max(0, state.open_websockets - 1)
            if state.carrier == conversation.ledger.stream:
                state.end(side, place, lossy=False)
                state.ending.close(Closing(side, CloseHow.WT_CLOSE, place, close.code, reason))
        elif session is None and attempt is not None and attempt.outcome is Outcome.PENDING:
            attempt.ended, attempt.ended_by = place, side
            if reason and side is SERVER:
                attempt.error = ServerError(None, reason, "close")
            self._openings.settle(conversation.ledger, attempt, Outcome.UNANSWERED)
        elif session is None and attempt is None and first:
            self._fails(conversation, place, side)
        conversation.ended[side] = True

    def lost(self, conversation: Conversation) -> None:
        """Bytes are missing, as may show only after the end: the answer that did not come may be among them. Or it was
        no try at all."""
        tried, attempt = self._tries.get(conversation), conversation.attempt
        if tried is not None:
            tried.void = True
        elif (
            attempt is not None and attempt.outcome is Outcome.UNANSWERED and attempt.request.transport is WEBTRANSPORT
        ):
            attempt.outcome = Outcome.UNSEEN
