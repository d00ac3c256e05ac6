"""TCP segments of a batch, by column, to bytes in order of each connection.

The segments are sorted by connection with numpy. Within a connection, segments that follow each other in one direction
without a hole form a *run*, which is joined in one go; nearly all segments of nearly all captures are in such runs.
Once each side is read without regard to the other (`StreamReader.sides_are_apart`), all runs of a direction are joined.
A connection in which anything is out of order takes the way segment by segment (`reassembly.Direction.receive`) until
it is in order again; both ways have the same result. A connection that is not HTTP is dropped by its first bytes: of
its later segments only the columns are touched.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

from eiosniff.decode.tcp.copies import Copies
from eiosniff.decode.tcp.flow import Flow, StreamReader
from eiosniff.decode.tcp.gone import Gone, GoneTable
from eiosniff.decode.tcp.idle import Idle
from eiosniff.decode.tcp.network import FollowedFlow, observe
from eiosniff.decode.tcp.opaque import OpaqueFlows
from eiosniff.decode.tcp.reassembly import SEQUENCE_MASK
from eiosniff.decode.tcp.segments import ACK, FIN, RST, SYN, Row, Segments, SortedSegments
from eiosniff.decode.tcp.watches import Watch, Watches
from eiosniff.model.batch import Int64s
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason

# After a reset its receiver may still have sent what it had in flight: a second is longer than most round trips.
LINGER_NS: Final = 1_000_000_000


class FlowListener(ABC):
    """Decides what a connection is, and hears of those that end."""

    __slots__ = ()

    @abstractmethod
    def begin(self, flow: Flow, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        """The next record of an undecided connection: sets `conversation` or `dropped`, or waits for more."""

    @abstractmethod
    def set_aside(self, packets: int, payload: int) -> None:
        """Captured packets that nobody looks into, and how many bytes of payload were captured with them.

        These are all packets of a connection that is dropped, or ends undecided after it said something; and those
        with payload that come after the end of a connection or of their direction.
        """

    @abstractmethod
    def closed(self, flow: Flow, order: int, shown: PacketRef | None) -> None:
        """A followed or undecided connection is over, as the captured packet `order` showed.

        `shown` is that packet if it did not end by itself: the SYN of another connection of the same endpoints, or the
        first packet so late that nothing more will come of it. None also at the end of the capture.
        """

    def settle(self, number: int) -> None:  # noqa: B027  # most have nothing to settle
        """All segments up to this captured packet were told of; what follows may be much later."""


class FlowTable:
    """All connections of a capture, by their endpoints."""

    def __init__(self, listener: FlowListener) -> None:
        self._listener = listener
        self._flows: dict[tuple[int, int], Flow] = {}
        self._gone = GoneTable()
        self._streams = 0
        self._new: list[Flow] = []
        self._lingering: dict[Flow, None] = {}  # reset, but the other side may not have heard of it yet
        self._newest_ns = 0
        self._idle = Idle()
        self._watches = Watches()
        self._copies = Copies()
        self._group = -1  # that is fed at the moment
        self._followed: list[FollowedFlow] = []  # in the batch at hand
        self._opaque = OpaqueFlows()

    @property
    def connections(self) -> int:
        """How many connections were seen."""
        return self._streams

    def ends(self) -> Iterator[int]:
        """The ends of all connections that are known."""
        for key in (*self._flows, *self._gone):
            yield from key

    # ------------------------------------------------------------------ a batch

    def feed(self, segments: Segments) -> None:
        """Take the segments of a batch, in capture order."""
        count = len(segments.number)
        if count == 0:
            return
        for start, stop, times_ms in self._idle.pieces(segments.ts_ns, segments.number):
            piece = segments if stop - start == count else segments.piece(start, stop)
            self._end_idle(PacketRef(int(piece.number[0]), int(piece.ts_ns[0])), int(times_ms[0]))
            self._feed_piece(piece, times_ms)
            self._listener.settle(int(piece.number[-1]))

    def _feed_piece(self, segments: Segments, times_ms: Int64s) -> None:
        batch = SortedSegments(segments, times_ms, self._newest_ns)
        self._newest_ns = batch.newest_ns
        self._watches.begin(batch)
        self._copies.begin(segments)
        for group in batch.groups_in_capture_order():
            self._group = group
            self._feed_group(batch, group)
            flow = self._flows.get(batch.keys[group])
            if flow is not None:
                self._note_followed(flow, False)
        self._group = -1
        self._copies.end()
        observe(batch, self._followed)
        self._followed.clear()
        self._opaque.observe(batch)
        for flow in list(self._lingering):
            self._linger(flow, batch, None)
        # Wireshark numbers connections by their first packet, and so does the order of the groups; a connection that
        # replaced another inside a group comes too early in it.
        self._new.sort(key=lambda flow: flow.first.number)
        for flow in self._new:
            flow.stream = self._streams
            self._streams += 1
        self._new.clear()
        self._gone.forget(max(batch.last_number), max(batch.last_ms))

    def _feed_group(self, batch: SortedSegments, group: int) -> None:
        key = batch.keys[group]
        flow = self._flows.get(key)
        fresh = flow is None
        if flow is None:
            gone = self._gone.remembered(key, batch.first_number[group], batch.first_ms[group])
            if gone is not None:
                self._opaque.note(gone.opaque, group)
                if batch.has_syn[group]:
                    self._feed_rows(batch, group, None)
                    self._note_seen(batch, group)
                else:
                    self._pass_by(gone, batch, group)
                return
            flow = self._open(key, batch.first_place(group))
        if (
            batch.disordered[group]
            or (batch.has_syn[group] and not fresh)
            or flow.reset is not None
            or flow.directions[0].held
            or flow.directions[1].held
            or not self._runs_fit(flow, batch, group)
        ):
            self._feed_rows(batch, group, flow)
        else:
            self._feed_runs(batch, group, flow)
        self._note_seen(batch, group)

    def _note_seen(self, batch: SortedSegments, group: int) -> None:
        """From now on a connection, or what is left of it, is silent until more of it comes."""
        key, now_ms = batch.keys[group], batch.last_ms[group]
        flow = self._flows.get(key)
        if flow is None:
            self._gone.at(key).seen_ms = now_ms
            return
        flow.seen_ms = now_ms
        if batch.has_end[group]:
            self._idle.closes(flow)

    def _note_followed(self, flow: Flow, over: bool) -> None:
        """A connection has packets in the batch at hand. (After a reset, what the other side had in flight says nothing
        of the network.)"""
        if flow.network is not None:
            until = flow.last if flow.reset is None else flow.reset
            self._followed.append(FollowedFlow(self._group, flow.network, until.number, over))
        self._opaque.note(flow.opaque, self._group)

    def _open(self, key: tuple[int, int], place: PacketRef) -> Flow:
        flow = Flow(key, place, place)
        self._flows[key] = flow
        self._idle.begin(flow)
        self._gone.drop(key)
        self._new.append(flow)
        return flow

    # ------------------------------------------------------------------ run by run

    @staticmethod
    def _runs_fit(flow: Flow, batch: SortedSegments, group: int) -> bool:
        """Whether the first run of each direction begins where the direction stands (the others follow by order)."""
        expected = [flow.directions[0].next_seq, flow.directions[1].next_seq]
        for run in range(batch.runs[group], batch.runs[group + 1]):
            if expected[0] < 0 and expected[1] < 0:
                return True
            way = batch.run_way[run]
            if batch.run_flags[run] & RST:
                return True
            if expected[way] not in (-1, batch.run_seq[run]):
                return False
            expected[way] = -1
        return True

    def _feed_runs(self, batch: SortedSegments, group: int, flow: Flow) -> None:
        """A connection that is in order."""
        flow.last = batch.last_place(group)
        flow.heard |= batch.ways[group]
        if flow.conversation is None:
            flow.packets += batch.bounds[group + 1] - batch.bounds[group]
            flow.payload += batch.payload[group]
        run, stop = batch.runs[group], batch.runs[group + 1]
        while run < stop:
            if flow.conversation is not None and flow.conversation.sides_are_apart:
                after = batch.first_special(run, stop)
                if after > run:
                    self._feed_joined(flow, flow.conversation, batch, run, after)
                    run = after
                    continue
            flags = batch.run_flags[run]
            run += 1
            if flags & SYN:
                place = batch.sub_place(batch.run_start[run - 1])
                self._synchronise(flow, batch.run_way[run - 1], batch.run_seq[run - 1], flags, place)
                continue
            self._feed_run(flow, batch, run - 1, flags)
            if flow.over or flow.dropped:
                gone = self._bury(flow, batch.last_number[group], batch.has_end[group])
                if gone.followed:
                    self._late_runs(batch, run, stop)
                return

    def _feed_joined(
        self, flow: Flow, conversation: StreamReader, batch: SortedSegments, first: int, stop: int
    ) -> None:
        """All plain runs `[first, stop)` of a connection whose sides are apart, those of each direction as one."""
        for way in (0, 1):
            direction = flow.directions[way]
            if direction.ended:
                for run in range(first, stop):
                    if batch.run_way[run] == way:
                        self._late_runs(batch, run, run + 1)
                continue
            chunk = batch.joined(first, stop, way, flow.side(way), direction.offset)
            if chunk is not None:
                if direction.next_seq < 0:
                    direction.next_seq = batch.first_seq(first, way)
                direction.advance(len(chunk.data))
                conversation.chunk(chunk)

    def _feed_run(self, flow: Flow, batch: SortedSegments, run: int, flags: int) -> None:
        way = batch.run_way[run]
        direction = flow.directions[way]
        if direction.ended or flags & RST:
            if flow.conversation is not None:
                self._late_runs(batch, run, run + 1)
        else:
            if direction.next_seq < 0:
                direction.next_seq = batch.run_seq[run]
            chunk = batch.chunk(run, flow.side(way), direction.offset)
            if chunk is not None:
                direction.advance(len(chunk.data))
                if flow.conversation is not None:
                    flow.conversation.chunk(chunk)
                else:
                    self._listener.begin(flow, way, chunk)
                    if flow.dropped:
                        return
        if flags & (FIN | RST):
            self._finish(flow, way, flags, batch.sub_place(batch.run_start[run]))

    def _late_runs(self, batch: SortedSegments, run: int, stop: int) -> None:
        """Payload that comes after the end."""
        for late in range(run, stop):
            packets, captured = batch.payload_of(late)
            if packets:
                self._listener.set_aside(packets, captured)

    # ------------------------------------------------------------------ segment by segment

    def _feed_rows(self, batch: SortedSegments, group: int, flow: Flow | None) -> None:
        """A connection that is, or gets, out of order; or that may be replaced by another one (`None`: it is gone)."""
        key = batch.keys[group]
        for row in batch.rows(group):
            if flow is not None and flow.reset is not None and self._linger(flow, batch, row.number):
                flow = None
            if row.flags & SYN and not self._copies.has(row):
                known = flow or self._gone.at(key)
                if known.is_replaced_by(row.way, row.seq, row.flags):
                    place = PacketRef(row.number, row.ts_ns)
                    if known.opaque is not None:
                        known.opaque.until = row.number - 1
                    if flow is not None:
                        self._close(flow, place, place)
                    flow = self._open(key, place)
            if flow is None:
                gone = self._gone.at(key)
                gone.last = row.number
                gone.ending = gone.ending or row.flags & (FIN | RST) > 0
                if row.captured or not gone.followed:
                    self._listener.set_aside(1, row.captured)
                continue
            self._feed_row(flow, batch, row)
            if flow.over or flow.dropped:
                self._bury(flow, row.number, row.flags & (FIN | RST) > 0)
                flow = None

    def _feed_row(self, flow: Flow, batch: SortedSegments, row: Row) -> None:
        way, flags, seq, wire = row.way, row.flags, row.seq, row.wire
        place = flow.last = PacketRef(row.number, row.ts_ns)
        flow.heard |= 1 << way
        if flow.conversation is None:
            flow.packets += 1
            flow.payload += row.captured
        if flags & SYN:
            if not self._copies.has(row):
                self._synchronise(flow, way, seq, flags, place)
            seq = (seq + 1) & SEQUENCE_MASK
        direction, other = flow.directions[way], flow.directions[1 - way]
        again = direction.again
        if wire and not (direction.ended or flags & RST):
            direction.receive(seq, batch.data(row), wire, place, _Sink(self._listener, flow, way))
            if flow.dropped:
                return
        elif wire and not flags & RST and direction.offset_of(seq) + wire <= direction.offset:
            direction.again += 1
        elif row.captured and flow.conversation is not None:
            self._listener.set_aside(1, row.captured)
        if direction.again > again:
            if self._copies.has(row):
                direction.duplicates += 1
                flow.copied += wire
                flow.copy = flow.copy or place
            elif flow.reset is None:  # after it nobody repeats what matters, and the session was told already
                direction.repeat()
            if flow.network is not None:
                flow.network.note_again(row.number, row.ts_ns, way, self._copies.has(row))
        if flags & FIN:
            direction.receive_fin((seq + wire) & SEQUENCE_MASK, place)
        if flags & ACK and other.held:
            other.acknowledge(row.ack)
        for index in (way, 1 - way):
            waiting = flow.directions[index]
            while waiting.hole_is_lost(row.ts_ns) and not flow.dropped:
                waiting.skip_hole(GapReason.NOT_CAPTURED, place, _Sink(self._listener, flow, index))
            if waiting.complete and not waiting.ended and not flow.dropped:
                self._finish(flow, index, FIN, place)
        if flags & RST and not (flow.over or flow.dropped):
            self._finish(flow, way, RST, place)

    # ------------------------------------------------------------------ beginnings and ends

    @staticmethod
    def _synchronise(flow: Flow, way: int, seq: int, flags: int, place: PacketRef) -> None:
        direction = flow.directions[way]
        if direction.syn is not None:
            flow.syn_repeats += 1
        flow.syn_last = place
        if direction.syn_seq == seq:
            return
        direction.syn = direction.syn or place
        direction.syn_seq = seq
        if direction.untouched:
            direction.next_seq = (seq + 1) & SEQUENCE_MASK
        if flow.client is None:
            flow.client = 1 - way if flags & ACK else way

    def _finish(self, flow: Flow, way: int, flags: int, place: PacketRef) -> None:
        """A FIN ends its direction; a RST that of its sender now, and the other when what was in flight has come."""
        other = flow.directions[1 - way]
        self._end(flow, way, EndKind.RST if flags & RST else EndKind.FIN, place)
        if flags & RST and flow.reset is None:
            flow.reset, flow.reset_by = place, way
            if flow.conversation is not None and not other.ended:
                flow.conversation.reset(StreamEnd(flow.side(1 - way), EndKind.RST, place))
                self._lingering[flow] = None
        if not flow.dropped and (other.ended or (flow.conversation is None and flags & RST)):
            flow.last = place
            self._is_over(flow, place.number, None)

    def _end(self, flow: Flow, way: int, kind: EndKind, place: PacketRef) -> None:
        direction = flow.directions[way]
        if direction.ended or flow.dropped:
            return
        if direction.held:
            direction.flush(place, _Sink(self._listener, flow, way))
        direction.ended = True
        if flow.conversation is not None:
            flow.conversation.end(StreamEnd(flow.side(way), kind, place))
        elif kind is EndKind.FIN and not flow.dropped:  # the other side can still tell what the connection is
            self._listener.begin(flow, way, StreamEnd(flow.side(way), kind, place))

    def _linger(self, flow: Flow, batch: SortedSegments, number: int | None) -> bool:
        """End a connection that was reset long enough before a captured packet (before the end of the batch)."""
        assert flow.reset is not None
        after = batch.first_after(flow.reset.number, flow.reset.ts_ns + LINGER_NS)
        if after is None or (number is not None and number < after.number):
            return False
        self._close(flow, after, None)
        return True

    def _is_over(self, flow: Flow, order: int, shown: PacketRef | None) -> None:
        flow.over = True
        self._lingering.pop(flow, None)
        self._listener.closed(flow, order, shown)

    def _end_idle(self, place: PacketRef, now_ms: int) -> None:
        """End the connections of which nothing came for so long that nothing more will. What does come is taken for a
        new one, but for the SYNs that who has no answer repeats."""
        for flow in self._idle.due(now_ms, place.number):
            only_asked = flow.is_half_open and not flow.midstream
            self._close(flow, place, place)
            if only_asked:
                gone = self._gone.at(flow.ends)
                gone.ending = gone.lasting = False
            else:
                self._gone.drop(flow.ends)

    def _close(self, flow: Flow, place: PacketRef, shown: PacketRef | None) -> None:
        """What did not end by itself ends here: at the time of `place`, which need not be of this connection."""
        client = flow.client or 0
        flow.closing = True
        for way in (client, 1 - client):
            self._end(flow, way, EndKind.RST if flow.reset else EndKind.CAPTURE_ENDED, place)
        if not flow.dropped:
            self._is_over(flow, place.number, shown)
        self._bury(flow, flow.last.number, True)

    def _bury(self, flow: Flow, last: int, ending: bool) -> Gone:
        """Keep of a connection that is over or not followed only what it takes to know its late packets."""
        del self._flows[flow.ends]
        self._idle.end(flow)
        if self._group >= 0:
            self._note_followed(flow, True)
        zero, one = flow.directions
        followed = flow.conversation is not None or (flow.payload == 0 and not flow.dropped)
        if not followed:
            self._listener.set_aside(flow.packets, flow.payload)
        flow.conversation = None
        ending = ending or flow.over or zero.ended or one.ended or zero.fin is not None or one.fin is not None
        gone = Gone(flow.ends, zero.syn_seq, one.syn_seq, followed, ending, last, flow.seen_ms)
        gone.opaque = flow.opaque
        self._gone.bury(gone)
        return gone

    def _pass_by(self, gone: Gone, batch: SortedSegments, group: int) -> None:
        """Count what comes of a connection that is over or not followed."""
        gone.last, gone.seen_ms = batch.last_number[group], batch.last_ms[group]
        gone.ending = gone.ending or batch.has_end[group]
        rows = batch.payload_rows[group] if gone.followed else batch.bounds[group + 1] - batch.bounds[group]
        if rows:
            self._listener.set_aside(rows, batch.payload[group])

    def close(self) -> None:
        """The capture is over."""
        for flow in sorted(self._flows.values(), key=lambda flow: flow.stream):
            self._close(flow, flow.last, None)
        self._gone.clear()

    # ------------------------------------------------------------------ acknowledgements

    def watch(self, flow: Flow, watch: Watch) -> None:
        """Wait for an acknowledgement; segments of the batch at hand count."""
        self._watches.add(flow, watch)

    def resolve_watches(self) -> None:
        """Look for the acknowledgements that are waited for among the segments of the batch at hand."""
        self._watches.resolve()


class _Sink:
    """Hands what a direction delivers to the conversation of its connection, or to who decides on it."""

    __slots__ = ("_flow", "_listener", "_way")

    def __init__(self, listener: FlowListener, flow: Flow, way: int) -> None:
        self._listener = listener
        self._flow = flow
        self._way = way

    @property
    def side(self) -> Side:
        return self._flow.side(self._way)

    def chunk(self, chunk: StreamChunk) -> None:
        if self._flow.conversation is not None:
            self._flow.conversation.chunk(chunk)
        elif not self._flow.dropped:
            self._listener.begin(self._flow, self._way, chunk)

    def gap(self, gap: Gap) -> None:
        if self._flow.conversation is not None:
            self._flow.conversation.gap(gap)
        elif not self._flow.dropped:
            self._listener.begin(self._flow, self._way, gap)
