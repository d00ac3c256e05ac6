"""Running figures of bounded size: what a ledger keeps of things that may happen ten million times."""

from bisect import insort
from collections.abc import Iterator
from math import ceil, log
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


class Sketch:
    """Quantiles of non-negative integers.

    Exact for the first `EXACT` values; after that each value is known to within 2 % (logarithmic buckets), in at most
    some two thousand buckets for any 64-bit value.
    """

    EXACT = 256
    _GROWTH = log(1.02)

    # Most sketches of a session stay empty, and a busy capture has tens of thousands: lists come with the first value.
    __slots__ = ("_buckets", "_values", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0
        self._values: list[int] | None = None
        self._buckets: dict[int, int] | None = None

    def add(self, value: int) -> None:
        """Count one value (negative ones, from clocks that were set back, count as 0)."""
        value = max(0, value)
        self.minimum = value if self.count == 0 else min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        self.count += 1
        self.total += value
        if self._buckets is not None:
            self._count_in_bucket(self._buckets, value)
        elif self._values is None:
            self._values = [value]
        else:
            insort(self._values, value)
            if len(self._values) > self.EXACT:
                self._in_buckets()

    def merge(self, other: "Sketch") -> None:
        """Count all values of another sketch, with the same result as one by one."""
        if other._buckets is None:
            for value in other._values or ():
                self.add(value)
            return
        buckets = self._buckets if self._buckets is not None else self._in_buckets()
        for bucket, count in other._buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        self.minimum = other.minimum if self.count == 0 else min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.total += other.total

    def _in_buckets(self) -> dict[int, int]:
        """From now on values are only counted."""
        buckets = self._buckets = {}
        for known in self._values or ():
            self._count_in_bucket(buckets, known)
        self._values = None
        return buckets

    def _count_in_bucket(self, buckets: dict[int, int], value: int) -> None:
        bucket = ceil(log(value) / self._GROWTH) if value else -1
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def quantile(self, share: float) -> int:
        """The smallest value that at least `share` (0 to 1) of all values do not exceed; 0 if there is none."""
        rank = max(1, ceil(share * self.count))
        if self._buckets is None:
            return self._values[rank - 1] if self._values else 0
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                estimate = round(1.02**bucket) if bucket >= 0 else 0
                return min(max(estimate, self.minimum), self.maximum)
        return self.maximum

    @property
    def median(self) -> int:
        """The lower median."""
        return self.quantile(0.5)


class Tally(Generic[T]):
    """How often something happened, its first few occurrences and the last, and the pauses between them (ns)."""

    KEPT = 5

    __slots__ = ("_last_ns", "_pauses", "count", "first", "last")

    def __init__(self) -> None:
        self.count = 0
        self.first: tuple[T, ...] = ()
        self.last: T | None = None
        self._pauses: Sketch | None = None
        self._last_ns = 0

    @property
    def pauses(self) -> Sketch:
        """From one occurrence to the next (ns)."""
        return self._pauses or Sketch()

    @property
    def period_ns(self) -> int | None:
        """The usual time from one occurrence to the next; None for a single one."""
        return self._pauses.median if self._pauses else None

    def add(self, item: T, ts_ns: int) -> None:
        """Count one occurrence at an instant."""
        if self.count:
            self._pauses = self._pauses or Sketch()
            self._pauses.add(ts_ns - self._last_ns)
        self._last_ns = ts_ns
        self.count += 1
        self.last = item
        if len(self.first) < self.KEPT:
            self.first = (*self.first, item)

    def __bool__(self) -> bool:
        return self.count > 0

    def __iter__(self) -> Iterator[T]:
        """The occurrences that were kept, in order: the first few, then the last."""
        yield from self.first
        if self.count > len(self.first) and self.last is not None:
            yield self.last
