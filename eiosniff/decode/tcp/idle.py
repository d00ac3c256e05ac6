"""Which connections are over although nobody saw their end: of those of which nothing came for long enough.

A device that loses its network, a NAT that forgets, an end that the capture lost: such connections would stay for as
long as the capture lasts. How long one may be silent is known from NATs, which have the same question: 2 hours and 4
minutes, as keep-alive probes come every 2 hours; one that is only opening or closing, 4 minutes (RFC 5382, REQ-5;
RFC 1122, section 4.2.3.6).

Time is that of the capture (`clock`), and nothing is due but at a *stop*: at the first captured packet of TCP at which
it has passed a multiple of `SLOT_MS`. Segments are handed on in pieces that begin at stops, so that what is over, and
when, does not depend on how the input is cut into batches.
"""

from collections.abc import Iterator
from typing import Final, final

import numpy as np

from eiosniff.decode.packets.clock import Clock
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.batch import Int64s

ESTABLISHED_MS: Final = 7_440_000
TRANSITORY_MS: Final = 240_000
# A connection of which nothing is known but that somebody asks for it also ages with each captured packet: a scan, or a
# flood of SYNs, leaves no more than 180,000 of them, however fast it is.
PACKET_MS: Final = 2
SLOT_MS: Final = 120_000  # at most half of what is transitory: see `Idle`


@final
class Idle:
    """The open connections of a capture, by when they are due.

    New ones are looked at at each stop of their age, until they are more than new. Others are in the slot of the clock
    in which they were due when they were put there; there they are looked at again. So each is looked at now and then,
    and none for every packet. A new one is never due before it was looked at for the first time, as it takes two stops
    of its age, at least, to become so.
    """

    __slots__ = ("_clock", "_new", "_slots", "_stop_of_age")

    def __init__(self) -> None:
        self._clock = Clock()
        self._new: dict[Flow, None] = {}
        self._slots: dict[int, dict[Flow, None]] = {}
        self._stop_of_age = 0

    def pieces(self, ts_ns: Int64s, number: Int64s) -> Iterator[tuple[int, int, Int64s]]:
        """Where to cut a batch: `(start, stop, times)` of pieces that begin at stops. What of one piece opens or ends
        must be known here before the next one is asked for."""
        times = self._clock.read(ts_ns)
        ages = times + PACKET_MS * number
        start, count = 0, len(times)
        while start < count:
            stop = min(
                int(np.searchsorted(ages, _next(int(ages[start])))),
                int(np.searchsorted(times, self._next_slot() * SLOT_MS)) if self._slots else count,
            )
            stop = max(stop, start + 1)
            yield start, stop, times[start:stop]
            start = stop

    def begin(self, flow: Flow) -> None:
        """A connection is new."""
        self._new[flow] = None
        flow.waits = self._new

    def end(self, flow: Flow) -> None:
        """A connection is over, or not followed."""
        if flow.waits is not None:
            del flow.waits[flow]
            flow.waits = None

    def closes(self, flow: Flow) -> None:
        """A direction of a connection has ended: from now on it is due sooner."""
        if flow.waits is not None and flow.waits is not self._new:
            del flow.waits[flow]
            self._put(flow)

    def due(self, now_ms: int, number: int) -> list[Flow]:
        """The connections that are over by the time of a captured packet, the first one of a piece; by their age."""
        found: list[Flow] = []
        age = now_ms + PACKET_MS * number
        if age // SLOT_MS > self._stop_of_age:
            self._stop_of_age = age // SLOT_MS
            for flow in list(self._new):
                if not flow.is_half_open:
                    self._put(flow)
                    del self._new[flow]
                elif _slot(flow.seen_ms + PACKET_MS * flow.last.number + TRANSITORY_MS) <= self._stop_of_age:
                    found.append(flow)
        while self._slots and self._next_slot() <= now_ms // SLOT_MS:
            for flow in list(self._slots.pop(self._next_slot())):
                if _due_slot(flow) <= now_ms // SLOT_MS:
                    found.append(flow)
                else:
                    self._put(flow)
        found.sort(key=_number)
        return found

    def _put(self, flow: Flow) -> None:
        flow.waits = self._slots.setdefault(_due_slot(flow), {})
        flow.waits[flow] = None

    def _next_slot(self) -> int:
        return min(self._slots)


def _next(at: int) -> int:
    """The next stop after a time."""
    return (at // SLOT_MS + 1) * SLOT_MS


def _slot(at: int) -> int:
    """The slot whose stop is the first one that is not before a time."""
    return -(-at // SLOT_MS)


def _due_slot(flow: Flow) -> int:
    return _slot(flow.seen_ms + (TRANSITORY_MS if flow.is_closing else ESTABLISHED_MS))


def _number(flow: Flow) -> int:
    return flow.first.number
