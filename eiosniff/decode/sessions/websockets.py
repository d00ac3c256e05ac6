"""WebSocket messages, into the ledgers: which session a connection carries, and what is said on it."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.engineio.packets import decode_message, parse_open
from eiosniff.decode.engineio.payload import undo_double_encoding
from eiosniff.decode.facts import answer_facts, is_engineio_text, query_of
from eiosniff.decode.http1.connection import Upgrade
from eiosniff.decode.sessions import payload_facts
from eiosniff.decode.sessions.exchanges09 import midstream_websocket
from eiosniff.decode.sessions.frames import note
from eiosniff.decode.sessions.openings import Openings
from eiosniff.decode.sessions.revisions import of_binary
from eiosniff.model.attempt import Attempt, Outcome, Transfer
from eiosniff.model.engineio import WEBSOCKET, OpenPacket, ServerError
from eiosniff.model.http import BODY_KEPT
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef
from eiosniff.model.session import LARGE_MESSAGE, CloseHow, Closing, Session
from eiosniff.model.websocket import BINARY, TEXT, Opcode, WsControl, WsMessage

_EARLY_MESSAGES: Final = 8


class WebSockets:
    """What is said over WebSocket, on all connections."""

    def __init__(self, openings: Openings) -> None:
        self._openings = openings

    def upgrade(self, conversation: Conversation, upgrade: Upgrade) -> None:
        """A connection changes over to WebSocket."""
        request = upgrade.request
        if request is None:
            return
        answer = upgrade.response.last if upgrade.response else None
        self._openings.hops.answered(request)
        attempt = conversation.attempts.get(request)
        if attempt is not None:
            if answer is not None:
                attempt.status = 101
                attempt.answer = answer
                attempt.answered = attempt.answered or (answer_facts(upgrade.response) if upgrade.response else None)
            conversation.attempt = attempt
            return
        query = query_of(request)
        sid = query.first("sid")
        session = self._openings.by_sid.get((conversation.ledger.server, sid or ""))
        retired = session is None and self._openings.register.is_retired(conversation.ledger.server, sid)
        if session is None and sid and not retired and self._openings.is_engineio(query, upgrade=True):
            forwarded = conversation.unknown.get(request, False)
            session = self._openings.midstream(conversation, query, request, forwarded)
        conversation.unknown.pop(request, None)
        if session is not None:
            conversation.session = session
            state = self._openings.states[session]
            state.open_websockets += 1
            if upgrade.response is not None:
                state.upgrades.answered(conversation, upgrade.response)

    def message(self, conversation: Conversation, message: WsMessage) -> None:
        """Take a message."""
        session = conversation.session
        if session is None:
            session = self._without_session(conversation, message)
            if session is None:
                return
        state = self._openings.states.get(session)
        if state is None:
            return  # it was let go: this is what its peer had in flight
        if message.missing or not message.readable:
            self._openings.note_gap(session, message.side, message.last, conversation)
            state.lose_message(message, conversation.ledger.stream)
            return
        note(session.frames, message, conversation)
        side, payload, binary = message.side, message.payload, message.opcode == BINARY
        if binary:
            revision = of_binary(session, side, payload)
        else:
            revision = state.revision(side) if payload.startswith(b"b") else 4  # else it makes no difference
            if session.claimed_eio != "4" and not payload.isascii():  # socket.io 1.0 encodes UTF-8 twice here too
                payload = undo_double_encoding(payload) or payload
        packet = decode_message(payload, binary, revision, side, WEBSOCKET, message.last, message.packets)
        uses = session.connections
        if uses and uses[-1].stream == conversation.ledger.stream:
            uses[-1].last = message.last
        if len(payload) > payload_facts.largest(session.payloads, side):
            payload_facts.note_message(session.payloads, message)
        if len(payload) >= LARGE_MESSAGE:
            session.transfers.add(Transfer(side, message.first, message.last, len(payload), True), message.last.ts_ns)
        if state.upgrades.under_way:
            state.upgrades.said(conversation, packet, state.polls.pending_get())
        state.engineio(packet, conversation, message.end)

    def _without_session(self, conversation: Conversation, message: WsMessage) -> Session | None:
        """The first messages after an upgrade without a sid: the server should open a session."""
        attempt = conversation.attempt
        text = message.payload if message.readable and message.opcode == TEXT else b""
        opening = parse_open(text[1:]) if message.side is SERVER and text.startswith(b"0{") else None
        if opening is not None:
            if attempt is None:
                if self._openings.path is not None:
                    conversation.forget()
                    return None
                attempt = self._openings.unannounced_attempt(conversation, message)
            return self._open_websocket(conversation, attempt, opening, message)
        if attempt is None:
            session09 = midstream_websocket(self._openings, conversation, text)
            if session09 is not None:
                return session09
            unknown = conversation.upgrade is None or conversation.upgrade.request is None
            if unknown and is_engineio_text(text, message):
                return self._openings.midstream_websocket(conversation)
            if text if unknown else message.side is SERVER:
                conversation.forget()
            return None
        if message.side is CLIENT:
            if self._server_is_missing(conversation, message) and is_engineio_text(text, message):
                return self._open_websocket(conversation, attempt, None, message)
            attempt.client_said = attempt.client_said or message.payload[:BODY_KEPT] or b"?"
            if len(conversation.early) < _EARLY_MESSAGES:
                conversation.early = [*conversation.early, message]
        elif conversation.lossy or not message.readable:  # the open packet may be among what is missing
            return self._open_websocket(conversation, attempt, None, message)
        elif attempt.outcome is Outcome.PENDING:
            attempt.body = message.payload[:BODY_KEPT]
            attempt.answer = message.last
            self._openings.settle(conversation.ledger, attempt, Outcome.FOREIGN)
        return None

    @staticmethod
    def _server_is_missing(conversation: Conversation, message: WsMessage) -> bool:
        upgrade = conversation.upgrade
        return upgrade is not None and upgrade.response is None and not conversation.heard(SERVER, message.last)

    def _open_websocket(
        self, conversation: Conversation, attempt: Attempt, opening: OpenPacket | None, message: WsMessage
    ) -> Session:
        session = self._openings.open(conversation, attempt, opening, WEBSOCKET, message.last)
        if conversation.lossy or len(conversation.early) == _EARLY_MESSAGES:  # what came before is not all known
            now = PacketRef(max(message.order, message.last.number), message.last.ts_ns)
            self._openings.note_gap(session, CLIENT, now, conversation)
        for early in conversation.early:
            self.message(conversation, early)
        conversation.early = []
        return session

    def control(self, conversation: Conversation, frame: WsControl) -> None:
        """Take a control frame."""
        session, attempt = conversation.session, conversation.attempt
        if frame.opcode != Opcode.CLOSE:
            if session is not None:
                counts = session.ws_pings if frame.opcode == Opcode.PING else session.ws_pongs
                counts[frame.side].add(frame.last, frame.last.ts_ns)
            return
        reason = frame.close_reason.decode("utf-8", "backslashreplace")
        if session is not None:
            state = self._openings.states.get(session)
            channel = conversation.channel
            if state is not None:
                state.upgrades.ended(channel, frame.last, frame.side, None, frame.close_code)
            if state is not None and state.carrier == channel and not state.falls_back(frame.side, conversation):
                closing = Closing(frame.side, CloseHow.WS_CLOSE, frame.last, frame.close_code, reason)
                state.ending.close(closing, conversation, frame.end)
        elif attempt is not None and attempt.outcome is Outcome.PENDING and attempt.ended is None:
            attempt.ended, attempt.ended_by = frame.last, frame.side
            if reason and frame.side is SERVER:  # an answer to the attempt, and not what the client says itself
                attempt.error = ServerError(None, reason, "close")
