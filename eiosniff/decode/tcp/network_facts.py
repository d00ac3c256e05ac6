"""What is known of the network under one connection while it lasts, and how a session learns of it at its end."""

from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.network import NetworkFacts, SideFacts, Spell
from eiosniff.model.provenance import PacketRef


@final
@mypyc_attr(acyclic=True)
class Again:
    """A segment that brought bytes again; a `copy` was captured twice and not sent twice."""

    __slots__ = ("copy", "place", "way")

    def __init__(self, place: PacketRef, way: int, copy: bool) -> None:
        self.place = place
        self.way = way
        self.copy = copy


@final
class FlowWay:
    """One direction of a connection: what counts, and what is not decided yet.

    `slot` is the last one of which a round trip was (or is) measured; `waiting` the samples whose acknowledgement has
    not come (sequence number of their end, packet). `closed` is the packet that closed the receive window of this
    sender, `probes` the packets since that say so again. `series` are the packets of a series of repeats.
    """

    __slots__ = ("closed", "facts", "probes", "repeated", "series", "series_first", "slot", "ttl", "waiting")

    def __init__(self) -> None:
        self.facts = SideFacts()
        self.slot = -1
        self.waiting: list[tuple[int, PacketRef]] | None = None
        self.closed: PacketRef | None = None
        self.probes = 0
        self.series = 0
        self.series_first: PacketRef | None = None
        self.repeated: PacketRef | None = None
        self.ttl = -1

    def end_series(self) -> None:
        """The other side was heard, or the connection is over."""
        first, last = self.series_first, self.repeated
        if first is not None and last is not None:
            self.facts.add_unheard(Spell(first, last, self.series))
        self.series = 0
        self.series_first = self.repeated = None


@final
class FlowFacts:
    """What is known of a followed connection: `since` is the packet that told what it is, `first_ns` when it began,
    `handshake_ns` what the server took for the answer to its SYN (-1: not known).

    `segments` are those with payload, by direction, `unheld` the small ones of them that left right behind another one.
    `again` are the segments of the batch at hand that brought bytes again. `tail_*` are of the last packet: its number
    and instant, its direction, and whether it has little payload; if it acknowledges late what came before it, `late`
    is the packet that waited for that.
    """

    __slots__ = (
        "_ways", "again", "first_ns", "handshake_ns", "late", "segments_0", "segments_1", "since", "tail_ns",
        "tail_number", "tail_small", "tail_way", "unheld_0", "unheld_1",
    )  # fmt: skip

    def __init__(self, since: int, first_ns: int, handshake_ns: int) -> None:
        self.since = since
        self.first_ns = first_ns
        self.handshake_ns = handshake_ns
        self.segments_0 = 0
        self.segments_1 = 0
        self.unheld_0 = 0
        self.unheld_1 = 0
        self.again: list[Again] | None = None
        self.late: PacketRef | None = None
        self.tail_number = 0
        self.tail_ns = 0
        self.tail_way = 0
        self.tail_small = False
        self._ways: tuple[FlowWay, FlowWay] | None = None  # most connections of polling never have anything to tell

    @property
    def is_plain(self) -> bool:
        """Whether nothing but segments was counted."""
        return self._ways is None

    def way(self, way: int) -> FlowWay:
        """A direction."""
        ways = self._ways
        if ways is None:
            ways = self._ways = (FlowWay(), FlowWay())
        return ways[way]

    def note_again(self, number: int, ts_ns: int, way: int, copy: bool) -> None:
        """A segment of the batch at hand brought bytes again."""
        if self.again is None:
            self.again = []
        self.again.append(Again(PacketRef(number, ts_ns), way, copy))

    @property
    def is_waiting(self) -> bool:
        """Whether a direction waits for an acknowledgement."""
        ways = self._ways
        return ways is not None and (ways[0].waiting is not None or ways[1].waiting is not None)

    @property
    def repeats(self) -> bool:
        """Whether something was sent again, in this batch or before it, and nobody was heard since."""
        ways = self._ways
        return self.again is not None or (ways is not None and (ways[0].series > 0 or ways[1].series > 0))

    @property
    def has_closed_window(self) -> bool:
        """Whether a receive window is 0."""
        ways = self._ways
        return ways is not None and (ways[0].closed is not None or ways[1].closed is not None)

    def settle(self, last: PacketRef) -> None:
        """The connection is over, with this packet."""
        if self._ways is None:
            return
        for way in self._ways:
            way.end_series()
            if way.closed is not None:
                way.facts.add_closed(Spell(way.closed, last, way.probes, open=True))
                way.closed = None


def add_to(session: NetworkFacts, facts: FlowFacts, client: int, last: PacketRef) -> None:
    """A connection of a session is over with its packet `last`; `client` is the direction of the client."""
    sides = session.sides
    if sides is None:
        sides = session.sides = (SideFacts(), SideFacts())
    sides[client].segments += facts.segments_0
    sides[1 - client].segments += facts.segments_1
    sides[client].unheld += facts.unheld_0
    sides[1 - client].unheld += facts.unheld_1
    if facts.handshake_ns >= 0:
        sides[0].add_round_trip(facts.handshake_ns)
    if not facts.is_plain:
        facts.settle(last)
        sides[0].merge(facts.way(client).facts)
        sides[1].merge(facts.way(1 - client).facts)
