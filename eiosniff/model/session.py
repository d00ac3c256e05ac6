"""The ledgers of sessions and connections: what decoders record of them (`peers` has those of clients and servers,
`summary` that of the whole capture).

Rules look at nothing else. Every ledger is bounded: counters, running figures (`eiosniff.model.tally`), the first few
and the last of what may repeat. They state facts and judge nothing.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.attempt import Attempt, CutRequest, RefusedRequest, Transfer, UpgradeTry
from eiosniff.model.costs import Costs
from eiosniff.model.departures import Kick
from eiosniff.model.engineio import POLLING, OpenPacket, Transport
from eiosniff.model.frames import FrameFigures
from eiosniff.model.messages import MessageFigures
from eiosniff.model.network import NetworkFacts
from eiosniff.model.payloads import PayloadFacts
from eiosniff.model.polling import Polling
from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef, Side
from eiosniff.model.socketio import Parser
from eiosniff.model.tally import Sketch, Tally
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import Anomaly
from eiosniff.model.webtransport import WtTry

if TYPE_CHECKING:
    from eiosniff.model.peers import Client, Server

MAX_ANOMALIES: Final = 32
MAX_NAMESPACES: Final = 256
MAX_CONNECTIONS: Final = 64
MAX_GAPS: Final = 64
MAX_ATTEMPT_KINDS: Final = 64
MAX_REVISIONS: Final = 64
# Ledgers in memory, and as many of clients and of servers: older ones are folded into these.
MAX_SESSIONS: Final = 10_000
MAX_NAME: Final = 300  # characters kept of a name from the wire
MAX_UPGRADES: Final = 8  # tries of a session
SLOW_PONG_NS: Final = 1_000_000_000
LARGE_MESSAGE: Final = 65_536  # bytes


@final
@mypyc_attr(acyclic=True)
class Beat:
    """One ping, and its pong if it came.

    `ping_acked` is the first captured packet whose TCP acknowledgement covers the ping: it tells a frozen peer
    (acknowledged by its kernel) from a dead network. It is known only of pings without a pong, or with one that took
    `SLOW_PONG_NS` or longer.
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

    @property
    def is_slow(self) -> bool:
        """Whether the pong took long, or has not come."""
        pong = self.pong
        return pong is None or pong.ts_ns - self.ping.ts_ns >= SLOW_PONG_NS


