"""A client reads more slowly than the server sends.

## What it reports
A client whose receive window goes to 0 again and again (`closings` times or more, `closed_ms` together): it reads, but
more slowly than the server sends.

## Why it matters
What it has not read waits in the server's memory, more and more of it; each event arrives later than the one before,
and so does each ping. At last the heartbeat fails, or the server runs out of memory.

## On the wire
`Win=0` of the client, a window update when it has read some, and soon `Win=0` again. Between ping and pong passes more
and more time, since the ping waits behind the events.

## How to fix
Send only what the client can use: the newest state at the pace at which it is shown, `socket.volatile.emit` for what is
out of date soon, events put together. At the client: do less for each event. On the server: look at what waits
(`socket.conn.transport.writable`, `socket.conn.writeBuffer.length`) and leave out or disconnect who lags behind.

## When it is silent
For one pause, however long (TCP104), and for a client that is hardly ever behind.

## References
- RFC 9293, section 3.8.6
- socket.io documentation, "Volatile events"; engine.io, `Socket#writeBuffer`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="TCP115",
    name="slow-consumer",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client reads more slowly than the server sends",
    message="{client} with {server}: the client's receive window is 0 for {total} in all, {count} times, of the "
    "{lasted} that the session takes; {segments} segments of the server in that time. {pongs}",
    why="The client reads, but too slowly: what it has not read waits in the server's memory, and every event and ping "
    "comes later than the one before.",
    fix=(
        "Server: send what is out of date soon with socket.volatile.emit(), put events together, and send the newest "
        "state at a pace that the client can show.",
        "Server: look at socket.conn.writeBuffer.length, and leave out or disconnect a client that lags behind.",
        "Client: do less for each event (no layout or file for each), on a microcontroller no delay() in a handler.",
    ),
    explains=(
        "zero-window", "pong-missing", "heartbeat-slow", "eio3-no-client-ping", "tcp-reset", "loss-latency",
        "sid-expired", "connect-loop", "no-backoff", "ack-slow", "ack-missing",
    ),
    limits={"closings": 3, "closed_ms": 1000},
)  # fmt: skip
def slow_consumer(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.network.sides
    closed = sides[Side.CLIENT].closed if sides is not None else None
    if sides is None or closed is None or closed.count < limits["closings"]:
        return
    if closed.total_ns < limits["closed_ms"] * NS_PER_MS:
        return
    delays = session.heartbeats.delays
    yield Hit(
        evidence(closed.first.first, Side.CLIENT, "Win=0: it takes no more"),
        evidence(closed.first.last, Side.CLIENT, "reads on"),
        evidence(closed.longest.first, Side.CLIENT, "Win=0, for the longest time"),
        evidence(closed.longest.last, Side.CLIENT, "the last packet" if closed.longest.open else "reads on"),
        occurrences=closed.count,
        total=in_ms(closed.total_ns),
        count=closed.count,
        lasted=in_ms(max(session.observed_until_ns, closed.longest.last.ts_ns) - session.opened.ts_ns),
        segments=sides[Side.SERVER].segments,
        pongs=f"Its pongs take up to {in_ms(delays.maximum)}." if delays.count else "",
    )
