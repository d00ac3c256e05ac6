"""A ping was never answered.

## What it reports
A ping without a pong within `pingTimeout` (the handshake tells the time): up to Engine.IO 3 a ping of the client, in
Engine.IO 4 one of the server.

## Why it matters
The side that pings then takes the other one for dead and closes the session: "ping timeout", "transport close".

## On the wire
Engine.IO 4: the server sends `2`, no `3` of the client follows, and after `pingTimeout` the server closes: Node with an
empty close frame, python-engineio with code 1000, over polling with `1` as the answer to the pending GET. Up to
revision 3 the same, the other way round. The acknowledgement of the ping by TCP tells whose fault it is: a ping that is
acknowledged has reached the peer's operating system, so its program is frozen or does not know that it must answer; one
that is never acknowledged, and sent again and again, did not get there: the network is gone. A reverse proxy
acknowledges for what is behind it.

## How to fix
A client that never answered a ping speaks an older protocol, or is hand-written: it must send `3` for each `2`. One
that answered before was kept from it: on a microcontroller by `delay()` or a Wi-Fi scan that keeps `loop()` from
running, in a browser by a long task, on a phone by sleep. A server that does not answer has a blocked event loop. Raise
`pingTimeout` only if the pauses cannot be avoided.

## When it is silent
When the pong is late but within `pingTimeout`, when the capture ends before the time is over, and over polling up to
revision 3, where the pong needs a request to travel on. A client that sends
other things, but no pong, and one that sends a large message meanwhile have rules of their own (EIO044, EIO043). A
proxy that adds no header to the requests cannot be told from a client.

## References
- Engine.IO protocol, revisions 3 and 4, "Heartbeat" and "Timeouts"
- socket.io issues #2769 and #3680, socket.io-client-java issue #632
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Beat, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import (
    BEHIND_PROXY,
    FROZEN,
    GONE,
    TIMER_SLACK,
    advice_behind_proxy,
    behind_proxy,
    held_up,
    nearest,
    proxy_between,
    talks_on,
    times_ns,
)
from eiosniff.rules.phrases import closing_words, in_ms


@rule(
    code="EIO039",
    name="pong-missing",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {who} does not answer the {other}'s ping: {verdict}",
    message="{client} with {server}: the {who} leaves a ping unanswered for {waited} (pingTimeout is {limit}). "
    "{detail} {end}",
    why="{how} must answer PONG within pingTimeout; else the {other} takes it for dead and closes the session.",
    fix=("{advice}",),
    explains=(
        "sid-reused",
        "sid-expired",
        "no-connect-packet",
        "connect-loop",
        "no-backoff",
        "heartbeat-slow",
        "double-heartbeat",
        "abandoned-session",
        "ws-abnormal-close",
        "tcp-reset",
        "ack-missing",
        "ack-slow",
    ),
)
def pong_missing(session: Session) -> Iterator[Hit]:
    """See the module."""
    times = times_ns(session)
    beat = session.heartbeats.pending
    if times is None or beat is None:
        return  # without the open packet there is no limit to judge by
    pinger = session.pinger
    if not session.on_websocket and (session.last_from[Side.CLIENT] is None or pinger is Side.CLIENT):
        return  # over polling the pong of a server needs a request to travel on
    limit_ns = times[1]
    waited = session.observed_until_ns - beat.ping.ts_ns
    closing = session.closing
    if waited < limit_ns * TIMER_SLACK or talks_on(session) or held_up(session) is not None:
        return
    if closing is not None and closing.side is pinger.other and (closing.after_goodbye or pinger is Side.CLIENT):
        return
    proof = [evidence(beat.ping, pinger, 'PING "2"')]
    if beat.ping_acked is not None:
        proof.append(evidence(beat.ping_acked, pinger.other, "acknowledges it by TCP only"))
    end = f"The {pinger.label} has not closed the session within the capture."
    if closing is not None:
        proof.append(evidence(closing.place, closing.side, closing_words(closing)))
        end = f"The {closing.side.label} then {closing_words(closing)}."
    verdict, detail, advice = _blame(session, beat, pinger.other)
    server_pings = pinger is Side.SERVER
    yield Hit(
        *proof,
        kind=verdict,
        lasting=closing is None,
        who=pinger.other.label,
        other=pinger.label,
        how="In Engine.IO 4 the server sends PING and the client"
        if server_pings
        else "Up to Engine.IO 3 (Socket.IO 2) the client sends PING and the server",
        verdict=verdict,
        detail=detail,
        advice=advice,
        waited=in_ms(waited),
        limit=in_ms(limit_ns),
        end=end,
    )


def _blame(session: Session, beat: Beat, side: Side) -> tuple[str, str, str]:
    """Whose fault it is, what shows it, and what to do; `side` is the one that should have answered."""
    known = nearest(session, side).heartbeats.pending or beat
    beats = session.heartbeats
    if known.ping_acked is None:
        return (
            GONE,
            f"TCP never acknowledged that ping: it did not reach the {side.label}.",
            "Look at the path between the two (Wi-Fi, NAT, VPN): the packets do not arrive. A shorter pingInterval "
            "keeps NAT entries alive and notices sooner.",
        )
    if beats.pongs == 0:
        library = "client library for Socket.IO 3 or later" if side is Side.CLIENT else "server of Engine.IO"
        return (
            "it never answers any",
            f"TCP acknowledged it, and this {side.label} has answered no ping at all.",
            f'The {side.label} must send "3" for each "2" that it receives: use a {library}, or add the answer to a '
            "hand-written one.",
        )
    proxy = proxy_between(nearest(session, side), side)
    if proxy:
        return BEHIND_PROXY, behind_proxy(side, proxy), advice_behind_proxy(side)
    blocks = (
        "Find what blocks the client: delay() or a Wi-Fi scan that starves loop(), a long task in the event loop, a "
        "debugger, sleep. Raise pingTimeout on the server only if such pauses cannot be avoided."
        if side is Side.CLIENT
        else "Find what blocks the server's event loop: synchronous work, large JSON, a debugger."
    )
    answered = f"{beats.pongs} of {beats.pings}"
    return (
        FROZEN,
        f"TCP acknowledged it, and pings before it were answered ({answered}): the {side.label}'s system is alive, its "
        "program did not run.",
        blocks,
    )
