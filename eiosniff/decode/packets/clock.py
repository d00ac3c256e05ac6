"""The time of a capture, where clocks are set, and packets may have a wrong one."""

from typing import Final, final

import numpy as np

from eiosniff.model.batch import Int64s
from eiosniff.model.tally import NS_PER_MS

# A clock that goes further than this, forward or back, from one packet to the next was set; or nothing was said.
STEP_MS: Final = 3_600_000


def newer(now_ns: int, ts_ns: int) -> int:
    """The later of two instants; but the second one, where the clock was set back between them."""
    return ts_ns if ts_ns > now_ns or now_ns - ts_ns > STEP_MS * NS_PER_MS else now_ns


@final
class Clock:
    """Milliseconds since the first packet, that only grow, by the instants of packets.

    Where clocks are set, or a packet has a wrong time, nobody knows what has passed. Instants that are up to `STEP_MS`
    behind the latest one are taken for disorder; one that is further behind is the new latest one. A step forward of
    more than that counts as so much once another one follows it, without a step back between: before that, it may have
    been a packet with a wrong time.
    """

    __slots__ = ("_latest", "_now", "_owed")

    def __init__(self) -> None:
        self._now = 0
        self._latest: int | None = None
        self._owed = 0

    def read(self, ts_ns: Int64s) -> Int64s:
        """The time at each of the next packets (at least one)."""
        times = ts_ns // NS_PER_MS
        latest = int(times[0]) if self._latest is None else self._latest
        highest = np.maximum(np.maximum.accumulate(times), latest)
        forward, back = np.diff(highest, prepend=latest), highest - times
        # (Instants of opposite ends of time differ by more than 64 bits hold: less than nothing.)
        steady = max(int(forward.max()), int(back.max())) <= STEP_MS and min(int(forward.min()), int(back.min())) >= 0
        if not steady:
            return self._read_one_by_one(times, latest)
        found: Int64s = highest - latest + self._now
        self._now, self._latest = int(found[-1]), int(highest[-1])
        return found

    def _read_one_by_one(self, times: Int64s, latest: int) -> Int64s:
        now, owed = self._now, self._owed
        found: list[int] = []
        for time in times.tolist():
            step = time - latest
            if step > STEP_MS:
                now += owed
                owed = STEP_MS
                latest = time
            elif step > 0:
                now += step
                latest = time
            elif step < -STEP_MS:
                owed = 0
                latest = time
            found.append(now)
        self._now, self._latest, self._owed = now, latest, owed
        return np.array(found, np.int64)
