"""One stream of an HTTP/2 connection: a request and its response, or a WebSocket (RFC 9113, section 8; RFC 8441).

A stream that may be Engine.IO is a `Conversation` of its own within that of the connection. Its offsets count, in each
direction from where the stream begins in the connection, the bytes of its header blocks and of its DATA. So a message
is read by what reads those of HTTP/1.1, with a body up to the end of the stream.
"""

from typing import TYPE_CHECKING, Final, final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.http1.body import Body, UntilClose
from eiosniff.decode.http1.direction import Direction, HttpLimits
from eiosniff.decode.http1.events import Events, Upgrade
from eiosniff.decode.http1.head import Head as Http1Head
from eiosniff.decode.http2.frames import Data
from eiosniff.decode.offsets import OffsetMap
from eiosniff.model.http import Fields, HttpMessage, HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

if TYPE_CHECKING:
    from eiosniff.decode.conversation import Conversation

VERSION: Final = b"2"
_LIMITS: Final = HttpLimits()
_NO_PARTS: Final = (b"", b"", b"")
_CONTENT_ENCODING: Final = b"content-encoding"


@final
class Block:
    """Where a header block was: its pieces, as chunks of the connection, and the offset after the last of its frames.
    `order` is the packet that completed it."""

    __slots__ = ("chunks", "end", "order")

    def __init__(self, chunks: list[StreamChunk], end: int) -> None:
        self.chunks = chunks
        self.end = end
        self.order = (chunks[-1].delivered or chunks[-1].numbers[-1]) if chunks else 0  # none: it has no fields


