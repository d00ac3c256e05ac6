"""The clock of a capture that runs: instants of captured packets, and in silence how far it must have come since."""

import time
from collections.abc import Callable

# A silence counts up to an instant only if what was captured until then has certainly come: so long a delay is granted
# beyond the longest that was seen, at least.
_GRANTED_NS = 250_000_000
# For so long a delay is remembered, at least (in real time).
_MEMORY_NS = 60_000_000_000


class CaptureClock:
    """Says what time it is in the capture.

    That is the instant of the newest packet; the real clock only serves to notice silence. Packets come late: programs
    hand them on in lumps, a pipe that somebody buffers does so after many seconds. So each batch shows how old its
    first packet was, in terms of the real clock, and in silence the clock of the capture goes on as far behind the real
    one as the worst of these. While nothing can come (the interface is down), it stands still.
    """

    def __init__(self, real_ns: Callable[[], int] = time.monotonic_ns, late_ns: int = 0) -> None:
        """`real_ns` is a clock that never goes back, in nanoseconds, with any zero. Packets may come `late_ns` late, by
        what is known of their source."""
        self._real_ns = real_ns
        self._granted_ns = max(_GRANTED_NS, late_ns)
        self._newest_ns: int | None = None
        self._stopped = False
        # The longest delays of the last period and of this one, plus whatever lies between the zeros of the clocks.
        self._late_before: int | None = None
        self._late_now: int | None = None
        self._period_from = real_ns()

    def packets(self, first_ns: int, last_ns: int) -> None:
        """A batch came, whose packets are of these instants."""
        real = self._real_ns()
        if real - self._period_from > _MEMORY_NS:
            self._late_before = self._late_now
            self._late_now = None
            self._period_from = real
        late = real - first_ns
        self._late_now = late if self._late_now is None else max(self._late_now, late)
        self._newest_ns = last_ns
        self._stopped = False

    def stop(self) -> None:
        """Nothing can come now: silence says nothing, until the next packet."""
        self._stopped = True

    @property
    def now_ns(self) -> int | None:
        """The instant in the capture, as far as all is known of it; None before the first packet."""
        newest = self._newest_ns
        late = [late for late in (self._late_before, self._late_now) if late is not None]
        if newest is None or self._stopped or not late:
            return newest
        return max(newest, self._real_ns() - max(late) - self._granted_ns)
