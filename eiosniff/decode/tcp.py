"""TCP segments of a batch, by column, to bytes in order of each connection.

The segments are sorted by connection with numpy. Within a connection, segments that follow each other in one direction
without a hole form a *run*, which is joined in one go; nearly all segments of nearly all captures are in such runs.
A connection in which anything is out of order takes the way segment by segment (`reassembly.Direction.receive`) until
it is in order again. A connection that is not HTTP is dropped by its first bytes: of its later segments only the
columns are touched.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from eiosniff.decode.reassembly import SEQUENCE_MASK, Direction
from eiosniff.decode.segments import ACK, FIN, RST, SYN, Segments, SortedSegments
from eiosniff.model.provenance import NO_PACKET, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason

_HALF = 1 << 31


class Conversation(Protocol):
    """What a connection is handed to. It appends what it decodes to the events of the batch by itself."""

    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order."""

    def gap(self, gap: Gap) -> None:
        """A hole."""

    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""


@dataclass(slots=True, eq=False)
class Watch:
    """Waits for the acknowledgement of the bytes of `side` up to a stream offset, and says so once."""

    side: Side
    offset: int
    after: int
    acknowledged: Callable[[PacketRef], None]


@dataclass(slots=True, eq=False)
class Flow:
    """One TCP connection. `ends` are its packed endpoints, the lower first; direction 0 is sent by the lower one."""

    stream: int
    ends: tuple[int, int]
    first: PacketRef
    last: PacketRef
    directions: tuple[Direction, Direction]
    syn: list[PacketRef | None] = field(default_factory=lambda: [None, None])
    syn_seq: list[int] = field(default_factory=lambda: [-1, -1])
    syn_last: PacketRef = NO_PACKET
    syn_repeats: int = 0
    reset: PacketRef | None = None
    client: int | None = None  # the direction of the client, once it is known
    conversation: Conversation | None = None
    dropped: bool = False
    watches: list[Watch] = field(default_factory=list)

    @property
    def midstream(self) -> bool:
        """Whether the capture began after the connection did."""
        return self.syn[0] is None and self.syn[1] is None

    def side(self, direction: int) -> Side:
        """The side that sends in a direction (a guess as long as nothing told)."""
        return Side.CLIENT if direction == (self.client or 0) else Side.SERVER

    def direction(self, side: Side) -> Direction:
        """The direction in which a side sends."""
        client = self.client or 0
        return self.directions[client if side is Side.CLIENT else 1 - client]

    @property
    def over(self) -> bool:
        """Whether both directions have ended."""
        return self.directions[0].ended and self.directions[1].ended


class FlowListener(Protocol):
    """Decides what a connection is, and hears of those that end."""

    def begin(self, flow: Flow, chunk: StreamChunk, direction: int) -> None:
        """The first bytes of a connection that is undecided: sets `conversation`, `dropped` or neither."""

    def set_aside(self, flow: Flow, size: int) -> None:
        """Bytes of a dropped connection."""

    def closed(self, flow: Flow) -> None:
        """A connection ended, was replaced by another of the same endpoints, or the capture ended."""


