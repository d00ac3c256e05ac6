"""An HTTP/2 connection: its frames, its header blocks in their order, and the streams that matter (RFC 9113).

A header block is decoded whether it matters or not, since later ones refer to it. Of a request that cannot be one of
Engine.IO nothing else is kept, nor of its answer.
"""

from typing import TYPE_CHECKING, Final, final

from eiosniff.decode.facts import is_upgrade, may_be_engineio
from eiosniff.decode.http1.body import quoted
from eiosniff.decode.http2.frames import (
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    PUSH_PROMISE,
    RST_STREAM,
    Data,
    Frame,
    FrameEvent,
    FrameReader,
    Lost,
    fragment,
)
from eiosniff.decode.http2.header_list import Head
from eiosniff.decode.http2.headers import HeaderDecoder
from eiosniff.decode.http2.stream import VERSION, Block, Stream, request_line, status_line
from eiosniff.decode.inside import Inside
from eiosniff.decode.offsets import OffsetMap
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap, GapReason

if TYPE_CHECKING:
    from eiosniff.decode.conversation import Conversation

# Streams under way at a time: nginx lets a client have 128, Node 2^32 - 1; browsers have a hundred or so.
MAX_STREAMS: Final = 1_024
# One header block (compressed) in all its frames; see `headers.LIST_LIMIT` for what it says.
BLOCK_LIMIT: Final = 256 << 10
MAX_PIECES: Final = 128  # who sends frames of the usual size needs 16
_DEFAULT_PATHS: Final = (b"/socket.io", b"/engine.io")


