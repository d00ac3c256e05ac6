"""The server process went down, with all its sessions.

## What it reports
A server that ended the connections of (nearly) all its sessions within 2 s without a goodbye, and that was not there
then: connections to it are refused or not answered, or the ids of later sessions count from the beginning again.

## Why it matters
A process that crashes, is killed for want of memory or is restarted takes all its sessions along: they are only in its
memory. What clients report then (connection lost, refused, session id unknown) are consequences of that one thing.

## On the wire
FIN or RST of the server on every connection, without close frame or Engine.IO packet `1`. Then RST in answer to the
SYNs of clients that come back, or no answer; behind a proxy 502. Ids of socket.io and python-socketio end in a counter
of the process: after a restart it begins at zero.

## How to fix
Find out why it ended: its log, exit code and memory limit (137 is a kill, mostly for want of memory), an exception that
nobody caught, a deployment. Where it was meant: close the server in order on SIGTERM (`io.close()`), and start the next
one before the old one goes.

## When it is silent
When the sessions were ended by close frames or packets `1` (rule PROXY084), when their heartbeats were overdue, and
when only a few of many sessions ended. As a warning, not an error, where the server was back within half a minute
(`away_ms`) and this came only once.

## References
- Node.js documentation, process events `uncaughtException` and `SIGTERM`; socket.io documentation, `server.close()`
- RFC 9293, section 3.10.7 (a SYN to a port where nothing listens is answered by RST)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import Death, deaths, hows_of, sessions_of
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="TCP207",
    name="server-died",
    subject=Server,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server process went down, and its sessions with it",
    message="{server} ended {sessions}{within} without a goodbye ({hows}). {after}",
    why="Sessions live in the memory of a server process: when it crashes, is killed or restarted, all of them are "
    "lost at once. What clients report after that is a consequence.",
    fix=(
        "Find out why the process ended: its log and exit code (137: killed, mostly for want of memory), exceptions "
        "that nobody caught, a deployment at that moment.",
        "If it was meant: close in order on SIGTERM (io.close() in Node), and let the load balancer drain the server "
        "first.",
    ),
    explains=(
        "tcp-refused",
        "tcp-reset",
        "sid-expired",
        "mass-close",
        "reconnect-storm",
        "connect-loop",
        "no-backoff",
        "ws-abnormal-close",
        "duplicate-connections",
        "gateway-5xx",
        "keepalive-race",
        "sid-unknown",
        "sid-reused",
        "ack-missing",
    ),
    hence="the server went down",
    limits={"away_ms": 30_000},
)
def server_died(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if not server.fleet.bursts:
        return
    found = [death for death in deaths(server) if death.burst.overdue * 2 < death.burst.count]
    for death in found:
        burst = death.burst
        back = death.anew.first if death.anew is not None else burst.arrivals[0] if burst.arrivals else None
        away_ns = back.ts_ns - burst.last.ts_ns if back is not None else None
        proof = [evidence(burst.first, Side.SERVER, "ends the first connection without a goodbye")]
        if burst.count > 1:
            proof.append(evidence(burst.last, Side.SERVER, f"the last of {burst.count}"))
        if death.refused is not None:
            proof.append(evidence(death.refused.syn, Side.CLIENT, "a new connection (SYN)"))
            proof.append(evidence(death.refused.last, None, "refused, or without an answer"))
        if death.anew is not None:
            proof.append(evidence(death.anew.first, Side.SERVER, "a session id that counts from the beginning"))
        harmless = len(found) == 1 and away_ns is not None and away_ns < limits["away_ms"] * NS_PER_MS
        doubt = _doubt(death)
        yield Hit(
            *proof,
            certainty=Certainty.LIKELY if doubt else Certainty.CERTAIN,
            doubt=doubt,
            severity=Severity.WARNING if harmless else None,
            sessions=sessions_of(burst),
            within=f" within {in_ms(burst.last.ts_ns - burst.first.ts_ns)}" if burst.count > 1 else "",
            hows=hows_of(burst),
            after=_after(death, away_ns),
        )


def _doubt(death: Death) -> str:
    """Why it is not certain."""
    if death.anew is None:
        return "a proxy that goes down in front of the server looks much the same"
    if death.refused is None and death.burst.count == 1:
        return "the one session may have ended for another reason, before the server was restarted"
    return ""


def _after(death: Death, away_ns: int | None) -> str:
    """What came then, in sentences."""
    told = []
    if death.refused is not None:
        told.append("New connections to it do not come about then.")
    if death.anew is not None and away_ns is not None:
        told.append(f"After {in_ms(away_ns)} there is a process whose session ids count from the beginning.")
    elif away_ns is not None:
        told.append(f"Clients come back after {in_ms(away_ns)}.")
    return " ".join(told)