class FlowTable:
    """All connections of a capture, by their endpoints."""

    def __init__(self, listener: FlowListener) -> None:
        self._listener = listener
        self._flows: dict[tuple[int, int], Flow] = {}
        self._streams = 0
        self._new: list[Flow] = []
        self._watched: dict[int, Flow] = {}
        self._batch: SortedSegments | None = None

    @property
    def connections(self) -> int:
        """How many connections were seen."""
        return self._streams

    # ------------------------------------------------------------------ a batch

    def feed(self, segments: Segments) -> None:
        """Take the segments of a batch, in capture order."""
        self._batch = None
        if len(segments.number) == 0:
            return
        batch = SortedSegments(segments)
        self._batch = batch
        for group in batch.groups_in_capture_order():
            self._feed_group(batch, group)
        # Wireshark numbers connections by their first packet, and so does the order of the groups; a connection that
        # replaced another inside a group comes too early in it.
        self._new.sort(key=lambda flow: flow.first.number)
        for flow in self._new:
            flow.stream = self._streams
            self._streams += 1
        self._new.clear()

    def _feed_group(self, batch: "SortedSegments", group: int) -> None:
        key = batch.key(group)
        flow = self._flows.get(key)
        if flow is None:
            flow = self._open(key, batch.place(batch.first_row(group)))
        elif flow.dropped and not batch.has_syn[group]:
            self._listener.set_aside(flow, batch.payload_of_group(group))
            return
        begin, stop = batch.runs_of(group)
        in_order = not batch.disordered[group] and not any(direction.held for direction in flow.directions)
        if in_order and begin < stop and self._runs_fit(flow, batch, begin, stop):
            for run in range(begin, stop):
                self._feed_run(flow, batch, run)
        elif begin < stop or any(direction.held for direction in flow.directions):
            flow = self._feed_rows(flow, key, batch, group)
        flow.last = batch.place(batch.last_row(group))

    def _open(self, key: tuple[int, int], place: PacketRef) -> Flow:
        flow = Flow(-1, key, place, place, (Direction(), Direction()))
        self._flows[key] = flow
        self._new.append(flow)
        return flow

    @staticmethod
    def _runs_fit(flow: Flow, batch: "SortedSegments", begin: int, stop: int) -> bool:
        """Whether the first run of each direction begins where the direction stands (the others follow by order)."""
        fits = [False, False]
        for run in range(begin, stop):
            way = batch.run_way[run]
            if fits[way]:
                continue
            direction = flow.directions[way]
            if batch.run_flags[run] & SYN:
                if direction.next_seq >= 0 or direction.ended:
                    return False
            elif direction.next_seq != batch.run_seq[run] and direction.next_seq >= 0:
                return False
            fits[way] = True
            if fits[1 - way]:
                break
        return True

    def _feed_run(self, flow: Flow, batch: "SortedSegments", run: int) -> None:
        way = batch.run_way[run]
        flags = batch.run_flags[run]
        begin, stop = batch.run_start[run], batch.run_start[run + 1]
        direction = flow.directions[way]
        if flags & SYN:
            self._synchronise(flow, way, batch.seq[begin], flags, batch.sub_place(begin))
            return
        if direction.next_seq < 0:
            direction.next_seq = batch.seq[begin]
        data = batch.join(begin, stop)
        if data and not direction.ended:
            numbers, times = batch.sub_number[begin:stop], batch.sub_ts[begin:stop]
            chunk = StreamChunk(flow.side(way), direction.offset, data, batch.starts(begin, stop), numbers, times)
            direction.advance(len(data))
            self._deliver(flow, way, chunk)
        if flags & (FIN | RST):
            self._finish(flow, way, flags, batch.sub_place(begin))

    def _feed_rows(self, flow: Flow, key: tuple[int, int], batch: "SortedSegments", group: int) -> Flow:
        """Segment by segment, acknowledgements included: the connection is or gets out of order here."""
        for row in range(*batch.rows_of(group)):
            place = batch.place(row)
            way, flags, seq = batch.way(row), batch.flags(row), batch.seq_of(row)
            if flags & SYN:
                if flow.syn_seq[way] != seq and (flow.directions[way].next_seq >= 0 or flow.over):
                    self._close(flow, place)
                    flow = self._open(key, place)
                self._synchronise(flow, way, seq, flags, place)
                seq = (seq + 1) & SEQUENCE_MASK
            wire_length = batch.wire_of(row)
            if flow.dropped:
                self._listener.set_aside(flow, wire_length)
                continue
            direction, other = flow.directions[way], flow.directions[1 - way]
            sink = _Sink(self, flow, way)
            if wire_length and not direction.ended:
                direction.receive(seq, batch.payload(row), wire_length, place, flow.side(way), sink)
            if flags & ACK and other.next_seq >= 0:
                other.acked = max(other.acked, other.offset_of(batch.ack_of(row)))
            for waiting, index in ((direction, way), (other, 1 - way)):
                if waiting.hole_is_lost(place.ts_ns):
                    waiting.skip_hole(GapReason.NOT_CAPTURED, place, flow.side(index), _Sink(self, flow, index))
                    self._end_at_fin(flow, index, place)
            if flags & FIN and direction.next_seq >= 0:
                direction.fin = direction.offset_of(seq) + wire_length
            if flags & RST:
                self._finish(flow, way, flags, place)
            self._end_at_fin(flow, way, place)
        return flow

    # ------------------------------------------------------------------ beginnings and ends

    def _synchronise(self, flow: Flow, way: int, seq: int, flags: int, place: PacketRef) -> None:
        if flow.syn_seq[way] == seq:
            flow.syn_repeats += 1
            flow.syn_last = place
            return
        flow.syn[way] = flow.syn_last = place
        flow.syn_seq[way] = seq
        direction = flow.directions[way]
        if direction.next_seq < 0:
            direction.next_seq = (seq + 1) & SEQUENCE_MASK
        if flow.client is None:
            flow.client = 1 - way if flags & ACK else way

    def _deliver(self, flow: Flow, way: int, chunk: StreamChunk) -> None:
        if flow.conversation is not None:
            flow.conversation.chunk(chunk)
        elif flow.dropped:
            self._listener.set_aside(flow, len(chunk.data))
        else:
            self._listener.begin(flow, chunk, way)

    def _end_at_fin(self, flow: Flow, way: int, place: PacketRef) -> None:
        direction = flow.directions[way]
        if direction.fin is not None and not direction.ended and direction.offset >= direction.fin:
            self._finish(flow, way, FIN, place)

    def _finish(self, flow: Flow, way: int, flags: int, place: PacketRef) -> None:
        """A FIN ends its direction; a RST ends the connection."""
        if flags & RST:
            flow.reset = flow.reset or place
            for index in (way, 1 - way):
                self._end(flow, index, EndKind.RST, place)
        else:
            self._end(flow, way, EndKind.FIN, place)
        if flow.over:
            self._listener.closed(flow)
            flow.conversation = None
            flow.dropped = True

    def _end(self, flow: Flow, way: int, kind: EndKind, place: PacketRef) -> None:
        direction = flow.directions[way]
        if direction.ended:
            return
        side = flow.side(way)
        direction.flush(place, side, _Sink(self, flow, way))
        direction.ended = True
        if flow.conversation is not None:
            flow.conversation.end(StreamEnd(side, kind, place))

    def _close(self, flow: Flow, place: PacketRef) -> None:
        """What did not end by itself ends here: the endpoints are used anew, or the capture is over."""
        if flow.over:
            return
        for way in (flow.client or 0, 1 - (flow.client or 0)):
            self._end(flow, way, EndKind.CAPTURE_ENDED, place)
        self._listener.closed(flow)

    def close(self) -> None:
        """The capture is over."""
        for flow in sorted(self._flows.values(), key=lambda flow: flow.stream):
            self._close(flow, flow.last)
        self._flows.clear()

    # ------------------------------------------------------------------ acknowledgements

    def watch(self, flow: Flow, watch: Watch) -> None:
        """Wait for an acknowledgement; segments of the batch at hand count."""
        flow.watches.append(watch)
        self._watched[id(flow)] = flow

    def resolve_watches(self) -> None:
        """Look for the acknowledgements that are waited for among the segments of the batch at hand."""
        if self._batch is None:
            return
        for identity, flow in list(self._watched.items()):
            rows = self._batch.find(flow.ends)
            if rows is not None:
                flow.watches = [watch for watch in flow.watches if not _acknowledge(self._batch, rows, flow, watch)]
            if not flow.watches or flow.over:
                flow.watches = []
                del self._watched[identity]


def _acknowledge(batch: SortedSegments, rows: tuple[int, int], flow: Flow, watch: Watch) -> bool:
    """Look for the segment that acknowledges what is watched; tell the watcher."""
    client = flow.client or 0
    sender = client if watch.side is Side.CLIENT else 1 - client
    expected = flow.directions[sender].seq_of(watch.offset)
    for row in range(*rows):
        if batch.way(row) == sender or not batch.flags(row) & ACK or batch.number_of(row) <= watch.after:
            continue
        if ((batch.ack_of(row) - expected) & SEQUENCE_MASK) < _HALF:
            watch.acknowledged(batch.place(row))
            return True
    return False


class _Sink:
    """Hands what a direction delivers to the conversation of its connection."""

    __slots__ = ("_flow", "_table", "_way")

    def __init__(self, table: FlowTable, flow: Flow, way: int) -> None:
        self._table = table
        self._flow = flow
        self._way = way

    def chunk(self, chunk: StreamChunk) -> None:
        self._table._deliver(self._flow, self._way, chunk)

    def gap(self, gap: Gap) -> None:
        if self._flow.conversation is not None:
            self._flow.conversation.gap(gap)
