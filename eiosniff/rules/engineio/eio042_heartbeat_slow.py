"""Pings are answered, but late.

## What it reports
A session in which pongs take long again and again: more than a second, or more than half of `pingTimeout`.

## Why it matters
The session lives, but not by much: a pause that is a little longer, and the peer is taken for dead. Whatever delays the
pong delays every other packet too, so that the application is slow.

## On the wire
From `2` to `3`: a healthy peer needs the round trip and a millisecond or two. The acknowledgement by TCP tells where
the time goes: if the ping is acknowledged at once and the pong comes much later, the program is busy; if the
acknowledgement takes as long as the pong, the path is.

## How to fix
Busy: find what holds the event loop (or keeps `loop()` of a microcontroller from running). Path: a better link, less
data at a time, or a `pingTimeout` that leaves room.

## When it is silent
For a single slow pong, or two among many: 95 of 100 have to be late for that not to be chance. When pongs are missing,
that is another finding, and this one its companion. The limits are `pong_ms` and `slow_pongs`.

## References
- Engine.IO protocol, revisions 3 and 4, "Heartbeat"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Beat, Session
from eiosniff.model.tally import Sketch
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import proxy_between, times_ns
from eiosniff.rules.phrases import NS_PER_MS, in_ms

_USUAL_WORST = 0.95


@rule(
    code="EIO042",
    name="heartbeat-slow",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {who} answers pings late: {verdict}",
    message="{client} with {server}: the {who} has answered {count} pings, as a rule after {median}, the slowest after "
    "{worst} (pingTimeout is {limit}). {detail}",
    why="What delays the pong delays every packet, and when it takes as long as pingTimeout the session is closed.",
    fix=("{advice}",),
    explains=("ack-slow",),
    limits={"pong_ms": 1000, "slow_pongs": 2},
)
def heartbeat_slow(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    times, beats = times_ns(session), session.heartbeats
    if times is None or beats.slowest is None or beats.slowest.pong is None:
        return
    timeout_ns = times[1]
    limit_ns = min(limits["pong_ms"] * NS_PER_MS, timeout_ns / 2)
    delays = beats.delays
    if delays.maximum <= limit_ns:
        return
    usual = delays.quantile(_USUAL_WORST)
    if usual <= limit_ns or _from_the_top(delays, limits["slow_pongs"]) <= limit_ns:
        return
    side, slowest = session.pinger.other, beats.slowest
    proof = [evidence(slowest.ping, session.pinger, 'PING "2"')]
    if slowest.ping_acked is not None:
        proof.append(evidence(slowest.ping_acked, side, "acknowledges it by TCP"))
    proof.append(evidence(beats.slowest.pong, side, 'PONG "3", the slowest'))
    verdict, detail, advice = _blame(session, slowest, side)
    yield Hit(
        *proof,
        kind=verdict,
        who=side.label,
        verdict=verdict,
        count=delays.count,
        median=in_ms(delays.median),
        worst=in_ms(delays.maximum),
        limit=in_ms(timeout_ns),
        detail=detail,
        advice=advice,
    )


def _from_the_top(delays: Sketch, place: float) -> int:
    """The value that so many values reach; 0 if there are fewer."""
    return delays.quantile((delays.count - place + 0.5) / delays.count) if delays.count >= place else 0


def _blame(session: Session, slowest: Beat, side: Side) -> tuple[str, str, str]:
    """What takes the time, what shows it, and what to do."""
    acked, delay_ns = slowest.ping_acked, slowest.delay_ns or 0
    if acked is None:
        return (
            "its program is busy, or the path slow",
            "The capture does not show when TCP acknowledged the ping.",
            f"Look at the load of the {side.label}, and at the round trip between the two.",
        )
    acked_ns = acked.ts_ns - slowest.ping.ts_ns
    if acked_ns * 2 > delay_ns:
        return (
            "the path is slow",
            f"TCP needed {in_ms(acked_ns)} to acknowledge the ping of the slowest one: the time is lost on the way.",
            "Look at the path between the two (Wi-Fi, mobile network, VPN, a full queue), and send less at a time. "
            "Raise pingTimeout on the server if it has to stay so slow.",
        )
    proxy = proxy_between(session, side)
    whose = (
        f"the {side.label} behind the proxy ({proxy}), or the way to it," if proxy else f"the {side.label}'s program"
    )
    busy = (
        "Find what keeps the client busy: a long task in the event loop, delay() or a Wi-Fi scan that starves loop(), "
        "a page in the background."
        if side is Side.CLIENT
        else "Find what keeps the server's event loop busy: synchronous work, large JSON, too many clients for one "
        "process."
    )
    return (
        "something behind a proxy is slow" if proxy else "its program is busy",
        f"TCP acknowledged the ping of the slowest one within {in_ms(acked_ns)}: {whose} took the rest.",
        busy,
    )
