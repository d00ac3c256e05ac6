"""The server lets pages of any origin act in the name of its users.

## What it reports
A server that lets requests in with the user's cookies whatever origin they come from: from `null`, from several hosts,
or because its library does so unless told otherwise.

## Why it matters
A browser sends cookies with whatever page asks. If the server allows each origin by name, and credentials with it, any
page on the web can open a session as the user who looks at it, read all events, and send some. WebSockets have no CORS
at all: there the server has to look at `Origin` itself.

## On the wire
`Origin: http://evil.example`, answered with `Access-Control-Allow-Origin: http://evil.example` and
`Access-Control-Allow-Credentials: true`; or a WebSocket that is accepted for several foreign origins, with cookies in
the request. Socket.IO 2.x does so by default, Python with `cors_allowed_origins="*"`, Socket.IO 3 and later with
`cors: { origin: true, credentials: true }`.

## How to fix
Name the origins that may: `cors: { origin: ["https://shop.example"], credentials: true }`, for WebSockets an
`allowRequest` that looks at `Origin`; Python `cors_allowed_origins=[...]`. Where cookies mean nothing to the
application, leave `credentials` out.

## When it is silent
For `*` without credentials: browsers send no cookies then. Origins of one or two sites (`origins`; a site is what hosts
have in common, as `shop.example`) may be those that the server is meant for; `null` never is, as any page can make
itself that. For WebSockets where a proxy has changed `Host`, so that the page's own looks foreign. That Socket.IO 2.x
allows an origin is an information: its option `origins` may say so.

## References
- Fetch standard, "CORS protocol and credentials"; OWASP, "Cross-site WebSocket hijacking"
- CVE-2020-28481 (socket.io before 2.4.0), CVE-2019-13611 (python-engineio before 3.9.0)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.cors import origin_host
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule

_NULL = "null"
_OLD = "socket.io"
_HERE = ("localhost", "127.0.0.1", "[::1]")


@rule(
    code="HTTP119",
    name="cors-wide-open",
    subject=Server,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The server lets pages of {whom} act in the name of its users",
    message="The server at {server} lets requests from {origins} in, cookies included. {because}",
    why="Whatever page a user looks at can then open a session as that user, and read and send events.",
    fix=(
        'Server: name the origins that may: cors: {{ origin: ["https://<your page>"], credentials: true }}; Python: '
        'cors_allowed_origins=["https://<your page>"]. For WebSockets check Origin in allowRequest.',
        "Where cookies mean nothing to the application, do not allow credentials.",
    ),
    remark=True,
    limits={"origins": 3},
)
def cors_wide_open(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if not server.origins:
        return
    nobody = _NULL in server.origins
    several = len({_site(origin) for origin in server.origins}) >= limits["origins"]
    old = server.handshake is not None and _is_old(server)
    if not (nobody or several or old):
        return
    if nobody:
        certainty, whom, because = Certainty.CERTAIN, "no origin at all", "Any page can make itself one of origin null."
    elif several:
        certainty, whom = Certainty.LIKELY, "several hosts"
        because = "They have nothing in common, so that it looks as if any origin was let in."
    else:
        certainty, whom, because = Certainty.POSSIBLE, "any origin", "Socket.IO 2.x does so unless told otherwise."
    yield Hit(
        *(evidence(place, Side.SERVER, f"lets {origin} in") for origin, place in server.origins.items()),
        certainty=certainty,
        doubt=""
        if nobody
        else "the setting of the server may list them"
        if several
        else "its option origins may be set",
        severity=None if nobody or several else Severity.INFO,
        whom=whom,
        origins=", ".join(server.origins),
        because=because,
        library=_OLD if old else "",
    )


def _site(origin: str) -> str:
    """What the origins of one owner have in common: the end of the name of their host; an address as a whole."""
    host = origin_host(origin)
    host = host.rpartition(":")[0] or host
    if host in _HERE:
        return _HERE[0]
    labels = host.split(".")
    return host if labels[-1].isdigit() else ".".join(labels[-2:])


def _is_old(server: Server) -> bool:
    """Whether the library is Socket.IO 2.x or older."""
    identity = server.identity
    return identity is not None and identity.library == _OLD and identity.version.startswith(("1", "2"))
