"""A second POST of a session while the body of the first one is on its way.

## What it reports
A POST that the server refuses because another POST of the same session was not over yet.

## Why it matters
Packets have an order, and over HTTP only the order of the requests keeps it. So a client may send the next POST when
the one before is answered. Node servers end the session for a second one; the client sees "transport error".

## On the wire
Two POSTs with one `sid`, on two connections, the second before the first is whole. It gets 400 (engine.io before
6.4.2: 500) with an empty body, the connection of the first one is ended, and what is asked later gets 400 with code 1.

## How to fix
In a hand-written client: collect packets while a POST is under way, and send them together (Engine.IO 4 joins them
with the byte 0x1e) when it is answered. No automatic retry of POSTs either: a packet that arrived would arrive twice.

## When it is silent
When each POST is whole before the next one comes: short ones from two connections are served, and only their order is
left to chance. python-socketio takes them side by side.

## References
- Engine.IO protocol, revision 4, "HTTP long-polling": one POST at a time
- engine.io, `lib/transports/polling`, "data request overlap from client"; recorded with socket.io 2.5 and 4.8
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.overlaps import overlap_proof, refused_overlaps, since_the_first


@rule(
    code="EIO021",
    name="post-overlap",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A second POST of the session before the first one is over",
    message="{client} sends a POST while another one of the same session, begun {after} before, is still on its way. "
    "The server at {server} refuses the second ({status}, empty) and ends the session.",
    why="Packets must arrive in order, and over HTTP nothing keeps it but one POST at a time. Two are a protocol "
    "violation.",
    fix=(
        "In the client: send the next POST when the one before is answered, and put what waits into one body.",
        "No automatic retry of POST requests: a packet that arrived would arrive twice.",
    ),
    explains=("sid-reused", "connect-loop", "no-backoff", "no-connect-packet"),
)
def post_overlap(session: Session) -> Iterator[Hit]:
    """See the module."""
    refused = refused_overlaps(session, "POST")
    if refused:
        first = refused[0]
        yield Hit(*overlap_proof(session, refused, "POST"), after=since_the_first(first), status=first.status)
