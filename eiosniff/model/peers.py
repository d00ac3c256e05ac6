"""The ledgers of clients and servers: who talks, how it opened its sessions, and how long these lived."""

from dataclasses import dataclass, field
from typing import NamedTuple

from eiosniff.model.attempt import Attempt, EarlyFrame, Preflight, RefusedRequest, RequestFacts, UpgradeTry
from eiosniff.model.departures import Kick, Recovery
from eiosniff.model.engineio import OpenPacket
from eiosniff.model.fleet import Company, Fleet, Losses
from eiosniff.model.messages import Broadcasts, Unanswered
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.tally import Sketch, Tally


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
    """A client program as the wire shows it: an address and a User-Agent, talking with one server.

    `attempts` are the handshakes of Engine.IO, `attempts09` those of Socket.IO 0.9 (and the first requests of sessions
    of it that began before the capture), in groups of those that are alike. `http_inside` are the handshakes and
    upgrades of which the server wrote HTTP into the WebSocket, after the 101; `early_frames` the frames that it sent
    before; `unknown_sids` the requests with the sid of a session of which the capture holds nothing else, which the
    server does not know either; `preflights` the OPTIONS before a handshake after which a browser does not send it.

    `unanswered` are events whose sessions ended before their acknowledgements came; None while there is none.

    `partner` is the other ledger where there may be two of one program: in Node, polls have a User-Agent and WebSockets
    have none; of a browser, what asks for WebTransport has none. `losses` are its WebSockets that broke off, `company`
    the sessions that it had at the same time, `kicks` those of its sessions out of a namespace, by the server; `joined`
    where a server let it into a namespace last, by the name. Each is None until there is one.
    """

    address: str
    user_agent: str
    server: Endpoint
    polling_request: RequestFacts | None = None
    websocket_request: RequestFacts | None = None
    attempts: dict[tuple[object, ...], Tally[Attempt]] = field(default_factory=dict)
    attempts09: dict[tuple[object, ...], Tally[Attempt]] = field(default_factory=dict)
    http_inside: Tally[Attempt | UpgradeTry] = field(default_factory=Tally)
    early_frames: Tally[EarlyFrame] = field(default_factory=Tally)
    unknown_sids: Tally[RefusedRequest] = field(default_factory=Tally)
    preflights: Tally[Preflight] = field(default_factory=Tally)
    sessions: int = 0
    loops: list[Loop] = field(default_factory=list)  # the longest few
    marks: dict[str, str] = field(default_factory=dict)  # what tells the library, beyond its requests
    identity: Identity | None = None
    partner: "Client | None" = None
    kicks: Tally[Kick] | None = None
    joined: dict[str, PacketRef] | None = None
    losses: Losses | None = None
    company: Company | None = None
    unanswered: Unanswered | None = None


@dataclass(slots=True, eq=False)
class SidChain:
    """Ids that one server process gave out, by the counter at the end of each (see `decode/sessions/sid_chains.py`).

    `first` and `last` are the packets with its first and last id, `low` and `high` their counters.
    """

    first: PacketRef
    last: PacketRef
    low: int
    high: int
    count: int = 1

    def overlaps(self, other: "SidChain") -> bool:
        """Whether both were in use at one time: then they are two processes, and not one that was restarted."""
        return self.first < other.last and other.first < self.last


@dataclass(slots=True, eq=False)
class Server:
    """A server, as the wire shows it: an address and a port.

    `revisions` are those that were asked for and spoken, such as `4:4`, and where the first session with them was
    opened: of sessions that were let go, and once its identity is known of all.

    `sid_chains` are the processes behind it, in the order of their first ids, as far as the counters in session ids
    tell them apart; empty where they hold none.

    `origins` are those of other hosts from which it let requests in with credentials: over polling with
    `Access-Control-Allow-Credentials` for that origin, over WebSocket with cookies; the first few, each with the first
    handshake's answer.
    """

    endpoint: Endpoint
    handshake: OpenPacket | None = None
    sessions: int = 0
    marks: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, PacketRef] = field(default_factory=dict)
    refused: dict[str, None] = field(default_factory=dict)  # revisions, to clients that were let go
    identity: Identity | None = None
    sid_chains: list[SidChain] = field(default_factory=list)
    origins: dict[str, PacketRef] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    recovery: Recovery | None = None  # of the state of sessions, since somebody asked for it
    broadcasts: Broadcasts = field(default_factory=Broadcasts)


class Retired(NamedTuple):
    """A ledger that was let go to make room for others: nothing more is added to it. `server`: of its session or
    client, if that ever answered."""

    ledger: Session | Client | Server
    server: Server | None
