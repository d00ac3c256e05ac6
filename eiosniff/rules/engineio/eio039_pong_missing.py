"""A ping of the server was never answered.

## What it reports
In an Engine.IO 4 session: a ping of the server without a pong within `pingTimeout` (both times are in the handshake).

## Why it matters
The server then takes the client for dead and closes the session: the client sees "ping timeout" or "transport close".

## On the wire
The server sends `2`, no `3` of the client follows, and after `pingTimeout` the server closes: Node with an empty close
frame, python-engineio with code 1000, over polling with `1` as the answer to the pending GET. The acknowledgement of
the ping by TCP tells whose fault it is: a ping that is acknowledged has reached the client's operating system, so the
program is frozen or does not know that it must answer; one that is never acknowledged, and sent again and again, did
not get there: the network is gone.

## How to fix
A client that never answered a ping speaks an older protocol, or is hand-written: it must send `3` for each `2`. One
that answered before was kept from it: on a microcontroller by `delay()` or a Wi-Fi scan that keeps `loop()` from
running, in a browser by a long task, on a phone by sleep. Raise `pingTimeout` only if the pauses cannot be avoided.

## When it is silent
When the pong is late but within `pingTimeout`, and when the capture ends before the time is over.

## References
- Engine.IO protocol, revision 4, "Heartbeat"
- socket.io issues #2769 and #3680, socket.io-client-java issue #632
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Beat, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, closing_words, in_ms

# Servers are not exact to the millisecond; python-engineio checks in steps.
TIMER_SLACK = 0.95


@rule(
    code="EIO039",
    name="pong-missing",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client does not answer the server's ping: {verdict}",
    message="{client} leaves a ping unanswered for {waited} (pingTimeout is {limit}). {detail} {end}",
    why="In Engine.IO 4 the server sends PING and the client must answer PONG within pingTimeout; else the server "
    "takes it for dead and closes the session.",
    fix=("{advice}",),
    explains=("sid-expired", "no-connect-packet", "connect-loop", "no-backoff"),
)
def pong_missing(session: Session) -> Iterator[Hit]:
    """See the module."""
    if session.handshake is None or session.handshake.ping_timeout_ms is None or session.pinger is not Side.SERVER:
        return  # the open packet was not captured: no limit to judge by
    limit_ns = session.handshake.ping_timeout_ms * NS_PER_MS
    beat = session.heartbeats.pending
    if beat is None or (not session.on_websocket and session.last_from[Side.CLIENT] is None):
        return
    waited = session.observed_until_ns - beat.ping.ts_ns
    if waited < limit_ns * TIMER_SLACK:
        return
    closing = session.closing
    if closing is not None and closing.side is Side.CLIENT and closing.after_goodbye:
        return
    proof = [evidence(beat.ping, Side.SERVER, 'PING "2"')]
    if beat.ping_acked is not None:
        proof.append(evidence(beat.ping_acked, Side.CLIENT, "acknowledges it by TCP only"))
    end = "The server has not closed the session within the capture."
    if closing is not None:
        proof.append(evidence(closing.place, closing.side, closing_words(closing)))
        end = f"The {closing.side.label} then {closing_words(closing)}."
    verdict, detail, advice = _blame(session, beat)
    yield Hit(
        *proof,
        kind=verdict,
        lasting=closing is None,
        verdict=verdict,
        detail=detail,
        advice=advice,
        waited=in_ms(waited),
        limit=in_ms(limit_ns),
        end=end,
    )


def _blame(session: Session, beat: Beat) -> tuple[str, str, str]:
    """Whose fault it is, what shows it, and what to do."""
    if beat.ping_acked is None:
        return (
            "the network is gone",
            "TCP never acknowledged that ping: it did not reach the client.",
            "Look at the path between the two (Wi-Fi, NAT, VPN): the packets do not arrive. A shorter pingInterval "
            "keeps NAT entries alive and notices sooner.",
        )
    if session.heartbeats.pongs == 0:
        return (
            "it never answers any",
            "TCP acknowledged it, and this client has answered no ping at all.",
            'The client must send "3" for each "2" that it receives: use a client library for Socket.IO 3 or later, or '
            "add the answer to a hand-written one.",
        )
    return (
        "it was frozen",
        "TCP acknowledged it at once, and pings before it were answered "
        f"({session.heartbeats.pongs} of {session.heartbeats.pings}): the client's system is alive, its program did "
        "not run.",
        "Find what blocks the client: delay() or a Wi-Fi scan that starves loop(), a long task in the event loop, a "
        "debugger, sleep. Raise pingTimeout on the server only if such pauses cannot be avoided.",
    )
