"""One side speaks TLS, the other HTTP in clear.

## What it reports
A client that begins with TLS (`https://`, `wss://`) on a port where the server speaks HTTP in clear, or one that sends
HTTP in clear (`http://`, `ws://`) to a port where the server speaks TLS.

## Why it matters
Neither understands the other, so no session is ever opened; the client says "wrong version number", "xhr poll error" or
"websocket error" and tries again for ever.

## On the wire
A ClientHello (`16 03`) that is answered with `HTTP/1.1 400 Bad Request`, or hung up on, by a server that speaks HTTP.
Or a GET that is answered with 400 "The plain HTTP request was sent to HTTPS port" (nginx), "Client sent an HTTP request
to an HTTPS server" (Go, Caddy) or the like; Node, haproxy and openssl have no answer to it and close the connection.

## How to fix
Let the URL of the client fit the port: `http://` and `ws://` for a server in clear, `https://` and `wss://` where TLS
is. Behind a proxy that ends TLS, the client takes `https://` and the port of the proxy; the proxy takes `http://` and
the port of the server (nginx: `proxy_pass http://...`). Android 9 and later send nothing at all in clear unless the app
allows it (`usesCleartextTraffic`).

## When it is silent
When another handshake of the same client opens a session. A server that closes without a word is reported as possible
only, and only if it does so at once and each time, on connections that it has answered nothing on: a program that fails
there does the same.

## References
- nginx, status 497; Go, net/http; RFC 8446, section 4.1.2
- Android documentation, "Network security configuration"
"""

from collections.abc import Iterable, Iterator
from typing import Final

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import NS_PER_S
from eiosniff.rules.answers import let_in
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import is_meant, shown

# Of nginx; Go (Caddy, Traefik); Apache httpd; Tomcat.
_SAYINGS: Final = (
    b"plain HTTP request was sent to HTTPS port",
    b"Client sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"combination of host and port requires TLS",
)
_TLS_TO_HTTP: Final = "the client speaks TLS, and the server HTTP in clear"
_HTTP_TO_TLS: Final = "the client speaks HTTP in clear, and the server TLS"
_PERHAPS: Final = "the server has no answer to HTTP in clear: perhaps it speaks TLS"
_AT_ONCE_NS: Final = NS_PER_S // 2
_SHOWN: Final = 3
_ALWAYS_TLS: Final = "3"  # the version of HTTP


@rule(
    code="TLS108",
    name="scheme-mismatch",
    subject=(CaptureSummary, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title="Not the same scheme: {verdict}",
    message="{detail}",
    why="https:// and wss:// begin with TLS, http:// and ws:// with HTTP in clear; a port takes one of the two. The "
    "URL of the client and the server (or the proxy in front of it) do not agree.",
    fix=("{advice}",),
    explains=("not-an-engineio-answer", "wrong-path", "connect-loop", "no-backoff", "server-silent"),
    tolerates_gaps=True,
)
def scheme_mismatch(ledger: CaptureSummary | Client) -> Iterator[Hit]:
    """See the module."""
    yield from _in_clear(ledger) if isinstance(ledger, Client) else _encrypted(ledger)


def _encrypted(summary: CaptureSummary) -> Iterator[Hit]:
    for entry in summary.encrypted:
        hung_up = entry.in_clear and not entry.versions and entry.refused.count == entry.settled
        if not (entry.plain or hung_up) or not is_meant(summary, entry):
            continue
        answers = entry.plain or entry.refused
        says = "answers with HTTP in clear" if entry.plain else "ends the connection"
        yield Hit(
            evidence(entry.first, Side.CLIENT, "ClientHello (TLS)"),
            *(evidence(place, Side.SERVER, says) for place in [*answers][:_SHOWN]),
            certainty=Certainty.CERTAIN if entry.plain else Certainty.LIKELY,
            doubt="" if entry.plain else "the server does not say why it ends them",
            occurrences=answers.count,
            period_ns=answers.period_ns,
            kind=_TLS_TO_HTTP,
            server=entry.server,
            verdict=_TLS_TO_HTTP,
            detail=f"{answers.count} connection(s) to {shown(entry)} begin with TLS, and the server {says}.",
            advice=f"Connect with http:// or ws:// (io('http://{entry.server}')), or put a proxy that ends TLS in "
            "front of that port (nginx: listen 443 ssl, proxy_pass http://...), or give the server a certificate "
            "(Node: https.createServer({cert, key}) instead of http.createServer()). A proxy that passes on to that "
            "port must use http:// for it.",
        )


def _in_clear(client: Client) -> Iterator[Hit]:
    for group in client.attempts.values():
        sample = group.first[0]
        told = sample.status is not None and sample.status >= 400 and _is_told(sample)
        if not (told or _hang_up(group)) or let_in(client):
            continue
        said = f"answers {sample.status}, that this is for HTTPS" if told else "closes the connection without a word"
        verdict = _HTTP_TO_TLS if told else _PERHAPS
        yield Hit(
            *_proof(group),
            certainty=Certainty.CERTAIN if told else Certainty.POSSIBLE,
            doubt="" if told else "a program that fails at that place ends connections so, too",
            severity=None if told else Severity.WARNING,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=verdict,
            verdict=verdict,
            detail=f"The client sends {sample.request.method} {sample.request.target} in clear to {client.server}, "
            f"which {said}.",
            advice="Connect with https:// or wss://; a proxy that passes on to that port must use https:// for it "
            "(nginx: proxy_pass https://...). Or let the client use the port that speaks HTTP in clear."
            if told
            else "Try https:// (curl -vk https://host:port/socket.io/?EIO=4&transport=polling): if that is answered, "
            "let the client use https:// or wss://. If not, look at the server's log.",
        )


def _proof(attempts: Iterable[Attempt]) -> Iterator[Evidence]:
    for attempt in attempts:
        request = attempt.request
        yield evidence(request.place, Side.CLIENT, f"{request.method} {request.target}")
        if attempt.answer is not None:
            yield evidence(attempt.answer, Side.SERVER, f"{attempt.status}, it wants TLS")
        elif attempt.ended is not None:
            yield evidence(attempt.ended, Side.SERVER, "ends the connection")


def _is_told(attempt: Attempt) -> bool:
    body = attempt.answered.body if attempt.answered is not None and attempt.answered.body else attempt.body
    return any(saying in body for saying in _SAYINGS)


def _hang_up(attempts: Iterable[Attempt]) -> bool:
    over = [attempt for attempt in attempts if not attempt.waits]  # what becomes of the others, nobody knows
    return bool(over) and all(_hangs_up(attempt) for attempt in over)


def _hangs_up(attempt: Attempt) -> bool:
    """Whether the server ended the connection as soon as it had the request, without a byte ever."""
    ended = attempt.ended
    if attempt.after is not None or attempt.outcome is not Outcome.UNANSWERED or ended is None:
        return False
    in_clear = not attempt.request.upgrade and attempt.request.version != _ALWAYS_TLS
    return in_clear and attempt.ended_by is Side.SERVER and ended.ts_ns - attempt.request.place.ts_ns < _AT_ONCE_NS
