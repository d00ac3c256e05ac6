"""A client polls by JSONP, the way of browsers before 2012.

## What it reports
A session whose polling goes through script elements and forms (`j=` in its URL), and what it cost.

## Why it matters
JSONP needs no permission of the server to cross origins, and works without XMLHttpRequest of level 2: for Internet
Explorer 9 and older. It runs whatever the server answers as a script, keeps the page "loading", cannot tell an error
from silence, and has no binary data. Clients of Socket.IO 4 have no such transport any more, so that this is an old
client, or one with `forceJSONP`.

## On the wire
`GET ...transport=polling&j=0`, an answer of the form `___eio[0]("...")` as JavaScript, and POSTs of a form with `d=`.

## How to fix
Take `forceJSONP: true` (or `jsonp: true`) out of the client's options; upgrade the client; let the server answer CORS
requests of the page's origin instead (`cors: { origin: ... }`).

## When it is silent
For polling by XMLHttpRequest or fetch, with `b64=1` too. JSONP of Socket.IO 0.9 goes with its own protocol (EIO006).

## References
- engine.io-client, `polling-jsonp` (up to 5.x); socket.io documentation, "Migrating from 3.x to 4.0"
- recorded with Chromium and socket.io-client 1.3 to 3.1
"""

from collections.abc import Iterator

from eiosniff.model.engineio import POLLING
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.sizes import in_bytes


@rule(
    code="EIO074",
    name="jsonp-in-use",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The client polls by JSONP",
    message="{client} asks {server} with j={number}: {polls} polls through script elements, {sent} of requests and "
    "{received} of answers.",
    why="JSONP is for browsers of before 2012. What the server answers is run as a script, errors look like silence, "
    "and binary data is blown up by base64.",
    fix=(
        "Client: take forceJSONP (jsonp) out of its options, or upgrade it: Socket.IO 4 polls without JSONP.",
        "If it was chosen to cross origins: let the server allow the page's origin (cors: {{ origin: ... }}).",
    ),
    remark=True,
)
def jsonp_in_use(session: Session) -> Iterator[Hit]:
    """See the module."""
    attempt = session.attempt
    if attempt is None or attempt.request.transport is not POLLING:
        return
    number = next((value for name, value in attempt.request.query if name == "j"), None)
    if number is None:
        return
    yield Hit(
        evidence(attempt.request.place, Side.CLIENT, f"{attempt.request.method} {attempt.request.target}"),
        number=number,
        polls=session.polls,
        sent=in_bytes(session.head_bytes[Side.CLIENT] + session.body_bytes[Side.CLIENT]),
        received=in_bytes(session.head_bytes[Side.SERVER] + session.body_bytes[Side.SERVER]),
    )
