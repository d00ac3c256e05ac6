"""The server's heartbeat is very fast.

## What it reports
A server that announces a `pingInterval` of less than 5 s or a `pingTimeout` of less than 2 s.

## Why it matters
Each ping wakes the radio of a phone or a microcontroller and costs two packets and their acknowledgements, for each
client. A short `pingTimeout` takes clients for dead that were only slow: a Wi-Fi roam, a garbage collection, a phone
that changes cells.

## On the wire
The open packet: `"pingInterval":1000,"pingTimeout":1000` or so. The defaults are 25000 and 20000 (5000 in socket.io 2.1
to 3.1).

## How to fix
Leave the defaults, unless a dead client has to be noticed within seconds. An interval of 5 s and a timeout of 5 s do
for that.

## When it is silent
At the defaults of all servers. It is said once for each server, whatever the number of sessions. The limits are
`interval_ms` and `timeout_ms`.

## References
- socket.io documentation, server options pingInterval and pingTimeout
- python-socketio issue #275
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule

HOUR_MS = 3_600_000


@rule(
    code="EIO046",
    name="heartbeat-too-fast",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The heartbeat is very fast: {times}",
    message="{server} pings each client {pings} times an hour.",
    why="Each ping wakes a radio, and a short pingTimeout takes slow clients for dead.",
    fix=("Server: the defaults, pingInterval 25000 and pingTimeout 20000, do for most.",),
    one_side_tells=True,
    remark=True,
    limits={"interval_ms": 5000, "timeout_ms": 2000},
)
def heartbeat_too_fast(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    handshake = session.handshake
    if handshake is None or handshake is not session.server.handshake:
        return  # once for each server, at its first session
    interval, timeout = handshake.ping_interval_ms, handshake.ping_timeout_ms
    if not interval or timeout is None or (interval >= limits["interval_ms"] and timeout >= limits["timeout_ms"]):
        return
    yield Hit(
        evidence(session.opened, Side.SERVER, "opens the first session"),
        times=f"pingInterval {interval} ms, pingTimeout {timeout} ms",
        pings=HOUR_MS // interval,
    )
