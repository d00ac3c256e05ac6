"""Which of the old to let go for the new, so that a long capture takes no more memory than a short one."""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from eiosniff.decode.packets.clock import newer

T = TypeVar("T")

# For each newcomer so many others are looked at: after a rush the number falls again, at a bounded cost.
_LOOKS = 4
# So many may wait, silent, for whether they go on, however few are kept in all.
_MOST_SILENT = 1_000


class Standing(Enum):
    """Whether something may be let go."""

    UNDER_WAY = "under way"  # it stays, however many there are: real concurrency bounds these
    SILENT = "silent"  # it may go on; it stays unless too many are silent
    OVER = "over"


class Roster(Generic[T]):
    """Of each kind of ledger, those in memory: says which ones to let go, the oldest first, so that `most` stay.

    What it says depends only on the order and the instants of those that come, never on where the input is cut.
    `standing` tells of each whether it may go, at an instant.
    """

    def __init__(self, most: int, standing: Callable[[T, int], Standing], most_silent: int | None = None) -> None:
        """`most_silent`, above which the oldest that is silent goes: as many as `most`, unless told."""
        self._most = most
        self._most_silent = max(most if most_silent is None else most_silent, _MOST_SILENT)
        self._standing = standing
        self._active: deque[T] = deque()  # those under way go to the end when they are looked at
        self._silent: deque[T] = deque()  # in the order in which they were found to be so
        self._now_ns = 0

    def admit(self, newcomer: T, now_ns: int) -> list[T]:
        """Take in one more; returns those that are let go for it."""
        self._now_ns = newer(self._now_ns, now_ns)
        gone: list[T] = []
        for _ in range(_LOOKS):
            if len(self._active) + len(self._silent) < self._most:
                break
            self._look_at_silent(gone)
            self._look_at_oldest(gone)
        self._active.append(newcomer)
        return gone

    def _look_at_silent(self, gone: list[T]) -> None:
        if not self._silent:
            return
        standing = self._standing(self._silent[0], self._now_ns)
        if standing is Standing.UNDER_WAY:
            self._active.append(self._silent.popleft())
        elif standing is Standing.OVER or len(self._silent) > self._most_silent:
            gone.append(self._silent.popleft())

    def _look_at_oldest(self, gone: list[T]) -> None:
        if not self._active or len(self._active) + len(self._silent) < self._most:
            return
        oldest = self._active.popleft()
        standing = self._standing(oldest, self._now_ns)
        if standing is Standing.OVER:
            gone.append(oldest)
        elif standing is Standing.SILENT:
            self._silent.append(oldest)
        else:
            self._active.append(oldest)
