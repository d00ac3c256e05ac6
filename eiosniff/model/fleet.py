"""What the sessions of one server do together: which of them were cut, when many ended at once, who came back then.

Facts of single sessions that only mean something side by side. All of it is bounded; most servers have none of it.
"""

from typing import TYPE_CHECKING, Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow
from eiosniff.model.summary import FailedConnects
from eiosniff.model.tally import Tally

if TYPE_CHECKING:
    from eiosniff.model.session import Session

MAX_CUTS: Final = 256
MAX_BURSTS: Final = 16
MAX_ARRIVALS: Final = 512
MAX_HOWS: Final = 6  # ways to end, of a burst
MAX_FAILED: Final = 64  # groups of connections that did not come about
# Ends within so long of the first of them are one event: a process that goes down, a proxy that is reloaded.
BURST_NS: Final = 2_000_000_000
# Handshakes that come within so long of a burst may be those of clients that come back.
ARRIVALS_NS: Final = 30_000_000_000
BACK_NS: Final = 60_000_000_000
MAX_STAYS: Final = 64  # of a client
MAX_STAY_NAMESPACES: Final = 8


@final
@mypyc_attr(acyclic=True)
class Cut:
    """A session that was ended without a goodbye: its WebSocket by FIN, RST or a close frame that says "going away"
    (1001), or the connection of a GET that waited.

    `since` is the last packet of the session before that (the request, if a GET waited), `interval_ns` the pingInterval
    that was announced, `overdue` says that a ping or a pong should have come by then. `survived_ns` is the longest
    silence that the session had lived through before, `answers` says that the last packet was the client's. `request`
    and `answered` are those of the handshake.
    """

    __slots__ = (
        "address", "answered", "answers", "how", "interval_ns", "opened", "overdue", "place", "poll", "request", "side",
        "since", "survived_ns",
    )  # fmt: skip

    def __init__(
        self,
        place: PacketRef,
        side: Side,
        how: CloseHow,
        since: PacketRef,
        opened: PacketRef,
        address: str,
        poll: bool,
        interval_ns: int | None,
        overdue: bool,
        survived_ns: int,
        answers: bool,
        request: RequestFacts | None,
        answered: AnswerFacts | None,
    ) -> None:
        self.place = place
        self.side = side
        self.how = how
        self.since = since
        self.opened = opened
        self.address = address
        self.poll = poll
        self.interval_ns = interval_ns
        self.overdue = overdue
        self.survived_ns = survived_ns
        self.answers = answers
        self.request = request
        self.answered = answered

    @property
    def silence_ns(self) -> int:
        """For how long nothing had been said."""
        return self.place.ts_ns - self.since.ts_ns

    @property
    def age_ns(self) -> int:
        """From the opening of the session to its end."""
        return self.place.ts_ns - self.opened.ts_ns


@final
@mypyc_attr(acyclic=True)
class Burst:
    """Sessions of one server, open at the same time, that the same side ended within `BURST_NS`.

    `alive` is how many there were when the first one ended: not those over polling that had been silent for so long
    that they were over, although the capture does not show it. `hows`
    counts them by how they ended, in words; `cut` are those without a goodbye or a close frame, `overdue` those whose
    heartbeat was overdue. Silences are those before the ends, ages those at the ends (ns), `opened` is when the first
    and the last of them began (ns). `request` and `answered` are those of the first one's handshake. `arrivals` are the
    first handshakes that came within `ARRIVALS_NS` after it.
    """

    __slots__ = (
        "alive", "answered", "arrivals", "count", "cut", "first", "hows", "last",
        "longest_silence_ns", "oldest_ns", "opened", "overdue", "request", "shortest_silence_ns", "side", "youngest_ns",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        first: PacketRef,
        alive: int,
        request: RequestFacts | None,
        answered: AnswerFacts | None,
    ) -> None:
        self.side = side
        self.request = request
        self.answered = answered
        self.first = first
        self.last = first
        self.alive = alive
        self.count = 0
        self.cut = 0
        self.overdue = 0
        self.hows: dict[str, int] = {}
        self.shortest_silence_ns = 0
        self.longest_silence_ns = 0
        self.youngest_ns = 0
        self.oldest_ns = 0
        self.opened = (0, 0)
        self.arrivals: list[PacketRef] = []


@final
class Fleet:
    """The sessions of one server, without those that were captured in front of a proxy as well.

    `open` are those in memory that were opened and not seen to end, `ended` counts the others; of these `abandoned` are
    those that the server ended because nothing had come from their clients for as long as it waits. `cuts` are the
    first of
    `cut_count`. `bursts` are the largest, in order. `failed` are the connections to this server that did not come
    about; they are known at the end of the capture.
    """

    __slots__ = ("abandoned", "bursts", "cut_count", "cuts", "ended", "failed", "open")

    def __init__(self) -> None:
        self.open: dict[Session, None] = {}
        self.ended = 0
        self.abandoned: Tally[PacketRef] | None = None
        self.cuts: list[Cut] = []
        self.cut_count = 0
        self.bursts: list[Burst] = []
        self.failed: list[FailedConnects] = []


@final
@mypyc_attr(acyclic=True)
class Loss:
    """A WebSocket of a client that ended by FIN or RST, without a close frame or any other goodbye.

    `since` is the last packet of the session before that. `back` is the next handshake of the client, if it was the
    client that ended it.
    """

    __slots__ = ("back", "how", "opened", "place", "side", "since")

    def __init__(self, place: PacketRef, side: Side, how: CloseHow, since: PacketRef, opened: PacketRef) -> None:
        self.place = place
        self.side = side
        self.how = how
        self.since = since
        self.opened = opened
        self.back: PacketRef | None = None


@final
class Losses:
    """The WebSockets of a client that broke off: one tally a side that ended them.

    Those that the client ended itself count if it came back within `BACK_NS`; `gone` is one of which that is open.
    """

    __slots__ = ("by", "gone")

    def __init__(self) -> None:
        self.by: list[Tally[Loss]] = [Tally(), Tally()]
        self.gone: Loss | None = None


@final
@mypyc_attr(acyclic=True)
class Stay:
    """One session of a client that had others at the same time.

    `alive` is how many it had when this one was opened, with it. `request` is that of the handshake. `last` is its last
    packet; `end` and `by` are those of its end, None where the capture shows none. `refused` says that the server
    refused requests of it. `namespaces` are the names of those that it joined, the first few.
    """

    __slots__ = ("alive", "by", "end", "last", "namespaces", "opened", "refused", "request")

    def __init__(self, opened: PacketRef, alive: int) -> None:
        self.opened = opened
        self.alive = alive
        self.last = opened
        self.request: RequestFacts | None = None
        self.refused = False
        self.end: PacketRef | None = None
        self.by: Side | None = None
        self.namespaces: tuple[str, ...] = ()


@final
class Company:
    """The sessions of a client that had several at a time: the first few, in the order of their opening, and the most
    that there were (`MAX_STAYS` at the most)."""

    __slots__ = ("peak", "stays")

    def __init__(self) -> None:
        self.stays: list[Stay] = []
        self.peak = 1