@final
class Http2Connection(Inside):
    """Reads both directions. `conversation` is that of the connection; `upgraded` the request of HTTP/1.1 which asked
    for HTTP/2 (Upgrade: h2c) and is answered on stream 1 (RFC 7540, section 3.2), `starts` where HTTP/2 begins."""

    __slots__ = (
        "_block_sizes", "_blocks", "_conversation", "_decoders", "_highest", "_holes", "_ignored", "_order", "_readers",
        "_streams",
    )  # fmt: skip

    def __init__(self, conversation: "Conversation", starts: list[int], upgraded: HttpRequest | None = None) -> None:
        self._conversation = conversation
        self._readers = [FrameReader(side, starts[side]) for side in SIDES]
        self._decoders = [HeaderDecoder() for _ in SIDES]
        self._blocks: list[list[Frame]] = [[], []]  # of a header block that is not whole yet
        self._block_sizes = [0, 0]
        self._streams: dict[int, Stream] = {}
        self._ignored: dict[int, None] = {}  # streams under way that do not matter
        self._holes: list[Gap | None] = [None, None]  # the last one, by side
        self._order = 0  # of the packet at hand
        self._highest = 1  # the last stream that the client opened
        if upgraded is not None:
            maps = [OffsetMap(), OffsetMap()]
            stream = Stream(1, conversation, maps, list(starts), may_be_engineio(upgraded))
            stream.request = upgraded
            stream.ended[CLIENT] = True
            self._streams[1] = stream

    # ------------------------------------------------------------------ what the connection brings

    def chunk(self, chunk: StreamChunk) -> None:  # noqa: D102 (see Inside)
        self._order = chunk.order
        self._take(chunk.side, self._readers[chunk.side].feed(chunk))

    def gap(self, gap: Gap) -> None:  # noqa: D102 (see Inside)
        self._order = gap.place.number
        self._holes[gap.side] = gap
        for stream in self._streams.values():
            if stream.conversation is not self._conversation:
                stream.conversation.note(gap.side, self._order, gap)
        self._take(gap.side, self._readers[gap.side].gap(gap))

    def end(self, end: StreamEnd) -> None:  # noqa: D102 (see Inside)
        self._order = end.place.number
        self._take(end.side, self._readers[end.side].end(end))
        for number, stream in list(self._streams.items()):
            stream.break_off([end], self._order, stream.conversation is not self._conversation)
            if stream.is_over:
                del self._streams[number]

    # ------------------------------------------------------------------ frames

    def _take(self, side: Side, events: list[FrameEvent]) -> None:
        for event in events:
            if isinstance(event, Data):
                self._data(side, event)
            elif isinstance(event, Frame):
                self._order = max(self._order, event.order)
                self._frame(side, event)
            elif isinstance(event, Lost):
                self._lose_headers(side)
            else:
                self._conversation.note(side, self._order, event)

    def _data(self, side: Side, data: Data) -> None:
        stream = self._streams.get(data.stream)
        if stream is None:
            if data.last:
                self._ignored.pop(data.stream, None)
            return
        if not stream.conversation.uninteresting:
            stream.data(side, data)
        if data.last:
            self._finish(stream, side, data.place, data.order)

    def _frame(self, side: Side, frame: Frame) -> None:
        begun = self._blocks[side]
        if begun and (frame.kind != CONTINUATION or frame.stream != begun[0].stream):
            self._wrong(side, frame.first, "CONTINUATION", f"a frame of type {frame.kind}")  # section 6.10
            self._lose_headers(side)
        if frame.kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            self._block_piece(side, frame)
        elif frame.kind == RST_STREAM:
            self._reset(side, frame)

    def _block_piece(self, side: Side, frame: Frame) -> None:
        begun = self._blocks[side]
        if frame.kind == CONTINUATION and not begun:
            if not self._decoders[side].lossy:
                self._wrong(side, frame.first, "HEADERS", "CONTINUATION")
            self._lose_headers(side)
            return
        begun.append(frame)
        self._block_sizes[side] += len(frame.payload)
        if frame.missing:
            self._lose_headers(side)
        elif fragment(frame) is None:
            self._wrong(side, frame.first, "a header block", "padding that is longer than its frame")
            self._lose_headers(side)
        elif self._block_sizes[side] > BLOCK_LIMIT or len(begun) > MAX_PIECES:
            expected = f"a header block of at most {BLOCK_LIMIT} bytes in {MAX_PIECES} frames"
            self._wrong(side, frame.first, expected, "a larger one")
            self._lose_headers(side)
        elif frame.flags & END_HEADERS:
            self._forget_block(side)
            self._headers(side, begun)

    def _forget_block(self, side: Side) -> None:
        self._blocks[side] = []
        self._block_sizes[side] = 0

    def _lose_headers(self, side: Side) -> None:
        """Header blocks of a side are missing: what later ones refer to is not all known."""
        self._forget_block(side)
        self._decoders[side].lose()

    def _headers(self, side: Side, frames: list[Frame]) -> None:
        """A header block is whole."""
        first, last = frames[0], frames[-1]
        pieces = [fragment(frame) or b"" for frame in frames]
        listed = self._decoders[side].decode(b"".join(pieces))
        if isinstance(listed, str):
            self._wrong(side, last.last, "a header block (HPACK)", listed)
            return
        if first.kind == PUSH_PROMISE:  # nobody pushes Engine.IO
            return
        head = Head(listed)
        if head.wrong:
            anomaly = Anomaly(AnomalyKind.HTTP_BAD_HEADER, side, first.first, "name: value", quoted(head.wrong))
            self._conversation.note(side, self._order, anomaly)
        block = Block(
            [_chunk(side, frame, piece) for frame, piece in zip(frames, pieces, strict=True) if piece], last.end
        )
        if side is CLIENT:
            self._request(first, head, block)
        else:
            self._response(first, head, block)

    # ------------------------------------------------------------------ streams

    def _request(self, frame: Frame, head: Head, block: Block) -> None:
        number, pseudo = frame.stream, head.pseudo
        self._highest = max(self._highest, number)
        known = self._streams.get(number)
        if known is not None or number in self._ignored:  # trailers (section 8.1)
            if known is not None and frame.ends_stream:
                self._finish(known, CLIENT, frame.last, self._order)
            return
        method, target = pseudo.get(b":method"), pseudo.get(b":path")
        if method == b"CONNECT" and target is None:  # a tunnel (section 8.5), which is not looked into
            self._ignore(number)
            return
        if method is None or target is None:
            if not head.unknown:
                self._wrong(CLIENT, frame.first, "the fields :method and :path", quoted(b" ".join(pseudo)))
            return
        text = request_line(method, target, head.fields)
        protocol = pseudo.get(b":protocol", b"")
        request = HttpRequest(text, frame.start, frame.first, head.fields, method, target, VERSION, protocol)
        wanted = may_be_engineio(request)
        if not (wanted or is_upgrade(request) or target.startswith(_DEFAULT_PATHS)):
            self._ignore(number)
            return
        stream = self._begin(number, CLIENT, frame, wanted)
        self._note_unknown(stream, CLIENT, head, frame)
        stream.ask(request, block)
        if frame.ends_stream:
            self._finish(stream, CLIENT, frame.last, self._order)

    def _response(self, frame: Frame, head: Head, block: Block) -> None:
        number = frame.stream
        if number in self._ignored:
            if frame.ends_stream:
                del self._ignored[number]
            return
        stream = self._streams.get(number)
        status = head.pseudo.get(b":status", b"")
        if not (len(status) == 3 and status.isdigit()):
            if stream is not None and not head.pseudo and frame.ends_stream:  # trailers
                self._finish(stream, SERVER, frame.last, self._order)
            elif not head.unknown:
                self._wrong(SERVER, frame.first, "the field :status", quoted(status))
            return
        if stream is None:
            # Pushed, or the client has let go of it; else its request was not captured.
            if number % 2 == 0 or (number <= self._highest and not self._decoders[CLIENT].lossy):
                return
            stream = self._begin(number, SERVER, frame, True)
            stream.ended[CLIENT] = True
        text = status_line(status, head.fields)
        response = HttpResponse(text, frame.start, frame.first, head.fields, int(status), b"", VERSION, stream.request)
        self._note_unknown(stream, SERVER, head, frame)
        stream.answer(response, block, frame.ends_stream)
        if frame.ends_stream:
            self._finish(stream, SERVER, frame.last, self._order)

    def _begin(self, number: int, side: Side, frame: Frame, wanted: bool) -> Stream:
        if len(self._streams) >= MAX_STREAMS:
            oldest = next(iter(self._streams))
            del self._streams[oldest]
            expected = f"at most {MAX_STREAMS} streams under way"
            anomaly = Anomaly(AnomalyKind.HTTP2_TOO_MANY, CLIENT, frame.first, expected, "more")
            self._conversation.note(CLIENT, self._order, anomaly)
        begins = [reader.start for reader in self._readers]
        begins[side] = frame.start
        maps = [OffsetMap(), OffsetMap()]
        stream = Stream(number, self._conversation.child(number, maps), maps, begins, wanted)
        self._streams[number] = stream
        return stream

    def _ignore(self, number: int) -> None:
        if len(self._ignored) >= MAX_STREAMS:
            del self._ignored[next(iter(self._ignored))]
        self._ignored[number] = None

    def _note_unknown(self, stream: Stream, side: Side, head: Head, frame: Frame) -> None:
        """Fields are missing of a head: say so as where bytes are."""
        if head.unknown:
            hole = self._holes[side]
            reason = hole.reason if hole is not None else GapReason.NOT_CAPTURED
            stream.conversation.note(side, self._order, Gap(side, frame.start, 0, reason, frame.first))
            found = f"{head.unknown} fields that refer to it"
            anomaly = Anomaly(AnomalyKind.HTTP2_LOST_HEADERS, side, frame.first, "all header blocks before it", found)
            self._conversation.note(side, self._order, anomaly)

    def _finish(self, stream: Stream, side: Side, place: PacketRef, order: int) -> None:
        stream.finish(side, order, StreamEnd(side, EndKind.FIN, place))
        if stream.is_over:
            self._streams.pop(stream.number, None)

    def _reset(self, side: Side, frame: Frame) -> None:
        stream = self._streams.pop(frame.stream, None)
        if side is CLIENT and frame.stream <= self._highest:
            self._ignore(frame.stream)  # the answer may be on its way
        else:
            self._ignored.pop(frame.stream, None)
        if stream is not None:
            code = int.from_bytes(frame.payload[:4], "big")
            ends = [StreamEnd(each, EndKind.RST, frame.last, code) for each in (side, side.other)]
            stream.break_off(ends, self._order, stream.conversation is not self._conversation)

    def _wrong(self, side: Side, place: PacketRef, expected: str, found: str) -> None:
        anomaly = Anomaly(AnomalyKind.HTTP2_BAD_HEADERS, side, place, expected, found)
        self._conversation.note(side, self._order, anomaly)


def _chunk(side: Side, frame: Frame, piece: bytes) -> StreamChunk:
    """A piece of a header block, with the packets of its first and last byte."""
    first, last, delivered = frame.first, frame.last, frame.order if frame.order != frame.last.number else 0
    if first.number == last.number or len(piece) == 1:
        return StreamChunk(side, frame.start, piece, [0], [last.number], [last.ts_ns], delivered)
    starts, numbers = [0, len(piece) - 1], [first.number, last.number]
    return StreamChunk(side, frame.start, piece, starts, numbers, [first.ts_ns, last.ts_ns], delivered)