@final
class Heartbeats:
    """The heartbeat ledger, in the direction that the revision demands.

    Engine.IO 4: the server pings; up to revision 3: the client pings. `reversed` are pings of the side that must not.
    `pending` is the oldest ping that still waits for a pong, `unanswered` are those sent while another one waited.
    `pauses` are those from one ping to the next (from the opening to the first one). What comes when the session is
    closed already, because its peer does not know that yet, is no heartbeat.
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
    """One namespace of a session. `unasked` says that the server joined the client without being asked.

    `auth_keys` are the names in a client's auth object, up to revision 4 those of the query behind the namespace.

    Connection state recovery (socket.io 4.6): `recovery_offered` is the server's CONNECT that gave the client a `pid`,
    `recovery_asked` the client's CONNECT with the `pid` of an earlier session; `recovery_offset` says that it told the
    offset of the last event too, without which no server can recover. `recovered` is what the server's answer
    (`recovery_answer`) says: it repeats the `pid`, and with it the socket id, or it gives others. None of this holds
    the `pid` itself: whoever has it can take the session over. `last_event` is the server's.

    `auth_in_query` says that the client asked with a query behind the name, as up to revision 4. `doubled` is the first
    CONNECT of the client while another one was under way or had let it in, or just after it left; `double_answer` what
    the server says to it after that, and `double_refused` whether that was an error. `early_events` are those of the
    client before it was let in; `outside_events` those after it was refused, or had left, or had been thrown out: None
    until there is one. `kick` is how the server threw it out last. `admin_event` is the first event of socket.io's
    Admin UI. `connected` is the first CONNECT of the server, `let_in` the last one.
    """

    name: str
    state: NamespaceState = NamespaceState.CONNECTING
    socket_id: str | None = None
    connects: int = 0
    connect: PacketRef | None = None
    connected: PacketRef | None = None
    let_in: PacketRef | None = None
    unasked: bool = False
    auth_keys: tuple[str, ...] = ()
    refused: PacketRef | None = None
    refusal: str = ""
    disconnected: PacketRef | None = None
    disconnected_by: Side | None = None
    early_events: Tally[PacketRef] = field(default_factory=Tally)
    outside_events: Tally[PacketRef] | None = None
    events: int = 0
    recovery_offered: PacketRef | None = None
    recovery_asked: PacketRef | None = None
    recovery_offset: bool = False
    recovery_answer: PacketRef | None = None
    recovered: bool | None = None
    last_event: PacketRef | None = None
    auth_in_query: bool = False
    doubled: PacketRef | None = None
    double_answer: PacketRef | None = None
    double_refused: bool = False
    kick: Kick | None = None
    admin_event: PacketRef | None = None


class CloseHow(Enum):
    """The first thing that ended a session."""

    EIO_CLOSE = "Engine.IO close packet"
    WS_CLOSE = "WebSocket close frame"
    WT_CLOSE = "end of the WebTransport session"
    FIN = "TCP FIN"
    RST = "TCP RST"
    DISCONNECT = "Socket.IO disconnect"  # of the last namespace; the peer then only hung up
    UNSEEN = "end of the WebSocket"  # of which a HAR shows neither how nor, but for what comes before it, by whom


@dataclass(slots=True, eq=False)
class Closing:
    """How a session ended: who did it, how, and the last client packet before it (rule of thumb 1 of the catalogue:
    the close code says little, the packet before it much).

    `acked` is the first captured packet whose TCP acknowledgement covers it: it tells a peer that is frozen from one
    that is gone. It is known only of close frames and packets that come without a goodbye, when a ping was due.
    """

    side: Side
    how: CloseHow
    place: PacketRef
    code: int | None = None
    reason: str = ""
    after_goodbye: bool = False  # DISCONNECT of the last namespace or a close packet: an orderly end
    acked: PacketRef | None = None


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
    those that were captured more than once. `encrypted` says that TLS protected it on its way. `proxied_for`
    is for whom the client connects, if it is a proxy that says so (PROXY protocol).
    """

    __slots__ = (
        "bytes", "client", "duplicates", "encrypted", "ends", "first", "gap_bytes", "gaps", "last", "midstream",
        "proxied_for", "retransmissions", "seen", "server", "stream",
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
        self.proxied_for: Endpoint | None = None
        self.encrypted = False
        self.bytes = [0, 0]
        self.retransmissions = [0, 0]
        self.duplicates = [0, 0]
        self.gaps: list[int] = []
        self.gap_bytes = 0
        self.seen = [False, False]
        self.ends: list[EndKind | None] = [None, None]

    @property
    def peers(self) -> tuple[str, Endpoint]:
        """Between whom it is: other connections of the client have other ports."""
        return self.client.address, self.server


_CLAIMS: Final = {"1": 1, "2": 2, "3": 3, "4": 4}
_SOCKETIO: Final = {3: 4, 4: 5}  # by the revision of Engine.IO


@final
class Session:
    """One Engine.IO session: a sid over all its connections.

    `sid` is None where the capture does not show it. `revisions` has an entry a side: the Engine.IO revision that the
    side speaks, by what it says on the wire, None until something tells. `engineio_counts` and `socketio_counts` are
    packet counts: one dictionary a side, keys as in the report. `foreign` are messages that are not Engine.IO, `odd`
    packets of an unknown type, one tally a side. `parsers`: how each side writes its Socket.IO packets, by what it
    says; None until something tells. `unreadable` counts, for each side, messages that came and could not be read
    because the capture lacks what it takes: some of their bytes, the header that they are attachments of, or the
    context of the compression. `gaps` are packets that showed one in its connections, capped; what is missing came
    after the packet in `gap_starts` at the same place, the last that was understood of that side.

    `socketio_shown` is the Socket.IO revision, if what was said tells it. `observed_until_ns` is the end of the
    session, or of the capture. `socketio09` marks a session of Socket.IO 0.9: it has no revision and no Engine.IO
    packets.

    `proxied_for` is that of the connection on which it was opened. `hops` is the same session as it was captured again
    behind a proxy or a NAT; there `forwarded` is true, `index` 0, and it is not reported or judged by itself.
    `encrypted` says that TLS protected it on its way. `one_direction` says that of a connection only one direction was
    captured. `last_from` is the last packet of each side up to the end of the session (of one that said nothing until
    then: the first after it). `longest_silence_ns` is the longest time from one packet of Engine.IO to the next, of
    either side. `repeats`: how often each side sent bytes again, at the most, before anything new, over the WebSocket
    that the session lived on.

    Over HTTP: `polls` counts the GETs that were answered 200, `head_bytes` and `body_bytes` what requests and answers
    took, one entry a side. `polls_cut` are requests whose connection ended before they were answered, `preflights`
    OPTIONS with its sid that were refused. `cookies_set` are the names of those that the handshake set, and of later
    requests `cookies_returned` counts those that carried one of them, `cookies_missing` the others. `upgrades` are the
    tries to go on over WebSocket: the first few and the last, of `upgrade_count`. Over WebSocket: `ws_pings` and
    `ws_pongs` are control frames (RFC 6455, section 5.5), one tally a side. `transfers` are large messages.
    `webtransports` are the tries to go on over WebTransport, kept and counted likewise.
    """

    __slots__ = (
        "anomalies", "anomaly_count", "attempt", "body_bytes", "claimed_eio", "client",
        "client_endpoint", "closing", "connection_count", "connections", "cookies_missing", "cookies_returned",
        "cookies_set", "costs", "encrypted", "engineio_counts", "foreign", "forwarded", "frames", "gap_starts", "gaps",
        "handshake", "head_bytes", "heartbeats", "hops", "index", "last", "last_from", "longest_silence_ns",
        "messages", "midstream", "namespaces", "network", "observed_until_ns", "odd", "one_direction", "opened",
        "parsers", "path", "payloads", "polling", "polls", "polls_cut", "preflights", "proxied_for", "refusals",
        "repeats", "requests_answered", "revisions", "server", "sid", "socketio09", "socketio_counts",
        "socketio_shown", "transfers", "transports", "unreadable", "upgrade_count", "upgraded", "upgrades",
        "webtransport_count", "webtransports", "ws_pings", "ws_pongs",
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
        self.proxied_for: Endpoint | None = None
        self.opened = opened
        self.attempt: Attempt | None = None
        self.handshake: OpenPacket | None = None
        self.claimed_eio: str | None = None
        self.revisions: list[int | None] = [None, None]
        self.transports: list[Transport] = []
        self.upgraded: PacketRef | None = None
        self.last = NO_PACKET
        self.last_from: list[PacketRef | None] = [None, None]
        self.longest_silence_ns = 0
        self.closing: Closing | None = None
        self.engineio_counts: list[dict[str, int]] = [{}, {}]
        self.socketio_counts: list[dict[str, int]] = [{}, {}]
        self.socketio_shown: int | None = None
        self.parsers: list[Parser | None] = [None, None]
        self.unreadable = [0, 0]
        self.namespaces: dict[str, Namespace] = {}
        self.heartbeats = Heartbeats()
        self.foreign: list[Tally[Said]] = [Tally(), Tally()]
        self.odd: list[Tally[Said]] = [Tally(), Tally()]
        self.refusals: Tally[RefusedRequest] = Tally()
        self.requests_answered = 0
        self.polls = 0
        self.head_bytes = [0, 0]
        self.body_bytes = [0, 0]
        self.polls_cut: Tally[CutRequest] = Tally()
        self.preflights: Tally[RefusedRequest] = Tally()
        self.cookies_set: tuple[str, ...] = ()
        self.cookies_returned = 0
        self.cookies_missing = 0
        self.upgrades: list[UpgradeTry] = []
        self.upgrade_count = 0
        self.webtransports: list[WtTry] = []
        self.webtransport_count = 0
        self.ws_pings: list[Tally[PacketRef]] = [Tally(), Tally()]
        self.ws_pongs: list[Tally[PacketRef]] = [Tally(), Tally()]
        self.transfers: Tally[Transfer] = Tally()
        self.anomalies: list[Anomaly] = []
        self.anomaly_count = 0
        self.connections: list[ConnectionUse] = []
        self.connection_count = 0
        self.gaps: list[int] = []
        self.gap_starts: list[int] = []
        self.midstream = False
        self.observed_until_ns = 0
        self.encrypted = False
        self.forwarded = False
        self.one_direction = False
        self.repeats = [0, 0]
        self.hops: list[Session] = []
        self.socketio09 = False
        self.messages = MessageFigures()
        self.frames = FrameFigures()
        self.payloads = PayloadFacts()
        self.polling = Polling()
        self.costs = Costs()
        self.network = NetworkFacts()

    @property
    def engineio(self) -> int | None:
        """The revision that the server speaks, else the client's, else the one that the client claims.

        Where the wire shows no more than that it is one of 1 to 3, it is the one that the client claims. Clients that
        claim none: engine.io-client up to 0.4 (1), of which Socket.IO never was a part, and some of other makers (3).
        """
        known = self.revisions[Side.SERVER] or self.revisions[Side.CLIENT]
        claimed = _CLAIMS.get(self.claimed_eio or "")
        if known != 3:
            return known or claimed
        if claimed is not None:
            return min(claimed, known)
        return known if self.socketio_counts[0] or self.socketio_counts[1] else None

    @property
    def socketio(self) -> int | None:
        """The Socket.IO revision, by what was said, else the one that goes with the Engine.IO revision; None where no
        Socket.IO was seen, or nothing tells (revision 2 of Engine.IO: 3 or 4)."""
        if not (self.socketio_counts[0] or self.socketio_counts[1]):
            return None
        return self.socketio_shown or _SOCKETIO.get(self.engineio or 0)

    @property
    def pinger(self) -> Side:
        """The side that sends pings in this revision."""
        known = self.revisions[Side.SERVER] or self.revisions[Side.CLIENT] or _CLAIMS.get(self.claimed_eio or "") or 4
        return Side.SERVER if known >= 4 or self.before_intervals else Side.CLIENT

    @property
    def before_intervals(self) -> bool:
        """Whether the server announced no pingInterval: it pings, as engine.io up to 0.2 (revision 1)."""
        handshake = self.handshake
        return handshake is not None and self.claimed_eio in (None, "1") and "pingInterval" not in handshake.keys

    @property
    def on_websocket(self) -> bool:
        """Whether the session lives (lived, at its end) on a WebSocket, or on WebTransport, and not on polling."""
        return self.upgraded is not None or (len(self.transports) > 0 and self.transports[0] is not POLLING)
