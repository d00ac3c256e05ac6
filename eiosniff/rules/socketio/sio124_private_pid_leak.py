"""The key with which a session can be taken over crosses a public network in clear.

## What it reports
A server with connection state recovery at a public address that gives its clients their `pid` over a connection without
TLS.

## Why it matters
The `pid` is a secret between server and client: whoever sends it within two minutes after the client is gone gets its
socket id, its rooms and what it missed.

## On the wire
`40{"sid":"...","pid":"..."}` of the server, readable in this capture.

## How to fix
TLS: `https://` and `wss://`. Or do without `connectionStateRecovery`.

## When it is silent
For servers at private addresses and on the same machine: there a capture is taken behind what ends TLS, more often than
not.

## References
- socket.io documentation, "Connection state recovery"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.addresses import is_private
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="SIO124",
    name="private-pid-leak",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The key to recover a session crosses the network in clear",
    message="{server} gives {client} the key (pid) of connection state recovery over a connection without TLS.",
    why="Whoever has read it can take over the socket id and the rooms of the client as soon as that is gone.",
    fix=("Serve Socket.IO over TLS (https:// and wss://), or without connectionStateRecovery.",),
    tolerates_gaps=True,
    remark=True,
)
def private_pid_leak(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        offered = namespace.recovery_offered
        if offered is not None and not is_private(session.server.endpoint.address):
            yield Hit(evidence(offered, Side.SERVER, f"CONNECT {namespace.name} with the key of the session"))
            return
