"""The server offers no upgrade: clients that begin with polling stay there.

## What it reports
A polling handshake whose open packet offers no other transport, of a session that then lives on polling.

## Why it matters
Over polling each message takes an HTTP request with all its headers. Where that is meant (a host without WebSockets) it
is as it should be; often it is a package that is missing on the server.

## On the wire
`"upgrades":[]` in the answer to `GET ...transport=polling`.

## How to fix
Node: no `allowUpgrades: false` and no `transports: ["polling"]`. python-socketio and Flask-SocketIO: a mode that
can do WebSockets (eventlet, gevent with gevent-websocket, ASGI), or the package simple-websocket for threads.

## When it is silent
When the handshake itself is over WebSocket, where there is nothing to offer, and for sessions of less than half a
minute (`lifetime_ms`). It is an information, and a warning, of short sessions too, where the capture shows that polling
is dear: more than 20 polls (`polls`), 60 a minute or more (`minute_polls`), and 8 or more bytes of headers for each
byte of payload (`header_bytes`).

## References
- Engine.IO protocol, "Handshake"; socket.io documentation, server options `transports` and `allowUpgrades`
- Flask-SocketIO issue #1356; python-engineio documentation, "Standard Threads", and `base_server.py`, `_upgrades()`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.polling_cost import LIMITS, cost_of


@rule(
    code="EIO026",
    name="no-upgrade-offered",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The server offers no upgrade to WebSocket",
    message='{server} offers {client} no other transport than polling ("upgrades":[]): {cost}.',
    why="Over polling each message takes an HTTP request with all its headers. A server offers no WebSocket if its "
    "configuration says so, or if it cannot do any.",
    fix=(
        "If WebSockets are wanted: Node: leave transports and allowUpgrades at their defaults; Python: install "
        "simple-websocket for threads, or run under eventlet, gevent with gevent-websocket, or an ASGI server.",
    ),
    explains=("polling-no-keepalive", "header-weight", "poll-latency"),
    limits=LIMITS,
    hence="the server offers no upgrade to WebSocket",
)
def no_upgrade_offered(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    handshake = session.handshake
    if session.on_websocket or session.midstream or handshake is None or session.upgrade_count:
        return
    if handshake.upgrades or "upgrades" not in handshake.keys:
        return
    cost = cost_of(session)
    if not (cost.hurts(limits) or cost.is_long(limits)):
        return
    yield Hit(
        evidence(session.opened, Side.SERVER, f'opens session {session.sid}, "upgrades":[]'),
        evidence(cost.last, None, "still polling"),
        severity=Severity.WARNING if cost.hurts(limits) else Severity.INFO,
        lasting=True,
        cost=cost,
    )
