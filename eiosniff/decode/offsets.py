"""From offsets in what a connection carries to offsets in what TCP carried it in.

Plain text of TLS, and the streams of an HTTP/2 connection, count their own bytes; the acknowledgements of TCP count
those on the wire.
"""

from bisect import bisect_left
from typing import Final, final

# Pairs kept: who asks, asks about what came in the batch at hand, or shortly before.
_MOST: Final = 8_192


@final
class OffsetMap:
    """Pairs of an inner and an outer offset of one direction, both after the end of a record, in rising order."""

    __slots__ = ("_inner", "_outer")

    def __init__(self) -> None:
        self._inner: list[int] = []
        self._outer: list[int] = []

    def add(self, inner: int, outer: int) -> None:
        """A record ends here."""
        if len(self._inner) >= _MOST:
            del self._inner[: _MOST // 2]
            del self._outer[: _MOST // 2]
        self._inner.append(inner)
        self._outer.append(outer)

    def outer(self, inner: int) -> int:
        """The outer offset after the record that holds the bytes before an inner offset (of the next record that is
        known, if that one is forgotten; of the last one, if it was never known)."""
        if not self._outer:
            return inner
        at = bisect_left(self._inner, inner)
        return self._outer[min(at, len(self._outer) - 1)]
