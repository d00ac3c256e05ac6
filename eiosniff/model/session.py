"""The ledgers: what decoders record of a session, its client and server, and of the whole capture.

Rules look at nothing else. Every ledger is bounded: counters, running figures (`eiosniff.model.tally`), the first few
and the last of what may repeat. They state facts and judge nothing.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, final

from mypy_extensions import mypyc_attr

from eiosniff.model.engineio import WEBSOCKET, OpenPacket, ServerError, Transport
from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef, Side
from eiosniff.model.tally import Sketch, Tally
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import Anomaly

MAX_ANOMALIES: Final = 32
MAX_NAMESPACES: Final = 256
MAX_CONNECTIONS: Final = 64
MAX_GAPS: Final = 64
MAX_ATTEMPT_KINDS: Final = 64
MAX_REVISIONS: Final = 64
MAX_SESSIONS: Final = (
    10_000  # ledgers in memory, and as many of clients and of servers: older ones are folded into these
)
MAX_NAME: Final = 300  # characters kept of a name from the wire


_TRANSPORTS: Final = {transport.value: transport for transport in Transport}


@dataclass(slots=True, eq=False)
class RequestFacts:
    """A handshake request: what it asks for, and what tells which library sent it.

    `eio` is the value of `EIO=`, `transports` all values of `transport=` in order; `header_names` are in order and
    spelling as sent. Texts from the wire are cut at 300 characters.
    """

    place: PacketRef
    stream: int
    method: str
    target: str
    path: str
    query: tuple[tuple[str, str], ...]
    eio: str | None
    transports: tuple[str, ...]
    upgrade: bool
    user_agent: str
    origin: str | None
    host: str
    subprotocol: str | None
    extensions: str | None
    header_names: tuple[str, ...]

    @property
    def transport(self) -> Transport | None:
        """The transport that the request asks for, if it is one that Engine.IO knows."""
        return _TRANSPORTS.get(self.transports[-1]) if self.transports else None


class Outcome(Enum):
    """What became of a handshake request."""

    PENDING = "pending"  # no answer yet, and the connection is open
    OPENED = "opened"  # an open packet came
    REFUSED = "refused"  # an HTTP answer other than 2xx or 101
    UNANSWERED = "unanswered"  # the connection or the capture ended without an answer
    REFUSED_AFTER_101 = "refused after 101"  # HTTP text inside the upgraded stream
    SILENT_AFTER_101 = "silent after 101"  # upgraded, and the server sent nothing at all
    FOREIGN = "foreign"  # an answer that is not Engine.IO


@dataclass(slots=True, eq=False)
class Attempt:
    """One handshake request (without a sid) and its answer.

    `status` is the HTTP status of the (last) answer; `error` the refusal if the body is one; `body` the beginning of
    a foreign answer (up to 300 bytes); `ended` the packet with which the connection ended.
    """

    request: RequestFacts
    outcome: Outcome = Outcome.PENDING
    status: int | None = None
    error: ServerError | None = None
    body: bytes = b""
    answer: PacketRef | None = None
    ended: PacketRef | None = None
    ended_by: Side | None = None
    session: "Session | None" = None
    client_said: bytes = b""  # the first message of the client after a 101

    def signature(self) -> tuple[object, ...]:
        """Attempts with the same signature are repeats of each other."""
        request = self.request
        return (
            request.path, request.eio, request.transports, request.upgrade, self.outcome, self.status,
            self.error and (self.error.code, self.error.style), bool(self.client_said),
        )  # fmt: skip


@final
@mypyc_attr(acyclic=True)
class Beat:
    """One ping, and its pong if it came.

    `ping_acked` is, as long as there is no pong, the first captured packet whose TCP acknowledgement covers the ping:
    it tells a frozen peer (acknowledged by its kernel) from a dead network.
    """

    __slots__ = ("ping", "ping_acked", "pong", "side")

    def __init__(
        self,
        ping: PacketRef,
        side: Side,
        pong: PacketRef | None = None,
        ping_acked: PacketRef | None = None,
    ) -> None:
        self.ping = ping
        self.side = side
        self.pong = pong
        self.ping_acked = ping_acked

    @property
    def delay_ns(self) -> int | None:
        """From ping to pong."""
        return self.pong.ts_ns - self.ping.ts_ns if self.pong else None


@final
class Heartbeats:
    """The heartbeat ledger, in the direction that the revision demands.

    Engine.IO 4: the server pings; up to revision 3: the client pings. `reversed` are pings of the side that must not.
    `pending` is the oldest ping that still waits for a pong, `unanswered` are those sent while another one waited.
    `pauses` are those from one ping to the next (from the opening to the first one).
    """

    __slots__ = (
        "delays", "last", "pauses", "pending", "pings", "pongs", "reversed", "slowest", "unanswered",
    )  # fmt: skip

    def __init__(self) -> None:
        self.pings = 0
        self.pongs = 0
        self.delays = Sketch()
        self.pauses = Sketch()
        self.pending: Beat | None = None
        self.last: Beat | None = None
        self.slowest: Beat | None = None
        self.unanswered: Tally[Beat] = Tally()
        self.reversed: Tally[Beat] = Tally()


class NamespaceState(Enum):
    """Where a namespace stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"


