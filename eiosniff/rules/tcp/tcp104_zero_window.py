"""A peer does not read what it is sent: its receive window is 0.

## What it reports
A time of `closed_ms` or more in which a side of a session announced a receive window of 0: its system has as much for
its program as it takes, and the program does not fetch it.

## Why it matters
The sender must wait. What it has to say heaps up in its memory, the heartbeat waits behind it, and when that takes
`pingTimeout` the session is closed.

## On the wire
Acknowledgements with `Win=0`, and probes of the sender, which the other side answers with `Win=0` again, until a window
update comes. Wireshark: `tcp.analysis.zero_window`. Since the system acknowledges, the network is in order.

## How to fix
Find what keeps the program from reading: on a microcontroller a handler that takes long, `delay()` or too little
memory; in a browser a long task in the tab; on a server a blocked event loop. And send less to it:
`socket.volatile.emit` for what is out of date soon, pieces instead of large events, a limit of what waits for one
client.

## When it is silent
When the window opens again within a second. A client whose window closes again and again reads too slowly, which is
SLOW-CONSUMER (TCP115).

## References
- RFC 9293, section 3.8.6.1 (probing zero windows)
- socket.io documentation, "Volatile events"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import times_ns
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="TCP104",
    name="zero-window",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {side} stops reading what it is sent",
    message="{client} with {server}: the receive window of the {side} is 0 for {longest}{together}. {end}",
    why="A window of 0 says that the {side}'s system holds as much as it takes and its program does not fetch it. What "
    "the {peer} has to say waits in its memory, the heartbeat with it.",
    fix=("{advice}", "{less}"),
    explains=(
        "pong-missing", "ping-missing", "eio3-no-client-ping", "heartbeat-slow", "ping-timeout-during-transfer",
        "tcp-reset", "loss-latency", "sid-expired", "connect-loop", "no-backoff", "ack-slow", "ack-missing",
    ),
    limits={"closed_ms": 1000},
)  # fmt: skip
def zero_window(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.network.sides
    if sides is None or (sides[0].closed is None and sides[1].closed is None):
        return
    for side in SIDES:
        closed = sides[side].closed
        if closed is None or closed.longest.length_ns < limits["closed_ms"] * NS_PER_MS:
            continue
        longest = closed.longest
        end = f"Then it opens again, and the {side.other.label} goes on."
        if longest.open:
            end = "It does not open again within the capture."
        fatal = longest.open and _missed_heartbeat(session)
        client = side is Side.CLIENT
        yield Hit(
            evidence(longest.first, side, "Win=0: it takes no more"),
            evidence(longest.last, side, "the last packet" if longest.open else "the window opens"),
            kind=side.label,
            severity=Severity.ERROR if fatal else None,
            occurrences=closed.count,
            lasting=longest.open,
            side=side.label,
            peer=side.other.label,
            longest=in_ms(longest.length_ns),
            together=f" ({closed.count} times, {in_ms(closed.total_ns)} together)" if closed.count > 1 else "",
            end=end,
            advice="Find what keeps the client from reading: a long task in the tab or in the event loop, a debugger, "
            "sleep; on a microcontroller a handler that takes long, delay(), or too little memory for what comes."
            if client
            else "Find what blocks the server's event loop: synchronous work, large JSON, a debugger.",
            less="Send less to it: socket.volatile.emit() for what is out of date soon, small events instead of large "
            "ones, and a limit of what may wait for one client."
            if client
            else "Send in pieces, and wait for the acknowledgement of one before the next.",
        )


def _missed_heartbeat(session: Session) -> bool:
    """Whether the time of a ping was over when the session ended, or the capture."""
    times, beat = times_ns(session), session.heartbeats.pending
    if times is None or beat is None:
        return False
    return session.observed_until_ns - beat.ping.ts_ns >= times[1]
