"""The ledger of a capture as a whole: what is in it, what is wrong with it, which connections did not come about."""

from dataclasses import dataclass, field
from enum import Enum

from eiosniff.model.har import FailedRequests
from eiosniff.model.numbering import Numbering
from eiosniff.model.opaque import OpaqueConnection
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.tally import Tally
from eiosniff.model.unread import Encrypted, Unread


class ConnectFailure(Enum):
    """Why a TCP connection did not come about."""

    REFUSED = "refused"  # SYN answered by RST
    UNANSWERED = "unanswered"  # SYN never answered


@dataclass(slots=True, frozen=True)
class FailedConnect:
    """One connection that did not come about: its first SYN, and the RST or the last repeat of the SYN. `told` is how a
    browser tells of it in a HAR, which has no packets: the request of Engine.IO that needed it, and its error."""

    syn: PacketRef
    last: PacketRef
    repeats: int
    told: str = ""


@dataclass(slots=True, eq=False)
class FailedConnects:
    """Connections of one client address to one server that did not come about for the same reason."""

    client: str
    server: Endpoint
    failure: ConnectFailure
    tally: Tally[FailedConnect] = field(default_factory=Tally)
    speaks_engineio: bool = False  # that server speaks Engine.IO elsewhere in this capture
    asked_for_it: bool = False  # the connection was meant for a request of Engine.IO
    recovered: bool = False  # a later connection of this client to this server came about


@dataclass(slots=True, frozen=True)
class CaptureProblem:
    """Something wrong with the capture file itself, at or after a packet number."""

    code: str
    text: str
    packet: int


@dataclass(slots=True, frozen=True)
class LeftUnread:
    """Connections (of TLS with a cipher that is not ours; of QUIC) that there are keys for, that only another program
    can decrypt, and that stayed unread: why, in words that go on a sentence, and what to do about it."""

    tls: bool
    quic: bool
    why: str
    remedy: str


# So many times at which packets were dropped are kept apart; of more, the oldest become one.
MAX_DROPS = 1_000
# Drops that follow each other within this time are one (ns).
_DROPS_APART_NS = 1_000_000_000


@dataclass(slots=True)
class Drops:
    """Packets that the capturing host dropped, some time between two instants; 0: nobody knows how many, for the file
    with all of that time is missing."""

    from_ns: int
    until_ns: int
    packets: int


@dataclass(slots=True, eq=False)
class CaptureSummary:
    """A capture as a whole: what is in it, what is wrong with it, what was set aside.

    `set_aside_packets` are the captured packets of TCP connections that are not followed (neither HTTP nor WebSocket,
    or not of the chosen ports), from the first to the last, with or without payload; and those with payload that came
    after the end of a connection that is followed. `set_aside_bytes` is the TCP payload that was captured with them.
    What is not TCP is not among them, but in `other`. `encrypted` are the TLS connections, by server and name: of the
    first so many groups, while `encrypted_connections` counts all, and `opaque` are the first few of each. `unread` is
    what is recognised and not decoded. `numbering` tells what packet numbers stand for, where they are not those of the
    packets of `file`. `left_unread` is what only another program could have decrypted.
    """

    file: str
    format: str = ""
    link_types: list[str] = field(default_factory=list)
    packets: int = 0
    bytes: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    problems: list[CaptureProblem] = field(default_factory=list)
    connections: int = 0
    engineio_connections: int = 0
    set_aside_packets: int = 0
    set_aside_bytes: int = 0
    gaps: Tally[PacketRef] = field(default_factory=Tally)
    gap_bytes: int = 0
    midstream: Tally[PacketRef] = field(default_factory=Tally)  # Engine.IO connections without their beginning
    one_direction: Tally[PacketRef] = field(default_factory=Tally)  # Engine.IO connections without their other half
    cut: PacketRef | None = None  # the first packet that the snap length cut
    cut_packets: int = 0
    cut_length: int = 0  # what was left of the longest of them
    dropped: int | None = None  # packets that the system or the interface dropped, by the counters of the file
    drops: list[Drops] = field(default_factory=list)  # when, where that is known (of a live capture)
    cut_bytes: int = 0  # that Engine.IO connections lack for it
    duplicates: Tally[PacketRef] = field(default_factory=Tally)  # Engine.IO connections captured twice: the first copy
    duplicate_packets: int = 0  # with payload, of these connections
    other: dict[str, int] = field(default_factory=dict)  # what else was there: a few words -> packets or connections
    failed_connects: list[FailedConnects] = field(default_factory=list)
    failed_requests: list[FailedRequests] = field(default_factory=list)  # of a HAR
    encrypted: list[Encrypted] = field(default_factory=list)
    encrypted_connections: int = 0
    opaque: list[OpaqueConnection] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    numbering: Numbering | None = None
    left_unread: LeftUnread | None = None

    @property
    def is_har(self) -> bool:
        """Whether it is a HAR, which has entries instead of captured packets."""
        return self.numbering is not None and self.numbering.unit == "entry"

    def note_drops(self, from_ns: int, until_ns: int, packets: int) -> None:
        """So many packets were dropped some time between two instants; the latest come last."""
        drops = self.drops
        if packets and drops and drops[-1].packets and from_ns - drops[-1].until_ns <= _DROPS_APART_NS:
            drops[-1].until_ns = max(drops[-1].until_ns, until_ns)
            drops[-1].packets += packets
            return
        drops.append(Drops(from_ns, until_ns, packets))
        if len(drops) > MAX_DROPS:
            second = drops.pop(1)
            drops[0].until_ns = second.until_ns
            drops[0].packets += second.packets
