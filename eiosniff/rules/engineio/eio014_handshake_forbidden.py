"""The server, or something in front of it, refuses to let the client in.

## What it reports
A handshake (no `sid`) that is refused for who asks: 401, 403 or 407, or over WebSocket a 400 with words of the
application.

## Why it matters
Client and server speak the same protocol; what is missing is a login. The client library sees no more than "xhr poll
error" or "websocket error", and tries again for ever.

## On the wire
Over polling socket.io answers 403 with `{"code":4,"message":"..."}` if `allowRequest` (or the option `origins` of 2.x)
refuses; over WebSocket a bare 400 whose body is the message alone. python-engineio says 401 with `"Unauthorized"`,
netty-socketio 401 without a body. A web server or proxy in front answers with an HTML page of its own. ASGI servers
(uvicorn, hypercorn, daphne) answer 403 without a body to every WebSocket that the application closes, a path of which
it knows nothing among them.

## How to fix
Find out which of the two refuses, and give it what it wants: the cookie (browser: `withCredentials: true`, and the
cookie's `SameSite`), the header (`extraHeaders`; a browser cannot set headers on a WebSocket), or a new token.

## When it is silent
When the application refuses later, as the client joins a namespace (rule SIO054). It is an information where the same
client is let in afterwards, as with a token that is renewed. Where WebTransport is refused, rule EIO247 says so.

## References
- socket.io documentation, server option `allowRequest`, "How to deal with cookies"
- engine.io, `lib/server`, error code 4; python-engineio, event `connect`
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, RequestFacts
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import answer_words, is_for_webtransport, is_page, let_in_after, server_name
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.engineio.eio001_eio_unsupported_polling import refuses_revision
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.upgrades import refused_over_http2

_FORBIDDEN_CODE = 4
_STATUSES = (401, 403, 407)
# Of engine.io itself, over WebSocket without their codes; any other text is the application's.
_OTHER_REASONS = ("Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request")
_OF_ENGINEIO = ("EIO", "transport", "t", "sid", "b64", "j")
_ABORTED = ("connection", "content-type", "content-length")  # the headers with which engine.io refuses an upgrade


@rule(
    code="EIO014",
    name="handshake-forbidden",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client is not let in{at_first}: {refuser} refuses the handshake ({answered})",
    message="{client} sends {target}, {carries}. The answer of {server} is {answered}.{later}",
    why="{because}",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff"),
)
def handshake_forbidden(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        if sample.outcome is not Outcome.REFUSED or not _forbids(sample) or is_for_webtransport(sample):
            continue
        by = _refused_by(sample)
        later = let_in_after(client, group.last or sample)
        yield Hit(
            *exchanges(group, answer_words),
            severity=Severity.INFO if later else None,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=by,
            by=by,
            transport="websocket" if sample.request.upgrade else "polling",
            at_first=" at first" if later else "",
            refuser=_REFUSER[by].format(server_name(sample.answered) or "a proxy or web server"),
            because=_BECAUSE[by],
            advice=_ADVICE[by],
            target=f"{sample.request.method} {sample.request.target}",
            carries=_credentials(sample.request),
            answered=answer_words(sample),
            later=" It is let in later." if later else "",
        )


_REFUSER = {"application": "the server application", "proxy": "{}", "nobody": "the server"}
_BECAUSE = {
    "application": "The application decides that itself, before a session is opened: by a cookie, a token, the origin.",
    "proxy": "The answer is not one of Socket.IO: a web server or proxy refuses before the application hears of it.",
    "nobody": "The answer gives no reason. ASGI servers answer so when no route has this path, or when the application "
    "closes the WebSocket before it is open (origin, version, login).",
}
_ADVICE = {
    "application": "Send what the application asks for (a cookie, a header, a token that is still valid); the log of "
    "its check (allowRequest, the engine's connect handler) says what that is.",
    "proxy": "Give the client the login that the proxy wants, or let the path of Socket.IO pass without it.",
    "nobody": "Check that the path of the client is the one where the server has Socket.IO, then the allowed origins, "
    "then the login.",
}


def _forbids(attempt: Attempt) -> bool:
    if refuses_revision(attempt):
        return False
    error, answer = attempt.error, attempt.answered
    if error is None and answer is not None and refused_over_http2(attempt.request, answer):
        return False  # rule HTTP241
    if attempt.status in _STATUSES or (error is not None and error.code == _FORBIDDEN_CODE):
        return True
    if error is None or error.style != "text" or not attempt.request.upgrade or attempt.answered is None:
        return False
    return _is_aborted_upgrade(attempt.answered) and not error.message.startswith(_OTHER_REASONS)


def _is_aborted_upgrade(answered: AnswerFacts) -> bool:
    return answered.status == 400 and tuple(name.lower() for name in answered.header_names) == _ABORTED


def _refused_by(attempt: Attempt) -> str:
    if attempt.error is not None:
        return "application"
    challenged = attempt.answered is not None and any(
        name.lower() in ("www-authenticate", "proxy-authenticate") for name in attempt.answered.header_names
    )
    return "proxy" if challenged or is_page(attempt.body) else "nobody"


def _credentials(request: RequestFacts) -> str:
    """What the request has to show, in words."""
    cookies = [name for name in request.cookies if name]
    shows = [f"the cookies {', '.join(cookies[:5])}"] if cookies else []
    own = [name for name, _ in request.query if name not in _OF_ENGINEIO]
    shows += [f"the parameters {', '.join(own[:5])}"] if own else []
    if any(name.lower() == "authorization" for name in request.header_names):
        shows.append("an Authorization header")
    return f"with {' and '.join(shows)}" if shows else "without a cookie and without an Authorization header"
