"""The server lets clients of the old protocol in, beside those of the new one.

## What it reports
A server of Socket.IO 3.1 or later in Node that speaks revision 3 of Engine.IO with some clients and revision 4 with
others: the option `allowEIO3` is on, and in use.

## Why it matters
It is meant for the time of a migration. Clients of revision 3 are served by other code: they have to send the
heartbeats themselves, so that a client that falls asleep is noticed later; there is no connection state recovery for
them; and what they are sent is encoded another way. Who no longer has such clients is better off without it.

## On the wire
Sessions with `EIO=3` and with `EIO=4` at one server, each answered in its own revision.

## How to fix
Update the clients that still ask for `EIO=3` (the evidence shows the first of them), then take `allowEIO3: true` out
of the options of the server.

## When it is silent
For servers that speak both with no such option (netty-socketio), for those of Socket.IO 2, which answer everybody in
revision 3, and where the capture shows clients of one revision only. Behind a proxy it is likely: there may be two
servers at one address.

## References
- socket.io documentation, server option `allowEIO3`; "Migrating from 2.x to 3.0"
- Engine.IO protocol, "Difference between v3 and v4"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule

_NODE = "socket.io"
_OLD, _NEW = (":3",), (":4", "4:?")  # asked for, and spoken; of a short session over WebSocket only the former shows
_SPEAK_BOTH = ("3.", "4.")  # versions that can
_OPEN_BOUND = "or older"  # than a version that can


@rule(
    code="EIO121",
    name="eio3-allowed",
    subject=Server,
    severity=Severity.INFO,
    since="0.1.0",
    title="The server lets clients of the old protocol in (allowEIO3)",
    message="{server} speaks Engine.IO 3, that of Socket.IO 2, with some clients and Engine.IO 4 with others: "
    "allowEIO3 is on, and in use.",
    why="The option is meant for the time in which clients are updated. Those of the old protocol have to send the "
    "heartbeats themselves, and get nothing of what came since.",
    fix=("Update the clients that ask for EIO=3, then take allowEIO3 out of the options of the server.",),
    remark=True,
    tolerates_gaps=True,
)
def eio3_allowed(server: Server) -> Iterator[Hit]:
    """See the module."""
    identity = server.identity
    if len(server.revisions) < 2 or identity is None or identity.library != _NODE:
        return
    if not identity.version.startswith(_SPEAK_BOTH) or identity.version.endswith(_OPEN_BOUND):
        return
    old = [place for spoken, place in server.revisions.items() if spoken.endswith(_OLD)]
    new = [place for spoken, place in server.revisions.items() if spoken.endswith(_NEW)]
    if not old or not new:
        return
    first_old, first_new = (min(places, key=lambda place: place.number) for places in (old, new))
    proxied = "server" in server.marks or "via" in server.marks  # Node itself sends neither
    yield Hit(
        evidence(first_old, Side.SERVER, "opens a session in revision 3"),
        evidence(first_new, Side.SERVER, "opens a session in revision 4"),
        certainty=Certainty.LIKELY if proxied else Certainty.CERTAIN,
        doubt="a proxy answers there, which may have a server for each" if proxied else "",
    )
