"""What TCP reassembly hands to the layers above: bytes in order, holes, ends (RFC 9293)."""

from bisect import bisect_right
from enum import Enum
from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side


@final
@mypyc_attr(acyclic=True)
class StreamChunk:
    """Bytes in order of one direction of one connection, and the captured packets that they came from.

    `offset` is the place of `data[0]`, counted from the first payload byte of this direction. The bytes
    `data[starts[i]:starts[i + 1]]` were brought by packet `numbers[i]` at `times[i]` (ns); `starts[0]` is 0.
    `delivered` is the packet that made the bytes deliverable: 0 for bytes that came in order, else the number of the
    packet that filled the hole before them (it orders events of all connections, so that results do not depend on how
    the input was cut into batches).
    """

    __slots__ = ("data", "delivered", "numbers", "offset", "side", "starts", "times")

    def __init__(
        self,
        side: Side,
        offset: int,
        data: bytes,
        starts: list[int],
        numbers: list[int],
        times: list[int],
        delivered: int = 0,
    ) -> None:
        self.side = side
        self.offset = offset
        self.data = data
        self.starts = starts
        self.numbers = numbers
        self.times = times
        self.delivered = delivered

    @property
    def order(self) -> int:
        """The packet with which its first byte is due: the one that brought it, or a later one that delivered it."""
        return self.delivered or self.numbers[0]

    def by_packet(self) -> "list[StreamChunk]":
        """The same, cut where another captured packet delivered the bytes."""
        if len(self.numbers) == 1 or self.delivered:
            return [self]
        return [self.part(index, index + 1) for index in range(len(self.numbers))]

    def following(self, first: int, count: int) -> "StreamChunk":
        """From one of its packets on (by index): all within so many bytes, but that packet at least; and all where
        another captured packet delivered the bytes."""
        number, starts = len(self.numbers), self.starts
        if number == 1 or self.delivered:
            return self
        end = starts[first] + count
        if end >= len(self.data):
            return self.part(first, number)
        return self.part(first, max(first + 1, bisect_right(starts, end) - 1))

    def part(self, first: int, stop: int) -> "StreamChunk":
        """What some of its packets brought, by index."""
        starts = self.starts
        begin, end = starts[first], starts[stop] if stop < len(starts) else len(self.data)
        own = [0] if stop == first + 1 else [start - begin for start in starts[first:stop]]
        numbers, times = self.numbers[first:stop], self.times[first:stop]
        return StreamChunk(self.side, self.offset + begin, self.data[begin:end], own, numbers, times, self.delivered)


class EndKind(Enum):
    """How one direction of a connection ended."""

    FIN = "FIN"
    RST = "RST"
    CAPTURE_ENDED = "capture ended"


@final
@mypyc_attr(acyclic=True)
class StreamEnd:
    """The end of one direction; nothing follows from this side.

    Of a stream of HTTP/2, END_STREAM is its FIN, and RST_STREAM its RST, with the error `code` (RFC 9113, section 7).
    """

    __slots__ = ("code", "kind", "place", "side")

    def __init__(
        self,
        side: Side,
        kind: EndKind,
        place: PacketRef,
        code: int | None = None,
    ) -> None:
        self.side = side
        self.kind = kind
        self.place = place
        self.code = code
