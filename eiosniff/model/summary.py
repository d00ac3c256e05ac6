"""The ledger of a capture as a whole: what is in it, what is wrong with it, which connections did not come about."""

from dataclasses import dataclass, field
from enum import Enum

from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.tally import Tally
from eiosniff.model.unread import Encrypted, Unread


class ConnectFailure(Enum):
    """Why a TCP connection did not come about."""

    REFUSED = "refused"  # SYN answered by RST
    UNANSWERED = "unanswered"  # SYN never answered


@dataclass(slots=True, frozen=True)
class FailedConnect:
    """One connection that did not come about: its first SYN, and the RST or the last repeat of the SYN."""

    syn: PacketRef
    last: PacketRef
    repeats: int


@dataclass(slots=True, eq=False)
class FailedConnects:
    """Connections of one client address to one server that did not come about for the same reason."""

    client: str
    server: Endpoint
    failure: ConnectFailure
    tally: Tally[FailedConnect] = field(default_factory=Tally)
    speaks_engineio: bool = False  # that server speaks Engine.IO elsewhere in this capture
    recovered: bool = False  # a later connection of this client to this server came about


@dataclass(slots=True, frozen=True)
class CaptureProblem:
    """Something wrong with the capture file itself, at or after a packet number."""

    code: str
    text: str
    packet: int


@dataclass(slots=True, eq=False)
class CaptureSummary:
    """A capture as a whole: what is in it, what is wrong with it, what was set aside.

    `set_aside_packets` are the captured packets of TCP connections that are not followed (neither HTTP nor WebSocket,
    or not of the chosen ports), from the first to the last, with or without payload; and those with payload that came
    after the end of a connection that is followed. `set_aside_bytes` is the TCP payload that was captured with them.
    What is not TCP is not among them, but in `other`. `encrypted` are the TLS connections, by server and name: of the
    first so many groups, while `encrypted_connections` counts all. `unread` is what is recognised and not decoded.
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
    cut_bytes: int = 0  # that Engine.IO connections lack for it
    duplicates: Tally[PacketRef] = field(default_factory=Tally)  # Engine.IO connections captured twice: the first copy
    duplicate_packets: int = 0  # with payload, of these connections
    other: dict[str, int] = field(default_factory=dict)  # what else was there: a few words -> packets or connections
    failed_connects: list[FailedConnects] = field(default_factory=list)
    encrypted: list[Encrypted] = field(default_factory=list)
    encrypted_connections: int = 0
    unread: list[Unread] = field(default_factory=list)
