"""What TLS connections show from outside: by column for all of them in a batch, with an object only for what is said
after a silence, and for the first packets of each (see `model.opaque`).

Only what is new counts: what was sent again, or captured twice, is told by its sequence numbers, as are the probes of
TCP keep-alive. What must be known of a connection from one batch to the next is in its `OpaqueFlow`, so that the result
does not depend on how the capture is cut.
"""

from typing import Final, final

import numpy as np

from eiosniff.decode.tcp.reassembly import SEQUENCE_MASK
from eiosniff.decode.tcp.segments import FIN, RST, SYN, Columns, SortedSegments
from eiosniff.model.opaque import MAX_OPENING, NO_RECORDS, Exchange, OpaqueConnection, Piece, Records
from eiosniff.model.provenance import CLIENT, NO_PACKET, SERVER, Endpoint, PacketRef, Side
from eiosniff.model.unread import Encrypted

# Nobody says anything for so long: then what comes next is by itself. Heartbeats come every few seconds at the least,
# and answers in less than a second.
QUIET_NS: Final = 1_000_000_000
# Whose records are read: a heartbeat, a close frame, and the head of a request or its answer are shorter.
_SMALL: Final = 1_200
_MOST_RECORDS: Final = 4
_RECORD_HEADER: Final = 5
_NEVER: Final = 1 << 62
_HALF: Final = 1 << 31
_APART: Final = 34  # bits: sequence numbers of one connection do not reach those of the next

_NOBODY: Final = Endpoint("", 0)
NO_ENTRY: Final = Encrypted(_NOBODY, None, (), False, NO_PACKET)


@final
class OpaqueFlow:
    """A TLS connection that is observed from a captured packet on (`since`), until another one takes its place
    (`until`). `client` is the direction of the client. What is not worth a ledger is `unfollowed`.

    `next_0` and `next_1` are the sequence numbers after the last new byte of a direction, -1 before the first.
    """

    __slots__ = ("client", "facts", "last_ns", "next_0", "next_1", "since", "unfollowed", "until")

    def __init__(self, since: int, client: int, opened: PacketRef) -> None:
        self.since = since
        self.until = _NEVER
        self.client = client
        self.unfollowed = False
        self.next_0 = -1
        self.next_1 = -1
        self.last_ns = -_NEVER
        # Whose they are is known when the hellos were read.
        self.facts = OpaqueConnection(NO_ENTRY, _NOBODY, _NOBODY, opened)

    def drop(self) -> None:
        """It is not worth a ledger."""
        self.unfollowed = True
        self.facts = OpaqueConnection(NO_ENTRY, _NOBODY, _NOBODY, NO_PACKET)

    def side(self, way: int) -> Side:
        """The side that sends in a direction."""
        return CLIENT if way == self.client else SERVER


