"""Each poll carries several kilobytes of headers.

## What it reports
A session over polling whose requests, or the answers to them, have heads of 3 KB (`head_bytes`) or more on average,
with the header that takes most of it, by name.

## Why it matters
Over polling each message pays for all headers anew: a cookie of 4 KB is sent with every word of a chat. And they are
not far from the limit at which proxies refuse the request: 8 KB for one header in nginx, Apache httpd and aiohttp, 16
KB for all in Node, with 400 or 431.

## On the wire
GETs and POSTs of the session with one long `Cookie`, `Authorization` or URL; or answers with a long
`Content-Security-Policy` or `Set-Cookie`.

## How to fix
WebSocket: the headers are sent once. Cookies: give those of the application a `Path` other than that of Socket.IO, or
keep the data at the server and only an id in the cookie; a domain of its own for Socket.IO gets none of them. Tokens:
in `auth`, which is sent once. Answers: leave headers that are for pages (Helmet and the like) out under `/socket.io/`.

## When it is silent
For sessions with fewer than 8 requests (`requests`), for those that go on over WebSocket, and for heads that are
smaller on average.

## References
- nginx, `large_client_header_buffers`; Apache httpd, `LimitRequestFieldSize`; Node.js, `--max-http-header-size`
- RFC 6585, section 5 (431); RFC 6265, section 5.1.4 (the path of a cookie)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_bytes

_ALIKE = 1.2  # heads that differ by no more are much the same


@rule(
    code="HTTP113",
    name="header-weight",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="Each {what} of the session carries {average} of headers, most of it {field}",
    message="Between {client} and {server}, {count} {what}s carried {spent} of headers and {payload} of payload: "
    "{average} of headers each, of which {field} takes {field_size}{most}.{without} A WebSocket sends them "
    "once.",
    why="Over polling every message pays for all headers anew. Proxies refuse requests whose headers are not much "
    "larger than these (8 KB for one header in nginx and Apache httpd).",
    fix=(
        "Let the client use WebSocket. Else keep cookies away from the path of Socket.IO (Path, or a domain of its "
        "own), put tokens into auth instead of a header or the URL, and leave out headers that are meant for pages.",
    ),
    limits={"head_bytes": 3072, "requests": 8},
    remark=True,
    hence="each {what} carries {average} of headers, most of it {field}",
)
def header_weight(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    costs = session.costs
    if (costs.large_request is None and costs.large_answer is None) or session.on_websocket:
        return
    count = session.requests_answered
    for side, large in ((Side.CLIENT, costs.large_request), (Side.SERVER, costs.large_answer)):
        if large is None or count < limits["requests"]:
            continue
        spent = session.head_bytes[side]
        if spent < limits["head_bytes"] * count:
            continue
        what = "request" if side is Side.CLIENT else "answer"
        alike = large.size * count <= spent * _ALIKE
        field = f'the header "{large.field}"' if large.field else "the URL"
        yield Hit(
            evidence(large.place, side, f"{large.size:,} bytes of headers, {large.field_size:,} of them {field}"),
            evidence(session.last, None, "the session goes on over polling"),
            kind=f"{what} {large.field}",
            what=what,
            spent=in_bytes(spent),
            payload=in_bytes(session.body_bytes[side]),
            count=count,
            average=in_bytes(spent // count),
            field=field,
            field_size=in_bytes(large.field_size),
            most="" if alike else " at the most",
            without=f" Without it that would be {in_bytes(max(0, spent - count * large.field_size))}." if alike else "",
        )
