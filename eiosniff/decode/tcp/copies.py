"""Tells a segment that was captured twice from one that was sent twice.

Captures on Linux's `any` interface, on bridges, on routers and from mirror ports show a packet each time that it passes
a place where they listen. Such a copy is the same IP packet, seen again at once: same addresses, ports, sequence and
acknowledgement numbers, flags, window and length. Routers lower its TTL, and every link gives it other MAC addresses.
(With other addresses, behind a NAT, it is another connection.)

A retransmission is a new IP packet. Most senders count the identification of IPv4 up with each packet, so an equal one,
unless it is 0, tells a copy. IPv6 has none, and IPv4 may have 0 (RFC 6864 allows that in packets that may not be
fragmented): then a copy is one that comes within a millisecond, which is less than any timer of TCP. Linux waits 200 ms
for an acknowledgement, others longer (RFC 6298, section 2.4, says 1 s), and two ticks of 1 to 10 ms for a loss at the
end of what was sent (RFC 8985, section 7.2). `editcap -d` compares a window of packets likewise, by all their bytes.

Nobody asks for each packet: only where a segment brings what came before, which no segment of most captures does.
"""

from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from eiosniff.decode.tcp.segments import Row, Segments

# Copies follow each other closely: among so many captured packets, and within this time if the identification is equal.
WINDOW: Final = 1000
SAME_PACKET_NS: Final = 200_000_000
AT_ONCE_NS: Final = 1_000_000

_SAME: Final = ("source", "destination", "seq", "ack", "flags", "window", "payload_wire", "identification")
_NAMES: Final = ("number", "ts_ns", *_SAME)
_Columns = dict[str, npt.NDArray[Any]]


@final
class Copies:
    """The segments of the batch at hand, and as many before it as a copy may be behind its original."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        # As large from the beginning as it will ever be; no segment has such a number.
        self._before: _Columns = {name: np.full(WINDOW, -2 * WINDOW, np.int64) for name in _NAMES}
        self._now: _Columns = {}

    def begin(self, segments: Segments) -> None:
        """From now on ask for segments of this batch."""
        self._now = {name: getattr(segments, name) for name in _NAMES}

    def end(self) -> None:
        """The batch is done with. (The window is one of captured packets: where batches are cut does not matter.)"""
        for name, column in self._now.items():
            before = self._before[name]
            last = column[-WINDOW:].copy() if len(column) >= WINDOW else np.concatenate((before[len(column) :], column))
            self._before[name] = last
        self._now = {}

    def has(self, row: Row) -> bool:
        """Whether a segment of the batch at hand is a copy of one before it."""
        if self._is_among(self._now, max(0, row.segment - WINDOW), row.segment, row):
            return True
        return row.segment < WINDOW and self._is_among(self._before, row.segment, WINDOW, row)

    def _is_among(self, columns: _Columns, start: int, stop: int, row: Row) -> bool:
        now, at = self._now, row.segment
        for near in np.flatnonzero(columns["seq"][start:stop] == row.seq).tolist():
            candidate = start + near
            if row.number - int(columns["number"][candidate]) > WINDOW:
                continue
            if all(columns[name][candidate] == now[name][at] for name in _SAME):
                passed = abs(row.ts_ns - int(columns["ts_ns"][candidate]))
                if passed < (SAME_PACKET_NS if now["identification"][at] else AT_ONCE_NS):
                    return True
        return False
