"""One direction of a TCP connection: segments in, bytes in order out (RFC 9293, section 3.4).

Sequence numbers are 32 bits and wrap; inside, everything is a stream offset: the count of payload bytes since the
beginning of the direction (since the first captured segment, where the SYN was not captured).
"""

from typing import Final, NamedTuple, Protocol, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason

SEQUENCE_MASK: Final = 0xFFFFFFFF
_HALF: Final = 1 << 31

# A hole is believed to be one of the capture, not of the network, when the receiver acknowledged bytes behind it and
# the capture has not shown them this long after: two queues of one interface reorder by less.
ACKNOWLEDGED_HOLE_NS: Final = 100_000_000
# Without acknowledgements (one direction captured) there is nothing to wait for longer than a retransmission takes.
UNHEARD_HOLE_NS: Final = 5_000_000_000
# A receiver that says that it lacks the bytes will get them, or the connection ends: the timer that repeats them
# doubles each time, and may be limited to a minute (RFC 6298, section 2.5).
MISSING_HOLE_NS: Final = 120_000_000_000
# A receive window seldom exceeds this; more out-of-order data than that means that the hole will not be filled.
MAX_HELD_BYTES: Final = 4 << 20
MAX_HELD_SEGMENTS: Final = 4096


class Segment(NamedTuple):
    """A segment that waits behind a hole. `end` counts bytes on the wire, of which `data` may be fewer."""

    start: int
    end: int
    data: bytes
    number: int
    ts_ns: int

    def part(self, start: int, end: int) -> "Segment":
        """The bytes `[start, end)` of it."""
        data = self.data[start - self.start : end - self.start]
        return Segment(start, end, data, self.number, self.ts_ns)


class StreamSink(Protocol):
    """What takes the bytes of a direction."""

    @property
    def side(self) -> Side:
        """Whose bytes they are, as far as is known by now."""

    def chunk(self, chunk: StreamChunk) -> None:
        """The next bytes."""

    def gap(self, gap: Gap) -> None:
        """Bytes that will never come."""


