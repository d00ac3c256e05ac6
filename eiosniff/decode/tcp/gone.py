"""What is left of TCP connections that are over or not followed."""

from collections import deque
from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.decode.tcp.idle import ESTABLISHED_MS
from eiosniff.decode.tcp.opaque import OpaqueFlow
from eiosniff.decode.tcp.segments import ACK

# A connection that is over is forgotten so many captured packets later: what comes after that would be a new one. By
# packets, not by how many there are, so that it does not depend on how the input is cut into batches.
REMEMBERED_PACKETS: Final = 500_000
# One that is not followed and still open is forgotten when it was silent for as long as one that is followed may be.
REMEMBERED_MS: Final = ESTABLISHED_MS


@final
@mypyc_attr(acyclic=True)
class Gone:
    """What is left of a connection that is over or not followed: enough to know its late packets from a new one.

    `ends` are its packed endpoints, `syn_0` and `syn_1` the sequence numbers of its SYNs, by direction; `last` and
    `seen_ms` the number and the time of its last packet. `ending` says that an end of it was captured; one that is not
    `lasting` never came about. What is `opaque` is still observed from outside.
    """

    __slots__ = ("ending", "ends", "followed", "last", "lasting", "opaque", "seen_ms", "syn_0", "syn_1")

    def __init__(
        self, ends: tuple[int, int], syn_0: int, syn_1: int, followed: bool, ending: bool, last: int, seen_ms: int
    ) -> None:
        self.ends = ends
        self.syn_0 = syn_0
        self.syn_1 = syn_1
        self.followed = followed
        self.ending = ending
        self.lasting = True
        self.opaque: OpaqueFlow | None = None
        self.last = last
        self.seen_ms = seen_ms

    def is_replaced_by(self, way: int, seq: int, flags: int) -> bool:
        """Whether a SYN begins another connection of the same endpoints."""
        own, other = (self.syn_1, self.syn_0) if way else (self.syn_0, self.syn_1)
        if self.lasting and flags & ACK and own < 0 <= other:
            return False  # the answer to the SYN was captured after what followed it
        return own != seq or (self.ending and not flags & ACK)

    def is_forgotten(self, number: int, now_ms: int) -> bool:
        """Whether it is over for so long that a captured packet has nothing to do with it."""
        if self.ending or not self.lasting:
            return number - self.last > REMEMBERED_PACKETS
        return now_ms - self.seen_ms > REMEMBERED_MS


# For each connection that is gone so many of those before it are looked at, whether they may be forgotten: a few at a
# time, as all of them at once would take too long while packets come in.
_LOOKS: Final = 3


@final
class GoneTable:
    """These, by their endpoints."""

    __slots__ = ("_buried", "_just_buried", "_table")

    def __init__(self) -> None:
        self._table: dict[tuple[int, int], Gone] = {}
        self._buried: deque[Gone] = deque()  # all of these, and some that were replaced, the oldest first
        self._just_buried = 0

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._table)

    def at(self, ends: tuple[int, int]) -> Gone:
        """What is there, remembered or not."""
        return self._table[ends]

    def remembered(self, ends: tuple[int, int], number: int, now_ms: int) -> Gone | None:
        """What a captured packet may have to do with."""
        gone = self._table.get(ends)
        return None if gone is None or gone.is_forgotten(number, now_ms) else gone

    def bury(self, gone: Gone) -> None:
        """One more."""
        self._table[gone.ends] = gone
        self._buried.append(gone)
        self._just_buried += 1

    def drop(self, ends: tuple[int, int]) -> None:
        """What comes now is of a new connection."""
        self._table.pop(ends, None)

    def forget(self, number: int, now_ms: int) -> None:
        """Look at some of them, by the time of a captured packet."""
        buried, table = self._buried, self._table
        for _ in range(min(len(buried), _LOOKS * self._just_buried)):
            gone = buried.popleft()
            if table.get(gone.ends) is not gone:
                continue
            if gone.is_forgotten(number, now_ms):
                del table[gone.ends]
            else:
                buried.append(gone)
        self._just_buried = 0

    def clear(self) -> None:
        """Forget them all."""
        self._table.clear()
        self._buried.clear()
