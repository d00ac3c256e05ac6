"""What TCP shows of the network: round trips, what is sent again, closed windows, stalls, resets (`model.network`).

By column for all connections of a batch that are followed; Python looks only at those in which something is. What must
be known of a connection from one batch to the next is in its `FlowFacts`, so that the result does not depend on how the
capture is cut. Nothing after the packet that ended a connection counts, nor what came before it was known to be HTTP or
WebSocket.
"""

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from eiosniff.decode.tcp.network_facts import FlowFacts, FlowWay
from eiosniff.decode.tcp.reassembly import SEQUENCE_MASK
from eiosniff.decode.tcp.segments import ACK, FIN, RST, SYN, Columns, SortedSegments
from eiosniff.model.network import Reset, Spell
from eiosniff.model.provenance import PacketRef

_HALF: Final = 1 << 31

# A round trip is measured once in so many ns of each direction (4.3 s), at multiples of that: a session of an hour has
# 800 of each, and a busy one no more.
_SLOT_BITS: Final = 32
# Not in the first second: most connections of polling do not live so long, and the handshake tells theirs.
_SETTLED_NS: Final = 1_000_000_000
# Later than any sender waits (RFC 6298, section 2.4; RFC 1122, section 4.2.3.5): the acknowledgements are not captured.
_NEVER_NS: Final = 120_000_000_000
# The acknowledgement is nearly always among so many packets of the connection; others are looked for one by one.
_NEAR: Final = 6
MAX_OPEN_SAMPLES: Final = 64

# How long systems delay an acknowledgement (RFC 1122, section 4.2.3.2: up to 500 ms): Linux 40 ms, Windows, lwIP and
# BSD 200 ms by a timer that may come a little late.
_DELAYS_NS: Final = ((38_000_000, 60_000_000), (190_000_000, 260_000_000))
# What waited for the acknowledgement leaves at once when it comes.
_AT_ONCE_NS: Final = 5_000_000
# Nagle's algorithm (RFC 9293, section 3.7.4) holds back only what does not fill a segment, behind one that may be
# small itself: of the smallest usual size (RFC 9293, section 3.7.1) or larger it may be a full one.
_SMALL: Final = 536


@final
class FollowedFlow:
    """A connection in a batch: its group, its facts, and the last packet that counts. `over`: none comes after it."""

    __slots__ = ("facts", "group", "over", "until")

    def __init__(self, group: int, facts: FlowFacts, until: int, over: bool) -> None:
        self.group = group
        self.facts = facts
        self.until = until
        self.over = over


def observe(batch: SortedSegments, followed: Sequence[FollowedFlow]) -> None:
    """Take what a batch has of these connections."""
    if followed:
        _Observation(batch, followed).observe()


