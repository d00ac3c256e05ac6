"""One session that was captured at two places: near its client, and near its server."""

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from eiosniff.model.engineio import Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tally import Sketch, Tally

if TYPE_CHECKING:
    from eiosniff.model.session import Session

# Packets that are kept to be compared, of a capture and of one direction of a session; later ones are not compared.
MAX_PASSAGES: Final = 400_000
MAX_OF_A_PATH: Final = 20_000
MAX_LABEL: Final = 60  # characters
NEAR_SERVER: Final = 1 << 40  # what is added to the numbers of packets that are seen near the server
HELD_NS: Final = 1_000_000_000  # what is under way for longer is held


@final
class Path:
    """What one side of a session said over one transport, as one place shows it: packets of Engine.IO in order, in
    lists of one length.

    `numbers` and `times` (ns) are those of the captured packets that completed them; `digests` stand for their content,
    and are valid in this process; `labels` say what each is in a few words. `cut_ns` is the instant from which on they
    are not kept.
    """

    __slots__ = ("cut_ns", "digests", "labels", "numbers", "times")

    def __init__(self) -> None:
        self.numbers = array("q")
        self.times = array("q")
        self.digests = array("q")
        self.labels: list[str] = []
        self.cut_ns: int | None = None

    def place(self, at: int) -> PacketRef:
        """The captured packet that completed one of them."""
        return PacketRef(self.numbers[at], self.times[at])


@final
class Trail:
    """All that a session said, as one place shows it. `session` is its ledger, None until that is settled."""

    __slots__ = ("paths", "session", "sid")

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.session: Session | None = None
        self.paths: dict[tuple[Transport, Side], Path] = {}


@final
class Clocks:
    """How far the clock near the servers is ahead of that near the clients, from packets that were seen at both places:
    by the quickest of each direction, as NTP does it (RFC 5905, section 8).

    `ahead_ns` is so at `since_ns` (by the clock near the client), and grows by `drift_ppb` ns in each second.
    `unsure_ns` is how far off it may be at the most, as no packet arrives before it was sent; None where only one
    direction tells. `packets` is how many were compared. `is_one` says that it takes them no time at all: these are the
    same packets.
    """

    __slots__ = ("ahead_ns", "drift_ppb", "is_one", "packets", "since_ns", "unsure_ns")

    def __init__(self, ahead_ns: int, unsure_ns: int | None, packets: int) -> None:
        self.ahead_ns = ahead_ns
        self.unsure_ns = unsure_ns
        self.packets = packets
        self.is_one = False
        self.since_ns = 0
        self.drift_ppb = 0

    def at_client(self, ts_ns: int) -> int:
        """An instant by the clock near the server, by that near the client."""
        aligned = ts_ns - self.ahead_ns
        return aligned - (aligned - self.since_ns) * self.drift_ppb // 1_000_000_000 if self.drift_ppb else aligned


@final
class Passage:
    """A packet that left one place and came to the other: `sent` and `arrived`, one of which is None if it was seen at
    one place only. Both as of the crossing: numbered through, by the clock near the client."""

    __slots__ = ("arrived", "label", "sent", "side", "transport")

    def __init__(
        self, side: Side, transport: Transport, label: str, sent: PacketRef | None, arrived: PacketRef | None
    ) -> None:
        self.side = side
        self.transport = transport
        self.label = label
        self.sent = sent
        self.arrived = arrived

    @property
    def delay_ns(self) -> int:
        """How long it was under way; 0 if it was seen at one place only."""
        return self.arrived.ts_ns - self.sent.ts_ns if self.sent is not None and self.arrived is not None else 0


@final
class Way:
    """What became of the packets of one side over one transport.

    `delays` are those of the packets that came to the other place as they were (ns), `slowest` the worst, `held` those
    that took `HELD_NS` or more. `lost` left the one place and never came to the other, although that was captured then,
    and for long enough after; `changed` came with other content; `added` came and were never sent.
    """

    __slots__ = ("added", "changed", "delays", "held", "lost", "slowest")

    def __init__(self) -> None:
        self.delays = Sketch()
        self.slowest: Passage | None = None
        self.held: Tally[Passage] = Tally()
        self.lost: Tally[Passage] = Tally()
        self.changed: Tally[Passage] = Tally()
        self.added: Tally[Passage] = Tally()


@final
class Crossing:
    """A session at two places: `client` is its ledger in the capture that is nearer to the client, `server` that in the
    other one.

    Packets near the server have numbers from `NEAR_SERVER` on. Times are by the clock near the client; `clocks` tells
    that near the server. `client_until_ns` and `server_until_ns` say how long
    each place was captured, by the clock near the client. `resent` says, for each side, that TCP sent something of it
    again, so that the network may be why a packet took long. `is_of_har` says that one of the two is a HAR: it does not
    show how connections end, and may have been written without cookies.
    """

    __slots__ = ("client", "client_until_ns", "clocks", "is_of_har", "resent", "server", "server_until_ns", "ways")

    def __init__(self, client: "Session", server: "Session", clocks: Clocks) -> None:
        self.client = client
        self.server = server
        self.clocks = clocks
        self.client_until_ns = 0
        self.server_until_ns = 0
        self.is_of_har = False
        self.resent = [False, False]
        self.ways: dict[tuple[Transport, Side], Way] = {}

    def near_server(self, place: PacketRef) -> PacketRef:
        """A packet of the capture near the server, as of the crossing."""
        return PacketRef(place.number + NEAR_SERVER, self.clocks.at_client(place.ts_ns))

    @property
    def is_through_proxy(self) -> bool:
        """Whether these are not the same TCP connections at both places (nor translated ones of the same server)."""
        return self.client.server.endpoint != self.server.server.endpoint

    def passages(self, tally: Callable[[Way], Tally[Passage]]) -> list[Passage]:
        """The passages of all ways that a tally of theirs keeps, in order of time."""
        found = [passage for way in self.ways.values() for passage in tally(way)]
        return sorted(found, key=_instant)


@final
class Sides:
    """Two captures that hold the same sessions: where they are in the report, and the sessions that both have."""

    __slots__ = ("client", "clocks", "crossings", "server")

    def __init__(self, client: int, server: int, clocks: Clocks) -> None:
        self.client = client
        self.server = server
        self.clocks = clocks
        self.crossings: list[Crossing] = []

    @property
    def is_copy(self) -> bool:
        """Whether both have the same packets: no packet comes to another place in no time at all."""
        return self.clocks.is_one


def _instant(passage: Passage) -> int:
    place = passage.sent or passage.arrived
    return place.ts_ns if place is not None else 0
