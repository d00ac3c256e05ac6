"""The handshake is sent elsewhere by a redirect.

## What it reports
A handshake that is answered with 301, 302, 303, 307 or 308.

## Why it matters
A WebSocket client does not follow a redirect: for it this is a failure. Over polling some clients follow, but they ask
under the old address again for every request, and after 301, 302 and 303 a POST becomes a GET: what the client sends is
lost.

## On the wire
`GET ...EIO=4&transport=...` is answered with a status between 301 and 308 and a `Location`: from http to https, to
another host, to the path with or without a slash at its end (nginx with `location /socket.io/`, Django, Next.js), or to
a login page.

## How to fix
Give the client the address where the redirect ends. On the server side, take the path of Socket.IO out of the redirect.

## When it is silent
Where it is followed and keeps the method (307, 308), and the client gets in, it is an information only. Requests that
carry a `sid` are not looked at: the handshake before them was redirected too, or they are refused upgrades.
Those for WebTransport are left to rule EIO247.

## References
- RFC 9110, section 15.4; WHATWG WebSockets standard (a redirect fails the connection)
- nginx, ngx_http_core_module, `location` (the redirect to a prefix with a slash)
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import is_for_webtransport, let_in
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.exchanges import exchanges

_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_THE_METHOD = (307, 308)
_LOGINS = ("login", "signin", "sign-in", "auth", "sso", "portal")


@rule(
    code="HTTP036",
    name="handshake-redirect",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The handshake is redirected {whither} ({status})",
    message="{client} sends {request}. The server at {server} answers {status}, Location: {location}.{later}",
    why="{because}",
    fix=("{advice}",),
    explains=("eio-missing", "poll-overlap", "connect-loop", "no-backoff"),
)
def handshake_redirect(client: Client) -> Iterator[Hit]:
    """See the module."""
    works = let_in(client)
    for group in client.attempts.values():
        sample = group.first[0]
        status = sample.status or 0
        if sample.outcome is not Outcome.REFUSED or status not in _REDIRECTS or is_for_webtransport(sample):
            continue
        request = sample.request
        location = (sample.answered.location if sample.answered else None) or "none"
        kind = _whither(sample, location)
        follows = works and not request.upgrade
        severity = Severity.ERROR
        if works and (request.upgrade or status in _KEEP_THE_METHOD):
            severity = Severity.INFO if follows else Severity.WARNING
        yield Hit(
            *exchanges(group, lambda attempt: f"{attempt.status}, Location: {_location(attempt)}"),
            severity=severity,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=f"{kind} {request.upgrade}",
            whither=_WHITHER[kind],
            status=status,
            request=f"{request.method} {request.target}",
            location=location,
            later=" The client follows, and a session is opened." if follows else "",
            because=_because(request.upgrade, status),
            advice=_ADVICE[kind],
        )


def _location(attempt: Attempt) -> str:
    return (attempt.answered.location if attempt.answered else None) or "none"


def _whither(attempt: Attempt, location: str) -> str:
    scheme, found, rest = location.partition("://")
    host, _, path = rest.partition("/") if found else (attempt.request.host, "", location.lstrip("/"))
    path = "/" + path.partition("?")[0]
    asked = attempt.request.path
    if any(word in path.lower() for word in _LOGINS):
        return "login"
    if found and scheme.lower() in ("https", "wss") and path == asked:
        return "https"
    if path != asked and path.rstrip("/") == asked.rstrip("/"):
        return "slash"
    return "host" if found and host.lower() != attempt.request.host.lower() else "elsewhere"


def _because(upgrade: bool, status: int) -> str:
    if upgrade:
        return "A WebSocket client does not follow a redirect; for it this is a failure."
    if status in _KEEP_THE_METHOD:
        return "Not every client follows, and one that does asks under the old address again for every request."
    return (
        "Not every client follows. One that does asks under the old address again for every request, and its POSTs "
        "become GETs: what it sends is lost."
    )


_WHITHER = {
    "https": "to https",
    "slash": "to the same path with or without a slash at its end",
    "login": "to a login page",
    "host": "to another host",
    "elsewhere": "to another address",
}
_ADVICE = {
    "https": "Give the client the https address (wss for a WebSocket) from the start.",
    "slash": "Write the path as the server wants it (usually with the slash: /socket.io/?EIO=4...), or take the path "
    "of Socket.IO out of the rule that adds or removes slashes.",
    "login": "Let the client log in before it connects, or take the path of Socket.IO out of the redirect to "
    "the login.",
    "host": "Give the client the address where the redirect ends.",
    "elsewhere": "Give the client the address where the redirect ends.",
}
