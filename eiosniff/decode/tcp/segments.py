"""The segments of a batch, sorted by connection with numpy, so that Python loops over runs and not over segments."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from eiosniff.decode.tcp.reassembly import SEQUENCE_MASK
from eiosniff.model.batch import Buffer
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10
SPECIAL: Final = SYN | FIN | RST

Columns = npt.NDArray[Any]
ONE_START: Final = [0]  # of chunks of one packet, shared: nobody changes it


class Segments(Protocol):
    """What is needed of the segments of a batch (see `packets.decoder.TcpSegments`)."""

    number: Columns
    ts_ns: Columns
    source: Columns
    destination: Columns
    seq: Columns
    ack: Columns
    flags: Columns
    window: Columns
    ttl: Columns
    identification: Columns
    payload_offset: Columns
    payload_captured: Columns
    payload_wire: Columns
    buffer: Buffer

    @property
    def plain(self) -> bool:
        """Whether all payloads lie in `buffer`."""

    def payload(self, index: int) -> bytes:
        """The captured payload bytes of one segment."""

    def piece(self, start: int, stop: int) -> "Segments":
        """The segments `[start, stop)`."""


class Row(NamedTuple):
    """One segment. `way` is 1 if the higher endpoint sent it; `segment` its index in the batch."""

    number: int
    ts_ns: int
    way: int
    flags: int
    seq: int
    ack: int
    wire: int
    captured: int
    segment: int


class SortedSegments:
    """The segments of a batch, sorted by connection; within one in capture order.

    A *row* is a segment in this order; a *sub* row one that takes sequence space or resets (no bare acknowledgement).
    A *run* is a range of sub rows of one direction that follow each other without a hole; SYN, FIN and RST are runs
    of their own. Runs are in capture order; sub rows by direction within a connection, so that several runs of one
    direction are a range of them too. A *group* is a connection: all rows of the same endpoints. What Python loops over
    are lists. `numbers`, `times`, `way` (true for the higher endpoint) and `flags` are columns of all rows.

    A group is `disordered` if its segments must be looked at one by one: not all follow each other, or some were cut
    by the snap length, there is a SYN elsewhere than at the beginning of its direction, or anything after a RST.
    """

    def __init__(self, segments: Segments, times_ms: Columns, newest_ns: int = 0) -> None:
        """`times_ms` are the times by the clock that only grows; `newest_ns` is the latest instant of the batches
        before."""
        self._segments = segments
        self._latest = np.maximum(np.maximum.accumulate(segments.ts_ns), newest_ns)
        source, destination = segments.source, segments.destination
        low, high = np.minimum(source, destination), np.maximum(source, destination)
        order = np.lexsort((high, low))
        low, high = low[order], high[order]
        bounds = np.flatnonzero((low[1:] != low[:-1]) | (high[1:] != high[:-1])) + 1
        bounds = np.concatenate(([0], bounds, [len(order)]))
        starts, last = bounds[:-1], bounds[1:] - 1
        self.keys: list[tuple[int, int]] = list(zip(low[starts].tolist(), high[starts].tolist(), strict=True))
        self.bounds: list[int] = bounds.tolist()
        self._bounds = bounds
        self._order = order
        self._index: dict[tuple[int, int], int] = {}

        self.way = way = (source > destination)[order]
        flags = segments.flags[order]
        # A reset is nothing else besides, whatever other flags a forged one has.
        self.flags = flags = np.where(flags & RST, flags & ~(SYN | FIN), flags)
        self._seq = seq = segments.seq[order]
        wire, captured = segments.payload_wire[order], segments.payload_captured[order]
        numbers, times = segments.number[order], segments.ts_ns[order]
        self.numbers, self.times = numbers, times
        self.first_number: list[int] = numbers[starts].tolist()
        self.first_ts: list[int] = times[starts].tolist()
        self.last_number: list[int] = numbers[last].tolist()
        self.last_ts: list[int] = times[last].tolist()
        self.first_ms: list[int] = times_ms[order[starts]].tolist()
        self.last_ms: list[int] = times_ms[order[last]].tolist()
        self.payload: list[int] = np.add.reduceat(captured, starts).tolist()
        self.payload_rows: list[int] = np.add.reduceat(captured > 0, starts, dtype=np.int64).tolist()
        any_flag = np.bitwise_or.reduceat(flags, starts)
        self.has_syn: list[bool] = ((any_flag & SYN) > 0).tolist()
        self.has_end: list[bool] = ((any_flag & (FIN | RST)) > 0).tolist()
        self.ways: list[int] = np.bitwise_or.reduceat(np.where(way, 2, 1), starts).tolist()  # bit 0 and 1: who sent

        resets = (flags & RST) != 0
        length = np.where(resets, 0, wire + ((flags & SYN) != 0) + ((flags & FIN) != 0))
        sub = np.flatnonzero((length > 0) | resets)
        group = np.repeat(np.arange(len(starts)), np.diff(bounds))
        sub_group, sub_way, sub_seq, sub_flags = group[sub], way[sub], seq[sub], flags[sub]
        self.disordered = self._disordered(bounds, group, sub, length, wire, captured)

        begins = np.ones(len(sub), dtype=bool)
        special = (sub_flags & SPECIAL) != 0
        if len(sub) > 1:
            same = (sub_group[1:] == sub_group[:-1]) & (sub_way[1:] == sub_way[:-1])
            begins[1:] = ~same | special[1:] | special[:-1]
        run = np.flatnonzero(begins)
        by_way = np.argsort(2 * sub_group + sub_way, kind="stable")
        place = np.empty(len(sub), np.int64)
        place[by_way] = np.arange(len(sub))
        run_start = place[run]
        self.run_start: list[int] = run_start.tolist()
        self.run_stop: list[int] = (run_start + np.diff(run, append=len(sub))).tolist()
        self.run_way: list[int] = sub_way[run].astype(np.int64).tolist()
        self.run_flags: list[int] = sub_flags[run].tolist()
        self.run_seq: list[int] = sub_seq[run].tolist()
        self.runs: list[int] = np.searchsorted(sub_group[run], np.arange(len(starts) + 1)).tolist()

        sub = sub[by_way]
        taken = order[sub]
        self.sub_number: list[int] = numbers[sub].tolist()
        self.sub_ts: list[int] = times[sub].tolist()
        self.sub_length: list[int] = captured[sub].tolist()
        self._taken = taken
        self._sub_offset: list[int] = segments.payload_offset[taken].tolist()
        self._buffer = segments.buffer if segments.plain else None

    def _disordered(
        self, bounds: Columns, group: Columns, sub: Columns, length: Columns, wire: Columns, captured: Columns
    ) -> list[bool]:
        way, flags, seq = self.way[sub], self.flags[sub], self._seq[sub]
        sub_group = group[sub]
        end = (seq + length[sub]) & SEQUENCE_MASK
        follows = np.ones(len(sub), dtype=bool)  # begins where the one before it in its direction ended
        for direction in (False, True):
            rows = np.flatnonzero(way == direction)
            if len(rows) > 1:
                same = sub_group[rows[1:]] == sub_group[rows[:-1]]
                follows[rows[1:]] = ~same | (seq[rows[1:]] == end[rows[:-1]])
        odd = (~follows & ((flags & RST) == 0)) | (captured[sub] < wire[sub])

        syn = np.flatnonzero(flags & SYN)
        at = sub[syn]
        start = bounds[:-1][group[at]]
        high_before = np.concatenate(([0], np.cumsum(self.way)))
        high = high_before[at] - high_before[start]
        first_of_its_way = np.where(self.way[at], high, at - start - high) == 0
        answers = (flags[syn] & ACK != 0) & (self.flags[start] & (SYN | ACK) == SYN) & first_of_its_way
        odd[syn] |= ~((at == start) | answers) | (wire[at] > 0) | (flags[syn] & FIN != 0)
        resets = np.flatnonzero(flags & RST)
        odd[resets] |= sub[resets] != bounds[1:][sub_group[resets]] - 1
        disordered: list[bool] = (np.bincount(sub_group[odd], minlength=len(bounds) - 1) > 0).tolist()
        return disordered

    @property
    def newest_ns(self) -> int:
        """The latest instant up to now (clocks may be set back)."""
        return int(self._latest[-1])

    def first_after(self, number: int, ts_ns: int) -> PacketRef | None:
        """The first captured packet after `number` at which it was later than an instant."""
        at = max(
            int(np.searchsorted(self._latest, ts_ns, side="right")),
            int(np.searchsorted(self._segments.number, number, side="right")),
        )
        if at == len(self._latest):
            return None
        return PacketRef(int(self._segments.number[at]), int(self._segments.ts_ns[at]))

    # ------------------------------------------------------------------ groups

    def groups_in_capture_order(self) -> list[int]:
        """Indices of the groups, by their first packet."""
        order: list[int] = np.argsort(np.asarray(self.first_number)).tolist()
        return order

    def find(self, key: tuple[int, int]) -> int | None:
        """The group of these endpoints."""
        if not self._index:
            self._index = {known: index for index, known in enumerate(self.keys)}
        return self._index.get(key)

    def first_place(self, group: int) -> PacketRef:
        """The first packet of a group."""
        return PacketRef(self.first_number[group], self.first_ts[group])

    def last_place(self, group: int) -> PacketRef:
        """The last packet of a group."""
        return PacketRef(self.last_number[group], self.last_ts[group])

    def rows(self, group: int) -> Iterator[Row]:
        """All rows of a group."""
        rows = slice(self.bounds[group], self.bounds[group + 1])
        index, segments = self._order[rows], self._segments
        columns = (
            self.numbers[rows],
            self.times[rows],
            self.way[rows].astype(np.int64),
            self.flags[rows],
            self._seq[rows],
            segments.ack[index],
            segments.payload_wire[index],
            segments.payload_captured[index],
            index,
        )
        return map(Row._make, zip(*[column.tolist() for column in columns], strict=True))

    def rows_of(self, groups: list[int]) -> tuple[Columns, Columns]:
        """The rows of some groups, one after the other, and for each row which of the groups it is of."""
        chosen = np.array(groups, np.int64)
        starts = self._bounds[chosen]
        counts = self._bounds[chosen + 1] - starts
        which = np.repeat(np.arange(len(chosen)), counts)
        return np.arange(len(which)) + (starts - np.cumsum(counts) + counts)[which], which

    def column(self, name: str, rows: Columns) -> Columns:
        """A column of the segments, for some rows."""
        column: Columns = getattr(self._segments, name)[self._order[rows]]
        return column

    def payload_at(self, row: int) -> bytes:
        """The captured payload of a row."""
        return self._segments.payload(int(self._order[row]))

    def data(self, row: Row) -> bytes:
        """The captured payload of a row."""
        return self._segments.payload(row.segment)

    # ------------------------------------------------------------------ runs

    def sub_place(self, index: int) -> PacketRef:
        """The packet of a sub row."""
        return PacketRef(self.sub_number[index], self.sub_ts[index])

    def chunk(self, run: int, side: Side, offset: int) -> StreamChunk | None:
        """The payload of a run, which begins at a stream offset; None if it has none."""
        begin, stop = self.run_start[run], self.run_stop[run]
        buffer = self._buffer
        if stop - begin == 1:  # as most are
            length = self.sub_length[begin]
            if not length:
                return None
            start = self._sub_offset[begin]
            data = self._segments.payload(int(self._taken[begin])) if buffer is None else buffer[start : start + length]
            return StreamChunk(side, offset, data, ONE_START, [self.sub_number[begin]], [self.sub_ts[begin]])
        return self._chunk_of(begin, stop, side, offset)

    def first_special(self, run: int, stop: int) -> int:
        """The first run from `run` on, before `stop`, that is a SYN, FIN or RST; `stop` if there is none."""
        flags = self.run_flags
        while run < stop and not flags[run] & SPECIAL:
            run += 1
        return run

    def first_seq(self, run: int, way: int) -> int:
        """The sequence number with which the first run of a direction begins, from `run` on; there is one."""
        while self.run_way[run] != way:
            run += 1
        return self.run_seq[run]

    def joined(self, first: int, stop: int, way: int, side: Side, offset: int) -> StreamChunk | None:
        """The payload of all runs of one direction among `[first, stop)`, none of them special; None if there is no
        such run."""
        begin = stop_row = -1
        for run in range(first, stop):
            if self.run_way[run] == way:
                begin = self.run_start[run] if begin < 0 else begin
                stop_row = self.run_stop[run]
        return self._chunk_of(begin, stop_row, side, offset) if begin >= 0 else None

    def _chunk_of(self, begin: int, stop: int, side: Side, offset: int) -> StreamChunk:
        """The payload of a range of sub rows of one direction, none of them without any."""
        lengths, buffer = self.sub_length[begin:stop], self._buffer
        if buffer is None:
            data = b"".join([self._segments.payload(row) for row in self._taken[begin:stop].tolist()])
        else:
            pieces = zip(self._sub_offset[begin:stop], lengths, strict=True)
            data = b"".join([buffer[start : start + length] for start, length in pieces])
        starts = [0, *accumulate(lengths)]
        starts.pop()
        return StreamChunk(side, offset, data, starts, self.sub_number[begin:stop], self.sub_ts[begin:stop])

    def payload_of(self, run: int) -> tuple[int, int]:
        """How many packets of a run have payload, and how many bytes that was captured."""
        lengths = self.sub_length[self.run_start[run] : self.run_stop[run]]
        return sum(length > 0 for length in lengths), sum(lengths)
