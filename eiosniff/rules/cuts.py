"""What sessions that were cut have in common: shared by the rules on proxies that cut, and on ends of many sessions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from eiosniff.knowledge import boxes, timeouts
from eiosniff.knowledge.timeouts import Timeout
from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.fleet import ARRIVALS_NS, BURST_NS, Burst, Cut, Fleet
from eiosniff.model.peers import Server, SidChain
from eiosniff.model.provenance import Side
from eiosniff.model.session import Closing
from eiosniff.model.summary import FailedConnect
from eiosniff.rules.heartbeats import proxy_named
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms
from eiosniff.rules.unknown_sids import processes

# What administrators write; a timer of a proxy is exact to less than this slack.
ROUND_NS: Final = 5 * NS_PER_S
SLACK_NS: Final = 150 * NS_PER_MS
USUAL_INTERVAL_NS: Final = 25 * NS_PER_S  # the default of all servers
# The timers of boxes are that exact, and checked so often.
_EXACT: Final = 0.01
_CHECKED_NS: Final = 350 * NS_PER_MS
# A silence that a session had lived through before (but for this) is not why it was cut.
SURVIVED: Final = 0.98
# So many ends in a moment are one event, and not one timer each.
FEWEST_AT_ONCE: Final = 3
HALF: Final = 0.5
_LEAST_SHARE: Final = 0.1
_MOST_EVENTS: Final = 3
_IN_STEP_NS: Final = 100 * NS_PER_MS
_GOES: Final = ("close frame, code 1001", "close frame, code 1012")  # as `Burst.hows` calls them


def from_to(times_ns: list[int]) -> str:
    """Sorted times in words."""
    first, last = in_ms(times_ns[0]), in_ms(times_ns[-1])
    return first if first == last else f"{first} to {last}"


def is_round(silence_ns: int) -> bool:
    """Whether a time is what somebody wrote into a configuration."""
    return silence_ns > SLACK_NS + NS_PER_S and (silence_ns + SLACK_NS) % ROUND_NS <= 2 * SLACK_NS


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cuts that came after the same time (ns): `usual_ns` is its median."""

    cuts: list[Cut]
    usual_ns: int
    tight: bool

    @property
    def seconds(self) -> float:
        """The time in seconds."""
        return self.usual_ns / NS_PER_S

    @property
    def words(self) -> str:
        """The time in words: `60 s` where that is what somebody has set."""
        return f"{round(self.seconds)} s" if is_round(self.usual_ns) else in_ms(self.usual_ns)

    @property
    def kind(self) -> str:
        """What tells these cuts from others."""
        return f"{self.cuts[0].side.label}-{round(self.seconds)}"

    @property
    def proxy(self) -> str:
        """How the capture shows that a proxy did it; empty where nothing does."""
        return next((words for words in map(proxy_that_cuts, self.cuts) if words), "")

    def shown(self, few: int) -> list[Cut]:
        """The first of them and the last, so many at the most."""
        return [*self.cuts[: few - 1], self.cuts[-1]]


def clusters(cuts: Iterable[Cut], key: Callable[[Cut], int], spread: float, fewest: int) -> list[Cluster]:
    """Groups of at least `fewest` cuts whose times are within a share of each other, the largest first."""
    rest, fewest = sorted(cuts, key=key), max(1, fewest)
    found = []
    while len(rest) >= fewest:
        begin, end, low = 0, 0, 0
        for high in range(len(rest)):
            while low < high and key(rest[high]) > key(rest[low]) * (1 + spread) + _CHECKED_NS:
                low += 1
            if high + 1 - low > end - begin:
                begin, end = low, high + 1
        group = rest[begin:end]
        if len(group) < fewest:
            break
        times = [key(cut) for cut in group]
        tight = times[-1] - times[0] <= times[-1] * _EXACT + _CHECKED_NS
        found.append(Cluster(sorted(group, key=lambda cut: cut.place), round(median(times)), tight))
        del rest[begin:end]
    return found


def of_a_living_server(server: Server) -> Iterator[Cut]:
    """The cuts that are not those of a server that went down."""
    dead = [death.burst for death in deaths(server)]
    return (cut for cut in server.fleet.cuts if burst_of(server.fleet, cut) not in dead)


def proxy_that_cuts(cut: Cut) -> str:
    """How the capture shows that a proxy stands at the end that cut; empty where nothing does."""
    return shown_proxy(cut.side, cut.request, cut.answered)


def shown_proxy(side: Side, request: RequestFacts | None, answered: AnswerFacts | None) -> str:
    """What shows a proxy at one end of a connection, by the handshake: a few words; empty where nothing does."""
    if side is Side.CLIENT:
        return forwarder_shown(request) if request is not None else ""
    return proxy_named(answered)


def forwarder_shown(request: RequestFacts) -> str:
    """What shows that a proxy passed a request on: the name of a header that it added, or its own; else empty."""
    added = boxes.forwarded_headers(request)
    named = boxes.forwarded_by(request) if request.upgrade else None
    return next((name for name in request.header_names if name.lower() in added), named.name if named else "")


