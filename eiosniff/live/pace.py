"""When to judge: soon after what matters, and not so often that decoding and capturing suffer."""

from collections.abc import Callable

_MS = 1_000_000
_S = 1_000 * _MS
# From the end of one judgement to the next: four times the processor time that it took (a fifth of a core), but not
# more than this at first, so that a fault is told within a second; and at least as long as it took, however long that
# is.
_SHARE = 4
_SOON_NS = 400 * _MS
_LEAST_NS = 150 * _MS
# What is new while nothing matters, and silence: a time limit may have passed.
_IDLE_NS = 1 * _S
# A silence that is longer than this has brought about what it can: pingInterval and pingTimeout are seldom as long.
_LONG_SILENCE_NS = 120 * _S
_LONG_IDLE_NS = 10 * _S


class Pace:
    """Says when the next judgement is due. Times are of the real clock."""

    def __init__(self, real_ns: Callable[[], int]) -> None:
        self._real_ns = real_ns
        self._ended_ns = self._changed_ns = real_ns()
        self._worked_ns = 0
        self._matters = False
        self._under_way = False

    def changed(self, *, matters: bool) -> None:
        """Packets were decoded; `matters` if somebody speaks Engine.IO by now."""
        self._matters = self._matters or matters
        self._changed_ns = self._real_ns()

    @property
    def at_ns(self) -> int:
        """When to look again whether it is due."""
        now_ns = self._real_ns()
        if self._under_way:
            return now_ns + _IDLE_NS
        rest = max(_LEAST_NS, min(_SHARE * self._worked_ns, _SOON_NS), self._worked_ns)
        if not self._matters:
            rest = max(rest, _IDLE_NS if now_ns - self._changed_ns < _LONG_SILENCE_NS else _LONG_IDLE_NS)
        return self._ended_ns + rest

    def is_due(self) -> bool:
        """Whether to begin one now."""
        return not self._under_way and self._real_ns() >= self.at_ns

    def put_off(self) -> None:
        """There is nothing to judge yet."""
        self._ended_ns = self._real_ns()

    def begins(self) -> None:
        """A judgement begins."""
        self._matters = False
        self._under_way = True

    def ended(self, worked_ns: int) -> None:
        """It is over; it took so much processor time."""
        self._ended_ns = self._real_ns()
        self._worked_ns = worked_ns
        self._under_way = False
