"""What happened to the answers to polls on their way: caches that answered, proxies that held them back."""

from dataclasses import dataclass
from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef
from eiosniff.model.tally import Sketch, Tally


@dataclass(slots=True, frozen=True)
class CachedAnswer:
    """A GET of the session that something else than its server answered. `shown` is the header that says so (`age:
    12`); it is empty if the answer only repeats one that no server gives twice: an open packet, or a socket's id."""

    request: PacketRef
    answer: PacketRef
    shown: str


@dataclass(slots=True, frozen=True)
class HeldAnswer:
    """An answer to a poll where it left the server, and where it got to the client."""

    left: PacketRef
    arrived: PacketRef

    @property
    def held_ns(self) -> int:
        """From one to the other, each by its last byte."""
        return self.arrived.ts_ns - self.left.ts_ns


@dataclass(slots=True, frozen=True)
class SentAnswer:
    """An answer to a poll as a server sent it: its last packet, its length in bytes, and a hash of its content, valid
    in this process."""

    place: PacketRef
    length: int
    digest: int


@final
@mypyc_attr(acyclic=True)
class Polling:
    """See the module. `cached` is None as long as there is none. Of a session that was captured on two hops, `held` are
    the delays of answers between the two (ns), `slowest` the worst; `sent` the last few answers of a session that is
    such a hop. `once` is the body of the first poll's answer if it holds what no server says twice."""

    __slots__ = ("cached", "held", "once", "sent", "slowest")

    def __init__(self) -> None:
        self.cached: Tally[CachedAnswer] | None = None
        self.held: Sketch | None = None
        self.slowest: HeldAnswer | None = None
        self.sent: tuple[SentAnswer, ...] = ()
        self.once = b""