@dataclass(slots=True, eq=False)
class Namespace:
    """One namespace of a session. `unasked` says that the server joined the client without being asked."""

    name: str
    state: NamespaceState = NamespaceState.CONNECTING
    socket_id: str | None = None
    connects: int = 0
    connect: PacketRef | None = None
    connected: PacketRef | None = None
    unasked: bool = False
    auth_keys: tuple[str, ...] = ()
    refused: PacketRef | None = None
    refusal: str = ""
    disconnected: PacketRef | None = None
    disconnected_by: Side | None = None
    early_events: Tally[PacketRef] = field(default_factory=Tally)  # of the client, before it was connected
    events: int = 0


class CloseHow(Enum):
    """The first thing that ended a session."""

    EIO_CLOSE = "Engine.IO close packet"
    WS_CLOSE = "WebSocket close frame"
    FIN = "TCP FIN"
    RST = "TCP RST"
    DISCONNECT = "Socket.IO disconnect"  # of the last namespace; the peer then only hung up


@dataclass(slots=True, eq=False)
class Closing:
    """How a session ended: who did it, how, and the last client packet before it (rule of thumb 1 of the catalogue:
    the close code says little, the packet before it much)."""

    side: Side
    how: CloseHow
    place: PacketRef
    code: int | None = None
    reason: str = ""
    after_goodbye: bool = False  # DISCONNECT of the last namespace or a close packet: an orderly end


@dataclass(slots=True, frozen=True)
class RefusedRequest:
    """A request with the sid of a session, refused."""

    request: PacketRef
    answer: PacketRef
    status: int
    error: ServerError | None
    transport: Transport | None
    after_close: bool
    idle_ns: int  # since the last packet of the session


@dataclass(slots=True, frozen=True)
class Said:
    """A packet as evidence: where, whose, and the beginning of its text as sent (up to 80 bytes)."""

    place: PacketRef
    side: Side
    text: bytes


@final
@mypyc_attr(acyclic=True)
class ConnectionUse:
    """The part that a connection had in a session."""

    __slots__ = ("first", "last", "stream", "transport")

    def __init__(
        self,
        stream: int,
        transport: Transport,
        first: PacketRef,
        last: PacketRef,
    ) -> None:
        self.stream = stream
        self.transport = transport
        self.first = first
        self.last = last


@final
@mypyc_attr(acyclic=True)
class Connection:
    """One TCP connection. Offsets are stream offsets; lists have one entry a side.

    `midstream` says that its SYN was not captured; `gaps` are the numbers of packets that showed one, capped; `seen`
    says which directions were captured. `retransmissions` counts segments whose bytes were sent before, `duplicates`
    those that were captured more than once.
    """

    __slots__ = (
        "bytes", "client", "duplicates", "ends", "first", "gap_bytes", "gaps", "last", "midstream", "retransmissions",
        "seen", "server", "stream",
    )  # fmt: skip

    def __init__(
        self,
        stream: int,
        client: Endpoint,
        server: Endpoint,
        first: PacketRef,
        last: PacketRef,
        midstream: bool = False,
    ) -> None:
        self.stream = stream
        self.client = client
        self.server = server
        self.first = first
        self.last = last
        self.midstream = midstream
        self.bytes = [0, 0]
        self.retransmissions = [0, 0]
        self.duplicates = [0, 0]
        self.gaps: list[int] = []
        self.gap_bytes = 0
        self.seen = [False, False]
        self.ends: list[EndKind | None] = [None, None]


