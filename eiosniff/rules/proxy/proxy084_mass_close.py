"""Many sessions of a server end in the same moment.

## What it reports
Ten sessions or more (`sessions`, and a tenth of all) of one server that its side ends within 2 s, or at least half
(`share`) of those that are open, if that is three or more.

## Why it matters
No single client or network does that: it is one event at the server, or at the proxy in front of it. All these users
are away for a moment, and all come back at the same time, which is when a server falls over (rule EIO090).

## On the wire
Close frames (1001 "going away", 1012 "service restart", or none), Engine.IO packets `1`, FIN or RST on many connections
within a second. How long each had been silent before differs.

## How to fix
Look at what happened then: a deployment, a reload of the proxy (nginx ends its old workers, and with
`worker_shutdown_timeout` their connections), a process that was killed or ran out of memory, an application that tells
all clients to leave. Take servers out one by one, and let the load balancer drain each first; close sessions in steps.

## When it is silent
For sessions whose heartbeat was overdue (the network failed, or the clients), for those that their clients end by
themselves, for a server that ends sessions all the time, and where all had been silent for the same round time: then a
timer ended them (rule PROXY081). Where the ends follow the openings, unless a close frame says that the server goes
(1001, 1012) or connections are refused then: clients that start in step and make the same mistake are closed in step,
each for what it did. It is an error where connections are refused after that, and no client came back in the capture.

## References
- RFC 6455, section 7.4.1 and the IANA registry of close codes (1012); nginx documentation, worker_shutdown_timeout
- socket.io documentation, `server.close()` and `disconnectSockets()`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.fleet import Burst
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import (
    FEWEST_AT_ONCE,
    each_by_itself,
    hows_of,
    is_of_a_timer,
    many_at_once,
    refused_after,
    sessions_of,
    shown_proxy,
)
from eiosniff.rules.phrases import in_ms


@rule(
    code="PROXY084",
    name="mass-close",
    subject=Server,
    severity=Severity.WARNING,
    since="0.1.0",
    title="{count} sessions end in the same moment",
    message="{server} lost {sessions} within {span}, {whose} ({hows}).{gone} {back}",
    why="That is one event at the server, or at the proxy in front of it: a deployment, a reload, a crash. All these "
    "clients come back at the same time.",
    fix=(
        "Look into the logs of the server and the proxy at that moment: what was deployed, reloaded or killed.",
        "Let the load balancer drain a server before it is stopped, one server after the other, and close sessions in "
        "steps and not all at once.",
    ),
    explains=(
        "sid-expired",
        "no-backoff",
        "reconnect-storm",
        "ws-abnormal-close",
        "tcp-refused",
        "duplicate-connections",
        "gateway-5xx",
        "keepalive-race",
        "ack-missing",
    ),
    hence="{count} sessions end within {span}",
    limits={"sessions": 10, "share": 0.5},
)
def mass_close(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for burst in many_at_once(server.fleet, limits["sessions"], limits["share"]):
        refused = refused_after(server.fleet, burst)
        if not _is_one_event(burst) or (refused is None and each_by_itself(burst)):
            continue
        proxied = shown_proxy(burst.side, burst.request, burst.answered)
        if burst.side is Side.CLIENT and (not proxied or burst.count < FEWEST_AT_ONCE):
            continue  # a program with many connections that ends
        span = in_ms(burst.last.ts_ns - burst.first.ts_ns)
        back = burst.arrivals
        proof = [evidence(burst.first, burst.side, "ends the first one"), evidence(burst.last, burst.side, "the last")]
        if refused is not None:
            proof.append(evidence(refused.syn, Side.CLIENT, "a new connection (SYN)"))
            proof.append(evidence(refused.last, None, "refused, or without an answer"))
        if back:
            proof.append(evidence(back[0], Side.CLIENT, "a client comes back"))
        yield Hit(
            *proof,
            certainty=Certainty.CERTAIN,
            severity=Severity.ERROR if refused is not None and not back else None,
            count=burst.count,
            sessions=sessions_of(burst),
            span=span,
            whose="ended by the server's side" if burst.side is Side.SERVER else f"ended by a proxy ({proxied})",
            hows=hows_of(burst),
            gone=" Then nothing listens there: the server was stopped." if refused is not None else "",
            back=f"{len(back)} handshakes came after it, the first {in_ms(back[0].ts_ns - burst.last.ts_ns)} later."
            if back
            else "None of their clients came back in this capture.",
            proxy=proxied,
        )


def _is_one_event(burst: Burst) -> bool:
    """Whether neither heartbeats nor a timer for silence explain that they end together."""
    return burst.overdue * 2 < burst.count and not (burst.cut == burst.count and is_of_a_timer(burst))
