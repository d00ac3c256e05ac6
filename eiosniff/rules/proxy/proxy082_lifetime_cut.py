"""Connections are cut at the same age, each time, whatever passes.

## What it reports
Three or more sessions of one server (`fewest_cuts`) whose connections were cut when they had reached the same age, to
two hundredths of it (`spread`), although something had passed just before.

## Why it matters
Heartbeats do not help against that: a platform, proxy or load balancer allows no connection to be older. Every user
loses the connection at that pace, and what is sent meanwhile is lost unless the application cares for it.

## On the wire
Pings, pongs and events as they should be, then FIN or RST without a close frame (or code 1001), at the same time after
the connection was opened: 30 s the backend timeout of a Google Cloud load balancer, 5 min or an hour Cloud Run, two
hours AWS API Gateway.

## How to fix
Raise the longest duration where the platform allows it. Else expect the end: connection state recovery (Socket.IO 4.6)
or an offset of the application's own brings what was missed.

## When it is silent
For fewer than three, for ages that differ or are below 2 s (`shortest_ms`), and for cuts after a silence that the
session had not lived through before (rule PROXY081). Where the sessions ended together (rule PROXY084), a heartbeat was
overdue, or the client's side ends the connections and no proxy shows itself there. Where each was cut within 0.1 s of
what its client said: that looks like a server that cannot bear it.

## References
- Google Cloud documentation, backend service timeout (WebSocket); AWS documentation, quotas of API Gateway
- socket.io-client issue #1436; socket.io documentation, "Connection state recovery"
"""

from collections.abc import Iterator, Mapping

from eiosniff.knowledge.timeouts import nearest_age
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.fleet import Cut
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import (
    FEWEST_AT_ONCE,
    SURVIVED,
    burst_of,
    clusters,
    from_to,
    of_a_living_server,
    proxy_that_cuts,
    suspects,
)
from eiosniff.rules.phrases import NS_PER_MS

_SHOWN = 4
_AT_ONCE_NS = 100 * NS_PER_MS


@rule(
    code="PROXY082",
    name="lifetime-cut",
    subject=Server,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Connections are cut when they are {age} old, each time, although something passes",
    message="{count} connections to {server} were cut from the side of the {side} when they were {age} old{shown}, "
    "{silence} after the last packet. {who}",
    why="A platform, proxy or load balancer allows no connection to get older. Heartbeats do not help against that, "
    "and what is sent while the client is away is lost.",
    fix=(
        "Raise the longest duration of a connection at the platform or proxy, if it can be set.",
        "Else expect the end: connection state recovery (connectionStateRecovery, Socket.IO 4.6 or later), or an "
        "offset of the application's own, brings what was missed.",
    ),
    explains=("connect-loop", "no-backoff", "ws-abnormal-close", "tcp-reset"),
    limits={"fewest_cuts": 3, "spread": 0.02, "shortest_ms": 2000},
)
def lifetime_cut(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if server.fleet.cut_count < limits["fewest_cuts"]:
        return
    shortest_ns = limits["shortest_ms"] * NS_PER_MS
    cuts = [cut for cut in of_a_living_server(server) if cut.age_ns >= shortest_ns and _may_be_age(server, cut)]
    for cluster in clusters(cuts, lambda cut: cut.age_ns, limits["spread"], int(limits["fewest_cuts"])):
        moments = {cut.place.ts_ns // 1_000_000_000 for cut in cluster.cuts}
        if len(moments) < limits["fewest_cuts"] or all(_answers(cut) for cut in cluster.cuts):
            continue
        first = cluster.cuts[0]
        proxy = cluster.proxy
        _, found = nearest_age(cluster.seconds, limits["spread"])
        silences = sorted(cut.silence_ns for cut in cluster.cuts)
        yield Hit(
            *(item for cut in cluster.shown(_SHOWN) for item in (
                evidence(cut.opened, Side.SERVER, "opens a session"),
                evidence(cut.place, cut.side, f"ends its connection ({cut.how.name})"),
            )),
            certainty=Certainty.LIKELY,
            doubt="the application itself may end connections at that age",
            occurrences=len(cluster.cuts),
            kind=cluster.kind,
            age=cluster.words,
            count=len(cluster.cuts),
            side=first.side.label,
            shown=f" (a proxy shows itself: {proxy})" if proxy else "",
            silence=from_to(silences),
            who=f"That age is a limit of {suspects(found)}." if found else "",
            boxes=suspects(found),
        )  # fmt: skip


def _answers(cut: Cut) -> bool:
    """Whether it came right after what the client said, and may be the answer to that."""
    return cut.answers and cut.silence_ns < _AT_ONCE_NS


def _may_be_age(server: Server, cut: Cut) -> bool:
    """Whether the age, and not silence or an event at the server, may be why a session was cut."""
    if cut.overdue or cut.poll or cut.survived_ns < cut.silence_ns * SURVIVED:
        return False
    if cut.side is Side.CLIENT and not proxy_that_cuts(cut):
        return False
    burst = burst_of(server.fleet, cut)
    return burst is None or burst.count < FEWEST_AT_ONCE
