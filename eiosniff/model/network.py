"""What TCP shows of the network under a session (RFC 9293): how long packets take, what is lost, who does not read.

Filled when a connection of the session is over, from all of its packets since its first bytes told what it is. Of
polling, which uses many connections, it is the sum over them.
"""

from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef
from eiosniff.model.tally import Sketch


@final
@mypyc_attr(acyclic=True)
class Spell:
    """A stretch of time from one captured packet to another, of one connection.

    `probes` are the packets of the same kind within it, the first one included. `open` says that nothing ended it but
    the connection or the capture.
    """

    __slots__ = ("first", "last", "open", "probes")

    def __init__(self, first: PacketRef, last: PacketRef, probes: int, open: bool = False) -> None:
        self.first = first
        self.last = last
        self.probes = probes
        self.open = open

    @property
    def length_ns(self) -> int:
        """From its first packet to its last."""
        return self.last.ts_ns - self.first.ts_ns


@final
@mypyc_attr(acyclic=True)
class Reset:
    """A RST. `ttl` is its hop limit, `usual_ttl` that of what its sender sent before (-1: nothing was captured)."""

    __slots__ = ("place", "ttl", "usual_ttl")

    def __init__(self, place: PacketRef, ttl: int, usual_ttl: int) -> None:
        self.place = place
        self.ttl = ttl
        self.usual_ttl = usual_ttl


@final
class Spells:
    """Stretches of the same kind: how many, how long together (ns), the first and the longest of them."""

    __slots__ = ("count", "first", "longest", "total_ns")

    def __init__(self, first: Spell) -> None:
        self.count = 0
        self.total_ns = 0
        self.first = first
        self.longest = first
        self.add(first)

    def add(self, spell: Spell) -> None:
        """Count one."""
        self.count += 1
        self.total_ns += spell.length_ns
        if spell.length_ns > self.longest.length_ns:
            self.longest = spell

    def merge(self, other: "Spells") -> None:
        """Count all of another connection."""
        self.count += other.count
        self.total_ns += other.total_ns
        if other.longest.length_ns > self.longest.length_ns:
            self.longest = other.longest


@final
class SideFacts:
    """What one side sends over TCP.

    `segments` are those with payload, `repeats` of them were sent again. `round_trips` (ns) are from a segment to the
    first acknowledgement that covers it, one of each direction every four seconds, and none of what was sent again.
    They are seen from where it was captured: of what the host at hand sends it is the whole way there and back, and of
    what the other host sends only what this one takes to acknowledge (up to 40 ms, with some systems 200 ms). The first
    second of a connection counts by its handshake only (what the client sends), so that short ones cost nothing.

    `closed` are the times in which its receive window was 0: its program does not read what its system has received.
    `unheard` is the longest series of segments sent again while nothing at all came from the other side. `stalls` are
    from small segments whose acknowledgement was delayed as a system delays it (about 40 or 200 ms) to the next bytes,
    which left at once when it came: they had waited for it. `unheld` are small segments that left right behind another
    small one, with nothing of the other side between: this side does not wait.
    """

    __slots__ = ("closed", "repeats", "reset", "round_trips", "segments", "stalls", "unheard", "unheld")

    def __init__(self) -> None:
        self.segments = 0
        self.repeats = 0
        self.unheld = 0
        self.round_trips: Sketch | None = None
        self.closed: Spells | None = None
        self.unheard: Spell | None = None
        self.stalls: Spells | None = None
        self.reset: Reset | None = None

    def add_round_trip(self, taken_ns: int) -> None:
        """Count one."""
        if self.round_trips is None:
            self.round_trips = Sketch()
        self.round_trips.add(taken_ns)

    def add_closed(self, spell: Spell) -> None:
        """Count a time in which the receive window was 0."""
        if self.closed is None:
            self.closed = Spells(spell)
        else:
            self.closed.add(spell)

    def add_unheard(self, spell: Spell) -> None:
        """Keep a series of repeats if it is the longest."""
        if self.unheard is None or spell.probes > self.unheard.probes:
            self.unheard = spell

    def add_stall(self, spell: Spell) -> None:
        """Count a wait for a delayed acknowledgement."""
        if self.stalls is None:
            self.stalls = Spells(spell)
        else:
            self.stalls.add(spell)

    def merge(self, other: "SideFacts") -> None:
        """Add those of another connection."""
        self.segments += other.segments
        self.repeats += other.repeats
        self.unheld += other.unheld
        if other.round_trips is not None:
            if self.round_trips is None:
                self.round_trips = Sketch()
            self.round_trips.merge(other.round_trips)
        if other.closed is not None:
            if self.closed is None:
                self.closed = other.closed
            else:
                self.closed.merge(other.closed)
        if other.unheard is not None:
            self.add_unheard(other.unheard)
        if other.stalls is not None:
            if self.stalls is None:
                self.stalls = other.stalls
            else:
                self.stalls.merge(other.stalls)
        if other.reset is not None:
            self.reset = other.reset


@final
class NetworkFacts:
    """Of a session: `sides`, one entry a side, is None until a connection of it is over."""

    __slots__ = ("sides",)

    def __init__(self) -> None:
        self.sides: tuple[SideFacts, SideFacts] | None = None
