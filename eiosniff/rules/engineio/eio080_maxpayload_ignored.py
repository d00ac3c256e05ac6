"""A client puts more into one POST than the server has said that it takes.

## What it reports
A POST with many packets, each of which is small enough, but which together are above the `maxPayload` of the
handshake, and that the server refused.

## Why it matters
A client may have one POST under way; what is sent meanwhile gathers, and goes with the next one. From 4.5 on, servers
say how much they take, and clients of JavaScript (4.5) split what has gathered. Others put all of it into one body:
it is refused as too large, and all its events are lost, though none of them is large.

## On the wire
`"maxPayload":1000000` in the open packet, then a POST with several packets (0x1E between them) that is longer, and 413,
or 400 with python-socketio.

## How to fix
Upgrade the client (socket.io-client 4.5 or later), or let it use WebSocket, where each packet has a frame of its own.
For other libraries: send less at once. Or raise `maxHttpBufferSize` at the server.

## When it is silent
When one of the packets alone is too large (rule EIO077), and where the server takes the body all the same.

## References
- Engine.IO protocol, revision 4, `maxPayload`; engine.io-client 6.2.0, release notes
- recorded with socket.io-client 4.4 and the client of python-socketio 5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.sizes import in_bytes, is_aggregated, is_of, refused_post, taken


@rule(
    code="EIO080",
    name="maxpayload-ignored",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client puts {size} into one POST, and the server takes {limit}",
    message="{client} posts {packets} packets at once to {server}, {size} in all and at most {longest} each. The "
    "server takes {limit} (maxPayload), and {reaction}. In {bodies} POSTs they would have been taken.",
    why="The server says in its handshake how much it takes of one body. This client does not look at that, and sends "
    "everything that has gathered in one.",
    fix=(
        "Client: take a version that knows maxPayload (JavaScript: socket.io-client 4.5 or later), or let it use "
        "WebSocket.",
        "Or send less at once, or raise maxHttpBufferSize (Python: max_http_buffer_size) at the server.",
    ),
    explains=(
        "sid-reused",
        "sid-unknown-sticky",
        "sid-expired",
        "connect-loop",
        "no-backoff",
        "ack-missing",
        "no-connect-packet",
    ),
)
def maxpayload_ignored(session: Session) -> Iterator[Hit]:
    """See the module."""
    post, limit = session.payloads.post, taken(session)
    if post is None or limit is None or not is_aggregated(session, post):
        return
    refused = refused_post(session)
    if refused is None or not is_of(post, refused.place):
        return
    per_body = max(1, limit // (post.longest + 1))
    yield Hit(
        evidence(post.first, Side.CLIENT, f"begins a POST of {in_bytes(post.bytes)}"),
        *refused.proof,
        size=in_bytes(post.bytes),
        limit=in_bytes(limit),
        packets=post.packets,
        longest=in_bytes(post.longest),
        reaction=refused.words,
        bodies=-(-post.packets // per_body),
    )
