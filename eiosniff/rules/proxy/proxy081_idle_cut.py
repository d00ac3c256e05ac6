"""Connections are cut after the same silence, each time.

## What it reports
Two or more sessions of one server (`fewest_cuts`) whose connections were cut after nothing had passed for the same
time, while no heartbeat was due yet.

## Why it matters
Something between client and server, mostly a proxy, a load balancer or a NAT gateway, gives up connections on which
nothing passes. Users lose their connection whenever nobody writes, and come back a moment later, for ever.

## On the wire
Silence, then FIN or RST without a close frame (some boxes close with code 1001), from the side of the box. The length
of the silence is that of a timer: the same each time, to a part of a second, and mostly a round number or a known
default: 60 s nginx, AWS ALB and Apache, 50 s or 60 s HAProxy, 55 s Heroku, 100 s Cloudflare, 350 s AWS NLB and NAT
gateway.

## How to fix
Raise the timeout of the box above `pingInterval` (25 s by default): nginx `proxy_read_timeout 75s`, HAProxy
`timeout tunnel 1h` with `timeout client` and `timeout server` above 30 s. Where it cannot be raised, let the server
ping more often: `pingInterval` at half of the timeout.

## When it is silent
Where the silences of the cut sessions differ by more than a tenth (`spread`), or are shorter than 2 s (`shortest_ms`).
Where a ping or a pong was overdue: then that side failed. Where a session had lived through a longer silence before.
Where the sessions end in one moment after different silences (rule PROXY084), or the server went down (TCP207). Where
the server announced a `pingInterval` of more than 25 s and the silence was shorter: that configuration is the cause
(PROXY045). For connections that the client's side ends, unless a proxy shows itself there.

## References
- socket.io documentation, "Behind a reverse proxy" and "Troubleshooting connection issues"; socket.io issue #3025
- nginx documentation, proxy_read_timeout; HAProxy configuration manual, timeout tunnel
"""

from collections.abc import Iterator, Mapping

from eiosniff.knowledge.timeouts import nearest_idle
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.fleet import Cut
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import (
    FEWEST_AT_ONCE,
    SURVIVED,
    USUAL_INTERVAL_NS,
    Cluster,
    clusters,
    is_of_an_event,
    is_round,
    of_a_living_server,
    proxy_that_cuts,
    suspects,
)
from eiosniff.rules.phrases import NS_PER_MS, in_ms

# So near to a known timeout that it is meant.
_EXACT = 0.02
_SHOWN = 3
_ENDS = {
    CloseHow.FIN: "FIN",
    CloseHow.RST: "RST",
    CloseHow.WS_CLOSE: "close frame, code 1001",
    CloseHow.UNSEEN: "a HAR does not tell how",
}


@rule(
    code="PROXY081",
    name="idle-cut",
    subject=Server,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Connections are cut after {silence} of silence, each time",
    message="{count} connections to {server} were cut ({how}) after {silence} in which nothing was said, from the side "
    "of the {side}{shown}. {who}",
    why="A proxy, load balancer or NAT gateway gives up connections on which nothing passes for that long. The next "
    "heartbeat, which would have kept them alive, was not due yet{pings}.",
    fix=(
        "Raise the timeout of the proxy above pingInterval (25 s by default): nginx proxy_read_timeout 75s; HAProxy "
        "timeout tunnel 1h, timeout client and timeout server 75s; the idle timeout of the load balancer.",
        "If it cannot be raised: a pingInterval of half that time on the server (Node: pingInterval, in ms; Python: "
        "ping_interval, in s).",
    ),
    explains=(
        "sid-expired",
        "connect-loop",
        "no-backoff",
        "mass-close",
        "reconnect-storm",
        "ws-abnormal-close",
        "half-open",
        "tcp-reset",
        "keepalive-race",
    ),
    hence="connections are cut after {silence} of silence",
    limits={"fewest_cuts": 2, "spread": 0.1, "shortest_ms": 2000},
)
def idle_cut(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if server.fleet.cut_count < limits["fewest_cuts"]:
        return
    shortest_ns = limits["shortest_ms"] * NS_PER_MS
    cuts = [cut for cut in of_a_living_server(server) if cut.silence_ns >= shortest_ns and _may_be_idle(server, cut)]
    for cluster in clusters(cuts, lambda cut: cut.silence_ns, limits["spread"], int(limits["fewest_cuts"])):
        certainty, doubt = _certainty(cluster)
        if certainty is None:
            continue
        first, count = cluster.cuts[0], len(cluster.cuts)
        proxy = cluster.proxy
        _, found = nearest_idle(cluster.seconds, _EXACT if cluster.tight else limits["spread"])
        yield Hit(
            *(item for cut in cluster.shown(_SHOWN) for item in (
                evidence(cut.since, None, "the last packet before the silence"),
                evidence(cut.place, cut.side, f"cut ({_ENDS[cut.how]})"),
            )),
            certainty=certainty,
            doubt=doubt,
            occurrences=count,
            kind=cluster.kind,
            silence=cluster.words,
            count=count,
            how=" or ".join(dict.fromkeys(_ENDS[cut.how] for cut in cluster.cuts)),
            side=first.side.label,
            shown=f" (a proxy shows itself: {proxy})" if proxy else "",
            who=f"That time is the default of {suspects(found)}." if found else "It is a timer that somebody has set.",
            pings=f" (pingInterval {in_ms(first.interval_ns)})" if first.interval_ns else "",
            proxy=proxy,
            boxes=suspects(found),
        )  # fmt: skip


def _may_be_idle(server: Server, cut: Cut) -> bool:
    """Whether silence may be why a session was cut."""
    if cut.overdue or cut.survived_ns >= cut.silence_ns * SURVIVED:
        return False
    interval_ns = cut.interval_ns
    if interval_ns is not None and interval_ns > max(USUAL_INTERVAL_NS, cut.silence_ns) and is_round(cut.silence_ns):
        return False  # PROXY045 speaks of it
    if cut.side is Side.CLIENT and not proxy_that_cuts(cut):
        return False
    return not is_of_an_event(server.fleet, cut)


def _certainty(cluster: Cluster) -> tuple[Certainty | None, str]:
    """How sure it is that a timer did it, and why it is not certain; None if that is only chance."""
    known = nearest_idle(cluster.seconds, _EXACT)[0]
    moments = {cut.place.ts_ns // 1_000_000_000 for cut in cluster.cuts}
    hidden = "" if cluster.proxy else "no proxy shows itself in the capture"
    if cluster.tight and (known or is_round(cluster.usual_ns)):
        doubt = hidden or ("" if len(moments) > 1 else "all were cut in one moment")
        return Certainty.LIKELY if doubt else Certainty.CERTAIN, doubt
    if len(moments) < FEWEST_AT_ONCE:
        return None, ""
    if cluster.tight:
        return Certainty.LIKELY, hidden or "that time is neither a known default nor a round number, as most timers are"
    if not nearest_idle(cluster.seconds, 0.1)[0]:
        return None, ""
    return Certainty.POSSIBLE, hidden or "the silences differ by more than those of a timer do"