@final
class OpaqueFlows:
    """Those that have packets in the batch at hand."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[OpaqueFlow, int] = {}

    def note(self, flow: OpaqueFlow | None, group: int) -> None:
        """A group of the batch is of this connection, or of one that took its place."""
        if flow is not None and not flow.unfollowed and flow.facts.ended is None:
            self._groups[flow] = group

    def observe(self, batch: SortedSegments) -> None:
        """Take what the batch has of them."""
        if self._groups:
            _Observation(batch, [*self._groups], [*self._groups.values()]).observe()
            self._groups.clear()


def read_records(data: bytes, length: int) -> Records:
    """The records of TLS that a segment of so many bytes holds, by their headers; none if it does not begin with one
    and end with another, or they are many."""
    records: Records = NO_RECORDS
    at = 0
    while at + _RECORD_HEADER <= len(data) and len(records) < _MOST_RECORDS:
        kind, inside = data[at], (data[at + 3] << 8) + data[at + 4]
        if not 20 <= kind <= 23 or data[at + 1] != 3:
            return NO_RECORDS
        records = (*records, (kind, inside))
        at += _RECORD_HEADER + inside
        if at == length:
            return records
    return NO_RECORDS


@final
class _Observation:
    """The segments that count, connection by connection, as columns; `which` is the index of the connection."""

    def __init__(self, batch: SortedSegments, flows: list[OpaqueFlow], groups: list[int]) -> None:
        self._flows = flows
        self._batch = batch
        rows, which = batch.rows_of(groups)
        wire = batch.column("payload_wire", rows)
        flags = batch.flags[rows]
        says = (wire > 0) | (flags & (FIN | RST) != 0)
        rows, which, wire, flags = rows[says], which[says], wire[says], flags[says]
        number = batch.numbers[rows]
        since = np.array([flow.since for flow in flows], np.int64)
        until = np.array([flow.until for flow in flows], np.int64)
        ends = (flags & (FIN | RST) != 0) & (number >= since[which]) & (number <= until[which])
        self._note_ends(rows, which, flags, number, ends, until)
        counts = (number >= since[which]) & (number <= until[which]) & (wire > 0) & (flags & (RST | SYN) == 0)
        self._rows: Columns = rows[counts]
        self._which: Columns = which[counts]
        self._wire: Columns = wire[counts]
        self._way: Columns = batch.way[self._rows].astype(np.int64)

    def _note_ends(
        self, rows: Columns, which: Columns, flags: Columns, number: Columns, ends: Columns, until: Columns
    ) -> None:
        """The first end of each connection; what comes after it does not count."""
        found = np.flatnonzero(ends)
        for row, at in zip(found.tolist(), which[found].tolist(), strict=True):
            facts = self._flows[at].facts
            if facts.ended is None:
                facts.ended = self._ref(int(rows[row]))
                facts.ended_by = self._flows[at].side(int(self._batch.way[rows[row]]))
                facts.reset = int(flags[row]) & RST > 0
                until[at] = number[row]

    def _ref(self, row: int) -> PacketRef:
        return PacketRef(int(self._batch.numbers[row]), int(self._batch.times[row]))

    def observe(self) -> None:
        """All of it."""
        if not len(self._rows):
            return
        new = self._new()
        self._rows, self._which = self._rows[new], self._which[new]
        self._wire, self._way = self._wire[new], self._way[new]
        if len(self._rows):
            self._count()
            self._open()
            self._exchanges()

    def _new(self) -> Columns:
        """Which segments bring what was not there before."""
        seq = self._batch.column("seq", self._rows)
        new = np.zeros(len(self._rows), bool)
        for way in (0, 1):
            rows = np.flatnonzero(self._way == way)
            if len(rows):
                new[rows] = self._new_of(way, self._which[rows], seq[rows], self._wire[rows])
        return new

    def _new_of(self, way: int, which: Columns, seq: Columns, wire: Columns) -> Columns:
        flows = self._flows
        expected = np.array([flow.next_1 if way else flow.next_0 for flow in flows], np.int64)
        begins = np.ones(len(which), bool)
        begins[1:] = which[1:] != which[:-1]
        first = np.flatnonzero(begins)
        fresh = first[expected[which[first]] < 0]
        expected[which[fresh]] = seq[fresh]
        beyond = (seq + wire - expected[which]) & SEQUENCE_MASK
        beyond = np.where(beyond >= _HALF, beyond - (SEQUENCE_MASK + 1), beyond)
        base = which << _APART
        reached = np.maximum.accumulate(np.maximum(base + beyond, base))
        before = np.concatenate((base[:1], np.maximum(reached[:-1], base[1:])))
        last = np.append(first[1:], len(which)) - 1
        ends = (expected[which[last]] + reached[last] - base[last]) & SEQUENCE_MASK
        for at, end in zip(which[last].tolist(), ends.tolist(), strict=True):
            if way:
                flows[at].next_1 = end
            else:
                flows[at].next_0 = end
        new: Columns = base + beyond > before
        return new

    def _count(self) -> None:
        most = len(self._flows)
        key = 2 * self._which + self._way
        packets: list[int] = np.bincount(key, minlength=2 * most).tolist()
        octets: list[int] = np.bincount(key, weights=self._wire, minlength=2 * most).astype(np.int64).tolist()
        for at, flow in enumerate(self._flows):
            for way in (0, 1):
                side = flow.side(way)
                flow.facts.packets[side] += packets[2 * at + way]
                flow.facts.octets[side] += octets[2 * at + way]

    def _records(self, row: int) -> Records:
        wire = int(self._wire[row])
        return read_records(self._batch.payload_at(int(self._rows[row])), wire) if wire <= _SMALL else NO_RECORDS

    def _open(self) -> None:
        """Keep the first packets of each connection."""
        bounds: list[int] = np.searchsorted(self._which, np.arange(len(self._flows) + 1)).tolist()
        chosen: list[int] = []
        for at, flow in enumerate(self._flows):
            begin, room = bounds[at], MAX_OPENING - len(flow.facts.opening)
            if room:
                chosen.extend(range(begin, min(bounds[at + 1], begin + room)))
        if not chosen:
            return
        rows = self._rows[chosen]
        columns = self._which[chosen], self._way[chosen], self._batch.numbers[rows], self._batch.times[rows]
        for row, (at, way, number, ts_ns) in zip(
            chosen, zip(*[column.tolist() for column in columns], strict=True), strict=True
        ):
            flow = self._flows[at]
            flow.facts.opening.append(Piece(flow.side(way), PacketRef(number, ts_ns), self._records(row)))

    def _exchanges(self) -> None:
        """What is said from one silence to the next, and from one connection to the next."""
        ts, which, way = self._batch.times[self._rows], self._which, self._way
        begins = np.ones(len(ts), bool)
        begins[1:] = (which[1:] != which[:-1]) | (ts[1:] - ts[:-1] >= QUIET_NS)
        starts = np.flatnonzero(begins)
        index = np.arange(len(ts))
        by_high: list[int] = np.add.reduceat(way, starts).tolist()
        first_of = [
            np.minimum.reduceat(np.where(way == each, index, len(ts)), starts).tolist() for each in (0, 1)
        ]  # fmt: skip
        stops: list[int] = np.append(starts[1:], len(ts)).tolist()
        for at, start in enumerate(starts.tolist()):
            flow = self._flows[int(which[start])]
            self._take(flow, start, stops[at], by_high[at], (first_of[0][at], first_of[1][at]))

    def _take(self, flow: OpaqueFlow, start: int, stop: int, by_high: int, first_of: tuple[int, int]) -> None:
        """Rows `[start, stop)` of a connection, without a silence between; `by_high` of them have direction 1."""
        facts = flow.facts
        begun = self._ref(int(self._rows[start]))
        exchange = facts.exchange
        if exchange is None or begun.ts_ns - flow.last_ns >= QUIET_NS:
            silence_ns = begun.ts_ns - flow.last_ns if exchange is not None else 0
            exchange = Exchange(flow.side(int(self._way[start])), begun, silence_ns, self._records(start))
            facts.take(exchange)
            if facts.exchanges == 1:
                facts.first = begun
        answered = first_of[1 - flow.client if exchange.side is CLIENT else flow.client]
        if exchange.answer is None and answered < stop:
            exchange.answer = self._ref(int(self._rows[answered]))
            exchange.answer_records = self._records(answered)
        by_client = by_high if flow.client else stop - start - by_high
        exchange.packets_client += by_client
        exchange.packets_server += stop - start - by_client
        exchange.last = facts.last = self._ref(int(self._rows[stop - 1]))
        flow.last_ns = facts.last.ts_ns
