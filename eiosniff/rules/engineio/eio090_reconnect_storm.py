"""Clients come back in step, all in the same moment.

## What it reports
After many sessions of a server had ended at once: ten handshakes or more (`handshakes`), of which nearly all (`share`,
0.8) come within 300 ms (`wave_ms`).

## Why it matters
A server that has just come up has to open all sessions in one moment: authentication, database, rooms. If that takes
too long, clients give up and come back together again. A random part in the delay spreads them.

## On the wire
Handshake requests of many connections packed together, and nothing before and after. Clients that wait a random time
(JavaScript: half to one and a half times `reconnectionDelay`) come one after the other, over a second or more.

## How to fix
Leave `randomizationFactor` at 0.5 and raise `reconnectionDelay` and `reconnectionDelayMax` with the number of clients
(JavaScript; other libraries have the like). A hand-written client: wait 1 s plus a random part of as much, twice as
much each time. At the server: limit the rate of new connections in the proxy, and close sessions in steps. A
`Retry-After` header does nothing: clients do not read it.

## When it is silent
Where the handshakes are spread, and for fewer than ten. When no sessions had ended together before: clients that come
at the same time for the first time, as a load test does. Where each session had been closed for what its client did,
as the ends follow the openings: what is wrong with all of them comes first.

## References
- socket.io documentation, client options reconnectionDelay, reconnectionDelayMax and randomizationFactor
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import each_by_itself
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="EIO090",
    name="reconnect-storm",
    subject=Server,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Clients come back in step: {count} handshakes within {span}",
    message="{pause} after {ended} sessions of {server} had ended, {count} of {all} handshakes came within {span}.",
    why="Clients that wait the same time after the same event come back in the same moment, and a server that is just "
    "coming up has to take them all at once. A random part in their delay spreads them.",
    fix=(
        "Clients: a random part in the delay, and longer delays (JavaScript: randomizationFactor 0.5, the default; "
        "reconnectionDelay and reconnectionDelayMax raised with the number of clients).",
        "Proxy: limit the rate of new connections (nginx limit_req, HAProxy rate-limit sessions). Clients do not look "
        "at Retry-After.",
    ),
    explains=("no-backoff",),
    hence="{count} clients come back within {span}",
    limits={"handshakes": 10, "share": 0.8, "wave_ms": 300},
)
def reconnect_storm(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for burst in server.fleet.bursts:
        arrivals = burst.arrivals[: burst.count]  # later ones may be second tries
        if len(arrivals) < limits["handshakes"] or each_by_itself(burst):
            continue
        wave = _densest(arrivals, limits["wave_ms"] * NS_PER_MS)
        if len(wave) < limits["share"] * len(arrivals) or len(wave) < limits["handshakes"]:
            continue
        yield Hit(
            evidence(burst.last, burst.side, "the last of the sessions that end together"),
            evidence(wave[0], Side.CLIENT, "the first handshake"),
            evidence(wave[-1], Side.CLIENT, f"the last of {len(wave)}"),
            count=len(wave),
            all=len(arrivals),
            ended=burst.count,
            span=in_ms(wave[-1].ts_ns - wave[0].ts_ns),
            pause=in_ms(wave[0].ts_ns - burst.last.ts_ns),
        )


def _densest(arrivals: list[PacketRef], window_ns: float) -> list[PacketRef]:
    """The most arrivals within a time."""
    low, begin, end = 0, 0, 0
    for high, place in enumerate(arrivals):
        while place.ts_ns - arrivals[low].ts_ns > window_ns:
            low += 1
        if high + 1 - low > end - begin:
            begin, end = low, high + 1
    return arrivals[begin:end]
