"""The segments of a batch, sorted by connection with numpy, so that Python loops over runs and not over segments."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eiosniff.decode.reassembly import SEQUENCE_MASK
from eiosniff.model.provenance import PacketRef

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

Columns = npt.NDArray[Any]


class Segments(Protocol):
    """What is needed of the segments of a batch (see `decode.packets.TcpSegments`)."""

    number: Columns
    ts_ns: Columns
    source: Columns
    destination: Columns
    seq: Columns
    ack: Columns
    flags: Columns
    payload_captured: Columns
    payload_wire: Columns

    def payload(self, row: int) -> bytes:
        """The captured payload bytes of one segment."""


class SortedSegments:
    """The segments of a batch, sorted by connection; within one in capture order.

    A *row* is a segment in this order; a *sub* row one that takes sequence space or resets (no bare acknowledgement);
    a *run* is a range of sub rows of one direction that follow each other without a hole; SYN, FIN and RST are runs
    of their own. Columns that Python loops over are lists.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        low = np.minimum(segments.source, segments.destination)
        high = np.maximum(segments.source, segments.destination)
        order = np.lexsort((high, low))
        low, high = low[order], high[order]
        self._order = order
        way = (segments.source > segments.destination)[order]
        flags = segments.flags[order].astype(np.int64)
        seq = segments.seq[order].astype(np.int64)
        wire = segments.payload_wire[order].astype(np.int64)
        captured = segments.payload_captured[order]
        changes = np.flatnonzero((low[1:] != low[:-1]) | (high[1:] != high[:-1])) + 1
        self._group_start = np.concatenate(([0], changes, [len(order)]))
        groups = len(self._group_start) - 1
        group = np.repeat(np.arange(groups), np.diff(self._group_start))
        self._keys = list(zip(low[self._group_start[:-1]].tolist(), high[self._group_start[:-1]].tolist(), strict=True))
        self._index: dict[tuple[int, int], int] = {}
        self._bounds: list[int] = self._group_start.tolist()
        self._wire_sum = np.concatenate(([0], np.cumsum(wire)))
        self._way, self._flags, self._seq, self._wire = way, flags, seq, wire

        length = wire + ((flags & SYN) != 0) + ((flags & FIN) != 0)
        sub = np.flatnonzero((length > 0) | ((flags & RST) != 0))
        self._sub = sub
        special = (flags[sub] & (SYN | FIN | RST)) != 0
        sub_group, sub_way, sub_seq = group[sub], way[sub], seq[sub]
        follows = self._follows(sub_group, sub_way, sub_seq, (sub_seq + length[sub]) & SEQUENCE_MASK)
        cut = captured[sub] < wire[sub]
        odd = (~follows & ~((flags[sub] & RST) != 0)) | cut | (special & (wire[sub] > 0) & ((flags[sub] & SYN) != 0))
        self.disordered = np.bincount(sub_group[odd], minlength=groups) > 0
        self.has_syn = np.bincount(group[(flags & (SYN | RST)) == SYN], minlength=groups) > 0

        begins = np.ones(len(sub), dtype=bool)
        if len(sub) > 1:
            same = (sub_group[1:] == sub_group[:-1]) & (sub_way[1:] == sub_way[:-1])
            begins[1:] = ~same | special[1:] | special[:-1]
        starts = np.flatnonzero(begins)
        self.run_start = [*starts.tolist(), len(sub)]
        self.run_way = sub_way[starts].astype(np.int64).tolist()
        self.run_flags = flags[sub][starts].tolist()
        self.run_seq = sub_seq[starts].tolist()
        self._runs: list[int] = np.searchsorted(sub_group[starts], np.arange(groups + 1)).tolist()

        taken = order[sub]
        self.seq = sub_seq.tolist()
        self.sub_number = segments.number[taken].tolist()
        self.sub_ts = segments.ts_ns[taken].tolist()
        self._taken = taken.tolist()
        self._lengths = captured[sub].tolist()

    @staticmethod
    def _follows(group: Columns, way: Columns, seq: Columns, end: Columns) -> Columns:
        """For each sub row: does it begin where the one before it in its direction ended (or is it the first)?"""
        follows = np.ones(len(group), dtype=bool)
        for direction in (False, True):
            rows = np.flatnonzero(way == direction)
            if len(rows) > 1:
                same = group[rows[1:]] == group[rows[:-1]]
                follows[rows[1:]] = ~same | (seq[rows[1:]] == end[rows[:-1]])
        return follows

    # ------------------------------------------------------------------ groups

    def groups_in_capture_order(self) -> list[int]:
        """Indices of the groups, by their first packet."""
        order: list[int] = np.argsort(self._order[self._group_start[:-1]]).tolist()
        return order

    def key(self, group: int) -> tuple[int, int]:
        """The packed endpoints of a group."""
        return self._keys[group]

    def find(self, key: tuple[int, int]) -> tuple[int, int] | None:
        """The rows of a connection."""
        if not self._index:
            self._index = {known: index for index, known in enumerate(self._keys)}
        group = self._index.get(key)
        return None if group is None else self.rows_of(group)

    def rows_of(self, group: int) -> tuple[int, int]:
        """The range of rows of a group."""
        return self._bounds[group], self._bounds[group + 1]

    def first_row(self, group: int) -> int:
        """The first row of a group."""
        return self._bounds[group]

    def last_row(self, group: int) -> int:
        """The last row of a group."""
        return self._bounds[group + 1] - 1

    def payload_of_group(self, group: int) -> int:
        """Payload bytes of all rows of a group, as on the wire."""
        begin, end = self.rows_of(group)
        return int(self._wire_sum[end] - self._wire_sum[begin])

    def runs_of(self, group: int) -> tuple[int, int]:
        """The range of runs of a group."""
        return self._runs[group], self._runs[group + 1]

    # ------------------------------------------------------------------ sub rows

    def sub_place(self, index: int) -> PacketRef:
        """The packet of a sub row."""
        return PacketRef(self.sub_number[index], self.sub_ts[index])

    def join(self, begin: int, stop: int) -> bytes:
        """The payload of a run."""
        payload = self._segments.payload
        if stop - begin == 1:
            return payload(self._taken[begin])
        return b"".join([payload(row) for row in self._taken[begin:stop]])

    def starts(self, begin: int, stop: int) -> list[int]:
        """Where the bytes of each segment begin in what `join` yields."""
        starts = [0]
        for length in self._lengths[begin : stop - 1]:
            starts.append(starts[-1] + length)
        return starts

    # ------------------------------------------------------------------ rows

    def place(self, row: int) -> PacketRef:
        """The packet of a row."""
        at = self._order[row]
        return PacketRef(int(self._segments.number[at]), int(self._segments.ts_ns[at]))

    def number_of(self, row: int) -> int:
        """The packet number of a row."""
        return int(self._segments.number[self._order[row]])

    def way(self, row: int) -> int:
        """The direction of a row."""
        return int(self._way[row])

    def flags(self, row: int) -> int:
        """The TCP flags of a row."""
        return int(self._flags[row])

    def seq_of(self, row: int) -> int:
        """The sequence number of a row."""
        return int(self._seq[row])

    def ack_of(self, row: int) -> int:
        """The acknowledgement number of a row."""
        return int(self._segments.ack[self._order[row]])

    def wire_of(self, row: int) -> int:
        """The payload length of a row, as on the wire."""
        return int(self._wire[row])

    def payload(self, row: int) -> bytes:
        """The captured payload of a row."""
        return self._segments.payload(int(self._order[row]))