@final
class _Observation:
    """The packets that count, connection by connection, as columns; `which` is the index of the connection."""

    def __init__(self, batch: SortedSegments, followed: Sequence[FollowedFlow]) -> None:
        self._flows = followed
        rows, which = batch.rows_of([flow.group for flow in followed])
        number = batch.numbers[rows]
        since = np.array([flow.facts.since for flow in followed], np.int64)
        until = np.array([flow.until for flow in followed], np.int64)
        counts = (number >= since[which]) & (number <= until[which])
        if not counts.all():
            rows, which, number = rows[counts], which[counts], number[counts]
        self._batch = batch
        self._rows: Columns = rows
        self._which: Columns = which
        self._number: Columns = number
        self._ts: Columns = batch.times[rows]
        self._way: Columns = batch.way[rows].astype(np.int64)
        self._flags: Columns = batch.flags[rows]
        self._wire: Columns = batch.column("payload_wire", rows)
        self._small = self._bare = self._late = which  # set with the stalls
        # The connections of which something is known from before, or was sent again; and those that go on.
        self._known: list[int] = []
        self._open: list[int] = []
        self._bounds: list[int] = np.searchsorted(which, np.arange(len(followed) + 1)).tolist()

    def observe(self) -> None:
        """All of it."""
        if not len(self._rows):
            return
        has_data = (self._wire > 0) & (self._flags & (RST | SYN) == 0)
        self._count(has_data)
        new_data = self._without_repeats(has_data)
        self._time(new_data)
        self._look_for_stalls(new_data)
        self._look_for_closed_windows()
        self._look_for_resets()
        for at in self._known:
            facts = self._flows[at].facts
            if facts.repeats:
                self._follow_repeats(at, facts)
            facts.again = None
        for at in self._open:
            if self._bounds[at] < self._bounds[at + 1]:
                self._keep_tail(at, self._flows[at].facts)

    def _ref(self, row: int) -> PacketRef:
        return PacketRef(int(self._number[row]), int(self._ts[row]))

    # ------------------------------------------------------------------ what is sent, and sent again

    def _count(self, has_data: Columns) -> None:
        key = 2 * self._which[has_data] + self._way[has_data]
        counts: list[int] = np.bincount(key, minlength=2 * len(self._flows)).tolist()
        for at, flow in enumerate(self._flows):
            facts = flow.facts
            facts.segments_0 += counts[2 * at]
            facts.segments_1 += counts[2 * at + 1]
            if facts.again is not None or facts.tail_number > 0:
                self._known.append(at)
            if not flow.over:
                self._open.append(at)

    def _without_repeats(self, has_data: Columns) -> Columns:
        again = [entry.place.number for at in self._known for entry in self._flows[at].facts.again or ()]
        return has_data & ~np.isin(self._number, again) if again else has_data

    def _follow_repeats(self, at: int, facts: FlowFacts) -> None:
        """Count what was sent again, and how often before anything of the other side was heard."""
        begin, end = self._bounds[at], self._bounds[at + 1]
        numbers, ways = self._number[begin:end], self._way[begin:end]
        until = self._flows[at].until
        for way in (0, 1):
            mine = facts.way(way)
            heard = numbers[ways != way]
            for entry in facts.again or ():
                if entry.way != way or entry.copy or not facts.since <= entry.place.number <= until:
                    continue
                mine.facts.repeats += 1
                before = int(np.searchsorted(heard, entry.place.number))
                if mine.repeated is not None and before and heard[before - 1] > mine.repeated.number:
                    mine.end_series()
                mine.series += 1
                mine.series_first = mine.series_first or entry.place
                mine.repeated = entry.place
            if mine.repeated is not None and len(heard) and heard[-1] > mine.repeated.number:
                mine.end_series()

    # ------------------------------------------------------------------ round trips

    def _time(self, new_data: Columns) -> None:
        """Measure from the first new data of a direction in each slot to its acknowledgement."""
        for at in self._known:
            if self._flows[at].facts.is_waiting:
                self._go_on_waiting(at, self._flows[at].facts)
        settled = np.array([flow.facts.first_ns + _SETTLED_NS for flow in self._flows], np.int64)
        candidates = np.flatnonzero(new_data & (self._ts >= settled[self._which]))
        for way in (0, 1):
            rows = candidates[self._way[candidates] == way]
            if len(rows):
                self._time_way(way, rows)

    def _time_way(self, way: int, rows: Columns) -> None:
        slots, which = self._ts[rows] >> _SLOT_BITS, self._which[rows]
        begins = np.ones(len(rows), bool)
        begins[1:] = (which[1:] != which[:-1]) | (slots[1:] != slots[:-1])
        rows, slots, which = rows[begins], slots[begins], which[begins]
        acknowledged = self._acknowledged(rows, way)
        ends = (self._batch.column("seq", self._rows[rows]) + self._wire[rows]) & SEQUENCE_MASK
        samples = zip(rows.tolist(), slots.tolist(), which.tolist(), acknowledged.tolist(), ends.tolist(), strict=True)
        for row, slot, at, acked, end in samples:
            facts = self._flows[at].facts
            mine = facts.way(way)
            if slot != mine.slot:
                mine.slot = slot
                if acked < 0:
                    acked = self._first_ack(at, way, row + 1, end)
                self._sample(facts, way, end, self._ref(row), acked)

    def _acknowledged(self, rows: Columns, way: int) -> Columns:
        """The rows, near those given, that acknowledge them first; -1 for none."""
        found = np.full(len(rows), -1, np.int64)
        ends = self._batch.column("seq", self._rows[rows]) + self._wire[rows]
        for distance in range(1, _NEAR + 1):
            left = np.flatnonzero((found < 0) & (rows + distance < len(self._rows)))
            if not len(left):
                break
            other = rows[left] + distance
            acks = self._batch.column("ack", self._rows[other])
            covers = (acks - ends[left]) & SEQUENCE_MASK < _HALF
            covers &= (self._flags[other] & ACK != 0) & (self._way[other] != way)
            covers &= self._which[other] == self._which[rows[left]]
            found[left[covers]] = other[covers]
        return found

    def _first_ack(self, at: int, way: int, begin: int, end: int) -> int:
        """The first row of a connection, from `begin` on, that acknowledges up to a sequence number; -1 for none."""
        stop = self._bounds[at + 1]
        acks = self._batch.column("ack", self._rows[begin:stop])
        covers = (acks - end) & SEQUENCE_MASK < _HALF
        covers &= (self._way[begin:stop] != way) & (self._flags[begin:stop] & ACK != 0)
        rows = np.flatnonzero(covers)
        return begin + int(rows[0]) if len(rows) else -1

    def _go_on_waiting(self, at: int, facts: FlowFacts) -> None:
        for way in (0, 1):
            mine = facts.way(way)
            waiting, mine.waiting = mine.waiting, None
            for end, place in waiting or ():
                self._sample(facts, way, end, place, self._first_ack(at, way, self._bounds[at], end))

    def _sample(self, facts: FlowFacts, way: int, end: int, place: PacketRef, acked: int) -> None:
        """Count a round trip, or go on waiting for the acknowledgement. (Of what was sent again meanwhile nobody knows
        which of the two was acknowledged: RFC 6298, section 3.)"""
        mine = facts.way(way)
        stop = int(self._number[acked]) if acked >= 0 else 0
        for entry in facts.again or ():
            number = entry.place.number
            if entry.way == way and not entry.copy and number > place.number and (not stop or number < stop):
                return
        if acked >= 0:
            taken_ns = int(self._ts[acked]) - place.ts_ns
            if taken_ns < _NEVER_NS:
                mine.facts.add_round_trip(taken_ns)
            return
        waiting = mine.waiting or []
        if waiting and place.ts_ns - waiting[0][1].ts_ns > _NEVER_NS:
            del waiting[0]
        if len(waiting) < MAX_OPEN_SAMPLES:
            waiting.append((end, place))
        mine.waiting = waiting

    # ------------------------------------------------------------------ stalls

    def _look_for_stalls(self, new_data: Columns) -> None:
        """Small data, its acknowledgement as late as systems delay it, and at once the next data of the same side."""
        ts, way, which = self._ts, self._way, self._which
        small = new_data & (self._wire < _SMALL)
        bare = (self._wire == 0) & (self._flags & (RST | SYN | ACK) == ACK)
        self._count_unheld(small)
        for at in self._known:
            if self._flows[at].facts.tail_number > 0:
                self._join_tail(at, self._flows[at].facts, new_data, bare)
        pauses = ts[1:] - ts[:-1]
        late = np.zeros(len(pauses), bool)
        for least, most in _DELAYS_NS:
            late |= (pauses >= least) & (pauses <= most)
        hits = np.flatnonzero(late)
        hits = hits[small[hits] & bare[hits + 1] & (which[hits] == which[hits + 1]) & (way[hits] != way[hits + 1])]
        for row in hits.tolist():
            follows = row + 2
            at = int(which[row])
            if follows >= self._bounds[at + 1] or not new_data[follows]:
                continue
            if way[follows] == way[row] and ts[follows] - ts[row + 1] <= _AT_ONCE_NS:
                mine = self._flows[at].facts.way(int(way[row]))
                mine.facts.add_stall(Spell(self._ref(row), self._ref(follows), 1))
        self._small, self._bare, self._late = small, bare, late

    def _count_unheld(self, small: Columns) -> None:
        """Count small data behind small data of the same side, with nothing of the other between: Nagle's algorithm
        would have held it back."""
        way, which = self._way, self._which
        pairs = np.flatnonzero(small[1:] & small[:-1] & (way[1:] == way[:-1]) & (which[1:] == which[:-1]))
        key = 2 * which[pairs] + way[pairs]
        counts = np.bincount(key, minlength=2 * len(self._flows))
        for at in self._known:
            facts, row = self._flows[at].facts, self._bounds[at]
            if facts.tail_small and row < self._bounds[at + 1] and small[row] and int(way[row]) == facts.tail_way:
                counts[2 * at + facts.tail_way] += 1
        for at in np.unique(np.flatnonzero(counts) // 2).tolist():
            facts = self._flows[at].facts
            facts.unheld_0 += int(counts[2 * at])
            facts.unheld_1 += int(counts[2 * at + 1])

    def _join_tail(self, at: int, facts: FlowFacts, new_data: Columns, bare: Columns) -> None:
        """The same where the first one or two of the three packets were in the batch before."""
        row, stop = self._bounds[at], self._bounds[at + 1]
        if row == stop:
            return
        small: PacketRef | None = None
        if facts.late is not None:
            small, acked_ns, way = facts.late, facts.tail_ns, 1 - facts.tail_way
        elif bare[row] and row + 1 < stop and self._delays_tail(facts, row):
            small = PacketRef(facts.tail_number, facts.tail_ns)
            acked_ns, way = int(self._ts[row]), facts.tail_way
            row += 1
        if small is None or not new_data[row] or int(self._way[row]) != way:
            return
        if int(self._ts[row]) - acked_ns <= _AT_ONCE_NS:
            facts.way(way).facts.add_stall(Spell(small, self._ref(row), 1))

    def _delays_tail(self, facts: FlowFacts, row: int) -> bool:
        """Whether a packet comes as late after the last one of the batch before as a delayed acknowledgement does."""
        if not facts.tail_small or facts.tail_way == int(self._way[row]):
            return False
        return _is_delay(int(self._ts[row]) - facts.tail_ns)

    def _keep_tail(self, at: int, facts: FlowFacts) -> None:
        """What of the last packets matters for those to come."""
        begin, row = self._bounds[at], self._bounds[at + 1] - 1
        late: PacketRef | None = None
        if self._bare[row]:
            if row > begin:
                if self._small[row - 1] and self._late[row - 1] and self._way[row - 1] != self._way[row]:
                    late = self._ref(row - 1)
            elif self._delays_tail(facts, row):
                late = PacketRef(facts.tail_number, facts.tail_ns)
        facts.late = late
        facts.tail_number = int(self._number[row])
        facts.tail_ns = int(self._ts[row])
        facts.tail_way = int(self._way[row])
        facts.tail_small = bool(self._small[row])
        for way in (0, 1):
            mine = facts.way(way)
            if mine.ttl < 0:
                rows = np.flatnonzero(self._way[begin : row + 1] == way)
                if len(rows):
                    first = begin + int(rows[0])
                    mine.ttl = int(self._batch.column("ttl", self._rows[first : first + 1])[0])

    # ------------------------------------------------------------------ windows and resets

    def _look_for_closed_windows(self) -> None:
        says = self._flags & (RST | SYN | FIN) == 0
        zero = (self._batch.column("window", self._rows) == 0) & says
        concerned = set(self._which[zero].tolist())
        concerned.update([at for at in self._known if self._flows[at].facts.has_closed_window])
        for at in sorted(concerned):
            facts, begin, end = self._flows[at].facts, self._bounds[at], self._bounds[at + 1]
            for way in (0, 1):
                rows = begin + np.flatnonzero(says[begin:end] & (self._way[begin:end] == way))
                self._follow_window(facts.way(way), rows, zero[rows])

    def _follow_window(self, mine: FlowWay, rows: Columns, zero: Columns) -> None:
        """Where the window of one side closes and opens, by what it sends."""
        at, stop = 0, len(rows)
        while at < stop:
            closed = mine.closed is not None
            others = np.flatnonzero(zero[at:] != closed)
            end = at + int(others[0]) if len(others) else stop
            if closed:
                mine.probes += end - at
            if end == stop:
                return
            if mine.closed is None:
                mine.closed, mine.probes = self._ref(int(rows[end])), 0
            else:
                mine.facts.add_closed(Spell(mine.closed, self._ref(int(rows[end])), mine.probes))
                mine.closed = None
            at = end

    def _look_for_resets(self) -> None:
        for row in np.flatnonzero(self._flags & RST).tolist():
            at, way = int(self._which[row]), int(self._way[row])
            mine = self._flows[at].facts.way(way)
            usual, begin = mine.ttl, self._bounds[at]
            if usual < 0:
                before = np.flatnonzero(self._way[begin:row] == way)
                if len(before):
                    first = begin + int(before[0])
                    usual = int(self._batch.column("ttl", self._rows[first : first + 1])[0])
            ttl = int(self._batch.column("ttl", self._rows[row : row + 1])[0])
            mine.facts.reset = mine.facts.reset or Reset(self._ref(row), ttl, usual)


def _is_delay(pause_ns: int) -> bool:
    return any(least <= pause_ns <= most for least, most in _DELAYS_NS)
