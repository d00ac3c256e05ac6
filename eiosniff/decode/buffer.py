"""Bytes of one direction that are not decoded yet, and which captured packet each of them came from.

A decoder looks at `data` from `pos` on and moves `pos` forward; what came in several pieces is joined only when the
decoder has as much as it said it needs, so that a message of many megabytes is copied once.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, final

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap

# A hole is filled with zeros so that whatever spans it keeps its length. A larger one is not worth the memory.
GAP_FILL_LIMIT: Final = 1 << 20
_NO_PLACES: Final[list[int]] = []


@final
class Places:
    """One packet after another, for a decoder that finds a record in nearly each of them.

    `place` is the packet at hand, `end` the stream offset after its bytes, `order` the packet that delivered them.
    """

    __slots__ = ("_at", "_last", "_numbers", "_offsets", "_orders", "_times", "end", "order", "place")

    def __init__(
        self, offsets: list[int], numbers: list[int], times: list[int], orders: list[int], last: int, offset: int
    ) -> None:
        self._offsets = offsets
        self._numbers = numbers
        self._times = times
        self._orders = orders
        self._last = last
        self._at = max(0, bisect_right(offsets, offset) - 1)
        self._take()

    def _take(self) -> None:
        at, offsets = self._at, self._offsets
        self.place = PacketRef(self._numbers[at], self._times[at])
        self.end = offsets[at + 1] if at + 1 < len(offsets) else self._last
        self.order = self._orders[at]

    def advance_to(self, offset: int) -> None:
        """Go on to the packet that brought the byte at a stream offset: the one at hand, or one after it."""
        at, offsets = self._at, self._offsets
        while at + 1 < len(offsets) and offsets[at + 1] <= offset:
            at += 1
        if at > self._at:
            self._at = at
            self._take()


@final
class StreamBuffer:
    """The undecoded end of one direction: `data[pos:]` can be decoded, `base` is the stream offset of `data[0]`."""

    # fmt: off
    __slots__ = (
        "_holes", "_need", "_numbers", "_offsets", "_orders", "_own", "_parts", "_times", "_waiting",
        "base", "data", "pos", "side",
    )
    # fmt: on

    def __init__(self, side: Side) -> None:
        self.side = side
        self.data = b""
        self.pos = 0
        self.base = 0
        self._need = 0
        self._parts: list[bytes] | None = None
        self._waiting = 0
        self._offsets = self._numbers = self._times = self._orders = _NO_PLACES
        self._own = False  # whether these lists are ours to change, and four different ones
        self._holes: list[tuple[int, int]] | None = None

    def __len__(self) -> int:
        return len(self.data) - self.pos + self._waiting

    @property
    def offset(self) -> int:
        """The stream offset of the next byte to decode."""
        return self.base + self.pos

    @property
    def waiting(self) -> bool:
        """Whether bytes came that are not in `data` yet, for want of those that `need` asked for."""
        return self._waiting > 0

    @property
    def end(self) -> int:
        """The stream offset after the last byte that came."""
        return self.base + len(self.data) + self._waiting

    def append(self, chunk: StreamChunk) -> bool:
        """Take the next bytes; True when there are as many as `need` asked for."""
        numbers = chunk.numbers
        orders = [chunk.delivered] * len(numbers) if chunk.delivered else numbers
        offsets = [chunk.offset] if len(numbers) == 1 else [chunk.offset + start for start in chunk.starts]
        goes_on = self._goes_on(chunk, orders[0])
        if self.pos == len(self.data) and self._parts is None:  # nothing is left over: no copy
            if goes_on:
                offsets[0] = self._offsets[-1]
            self.data, self.pos, self.base = chunk.data, 0, chunk.offset
            self._offsets, self._numbers, self._times, self._orders = offsets, numbers, chunk.times, orders
            self._own = False
            self._holes = None
        else:
            if not self._own:
                self._offsets, self._numbers = self._offsets.copy(), self._numbers.copy()
                self._times, self._orders = self._times.copy(), self._orders.copy()
                self._own = True
            self._offsets += offsets[goes_on:]
            self._numbers += numbers[goes_on:]
            self._times += chunk.times[goes_on:]
            self._orders += orders[goes_on:]
            if self._parts is None:
                self._parts = [chunk.data]
            else:
                self._parts.append(chunk.data)
            self._waiting += len(chunk.data)
        return self._gather()

    def _goes_on(self, chunk: StreamChunk, order: int) -> bool:
        """Whether the chunk begins inside the packet that ended the last one: no packet boundary is there."""
        return (
            bool(self._numbers)
            and self._numbers[-1] == chunk.numbers[0]
            and self._orders[-1] == order
            and self.end == chunk.offset
            and not (self._holes and self._holes[-1][1] == chunk.offset)  # the packet showed the hole before it
        )

    def append_gap(self, gap: Gap) -> bool:
        """Take a hole as zeros that `missing` knows of; False when it is too large to be filled (nothing is taken)."""
        if gap.length > GAP_FILL_LIMIT:
            return False
        zeros = StreamChunk(gap.side, gap.offset, bytes(gap.length), [0], [gap.place.number], [gap.place.ts_ns])
        self.append(zeros)
        hole = gap.offset, gap.offset + gap.length
        self._holes = [hole] if self._holes is None else [*self._holes, hole]
        return True

    def need(self, count: int) -> bool:
        """Say that fewer than `count` bytes from `pos` on are of no use; True when they are there already."""
        self._need = count
        return self._gather()

    def _gather(self) -> bool:
        if len(self) < self._need:
            return False
        if self._parts is not None:
            self._forget_decoded()
            self.data = b"".join((self.data[self.pos :], *self._parts))
            self.base += self.pos
            self.pos = 0
            self._parts = None
            self._waiting = 0
        self._need = 0
        return True

    def _forget_decoded(self) -> None:
        """Drop the places of bytes that were decoded."""
        first = bisect_right(self._offsets, self.base + self.pos) - 1
        if first > 0:
            self._offsets = self._offsets[first:]
            self._numbers = self._numbers[first:]
            self._times = self._times[first:]
            self._orders = self._orders[first:]
        if self._holes:
            self._holes = [hole for hole in self._holes if hole[1] > self.base + self.pos]

    def flush(self) -> None:
        """Make all bytes visible in `data`, whatever was needed (the stream has ended)."""
        self._need = 0
        self._gather()

    def rest(self) -> list[StreamChunk]:
        """What is not decoded yet, as it came: a chunk for each captured packet."""
        self.flush()
        return self.chunks(self.offset, self.end)

    def chunks(self, offset: int, stop: int) -> list[StreamChunk]:
        """The bytes between two stream offsets, which are in `data`: a chunk for each captured packet."""
        chunks: list[StreamChunk] = []
        places = self._offsets
        while offset < stop:
            at = max(0, bisect_right(places, offset) - 1)
            end = min(places[at + 1], stop) if at + 1 < len(places) else stop
            data = self.data[offset - self.base : end - self.base]
            number, order = self._numbers[at], self._orders[at]
            delivered = order if order != number else 0
            chunks.append(StreamChunk(self.side, offset, data, [0], [number], [self._times[at]], delivered))
            offset = end
        return chunks

    def ref(self, offset: int) -> PacketRef:
        """The captured packet that brought the byte at this stream offset."""
        at = max(0, bisect_right(self._offsets, offset) - 1)
        return PacketRef(self._numbers[at], self._times[at])

    def places_from(self, offset: int) -> "Places":
        """The packet that brought the byte at this stream offset, and then those after it."""
        return Places(self._offsets, self._numbers, self._times, self._orders, self.end, offset)

    def packets(self, start: int, end: int) -> tuple[int, ...]:
        """The numbers of the packets that brought the bytes `[start, end)`, in order of the bytes, each once."""
        first = max(0, bisect_right(self._offsets, start) - 1)
        last = bisect_right(self._offsets, end - 1, first)
        if last - first <= 1:
            return (self._numbers[first],)
        return tuple(dict.fromkeys(self._numbers[first:last]))

    def order(self, offset: int) -> int:
        """The packet that delivered the byte at this stream offset: the one that brought it, or a later one that
        filled the hole before it."""
        return self._orders[max(0, bisect_right(self._offsets, offset) - 1)]

    def missing(self, start: int, end: int) -> int:
        """How many of the bytes `[start, end)` lie in holes."""
        if not self._holes:
            return 0
        return sum(hole_end - hole_start for hole_start, hole_end in self.holes(start, end))

    def holes(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of `[start, end)` that lie in holes, in order."""
        holes = self._holes or ()
        return [(max(start, hole[0]), min(end, hole[1])) for hole in holes if hole[0] < end and hole[1] > start]

    def after_holes(self, offset: int) -> int:
        """The first stream offset from here on that is not in a hole."""
        for hole_start, hole_end in self._holes or ():
            if hole_start <= offset < hole_end:
                offset = hole_end
        return offset

    def is_boundary(self, offset: int) -> bool:
        """Whether the bytes of a captured packet begin here, or would: all that came ends here."""
        at = bisect_right(self._offsets, offset) - 1
        return offset == self.end or (at >= 0 and self._offsets[at] == offset)

    def boundaries(self, start: int) -> Sequence[int]:
        """Stream offsets after `start` at which the bytes of a captured packet begin: where a decoder that lost its
        place may look for a new beginning."""
        return self._offsets[bisect_right(self._offsets, start) :]
