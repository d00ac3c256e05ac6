"""A cache answers polls in the place of the server.

## What it reports
A handshake or a poll that is answered out of a cache: by its headers, or because it gets an answer that no server gives
twice (an open packet with the same `sid`, the same socket id), or 304.

## Why it matters
Each answer to a poll is for that poll alone. Out of a cache a client gets what it, or somebody else, was told before:
it answers pings that are over, hears events again, or shares a session with a stranger. The server is not asked any
more and takes the client for dead, while the client polls as fast as it can, as each answer comes at once.

## On the wire
GETs that are answered at once with `Age: 12`, `X-Cache: HIT`, `cf-cache-status: HIT` (nginx says nothing of its own
accord); the open packet again in the place of a poll's answer; `40{"sid":...}` again and again.

## How to fix
Let the cache pass `/socket.io/` by: nginx `proxy_cache off;`, Apache httpd `CacheDisable /socket.io/`, a CDN by a rule
to bypass the cache there. And leave the parameter `t` to the client (`timestampRequests`), which makes the address of
each poll another one. Socket.IO for Node forbids caching since engine.io 6.5.3 (`Cache-Control: no-store`); others do
not.

## When it is silent
For answers that passed a cache and came from the server (`X-Cache: MISS`, `Age: 0`). Where a client that sends cookies
is given the same session again: netty-socketio finds it by its cookie `io`. Where a session with an id that was given
before lets its client join: then the server makes its own ids (`generateId`), and gives them again. As long as that
does not show, and the id is all there is, the finding is likely.

## References
- RFC 9111, sections 4 and 5.1; documentation of Cloudflare, CloudFront and Fastly on these headers
- engine.io, release 6.5.3
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import box_of

_NOT_MODIFIED = 304
_SAME_SESSION = "another handshake gets the same session"
_TWICE = "gets an answer again that no server gives twice"


@rule(
    code="HTTP075",
    name="poll-cached",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A cache answers the client's polls, and not the server",
    message="{client} asks {server} for what is new and is answered out of a cache: {what}.",
    why="Each answer is meant for one poll. A cache gives the same out again, and the server is not asked: it takes "
    "the client for dead.",
    fix=(
        "Let the cache pass /socket.io/ by (nginx: proxy_cache off; in its location; CDN: a rule to bypass the cache).",
        "Client: leave timestampRequests on, so that each poll has an address of its own.",
    ),
    explains=(
        "connect-loop",
        "no-backoff",
        "no-connect-packet",
        "sid-expired",
        "ping-missing",
        "pong-missing",
        "heartbeat-slow",
        "polling-no-keepalive",
        "ack-missing",
        "ack-slow",
    ),
)
def poll_cached(session: Session) -> Iterator[Hit]:
    """See the module."""
    attempt, cached = session.attempt, session.polling.cached
    proof = list(_opening(session, attempt)) if attempt is not None else []
    what = proof[-1].text if proof else ""
    for answer in cached or ():
        text = answer.shown or "the same answer again"
        proof.append(evidence(answer.request, Side.CLIENT, "GET"))
        proof.append(evidence(answer.answer, Side.SERVER, text))
        what = f"its polls have {answer.shown}" if answer.shown else f"each poll {_TWICE}"
    stale = [refusal for refusal in session.refusals if refusal.status == _NOT_MODIFIED] if session.refusals else []
    for refusal in stale:
        proof.append(evidence(refusal.request, Side.CLIENT, "GET"))
        proof.append(evidence(refusal.answer, Side.SERVER, "304, not modified"))
        what = "its polls are answered 304, not modified"
    if not proof:
        return
    only_its_id = attempt is not None and attempt.given_before is not None and what == _SAME_SESSION
    yield Hit(
        *proof,
        certainty=Certainty.LIKELY if only_its_id else Certainty.CERTAIN,
        doubt="the server may be told to give out ids that it gave before (generateId)" if only_its_id else "",
        occurrences=max(1, (cached.count if cached is not None else 0) + len(stale)),
        period_ns=cached.period_ns if cached is not None else None,
        what=what,
        box=box_of(attempt.answered) if attempt is not None and attempt.answered is not None else "",
    )


def _opening(session: Session, attempt: Attempt) -> Iterator[Evidence]:
    """Whether the handshake itself came out of a cache."""
    answer, before = attempt.answered, attempt.given_before
    if answer is not None and answer.cached:
        yield evidence(attempt.request.place, Side.CLIENT, f"GET {attempt.request.target}")
        yield evidence(answer.place, Side.SERVER, f"its handshake has {answer.cached}")
    elif before is not None and not attempt.request.cookies and not attempt.request.upgrade and not _is_new(session):
        yield evidence(before, Side.SERVER, f"opens session {session.sid}")
        yield evidence(session.opened, Side.SERVER, _SAME_SESSION)


def _is_new(session: Session) -> bool:
    """Whether the server itself opened the session: it lets the client join, and no answer came out of a cache."""
    joined = any(namespace.connected is not None for namespace in session.namespaces.values())
    return joined and session.polling.cached is None
