"""A browser keeps the answer from a page of another origin: it says nothing of CORS.

## What it reports
A session opened for a page of another origin whose open packet has no `Access-Control-Allow-Origin`, and that nobody
ever used.

## Why it matters
The server is in order, it answers 200, its log shows a new client every few seconds. But a browser gives a page of
another origin (another host, another port, http instead of https) only answers that allow it. The page sees "xhr poll
error" and tries again for ever; the console of the browser says "blocked by CORS policy".

## On the wire
`GET ...` with `Origin: http://shop.example`, answered 200 with `0{"sid":...}` and without
`Access-Control-Allow-Origin`; no request with that `sid` follows. The client asks for another session a few seconds
later.

## How to fix
Name the origin of the page in the server's options: `cors: { origin: "https://shop.example" }` (Socket.IO 3 and later
allow none by default), Python `cors_allowed_origins=["https://shop.example"]`. Or serve page and Socket.IO under one
host and port, through a proxy. Over WebSocket alone (`transports: ["websocket"]`) CORS does not apply.

## When it is silent
For clients that are no browsers, since nobody else looks at these headers. For sessions that are used (a proxy behind
the capture may add the header), whose client had left before the answer came, or of which the capture shows less than a
second. It is a warning where the client gets in over WebSocket later, which CORS does not keep from it.

## References
- Fetch standard, "CORS check"; socket.io documentation, "Handling CORS"
- socket.io issue #2547
"""

from collections.abc import Iterator

from eiosniff.model.cors import Blocked
from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.origins import EXPLAINED, gets_in_by_websocket, kept_from_page, kept_proof


@rule(
    code="HTTP086",
    name="cors-missing",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The browser keeps the server's answers from the page: they do not allow its origin {origin} (CORS)",
    message="{client} is a page of {origin} that asks {host} for a session. The server at {server} opens one and says "
    "nothing of CORS (no Access-Control-Allow-Origin), and the page never uses it.{later}",
    why="A browser gives a page of another host or port only answers that allow its origin. Everything else about this "
    "answer is in order, so the server's log shows nothing.",
    fix=(
        'Server: allow the origin of the page: cors: {{ origin: "{origin}" }} (Socket.IO 3 and later), '
        'cors_allowed_origins=["{origin}"] (Python).',
        "Or let a proxy serve the page and /socket.io/ under one host and port.",
    ),
    explains=EXPLAINED,
    hence="the browser keeps the answers from the page: no Access-Control-Allow-Origin",
)
def cors_missing(session: Session) -> Iterator[Hit]:
    """See the module."""
    found = kept_from_page(session)
    if found is None or found[2] is not Blocked.MISSING:
        return
    attempt, answer, _ = found
    works = gets_in_by_websocket(session)
    yield Hit(
        *kept_proof(attempt, answer),
        severity=Severity.WARNING if works else None,
        later=" It gets in over WebSocket later." if works else "",
        kind=attempt.request.origin or "",
        lasting=True,
        origin=attempt.request.origin,
        host=attempt.request.host,
    )
