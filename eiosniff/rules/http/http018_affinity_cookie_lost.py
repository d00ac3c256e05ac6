"""The client does not send back the cookie by which the load balancer keeps its session with one server.

## What it reports
A handshake whose answer sets the cookie of a load balancer, later requests of that session without the cookie, and a
server that does not know the session.

## Why it matters
The load balancer is set up well, and it does not help: without the cookie each request goes to any of the servers, and
only the one that opened the session knows it. To the user it looks as if stickiness were missing (rule EIO016).

## On the wire
`Set-Cookie` with the handshake (`AWSALB`, `ARRAffinity`, `lb`, `SERVERID`, ...), no such name in the `Cookie` of the
requests with its `sid`, and 400 with code 1. The refusal often sets the cookie anew, with the name of another server.

## How to fix
`withCredentials: true` in the options of the client: a browser sends cookies to another origin only then, and
socket.io-client in Node (4.7 and later) keeps cookies only then. The server has to allow it: `cors: { origin: <the
page's>, credentials: true }`, with an origin and not `*`. To another site the cookie also needs `SameSite=None;
Secure`. Clients without cookies (microcontrollers, many hand-written ones) need another kind of stickiness: by
address, or none with WebSocket only.

## When it is silent
When the requests are served all the same (one server, or stickiness by address), and for cookies of the application.
The cookie `io` of Socket.IO 1 and 2 holds no more than the session id, and says nothing of a load balancer. Preflights
never carry cookies (rule PROXY019).

## References
- socket.io documentation, client option `withCredentials`, "Using multiple nodes"
- socket.io issues #3383 and #4720, socket.io-client issue #1159; recorded with HAProxy, Node and Chromium
"""

from collections.abc import Iterator

from eiosniff.knowledge.boxes import is_affinity, is_application
from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.unknown_sids import (
    answer_words,
    ended_by_client,
    expired,
    lifetime_ns,
    pair,
    restarted,
    unknown_refusals,
)


@rule(
    code="HTTP018",
    name="affinity-cookie-lost",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title='The client does not send back the cookie "{cookie}", so its requests get to the wrong server',
    message='The handshake at {server} sets the cookie "{cookie}"; {client} sends none of its {count} later requests '
    "with it, and is told {answer}.{anew}",
    why="By that cookie the load balancer knows which server has the session. Without it a request goes to any of "
    "them, and the others do not know the session.",
    fix=(
        "Client: keep cookies and send them back (in browsers and Node: withCredentials: true; the server then has to "
        "allow credentials for the page's origin by name).",
        "Or make the load balancer choose by the client's address, or let the client use WebSocket only.",
    ),
    explains=("sid-unknown-sticky",),
)
def affinity_cookie_lost(session: Session) -> Iterator[Hit]:
    """See the module."""
    opened = session.attempt.answered if session.attempt is not None else None
    if opened is None or session.cookies_returned or not session.cookies_missing or session.midstream:
        return
    unknown = [
        refusal
        for refusal in unknown_refusals(session)
        if lifetime_ns(session) > 0
        and not expired(session, refusal)
        and not restarted(session, refusal)
        and not ended_by_client(session, refusal)
    ]
    if not unknown:
        return
    first = unknown[0]
    found = _affinity(session, opened.cookies, first)
    if found is None:
        return
    name, other, certainty = found
    yield Hit(
        evidence(opened.place, Side.SERVER, f"opens the session, sets the cookie {name}"),
        evidence(first.request, Side.CLIENT, "a request of that session without the cookie"),
        evidence(first.answer, Side.SERVER, answer_words(first) + (", sets it anew" if other else "")),
        certainty=certainty,
        doubt="" if certainty is Certainty.CERTAIN else "it is not known of this cookie that a load balancer set it",
        cookie=name,
        count=session.cookies_missing,
        answer=answer_words(first),
        anew=" The refusal sets the cookie anew, with another value." if other else "",
    )


def _affinity(
    session: Session, cookies: tuple[tuple[str, str], ...], refusal: RefusedRequest
) -> tuple[str, bool, Certainty] | None:
    """The cookie that shows the way to a server: its name, whether the refusal sets another value, and how sure."""
    anew = {name: pair(value) for name, value in refusal.answered.cookies}
    likely = None
    for name, value in cookies:
        if session.sid is not None and pair(value).partition("=")[2] == session.sid:
            continue  # the cookie of Engine.IO itself
        other = name in anew and anew[name] != pair(value)
        if is_affinity(name):
            return name, other, Certainty.CERTAIN
        if likely is None and not is_application(name):
            likely = name, other, Certainty.LIKELY
    return likely
