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
At the defaults of all servers. The limits are `interval_ms` and `timeout_ms`.

## References
- socket.io documentation, server options pingInterval and pingTimeout
- python-socketio issue #275
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule

HOUR_MS = 3_600_000


@rule(
    code="EIO046",
    name="heartbeat-too-fast",
    subject=Server,
    severity=Severity.INFO,
    since="0.1.0",
    title="The heartbeat is very fast: {times}",
    message="{server} pings each client {pings} times an hour.",
    why="Each ping wakes a radio, and a short pingTimeout takes slow clients for dead.",
    fix=("Server: the defaults, pingInterval 25000 and pingTimeout 20000, do for most.",),
    limits={"interval_ms": 5000, "timeout_ms": 2000},
)
def heartbeat_too_fast(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    handshake = server.handshake
    if handshake is None or not handshake.ping_interval_ms or handshake.ping_timeout_ms is None:
        return
    interval, timeout = handshake.ping_interval_ms, handshake.ping_timeout_ms
    if interval >= limits["interval_ms"] and timeout >= limits["timeout_ms"]:
        return
    yield Hit(
        *_opened(server),
        times=f"pingInterval {interval} ms, pingTimeout {timeout} ms",
        pings=HOUR_MS // interval,
    )


def _opened(server: Server) -> list[Evidence]:
    """The first open packet, where the capture shows which it is."""
    chains = server.sid_chains
    return [evidence(chains[0].first, Side.SERVER, "opens a session")] if chains else []
