"""Something else than Socket.IO answers the handshake, and says 200.

## What it reports
A handshake that is answered with success, by something that is not Engine.IO: a web page, JSON, nothing at all.

## Why it matters
Every tool shows a green 200. The client cannot read the answer, says "server error" or "xhr poll error", and tries
again for ever.

## On the wire
200 with `<!doctype html>` instead of `0{"sid":...}`: single-page applications, their development servers and CDNs
answer every path that they do not know with their page. Captive portals of guest networks answer with their login. JSON
or another text comes from another service at that address.

## How to fix
Send `/socket.io/` to the server before the fallback to the page takes it: in the proxy, the CDN, or the development
server (Vite: `server.proxy`, with `ws: true`), or let the client connect to the server directly.

## When it is silent
For the welcome of Socket.IO 0.9 (rule EIO006), and for answers of Engine.IO that the client does not understand
(EIO003, EIO004). A WebSocket that is accepted and then speaks something else is rule WS012.

## References
- Vite documentation, `server.proxy`
- socket.io-client-swift issues #497, #532, #1062
"""

import re
from collections.abc import Iterator

from eiosniff.knowledge.boxes import page_of
from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.answers import heading, is_page, let_in
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.engineio.eio006_legacy_09_client import WELCOME
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.phrases import quoted

# An open packet or a payload of any revision, damaged or not: whatever is wrong with it, Engine.IO answers.
_ENGINEIO = re.compile(rb"0\{|\d+:\d|[\x00\x01]|___eio\[")
_LOGIN = re.compile(rb"log ?in|sign ?in|captive|hotspot|wi-?fi", re.IGNORECASE)
_PASSWORD = b'type="password"'
# What the capture holds of such an answer is not all that was said.
_UNREADABLE = {AnomalyKind.HTTP_INCOMPLETE, AnomalyKind.HTTP_BAD_CODING, AnomalyKind.HTTP_UNREADABLE_CODING,
               AnomalyKind.HTTP_TOO_LARGE, AnomalyKind.HTTP_BAD_CHUNK}  # fmt: skip


@rule(
    code="HTTP011",
    name="not-an-engineio-answer",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Not Socket.IO: the handshake is answered with {what}",
    message="{client} asks for {request}. The server at {server} answers {status} with {what}{title}.",
    why='A Socket.IO server answers 0{{"sid":...}}. {because}',
    fix=("{advice}",),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def not_an_engineio_answer(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        status = sample.status or 0
        if sample.outcome is not Outcome.FOREIGN or not 200 <= status < 300 or sample.body.strip() == WELCOME:
            continue
        if _ENGINEIO.match(sample.body) or any(anomaly.kind in _UNREADABLE for anomaly in sample.anomalies):
            continue
        look = _look(sample)
        title = heading(sample.body) if is_page(sample.body) else sample.body.strip()
        works = let_in(client)
        yield Hit(
            *exchanges(group, lambda attempt: f"{attempt.status}, {_what(attempt)}"),
            severity=Severity.WARNING if works else None,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=look,
            look=look,
            what=_what(sample),
            title=f": {quoted(title)}" if title else "",
            because=_because(sample),
            advice=_ADVICE.get(look, _ADVICE["page"]),
            request=f"{sample.request.method} {sample.request.target}",
            status=status,
        )


def _look(attempt: Attempt) -> str:
    body = attempt.body.strip()
    if not body:
        return "empty"
    if is_page(body):
        known = page_of(body)
        if known is not None:
            return known.id
        return "login" if _LOGIN.search(heading(body)) or _PASSWORD in body else "page"
    return "json" if body[:1] in (b"{", b"[") else "text"


def _what(attempt: Attempt) -> str:
    known = page_of(attempt.body)
    return known.what if known is not None else _LOOKS[_look(attempt)]


def _because(attempt: Attempt) -> str:
    known = page_of(attempt.body)
    return known.because if known is not None else _BECAUSE[_look(attempt)]


_LOOKS = {
    "empty": "an empty answer",
    "login": "a login page",
    "page": "a web page",
    "json": "JSON that is not Engine.IO",
    "text": "a text that is not Engine.IO",
}
_FALLBACK = "Web servers of single-page applications answer every path that they do not know with their page."
_OTHER = "Another service answers at this address."
_BECAUSE = {
    "empty": _OTHER,
    "login": "A captive portal (guest Wi-Fi), or a login in front of the server, has taken the request.",
    "page": _FALLBACK,
    "json": _OTHER,
    "text": _OTHER,
}
_CHECK = "Check host, port and path of the client: what answers there is not the Socket.IO server."
_ADVICE = {
    "empty": _CHECK,
    "login": "Log in to the network, or let the path of Socket.IO pass the login in front of the server.",
    "page": "Send /socket.io/ to the Socket.IO server before the fallback to the page takes it (proxy, CDN, "
    "development server), or give io() the URL of that server.",
    "json": _CHECK,
    "text": _CHECK,
}
