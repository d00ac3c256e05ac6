"""A client of Engine.IO 3 at a server of socket.io 3.0.

## What it reports
A session that a client opened with `EIO=3` (or 1 or 2), and whose server answers in revision 4 all the same.

## Why it matters
socket.io 3.0 has no check of the version and no `allowEIO3`: it answers 200 in a framing that the old client cannot
read ("server error"), or opens a session over WebSocket that nobody ever joins.

## On the wire
Over polling the answer begins with `0{` without a length, and the client makes nothing of it: the sid is never used,
and another handshake follows. Over WebSocket the server pings (`2`), which only revision 4 does; the old client waits
for a `40` that a server of this generation never sends unasked.

## How to fix
Upgrade the server to socket.io 3.1 or later and set `allowEIO3: true`, or use a client of Socket.IO 3 or later.

## When it is silent
A server with `allowEIO3` answers `EIO=3` in revision 3: healthy. So is a client that goes on with the session at
a server that does not ping: netty-socketio answers `EIO=3` without a length too, and means revision 3. A handshake
without `EIO` that the client goes on to use in revision 4 is rule EIO005.

## References
- socket.io documentation, "Migrating from 2.x to 3.0"; changelog of 3.1.0
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="EIO004",
    name="eio3-client-on-3.0-server",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client speaks Engine.IO 3, the server Engine.IO 4 without a check (socket.io 3.0)",
    message="{client} opens with {asked}. The server at {server} does not check that and answers in revision 4, "
    "which the client cannot use.",
    why="socket.io 3.0 speaks only Engine.IO 4 but, unlike 3.1 and later, does not refuse older clients: they get an "
    "answer that they cannot read, and try again for ever.",
    fix=(
        "Upgrade the server to socket.io 3.1 or later and set allowEIO3: true for as long as old clients exist.",
        "Or use a client of the server's generation (Socket.IO 3 or later).",
    ),
    explains=(
        "client-ping-in-eio4",
        "pong-missing",
        "ping-missing",
        "no-connect-packet",
        "event-before-connect",
        "handshake-method",
        "connect-loop",
        "no-backoff",
    ),
)
def eio3_client_on_3_0_server(session: Session) -> Iterator[Hit]:
    """See the module."""
    attempt = session.attempt
    if attempt is None or session.claimed_eio not in ("1", "2", "3") or session.revisions[Side.SERVER] != 4:
        return
    beats = (session.heartbeats.last, *session.heartbeats.reversed)
    ping = next((beat.ping for beat in beats if beat is not None and beat.side is Side.SERVER), None)
    if ping is None and session.last_from[Side.CLIENT] is not None:
        return
    sign = "pings, which only Engine.IO 4 does" if ping else 'answers "0{...}" without a length'
    shown = ping or session.opened
    yield Hit(
        evidence(attempt.request.place, Side.CLIENT, f"{attempt.request.method} {attempt.request.target}"),
        evidence(shown, Side.SERVER, sign),
        asked=f"EIO={session.claimed_eio}",
    )
