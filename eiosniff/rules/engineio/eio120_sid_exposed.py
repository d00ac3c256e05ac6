"""The session id, which is all that a poll needs, can be read on the way.

## What it reports
A session that lives on polling over plain HTTP, one side of which has a public address: its id stands in each URL.

## Why it matters
Whoever has the id of such a session can poll it in the client's place, so that messages get lost, and send events in
the user's name; nothing else is asked for, unless a proxy or the application looks at a cookie.

## On the wire
`sid=` in the URL of each GET and POST, unencrypted. In Socket.IO 2 and older the same id is also the cookie `io`, and
the `socket.id` that applications like to tell other users.

## How to fix
TLS. Then treat the id as a secret all the same: keep it out of logs, and do not tell other users the `socket.id` of a
server of Socket.IO 2 (from 3 on the two differ).

## When it is silent
Between private addresses, and for sessions that live on a WebSocket: what comes for these over polling is refused.

## References
- engine.io, `lib/server.ts`, verify(): the id, and nothing else, is looked up
- socket.io documentation, "Migrating from 2.x to 3.0": the id of the socket is no longer that of the session
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.exposure import public_peer

_ID_OF_SOCKET = 4  # the last revision of Socket.IO in which the id of the socket is that of the session


@rule(
    code="EIO120",
    name="sid-exposed",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="Who reads along can take the session over",
    message="{client} polls {server} unencrypted, and {public} is a public address: the session id stands in the URL "
    "of {polls} requests{more}.",
    why="A request needs no more than the id of the session. Whoever has it gets the messages, and can send some in "
    "the user's name.",
    fix=("Use TLS (https:// in the client), and keep session ids out of logs.",),
    remark=True,
    hence="who reads along can take the session over: its id stands in the URL of {polls} requests",
)
def sid_exposed(session: Session) -> Iterator[Hit]:
    """See the module."""
    if session.on_websocket or session.sid is None:
        return
    public = public_peer(session)
    if public is None or session.encrypted or session.costs.requests < 2:
        return
    told = session.socketio is not None and session.socketio <= _ID_OF_SOCKET
    yield Hit(
        evidence(session.opened, Side.SERVER, f"opens session {session.sid}"),
        evidence(session.last, None, "still polling"),
        public=public,
        polls=session.costs.requests - 1,
        more=", and is the socket.id that applications tell other users" if told else "",
    )
