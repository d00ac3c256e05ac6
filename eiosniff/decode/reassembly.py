"""One direction of a TCP connection: segments in, bytes in order out (RFC 9293, section 3.4).

Sequence numbers are 32 bits and wrap; inside, everything is a stream offset: the count of payload bytes since the
beginning of the direction (since the first captured segment, where the SYN was not captured).
"""

from typing import NamedTuple, Protocol

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason

SEQUENCE_MASK = 0xFFFFFFFF
_HALF = 1 << 31

# A hole is believed to be one of the capture, not of the network, when the receiver acknowledged bytes behind it and
# the capture has not shown them this long after: two queues of one interface reorder by less.
ACKNOWLEDGED_HOLE_NS = 100_000_000
# Without acknowledgements (one direction captured) there is nothing to wait for longer than a retransmission takes.
UNACKNOWLEDGED_HOLE_NS = 5_000_000_000
# A receive window seldom exceeds this; more out-of-order data than that means that the hole will not be filled.
MAX_HELD_BYTES = 4 << 20
MAX_HELD_SEGMENTS = 4096


class Segment(NamedTuple):
    """A segment that waits behind a hole. `end` counts bytes on the wire, of which `data` may be fewer."""

    start: int
    end: int
    data: bytes
    number: int
    ts_ns: int


class StreamSink(Protocol):
    """What takes the bytes of a direction."""

    def chunk(self, chunk: StreamChunk) -> None:
        """The next bytes."""

    def gap(self, gap: Gap) -> None:
        """Bytes that will never come."""


class Direction:
    """The sequence space of one direction.

    `next_seq` is the sequence number expected next (-1: nothing known yet) and `offset` the stream offset that it
    stands for; `acked` the highest stream offset that the receiver acknowledged. `highest` is the end of all bytes
    seen, held ones included.
    """

    __slots__ = ("acked", "ended", "fin", "held", "held_bytes", "highest", "hole_ns", "next_seq", "offset",
                 "retransmissions")  # fmt: skip

    def __init__(self) -> None:
        self.next_seq = -1
        self.offset = 0
        self.acked = 0
        self.highest = 0
        self.held: list[Segment] = []
        self.held_bytes = 0
        self.hole_ns = 0
        self.fin: int | None = None  # the stream offset of a FIN that waits behind a hole
        self.ended = False
        self.retransmissions = 0

    def offset_of(self, seq: int) -> int:
        """The stream offset of a sequence number within 2 GiB of the expected one."""
        return self.offset + (((seq - self.next_seq + _HALF) & SEQUENCE_MASK) - _HALF)

    def seq_of(self, offset: int) -> int:
        """The sequence number of a stream offset."""
        return (self.next_seq + offset - self.offset) & SEQUENCE_MASK

    def advance(self, count: int) -> None:
        """Move past bytes that were delivered in order."""
        self.next_seq = (self.next_seq + count) & SEQUENCE_MASK
        self.offset += count
        self.highest = max(self.highest, self.offset)

    def receive(self, seq: int, data: bytes, wire_length: int, place: PacketRef, side: Side, sink: StreamSink) -> None:
        """Take one segment: deliver what is in order, hold what is ahead, drop what came before.

        `data` may be shorter than `wire_length` (snap length): the rest becomes a gap when its turn comes.
        """
        if self.next_seq < 0:
            self.next_seq = seq
        start = self.offset_of(seq)
        end = start + wire_length
        if end <= self.offset:
            # One byte before the expected one is a keep-alive probe (RFC 9293, section 3.8.4), not a loss.
            if not (wire_length == 1 and end == self.offset):
                self.retransmissions += 1
            return
        if end <= self.highest and start < self.highest:
            self.retransmissions += 1
        self.highest = max(self.highest, end)
        segment = Segment(start, end, data, place.number, place.ts_ns)
        if start > self.offset:
            self._hold(segment)
            if self.held_bytes > MAX_HELD_BYTES or len(self.held) > MAX_HELD_SEGMENTS:
                self.skip_hole(GapReason.LIMIT, place, side, sink)
            return
        self._deliver(segment, place, side, sink)
        if self.held:
            self._drain(place, side, sink)

    def _hold(self, segment: Segment) -> None:
        if not self.held:
            self.hole_ns = segment.ts_ns
        at = len(self.held)
        while at and self.held[at - 1].start > segment.start:
            at -= 1
        self.held.insert(at, segment)
        self.held_bytes += len(segment.data)

    def _deliver(self, segment: Segment, place: PacketRef, side: Side, sink: StreamSink) -> None:
        """Hand on what of a segment lies at or behind the expected offset."""
        known = self.offset - segment.start
        data = segment.data[known:] if known else segment.data
        if data:
            late = place.number if place.number != segment.number else 0
            sink.chunk(StreamChunk(side, self.offset, data, [0], [segment.number], [segment.ts_ns], late))
            self.advance(len(data))
        if segment.end > self.offset:
            cut = Gap(side, self.offset, segment.end - self.offset, GapReason.SNAP_LENGTH, place)
            self.advance(cut.length)
            sink.gap(cut)

    def _drain(self, place: PacketRef, side: Side, sink: StreamSink) -> None:
        """Deliver held segments up to the next hole."""
        done = 0
        for segment in self.held:
            if segment.start > self.offset:
                break
            done += 1
            self.held_bytes -= len(segment.data)
            if segment.end > self.offset:
                self._deliver(segment, place, side, sink)
        if done:
            del self.held[:done]
            self.hole_ns = place.ts_ns

    def hole_is_lost(self, now_ns: int) -> bool:
        """Whether to stop waiting for the bytes of the first hole."""
        if not self.held:
            return False
        waited = now_ns - self.hole_ns
        limit = ACKNOWLEDGED_HOLE_NS if self.acked >= self.held[0].start else UNACKNOWLEDGED_HOLE_NS
        return waited > limit

    def skip_hole(self, reason: GapReason, place: PacketRef, side: Side, sink: StreamSink) -> None:
        """Give the first hole up as a gap and deliver what is behind it."""
        gap = Gap(side, self.offset, self.held[0].start - self.offset, reason, place)
        self.advance(gap.length)
        sink.gap(gap)
        self._drain(place, side, sink)

    def flush(self, place: PacketRef, side: Side, sink: StreamSink) -> None:
        """Deliver all that is held: nothing more will come."""
        while self.held:
            self.skip_hole(GapReason.NOT_CAPTURED, place, side, sink)