def sessions_of(burst: Burst) -> str:
    """How many of the sessions ended, in words."""
    if burst.count >= burst.alive:
        return "its only session" if burst.count == 1 else f"all of its {burst.count} sessions"
    return f"{burst.count} of its {burst.alive} sessions"


def hows_of(burst: Burst) -> str:
    """How they ended, in words."""
    return ", ".join(f"{count} by {how}" for how, count in sorted(burst.hows.items(), key=lambda one: -one[1]))


def suspects(found: list[Timeout]) -> str:
    """Boxes with that timeout, in words."""
    names = [f"{timeout.of} ({timeout.setting})" for timeout in found]
    return "; ".join(names)


# ---------------------------------------------------------------- ends of many sessions


def many_at_once(fleet: Fleet, sessions: float, share: float) -> list[Burst]:
    """Bursts of so many sessions (that are a tenth of all at the least), or of that share of all and at least three.
    Not those of a server that ends sessions all the time."""
    found = [
        burst
        for burst in fleet.bursts
        if (burst.count >= sessions and burst.count >= _LEAST_SHARE * burst.alive)
        or (burst.count >= FEWEST_AT_ONCE and burst.count >= share * burst.alive)
    ]
    if len(found) <= _MOST_EVENTS:
        return found
    return [burst for burst in found if burst.last.ts_ns - burst.first.ts_ns <= BURST_NS // 2]


def burst_of(fleet: Fleet, end: Cut | Closing) -> Burst | None:
    """The burst that an end belongs to."""
    for burst in fleet.bursts:
        if burst.side is end.side and burst.first.number <= end.place.number <= burst.last.number:
            return burst
    return None


def is_of_an_event(fleet: Fleet, end: Cut | Closing) -> bool:
    """Whether a session ended together with others that had been silent for other times: not for its own silence."""
    burst = burst_of(fleet, end)
    return burst is not None and burst.count >= FEWEST_AT_ONCE and not is_of_a_timer(burst)


def is_of_a_timer(burst: Burst) -> bool:
    """Whether the sessions of a burst had all been silent for the same time: then it may be that which ended them."""
    longest = burst.longest_silence_ns
    return longest - burst.shortest_silence_ns <= longest * _EXACT + _CHECKED_NS and (
        is_round(longest) or timeouts.nearest_idle(longest / NS_PER_S, _EXACT)[0] > 0
    )


def each_by_itself(burst: Burst) -> bool:
    """Whether the ends follow the openings, and no close frame says that the server goes: clients that began in step
    and do the same wrong thing after the same time are closed in step, each for itself. An event at the server ends
    sessions in one moment, whenever they began; where all began in one moment nothing tells."""
    if burst.cut or any(how in burst.hows for how in _GOES):
        return False
    begun_ns = burst.opened[1] - burst.opened[0]
    return begun_ns <= _IN_STEP_NS or (burst.oldest_ns - burst.youngest_ns) * 2 <= begun_ns


@dataclass(frozen=True, slots=True)
class Death:
    """A server process that went down: the sessions that ended with it, and what shows that it was gone: a connection
    that was refused or not answered then, and the first id of a process that counts anew."""

    burst: Burst
    refused: FailedConnect | None
    anew: SidChain | None


def deaths(server: Server) -> list[Death]:
    """The times that a server went down with its sessions, as far as the capture shows it."""
    fleet = server.fleet
    found = []
    for burst in fleet.bursts:
        if burst.side is Side.CLIENT or burst.cut * 2 < burst.count or burst.count < HALF * burst.alive:
            continue
        if _lives_on(server, burst):
            continue
        refused, anew = refused_after(fleet, burst), _anew(server, burst)
        if refused is not None or anew is not None:
            found.append(Death(burst, refused, anew))
    return found


def _lives_on(server: Server, burst: Burst) -> bool:
    """Whether the processes that gave out ids before the ends go on counting after them."""
    before = [chain for chain in server.sid_chains if chain.first < burst.first]
    return bool(before) and all(burst.last < chain.last for chain in before)


def refused_after(fleet: Fleet, burst: Burst) -> FailedConnect | None:
    """A connection that did not come about, soon after."""
    until_ns = burst.last.ts_ns + ARRIVALS_NS
    failed = [
        one for group in fleet.failed for one in group.tally if burst.first.ts_ns <= one.syn.ts_ns <= until_ns
    ]  # fmt: skip
    return min(failed, key=lambda one: one.syn.number, default=None)


def _anew(server: Server, burst: Burst) -> SidChain | None:
    """The ids of the process that came after it, if it is the only one."""
    chains = server.sid_chains
    if processes(server) > 1:
        return None
    after = next((at for at, chain in enumerate(chains) if burst.first < chain.first), 0)
    if not after or not all(chain.last < burst.first for chain in chains[:after]):
        return None
    # A burst before that one, if there is one, did not end that process.
    later = (other for other in server.fleet.bursts if burst.last < other.first)
    return None if any(other.first < chains[after].first for other in later) else chains[after]
