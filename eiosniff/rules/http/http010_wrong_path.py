"""The client asks under a path where the server has no Socket.IO.

## What it reports
A handshake that is answered 404; or that a server leaves unanswered, in the way in which it leaves paths that nobody
claims.

## Why it matters
The server runs, the port is right, other pages work; the client sees "xhr poll error" or "websocket error" and tries
again for ever.

## On the wire
404: of the application (Express: `Cannot GET /socket.io/`), of the framework, of a web server or proxy. A server on
Node without any other application never answers such a request over polling, and ends a WebSocket handshake after a
second, without a byte. Often the path lacks the slash at its end, or is the name of a namespace.

## How to fix
The same `path` on both sides. It ends with a slash on the wire (`/socket.io/?EIO=4...`). A namespace is no part of it:
`io("/admin")` joins the namespace `/admin` under the usual path. A proxy has to pass the path on as it is: with nginx,
`location /socket.io/ { proxy_pass http://backend; }`, without a path or a slash after the name of the backend.

## When it is silent
For requests that name neither `EIO` nor `transport`, such as a scanner's, and for WebTransport (rule EIO247). A
handshake over polling that is never answered is told from a server that hangs only by an odd path. Where the same path
works at other times it is a warning: the application was not there for a while.

## References
- socket.io documentation, options `path`, `addTrailingSlash`, `destroyUpgradeTimeout`; "Behind a reverse proxy"
- socket.io-client issue #1621; Next.js issues #49334, #23147
"""

import re
from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.tcp import EndKind
from eiosniff.rules.answers import answer_words, is_for_webtransport, let_in
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms

NOT_FOUND = 404
# engine.io ends a WebSocket handshake that nobody takes after so long (its option destroyUpgradeTimeout).
_DESTROYED_NS = range(900 * NS_PER_MS, 1500 * NS_PER_MS)
_PATIENCE_NS = 4 * NS_PER_S
_USUAL = ("/socket.io/", "/engine.io/")
_EXPRESS = re.compile(rb"Cannot (?:GET|POST) ([^\s<]+)")


_DOUBT = "nothing was answered; a server that hangs looks alike"
_DOUBT_OF_NODE = "nothing was answered; a server on Node ends so what no application claims"


@rule(
    code="HTTP010",
    name="wrong-path",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="{trouble}",
    message="{client} sends {request}. The server at {server} {reaction}.",
    why="Something answers at that address, but Socket.IO is not at this path. {hint}",
    fix=("{advice}", "To check: curl 'http://<host>:<port>/<path>/?EIO=4&transport=polling' has to answer 0{{...}}."),
    explains=("handshake-forbidden", "eio-missing", "connect-loop", "no-backoff", "server-silent"),
)
def wrong_path(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        request = sample.request
        if (request.eio is None and not request.transports) or is_for_webtransport(sample):
            continue
        found = sample.outcome is Outcome.REFUSED and sample.status == NOT_FOUND
        certainty, doubt = (Certainty.CERTAIN, "") if found else _unclaimed(sample)
        if certainty is None:
            continue
        works = let_in(client, request.path)
        if works:
            certainty, doubt = Certainty.LIKELY, "the same path works at other times"
        reason = "away" if works else _reason(sample)
        yield Hit(
            *_proof([*group]), certainty=certainty, doubt=doubt, severity=Severity.WARNING if works else None,
            occurrences=group.count, period_ns=group.period_ns, kind=reason, reason=reason,
            trouble=_TROUBLE["away" if works else "none"].format(request.path),
            request=f"{request.method} {request.target}",
            reaction=f"answers {answer_words(sample)}" if found else _silence(sample),
            hint=_HINTS[reason].format(_seen(sample)), advice=_ADVICE[reason],
        )  # fmt: skip


def _unclaimed(attempt: Attempt) -> tuple[Certainty | None, str]:
    """How sure the silence is that of a path which nobody claims; None if it is not."""
    if attempt.outcome is not Outcome.UNANSWERED or attempt.ended is None or attempt.answer is not None:
        return None, ""
    waited_ns, by = attempt.ended.ts_ns - attempt.request.place.ts_ns, attempt.ended_by
    if attempt.request.upgrade:
        destroyed = by is Side.SERVER and attempt.ended_how is EndKind.FIN and waited_ns in _DESTROYED_NS
        return (Certainty.LIKELY, _DOUBT_OF_NODE) if destroyed else (None, "")
    if by is Side.SERVER or waited_ns < _PATIENCE_NS or attempt.request.path.endswith(_USUAL):
        return None, ""
    return Certainty.POSSIBLE if attempt.request.path.endswith("/") else Certainty.LIKELY, _DOUBT


def _silence(attempt: Attempt) -> str:
    waited = in_ms(attempt.ended.ts_ns - attempt.request.place.ts_ns) if attempt.ended else ""
    if attempt.ended_by is Side.SERVER:
        return f"ends the connection after {waited}, without a byte"
    return f"does not answer within {waited}"


def _seen(attempt: Attempt) -> str:
    """The path that the application saw, if its answer tells, else the one that was asked for."""
    found = _EXPRESS.search(attempt.body)
    return found[1].decode("latin-1").partition("?")[0] if found else attempt.request.path


def _reason(attempt: Attempt) -> str:
    path = attempt.request.path
    if _seen(attempt) != path:
        return "rewritten"
    return "usual" if path.endswith(_USUAL) else "custom" if path.endswith("/") else "slash"


_TROUBLE = {
    "away": "At times there is no Socket.IO at {} on this server",
    "none": "There is no Socket.IO at {} on this server",
}
_HINTS = {
    "away": "At other times the same client is let in at this path: the application was away (a restart), or not every "
    "server behind the address has it.",
    "rewritten": "The application saw the path {}: a proxy changes it on the way.",
    "slash": "The path lacks the slash at its end: servers have /socket.io/ and not /socket.io.",
    "custom": "It is not the usual path (/socket.io/). A namespace is no part of the path.",
    "usual": "It is the usual path: the server has Socket.IO under another one, or is not the one that is meant.",
}
_ADVICE = {
    "away": "Keep the application at the proxy while it restarts, and have Socket.IO on all servers behind it.",
    "rewritten": "Let the proxy pass the path on as it is (nginx: proxy_pass http://backend; with nothing behind it).",
    "slash": "Put a slash before the question mark: /socket.io/?EIO=4&transport=... (or addTrailingSlash: false on "
    "both sides).",
    "custom": "Give client and server the same path; a namespace goes into the URL of io(), not into the option path.",
    "usual": "Give the client the path that the server uses (its option path), and check host and port.",
}


def _proof(attempts: list[Attempt]) -> Iterator[Evidence]:
    yield from exchanges(attempts, answer_words)
    for attempt in attempts:
        if attempt.ended is not None and attempt.answer is None:
            yield evidence(attempt.ended, attempt.ended_by, "ends the connection, without an answer")