@final
@mypyc_attr(acyclic=True)
class Direction:
    """The sequence space of one direction.

    `next_seq` is the sequence number expected next (-1: nothing known yet) and `offset` the stream offset that it
    stands for. `held` are segments that came too early: in order, without overlap, the first behind a hole. `acked` is
    the highest stream offset that the receiver acknowledged since there is a hole (-1: none), `fin` that of a FIN.
    `again` counts segments that brought bytes again (keep-alive probes do not count), `duplicates` those of them that
    were captured again and not sent again. `most_repeats`: how often bytes were sent again, at the most, before
    anything new was: after many times, the receiver was not there.
    """

    __slots__ = (
        "_repeated_at", "_repeats", "acked", "again", "duplicates", "ended", "fin", "held", "held_bytes",
        "most_repeats", "next_seq", "offset", "syn", "syn_seq",
    )  # fmt: skip

    def __init__(self) -> None:
        self.syn: PacketRef | None = None
        self.syn_seq = -1
        self.next_seq = -1
        self.offset = 0
        self.acked = -1
        self.held: list[Segment] = []
        self.held_bytes = 0
        self.fin: int | None = None
        self.ended = False
        self.again = 0
        self.duplicates = 0
        self.most_repeats = 0
        self._repeats = 0
        self._repeated_at = -1

    def repeat(self) -> None:
        """A segment was sent again."""
        if self._repeated_at != self.offset:
            self._repeated_at, self._repeats = self.offset, 0
        self._repeats += 1
        self.most_repeats = max(self.most_repeats, self._repeats)

    @property
    def retransmissions(self) -> int:
        """How many segments were sent again."""
        return self.again - self.duplicates

    @property
    def untouched(self) -> bool:
        """Whether neither bytes nor the end of this direction were captured."""
        return not (self.offset or self.held or self.ended)

    def offset_of(self, seq: int) -> int:
        """The stream offset of a sequence number within 2 GiB of the expected one."""
        return self.offset + (((seq - self.next_seq + _HALF) & SEQUENCE_MASK) - _HALF)

    def seq_of(self, offset: int) -> int:
        """The sequence number of a stream offset."""
        return (self.next_seq + offset - self.offset) & SEQUENCE_MASK

    def advance(self, count: int) -> None:
        """Move past bytes that are delivered in order."""
        self.next_seq = (self.next_seq + count) & SEQUENCE_MASK
        self.offset += count

    def receive(self, seq: int, data: bytes, wire_length: int, place: PacketRef, sink: StreamSink) -> None:
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
                self.again += 1
            return
        segment = Segment(start, end, data, place.number, place.ts_ns)
        if start > self.offset:
            self._hold(segment)
            if self.held_bytes > MAX_HELD_BYTES or len(self.held) > MAX_HELD_SEGMENTS:
                self.skip_hole(GapReason.LIMIT, place, sink)
            return
        if start < self.offset or (self.held and self.held[0].start < end):
            self.again += 1
        self._deliver(segment, place, sink)
        if self.held:
            self._drain(place, sink)

    def receive_fin(self, seq: int, place: PacketRef) -> None:
        """Take a FIN: `seq` is the sequence number after the last byte. It may wait behind a hole, as bytes do."""
        if self.fin is not None or self.ended:
            return
        if self.next_seq < 0:
            self.next_seq = seq
        self.fin = max(self.offset, self.offset_of(seq))
        if self.fin > self.offset:
            self._insert(Segment(self.fin, self.fin, b"", place.number, place.ts_ns), self._after(self.fin))

    @property
    def complete(self) -> bool:
        """Whether all bytes before the FIN were delivered."""
        return self.fin is not None and self.offset >= self.fin

    # ------------------------------------------------------------------ holes

    def _after(self, offset: int) -> int:
        """The index of the first held segment that ends behind a stream offset (from the end: it is near)."""
        at = len(self.held)
        while at and self.held[at - 1].end > offset:
            at -= 1
        return at

    def _insert(self, segment: Segment, at: int) -> None:
        if not self.held:
            self.acked = -1
        self.held.insert(at, segment)
        self.held_bytes += len(segment.data)

    def _hold(self, segment: Segment) -> None:
        """Keep the bytes of a segment that are not held yet."""
        start, at = segment.start, self._after(segment.start)
        fresh = 0
        while start < segment.end:
            known = self.held[at] if at < len(self.held) else None
            stop = min(segment.end, known.start) if known else segment.end
            if stop > start:
                self._insert(segment.part(start, stop), at)
                fresh += stop - start
                at += 1
            start = max(stop, known.end) if known else stop
            at += 1
        if fresh < segment.end - segment.start:
            self.again += 1

    def _deliver(self, segment: Segment, place: PacketRef, sink: StreamSink) -> None:
        """Hand on what of a segment lies at or behind the expected offset."""
        start = self.offset
        data = segment.data[start - segment.start :]
        if data:
            late = place.number if place.number != segment.number else 0
            self.advance(len(data))
            sink.chunk(StreamChunk(sink.side, start, data, [0], [segment.number], [segment.ts_ns], late))
        if segment.end > self.offset:
            cut = Gap(sink.side, self.offset, segment.end - self.offset, GapReason.SNAP_LENGTH, place)
            self.advance(cut.length)
            sink.gap(cut)

    def _drain(self, place: PacketRef, sink: StreamSink) -> None:
        """Deliver held segments up to the next hole."""
        done = 0
        for segment in self.held:
            if segment.start > self.offset:
                break
            done += 1
            self.held_bytes -= len(segment.data)
            if segment.end > self.offset:
                self._deliver(segment, place, sink)
        del self.held[:done]

    def acknowledge(self, ack: int) -> None:
        """Take an acknowledgement of the receiver (it matters only while there is a hole)."""
        self.acked = max(self.acked, self.offset_of(ack))

    def hole_is_lost(self, now_ns: int) -> bool:
        """Whether to stop waiting for the bytes of the first hole."""
        if not self.held:
            return False
        behind = self.held[0]
        if self.acked < 0:
            limit = UNHEARD_HOLE_NS
        else:
            limit = ACKNOWLEDGED_HOLE_NS if self.acked >= behind.start else MISSING_HOLE_NS
        return now_ns - behind.ts_ns > limit

    def skip_hole(self, reason: GapReason, place: PacketRef, sink: StreamSink) -> None:
        """Give the first hole up as a gap and deliver what is behind it."""
        gap = Gap(sink.side, self.offset, self.held[0].start - self.offset, reason, place)
        self.advance(gap.length)
        sink.gap(gap)
        self._drain(place, sink)

    def flush(self, place: PacketRef, sink: StreamSink) -> None:
        """Deliver all that is held: nothing more will come.

        What nobody has acknowledged may have been lost on the way, and would have been sent again.
        """
        while self.held:
            expected = self.acked < self.held[0].start and not self.hole_is_lost(place.ts_ns)
            self.skip_hole(GapReason.UNACKNOWLEDGED if expected else GapReason.NOT_CAPTURED, place, sink)
