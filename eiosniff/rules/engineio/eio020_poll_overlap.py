"""A second poll of a session while the first one waits.

## What it reports
A polling GET that the server refuses because another GET of the same session was not answered yet.

## Why it matters
A session has one poll at a time: the server keeps the answer open until it has something to say. A second one is a
protocol violation, and Node servers end the session for it. The client sees "transport error" or "transport close".

## On the wire
A GET with a `sid`, then, before its answer, another GET with the same `sid`, on another connection. The second one
gets 400 (engine.io before 6.4.2: 500) with an empty body, the first one gets `1` (revision 3: `1:1`), and what is
asked later gets 400 with code 1.

## How to fix
Find who asks twice. An HTTP client that tries a request again when the answer takes long: no retries on polls, and a
read time-out above `pingInterval`. Two programs, tabs or workers that share one session id: each needs its own. A
proxy that asks the next server (`proxy_next_upstream`) or a service worker that replays requests.

## When it is silent
When the server takes both (python-socketio does, and each packet goes to one of the two). The GET of an upgrade to
WebSocket may overlap a poll. A poll that was cut before the next one began is rule EIO022.

## References
- Engine.IO protocol, revision 4, "HTTP long-polling": one GET at a time
- engine.io, `lib/transports/polling`, "overlap from client"; recorded with socket.io 2.5 and 4.8
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.overlaps import overlap_proof, refused_overlaps, since_the_first


@rule(
    code="EIO020",
    name="poll-overlap",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A second poll of the session before the first one is answered",
    message="{client} polls a session while a poll of it, {after} old, still waits. The server at {server} refuses the "
    "second ({status}, empty) and ends the session.",
    why="The server answers a poll when it has something to say; until then it is the only one. Two at a time are a "
    "protocol violation.",
    fix=(
        "In the client: no automatic retry of GET requests, and a read time-out above pingInterval (30 s or more).",
        "Look for two programs, tabs or workers that use one session id, and for a proxy or a service worker that "
        "repeats requests.",
    ),
    explains=("sid-reused", "connect-loop", "no-backoff", "no-connect-packet"),
)
def poll_overlap(session: Session) -> Iterator[Hit]:
    """See the module."""
    refused = refused_overlaps(session, "GET")
    if refused:
        first = refused[0]
        yield Hit(*overlap_proof(session, refused, "GET"), after=since_the_first(first), status=first.status)
