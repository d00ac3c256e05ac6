"""A browser's preflight for a session gets to a server that does not know it.

## What it reports
An OPTIONS request with the `sid` of a session that is refused as unknown, while the session's own requests are served.

## Why it matters
Before a request to another origin that is not quite ordinary, a browser asks with OPTIONS whether it may: before a
POST of bytes (`application/octet-stream`, Socket.IO 2) or with extra headers. It sends that without cookies, whatever
`withCredentials` says. A load balancer that goes by a cookie then picks any server; the request that was asked about
is never sent, and the client loses the session ("xhr post error").

## On the wire
`OPTIONS ...&sid=...` with `Access-Control-Request-Method` and without `Cookie`, answered 400 with code 1 ("Session ID
unknown") or 2; GETs and POSTs with the same `sid` and the cookie are answered 200.

## How to fix
Let the server answer preflights before it looks for the session: the `cors` option of Socket.IO 3 and later does; in
Socket.IO 2 `handlePreflightRequest`. Or answer them in the load balancer. Or avoid them: no extra headers, WebSocket
only, or one origin for page and server. Stickiness by address needs no cookie.

## When it is silent
When the session's other requests are refused as unknown, too: then stickiness is missing altogether (rule EIO016). A
preflight that is refused for other reasons (404, 405, 500) is about CORS, and not about sessions.

## References
- Fetch standard, "CORS-preflight request": credentials are not sent with it
- engine.io issue #279; recorded with Chromium, socket.io 2.5 and HAProxy
"""

from collections.abc import Iterator

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.unknown_sids import answer_words, expired, restarted, says_unknown

BAD_METHOD_CODE = 2


@rule(
    code="PROXY019",
    name="preflight-not-sticky",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The browser's preflight (OPTIONS) gets to a server that does not know the session",
    message="{client} asks by OPTIONS for a session of which other requests are served, and the server at {server} "
    "answers {answer}. The request that it asked for is never sent.",
    why="Browsers send a preflight without cookies. A load balancer that finds the server of a session by a cookie "
    "sends it to any other, which looks for the session before it answers.",
    fix=(
        "Let the server answer OPTIONS before it looks for the session: cors: {{ origin, credentials: true }} in "
        "Socket.IO 3 and later, handlePreflightRequest in Socket.IO 2; or answer OPTIONS in the load balancer.",
        "Or avoid preflights: no extraHeaders, WebSocket only, or page and server on one origin.",
        "Or make the load balancer choose by the client's address.",
    ),
    explains=("connect-loop", "no-backoff", "no-connect-packet"),
)
def preflight_not_sticky(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.preflights or session.midstream or not session.requests_answered:
        return
    if any(says_unknown(refusal) and not refusal.after_close for refusal in session.refusals):
        return
    refused = [
        preflight
        for preflight in session.preflights
        if _is_about_the_session(preflight)
        and not preflight.after_close
        and not expired(session, preflight)
        and not restarted(session, preflight)
    ]
    if not refused:
        return
    proof = [evidence(session.opened, Side.SERVER, f"opens session {session.sid}")]
    for preflight in refused:
        proof.append(evidence(preflight.request, Side.CLIENT, "OPTIONS for that session"))
        proof.append(evidence(preflight.answer, Side.SERVER, answer_words(preflight)))
    closing = session.closing
    if closing is not None and closing.side is Side.CLIENT and closing.place > refused[0].answer:
        proof.append(evidence(closing.place, Side.CLIENT, "gives the session up"))
    yield Hit(
        *proof,
        occurrences=session.preflights.count if len(refused) == len(list(session.preflights)) else len(refused),
        answer=answer_words(refused[0]),
    )


def _is_about_the_session(preflight: RefusedRequest) -> bool:
    error = preflight.error
    return says_unknown(preflight) or (error is not None and error.code == BAD_METHOD_CODE)
