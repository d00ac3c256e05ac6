"""The server does not accept the origin that the client names.

## What it reports
A request that is refused with the words "not an accepted origin", as python-socketio and Flask-SocketIO write them:
a handshake, or a request of a session that was opened.

## Why it matters
Unless told otherwise these servers accept one origin: the address under which they take themselves to be served. What
that is they learn from `Host` and from what a proxy tells them. Everything else is refused before any code of the
application runs, clients that are no browsers among them: whoever sends an `Origin` is measured by it.

## On the wire
400 with `"http://shop.example is not an accepted origin."`, or `"Not an accepted origin."`, over polling and WebSocket.
A browser sends no `Origin` with a GET to the page's own address, but with each POST: behind a proxy that changes `Host`
the handshake is served, and the first POST is refused. arduinoWebSockets sends `Origin: file://` unless told otherwise,
gilmaimon/ArduinoWebsockets that of its home page, Starscream one that begins with `wss://`.

## How to fix
`cors_allowed_origins=["https://shop.example"]`, exactly as the browser has it: scheme, host, and the port if it is not
the usual one. A list takes the place of the server's own address, which has to be in it, too. Behind a proxy let the
server know how it is reached: `proxy_set_header Host $http_host;` and `proxy_set_header X-Forwarded-Proto $scheme;`
(nginx). A device: send no `Origin`, or that of the server.

## When it is silent
For other refusals. Socket.IO for Node refuses nobody for an origin: browsers do (HTTP086), or the application (EIO014).

## References
- python-socketio and Flask-SocketIO documentation, `cors_allowed_origins`; python-engineio, `base_server.py`
- Flask-SocketIO issues #1501, #1319, #1394; python-socketio issues #351, #330
"""

from collections.abc import Iterable, Iterator

from eiosniff.model.attempt import Attempt, Outcome, RefusedRequest, RequestFacts
from eiosniff.model.cors import origin_host
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import let_in_after
from eiosniff.rules.api import Hit, evidence, rule

SAYS_SO = "accepted origin"
_HERE = ("127.0.0.1", "localhost", "[::1]")
_OF_LIBRARIES = ("file://", "https://github.com/gilmaimon/TinyWebsockets")

_WHY = {
    "library": "It is no page at all: its library sends this Origin unless told otherwise.",
    "null": "The page is in a sandbox, or was opened from a file: then browsers name no origin.",
    "websocket": "The library makes the Origin of the address of the server, with ws:// or wss://, which no page has.",
    "tls": "A proxy in front ends TLS and does not tell the server: it sees http and takes https for another origin.",
    "port": "Host and page agree but for the port: it belongs to the origin. A proxy may have left it out of Host.",
    "hidden": "Origin and Host agree here: a proxy on the way to the server changes Host, or the setting "
    "cors_allowed_origins names others only, and not the server's own address.",
    "listed": "It is the server's own address, which its setting cors_allowed_origins leaves out.",
    "host": "The proxy asks the server under a name of its own (Host: {host}), so that it does not know its address.",
    "other": "The page comes from another host or port than the server.",
}
_ALLOW = 'Server: cors_allowed_origins=["{origin}"], exactly so.'
_OR_SERVER = 'or server: cors_allowed_origins=["{origin}"].'
_FORWARD = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; (nginx)"
_ADVICE = {
    "library": 'Client: send no Origin, or that of the server; or server: cors_allowed_origins=["{origin}"].',
    "null": 'Serve the page over http; as a makeshift, cors_allowed_origins="*".',
    "websocket": _ALLOW,
    "tls": f"Proxy: tell the server: {_FORWARD}.",
    "port": f"Proxy: pass the port on: {_FORWARD}; {_OR_SERVER}",
    "hidden": f"Proxy: tell the server how it is reached: {_FORWARD}; {_OR_SERVER}",
    "listed": _ALLOW,
    "host": f"Proxy: tell the server how it is reached: {_FORWARD}.",
    "other": _ALLOW,
}


@rule(
    code="HTTP088",
    name="origin-rejected",
    subject=(Client, Session),
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server refuses the client for its Origin, {origin}",
    message="{client} sends {request} with Origin: {origin}, and Host: {host}{forwarded}. The server at {server} "
    'answers {status}: "{words}"',
    why="{because} The server accepts its own address, or what its setting allows.",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff", "no-connect-packet", "stuck-in-polling", "upgrade-rejected"),
    hence="the server refuses requests with Origin: {origin}",
)
def origin_rejected(ledger: Client | Session) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Session):
        refused = [refusal for refusal in ledger.refusals if _says_so(refusal)] if ledger.refusals else []
        if refused:
            first, proof = refused[0], list(_refusals(refused))
            yield _hit(first.asked, first.status, first.error.message if first.error else "", proof, len(refused), None)
        return
    for group in ledger.attempts.values():
        sample = group.first[0]
        if sample.outcome is not Outcome.REFUSED or not _says_so(sample):
            continue
        proof = list(_handshakes(group))
        severity = Severity.WARNING if let_in_after(ledger, group.last or sample) else None
        words = sample.error.message if sample.error else ""
        yield _hit(sample.request, sample.status or 0, words, proof, group.count, severity, group.period_ns)


def _says_so(refused: Attempt | RefusedRequest) -> bool:
    return refused.error is not None and SAYS_SO in refused.error.message


def _hit(
    asked: RequestFacts, status: int, words: str, proof: list[Evidence], count: int, severity: Severity | None,
    period_ns: int | None = None,
) -> Hit:  # fmt: skip
    reason, origin = _reason(asked), asked.origin or "none"
    proto = asked.forwarded_proto
    return Hit(
        *proof, severity=severity, occurrences=count, period_ns=period_ns, kind=f"{reason} {origin}", reason=reason,
        origin=origin, host=asked.host, forwarded=f", X-Forwarded-Proto: {proto}" if proto else "", status=status,
        words=words, request=f"{asked.method} {asked.target}", because=_WHY[reason].format(host=asked.host),
        advice=_ADVICE[reason].format(origin=origin),
    )  # fmt: skip


def _reason(asked: RequestFacts) -> str:
    origin = asked.origin or ""
    host, server = origin_host(origin), (asked.forwarded_host or asked.host).lower()
    if origin in _OF_LIBRARIES:
        return "library"
    if not host:
        return "null"
    if origin.startswith("ws"):
        return "websocket"
    if host == server:
        if not origin.startswith("https:"):
            return "hidden"
        return "listed" if (asked.forwarded_proto or "").lower().startswith("https") else "tls"
    if _name(host) == server:
        return "port"
    return "host" if _name(server) in _HERE and _name(host) not in _HERE else "other"


def _name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _handshakes(attempts: Iterable[Attempt]) -> Iterator[Evidence]:
    for attempt in attempts:
        request = attempt.request
        yield evidence(request.place, Side.CLIENT, f"{request.method} {request.target}, Origin: {request.origin}")
        if attempt.answer is not None:
            yield evidence(attempt.answer, Side.SERVER, f"{attempt.status}, not an accepted origin")


def _refusals(refused: Iterable[RefusedRequest]) -> Iterator[Evidence]:
    for refusal in refused:
        asked = refusal.asked
        yield evidence(refusal.request, Side.CLIENT, f"{asked.method} {asked.target}, Origin: {asked.origin}")
        yield evidence(refusal.answer, Side.SERVER, f"{refusal.status}, not an accepted origin")