@final
class Session:
    """One Engine.IO session: a sid over all its connections.

    `sid` is None where the capture does not show it. `revisions` has an entry a side: the Engine.IO revision that the
    side speaks, by what it says on the wire, None until something tells. `engineio_counts` and `socketio_counts` are
    packet counts: one dictionary a side, keys as in the report. `foreign` are messages that are not Engine.IO, `odd`
    packets of an unknown type, one tally a side. `gaps` are packets that showed one in its connections, capped.
    `observed_until_ns` is the end of the session, or of the capture.
    """

    __slots__ = (
        "ack_delays", "anomalies", "anomaly_count", "attempt", "claimed_eio", "client", "client_endpoint", "closing",
        "connection_count", "connections", "engineio_counts", "foreign", "gaps", "handshake", "heartbeats", "index",
        "last", "last_from", "midstream", "namespaces", "observed_until_ns", "odd", "opened", "path", "refusals",
        "requests_answered", "revisions", "server", "sid", "socketio_counts", "transports", "upgraded",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        sid: str | None,
        path: str | None,
        client: "Client",
        server: "Server",
        client_endpoint: Endpoint,
        opened: PacketRef,
    ) -> None:
        self.index = index
        self.sid = sid
        self.path = path
        self.client = client
        self.server = server
        self.client_endpoint = client_endpoint
        self.opened = opened
        self.attempt: Attempt | None = None
        self.handshake: OpenPacket | None = None
        self.claimed_eio: str | None = None
        self.revisions: list[int | None] = [None, None]
        self.transports: list[Transport] = []
        self.upgraded: PacketRef | None = None
        self.last = NO_PACKET
        self.last_from: list[PacketRef | None] = [None, None]
        self.closing: Closing | None = None
        self.engineio_counts: list[dict[str, int]] = [{}, {}]
        self.socketio_counts: list[dict[str, int]] = [{}, {}]
        self.namespaces: dict[str, Namespace] = {}
        self.heartbeats = Heartbeats()
        self.foreign: list[Tally[Said]] = [Tally(), Tally()]
        self.odd: list[Tally[Said]] = [Tally(), Tally()]
        self.refusals: Tally[RefusedRequest] = Tally()
        self.requests_answered = 0
        self.anomalies: list[Anomaly] = []
        self.anomaly_count = 0
        self.connections: list[ConnectionUse] = []
        self.connection_count = 0
        self.ack_delays: dict[str, Sketch] = {}
        self.gaps: list[int] = []
        self.midstream = False
        self.observed_until_ns = 0

    @property
    def engineio(self) -> int | None:
        """The revision that the server speaks, else the client's, else the one that the client claims."""
        known = self.revisions[Side.SERVER] or self.revisions[Side.CLIENT]
        if known:
            return known
        return int(self.claimed_eio) if self.claimed_eio in ("1", "2", "3", "4") else None

    @property
    def socketio(self) -> int | None:
        """The Socket.IO revision that goes with the Engine.IO revision; None where no Socket.IO was seen."""
        revision = self.engineio
        if revision is None or not (self.socketio_counts[0] or self.socketio_counts[1]):
            return None
        return 5 if revision >= 4 else 4

    @property
    def pinger(self) -> Side:
        """The side that sends pings in this revision."""
        return Side.SERVER if (self.engineio or 4) >= 4 else Side.CLIENT

    @property
    def on_websocket(self) -> bool:
        """Whether the session lives (lived, at its end) on a WebSocket."""
        return self.upgraded is not None or (len(self.transports) > 0 and self.transports[0] is WEBSOCKET)


@dataclass(slots=True, frozen=True)
class Life:
    """One life of a client at a server: a session, or an attempt that got none."""

    start: PacketRef
    end: PacketRef
    orderly: bool  # the client said goodbye


@dataclass(slots=True, eq=False)
class Loop:
    """Lives that followed each other: each began soon after the one before had ended, and none was orderly."""

    lives: Tally[Life] = field(default_factory=Tally)
    lengths: Sketch = field(default_factory=Sketch)  # ns
    pauses: Sketch = field(default_factory=Sketch)  # ns, from the end of one to the start of the next


@dataclass(slots=True, frozen=True)
class Identity:
    """Which library a peer is, as far as the wire shows: see `eiosniff.knowledge`.

    `version` is a bound such as `4.5 or later`, empty when nothing tells.
    """

    library: str
    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(slots=True, eq=False)
class Client:
    """A client program as the wire shows it: an address and a User-Agent, talking with one server."""

    address: str
    user_agent: str
    server: Endpoint
    polling_request: RequestFacts | None = None
    websocket_request: RequestFacts | None = None
    attempts: dict[tuple[object, ...], Tally[Attempt]] = field(default_factory=dict)
    sessions: int = 0
    loops: list[Loop] = field(default_factory=list)  # the longest few
    marks: dict[str, str] = field(default_factory=dict)  # what tells the library, beyond its requests
    identity: Identity | None = None


@dataclass(slots=True, eq=False)
class Server:
    """A server, as the wire shows it: an address and a port."""

    endpoint: Endpoint
    handshake: OpenPacket | None = None
    sessions: int = 0
    marks: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, None] = field(default_factory=dict)  # asked and spoken, in sessions that were let go
    refused: dict[str, None] = field(default_factory=dict)  # revisions, to clients that were let go
    identity: Identity | None = None


class Retired(NamedTuple):
    """A ledger that was let go to make room for others: nothing more is added to it. `server`: of its session or
    client, if that ever answered."""

    ledger: Session | Client | Server
    server: Server | None