@final
class Stream:
    """One stream that matters. `number` is its identifier, `conversation` takes its events.

    `request` is None where it was not captured. `ended` are the sides that say no more; `is_websocket` is so from the
    answer that accepts it on.
    """

    __slots__ = (
        "_answered", "_directions", "_events", "_held", "_maps", "_offsets", "conversation", "ended", "is_websocket",
        "number", "request", "wanted",
    )  # fmt: skip

    def __init__(
        self, number: int, conversation: "Conversation", maps: list[OffsetMap], begins: list[int], wanted: bool
    ) -> None:
        self.number = number
        self.conversation = conversation
        self.request: HttpRequest | None = None
        self.wanted = wanted
        self.ended = [False, False]
        self.is_websocket = False
        self._answered = False
        self._events: Events = []
        self._directions: list[Direction | None] = [None, None]
        self._offsets = begins
        self._maps = maps
        self._held: StreamBuffer | None = None  # what the client says before its WebSocket is accepted

    @property
    def is_over(self) -> bool:
        """Whether neither side says more."""
        return self.ended[0] and self.ended[1]

    # ------------------------------------------------------------------ messages

    def ask(self, request: HttpRequest, block: Block) -> None:
        """The client asks. `request` has its first packet and its head; what is said of its bytes is filled in."""
        self.request = request
        request.body_kept = self.wanted
        body = None if request.protocol else self._body(request, self.wanted)
        self._begin(request, block, body)

    def answer(self, response: HttpResponse, block: Block, last: bool) -> None:
        """The server answers; `last` says that it has no body."""
        final_one = response.status >= 200
        wanted = self.wanted if self.request is not None else True
        response.body_kept = wanted
        accepted = response.accepts_websocket
        bodiless = accepted or last or not final_one
        self._begin(response, block, None if bodiless else self._body(response, wanted))
        self._answered |= final_one
        if accepted:
            self._accept(response, block.order)

    def _body(self, message: HttpMessage, wanted: bool) -> Body:
        unasked = message.side is SERVER and self.request is None
        body = UntilClose((_LIMITS.unasked_body if unasked else _LIMITS.body) if wanted else 0, wanted)
        if body.kept:
            body.codings = message.fields.members(_CONTENT_ENCODING)
        return body

    def _begin(self, message: HttpMessage, block: Block, body: Body | None) -> None:
        side = message.side
        direction = self._direction(side)
        for chunk in block.chunks:
            direction.buffer.append(self._own(chunk, side))
        self._maps[side].add(self._offsets[side], block.end)
        start, end = direction.start, direction.buffer.end
        message.start = start
        base = direction.buffer.base
        head = Http1Head(_NO_PARTS, start - base, end - base, end - base, True, message.fields)
        direction.begin(message, head, body)
        self._tell(side, block.order)

    def _own(self, chunk: StreamChunk, side: Side) -> StreamChunk:
        """The same bytes at their offset in the stream."""
        own = StreamChunk(side, self._offsets[side], chunk.data, chunk.starts, chunk.numbers, chunk.times,
                          chunk.delivered)  # fmt: skip
        self._offsets[side] += len(chunk.data)
        return own

    def _direction(self, side: Side) -> Direction:
        direction = self._directions[side]
        if direction is None:
            direction = self._directions[side] = Direction(side, _LIMITS, self._events)
            direction.start = self._offsets[side]
        return direction

    # ------------------------------------------------------------------ DATA

    def data(self, side: Side, data: Data) -> None:
        """Some of what a DATA frame of this stream carries."""
        if data.chunk is not None:
            end = data.chunk.offset + len(data.chunk.data)
            chunk = self._own(data.chunk, side)
            self._maps[side].add(self._offsets[side], end)
            if self.is_websocket:
                self.conversation.tell_bytes(chunk)
            elif self._is_early(side):
                self._hold(chunk)
            else:
                self._read(side, chunk, data.order)
        elif data.gap is not None:
            gap = data.gap
            self.gap(Gap(side, self._offsets[side], gap.length, gap.reason, gap.place))

    def _is_early(self, side: Side) -> bool:
        """Whether bytes come where a request for a WebSocket waits for its answer."""
        return side is CLIENT and self.request is not None and len(self.request.protocol) > 0 and not self._answered

    def _hold(self, chunk: StreamChunk) -> None:
        if self._held is None:
            self._held = StreamBuffer(CLIENT)
        if len(self._held) < _LIMITS.held:
            self._held.append(chunk)

    def _read(self, side: Side, chunk: StreamChunk, order: int) -> None:
        direction = self._directions[side]
        if direction is None or direction.body is None:
            return  # of a message whose head is missing, or after its end
        direction.buffer.append(chunk)
        direction.read_body(direction.body)
        self._tell(side, order)

    def gap(self, gap: Gap) -> None:
        """Bytes of this stream are missing: a hole in its own offsets."""
        side, order = gap.side, gap.place.number
        self._offsets[side] += gap.length
        direction = self._directions[side]
        if self.is_websocket:
            self.conversation.tell_gap(gap)
        elif direction is not None and direction.body is not None:
            direction.skip(gap)
            self._tell(side, order)

    def _accept(self, response: HttpResponse, order: int) -> None:
        """From here on the stream carries a WebSocket."""
        self.is_websocket = True
        self.conversation.accept(Upgrade(self.request, response), order)
        self._directions = [None, None]
        if self._held is not None:
            for chunk in self._held.rest():
                self.conversation.tell_bytes(chunk)
            self._held = None

    # ------------------------------------------------------------------ ends

    def finish(self, side: Side, order: int, end: StreamEnd) -> None:
        """A side says no more (END_STREAM)."""
        if self.ended[side]:
            return
        self.ended[side] = True
        if self.is_websocket:
            self.conversation.tell_end(end)
            self.conversation.note(side, order, end)
            return
        self._close(side, end, order)

    def break_off(self, ends: list[StreamEnd], order: int, tells: bool) -> None:
        """The stream ends on one or both sides, whatever is under way (RST_STREAM, or the end of the connection), in
        this order. `tells` says that its conversation does not learn of it otherwise."""
        settled = self._answered and self.ended[SERVER] and not self.is_websocket
        for end in ends:
            side = end.side
            if self.ended[side] and self.is_websocket:
                continue
            if self.is_websocket:
                self.conversation.tell_end(end)
            elif not self.ended[side]:
                self._close(side, end, order)
            self.ended[side] = True
            if tells and not settled:
                self.conversation.note(side, order, end)

    def _close(self, side: Side, end: StreamEnd, order: int) -> None:
        direction = self._directions[side]
        if direction is not None and direction.body is not None:
            direction.close(end)
            self._tell(side, order)

    def _tell(self, side: Side, order: int) -> None:
        """Hand on what was found."""
        if self._events:
            events = self._events.copy()
            self._events.clear()
            self.conversation.tell(side, events, order)


def request_line(method: bytes, target: bytes, fields: Fields) -> bytes:
    """The head of a request as HTTP/1.1 would show it."""
    return method + b" " + target + b" HTTP/2\r\n" + fields.lines[: max(0, len(fields.lines) - 2)]


def status_line(status: bytes, fields: Fields) -> bytes:
    """The same for a response."""
    return b"HTTP/2 " + status + b"\r\n" + fields.lines[: max(0, len(fields.lines) - 2)]
