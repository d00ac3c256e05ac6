"""One WebTransport session within an HTTP/3 connection: how it is opened, its stream, and how it is closed
(draft-ietf-webtrans-http3; capsules: RFC 9297, section 3.2)."""

from typing import Final, final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.http3.webtransport_frames import WtReader
from eiosniff.decode.quic.varint import varint, varint_size
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap
from eiosniff.model.webtransport import WtClose, WtOpening

_CLOSE: Final = 0x2843  # CLOSE_WEBTRANSPORT_SESSION
_CODE_BYTES: Final = 4
_CAPSULE_LIMIT: Final = 4 + 1024  # the code, and the longest reason that the draft allows


@final
class WtSession:
    """See the module. Engine.IO uses the first bidirectional stream that the client opens in it (`bind`)."""

    __slots__ = (
        "_capsules",
        "_closed",
        "_lost",
        "_pass_over",
        "_readers",
        "_request",
        "_told",
        "conversation",
        "stream",
    )

    def __init__(self, conversation: Conversation, request: HttpRequest) -> None:
        self.conversation = conversation
        self.stream = -1
        self._request = request
        self._told = False  # that it is open, or refused
        self._closed = [False, False]
        self._lost = [False, False]
        self._readers = [WtReader(side) for side in SIDES]
        self._capsules = [StreamBuffer(side) for side in SIDES]
        self._pass_over = [0, 0]  # bytes of capsules that nobody asked for

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not self._closed[0] and not self._closed[1]

    def bind(self, stream: int) -> bool:
        """A stream of the session begins; whether it is the one that matters."""
        if self.stream < 0:
            self.stream = stream
        return self.stream == stream

    def answer(self, response: HttpResponse, now: PacketRef) -> None:
        """The server answers the CONNECT."""
        response.request = self._request
        response.complete = True
        response.order = now.number
        self._tell(response, now)

    def wait_in_vain(self, now: PacketRef) -> None:
        """The capture is over, perhaps before the CONNECT was answered."""
        if not self._told:
            self._told = True
            self.conversation.hear(CLIENT, self._request.last)
            self.conversation.tell_of(CLIENT, now, WtOpening(self._request, None, over=True))

    def _tell(self, response: HttpResponse | None, now: PacketRef) -> None:
        if not self._told:
            self._told = True
            side = CLIENT if response is None else SERVER
            # The client is heard from its request on.
            self.conversation.hear(CLIENT, self._request.last)
            self.conversation.tell_of(side, now, WtOpening(self._request, response))

    def feed(self, chunk: StreamChunk, now: PacketRef) -> None:
        """Bytes of the stream."""
        if not self._told:  # the capture lacks the answer
            self._tell(None, now)
        for record in self._readers[chunk.side].feed(chunk):
            self.conversation.tell_of(chunk.side, now, record)

    def gap(self, gap: Gap, now: PacketRef) -> None:
        """A hole in the stream."""
        for record in self._readers[gap.side].gap(gap):
            self.conversation.tell_of(gap.side, now, record)

    def end(self, end: StreamEnd, now: PacketRef) -> None:
        """Nothing more of a side comes in the stream. What it leaves half said matters only if it says so itself."""
        self._end(end.side, end.kind is not EndKind.FIN or self._closed[end.side], now)

    def _end(self, side: Side, cut: bool, now: PacketRef) -> None:
        """Nothing more of a side matters; `cut` says that it does not end by itself."""
        for record in self._readers[side].end(now):
            if not (cut and isinstance(record, Anomaly) and record.kind is AnomalyKind.WT_INCOMPLETE):
                self.conversation.tell_of(side, now, record)

    def lose_capsules(self, side: Side) -> None:
        """Bytes of the CONNECT stream are missing: where a capsule begins after them is not known."""
        self._lost[side] = True

    def capsules(self, side: Side, chunk: StreamChunk, now: PacketRef) -> None:
        """Bytes in DATA frames of the CONNECT stream."""
        if self._lost[side]:
            return
        buffer = self._capsules[side]
        buffer.append(StreamChunk(side, buffer.end, chunk.data, chunk.starts, chunk.numbers, chunk.times))
        while True:
            skipped = min(self._pass_over[side], len(buffer.data) - buffer.pos)
            buffer.pos += skipped
            self._pass_over[side] -= skipped
            if self._pass_over[side] or not buffer.need(2):
                return
            size = varint_size(buffer.data[buffer.pos])
            if not buffer.need(size + 1):
                return
            kind = varint(buffer.data, buffer.pos)
            whole = size + varint_size(buffer.data[buffer.pos + size])
            if not buffer.need(whole):
                return
            length = varint(buffer.data, buffer.pos + size)
            if kind != _CLOSE or not _CODE_BYTES <= length <= _CAPSULE_LIMIT:
                buffer.pos += whole
                self._pass_over[side] = length
                continue
            if not buffer.need(whole + length):
                return
            content = buffer.data[buffer.pos + whole : buffer.pos + whole + length]
            buffer.pos += whole + length
            self.close(side, int.from_bytes(content[:_CODE_BYTES]), content[_CODE_BYTES:], now)

    def close(self, side: Side, code: int | None, reason: bytes, now: PacketRef) -> None:
        """A side closes the session."""
        if not self._told:
            self._tell(None, now)
        if not self._closed[side]:
            self._closed[side] = True
            for record in self._readers[side].decide():
                self.conversation.tell_of(side, now, record)
            self._end(side.other, True, now)
            self.conversation.tell_of(side, now, WtClose(side, now, code, reason))
