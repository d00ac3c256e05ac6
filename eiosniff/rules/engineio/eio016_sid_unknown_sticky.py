"""The server does not know a session that it has just opened: several back ends without sticky sessions.

## What it reports
A request with a `sid` that is refused as unknown, although the same address opened that session moments ago and
nothing has closed it.

## Why it matters
The most reported fault of all. Behind one address are several server processes; each knows only its own sessions. The
handshake goes to one, the next request to another. With n processes about (n-1)/n of the requests fail.

## On the wire
200 with `0{"sid":...}`, then within the ping time a request with that sid is answered 400 with code 1 ("Session ID
unknown"; python-engineio: "Invalid session"), or a WebSocket upgrade with a bare 400. Others with the same sid may
succeed. What shows the processes: the ids of Node and Python end in a counter, and each process has its own; the
cookie or the `Server` header of a load balancer names another one with the refusal than with the handshake.

Where only the upgrades are refused, polls are sticky and WebSocket is not: the session goes on over polling, which
costs more, and so this is a warning. Without other signs it is likely, and not certain: where Socket.IO is attached
twice to one HTTP server, the second one takes the polls, and the first one refuses the upgrades.

## How to fix
Make the load balancer sticky: nginx `hash $remote_addr consistent` or `ip_hash`, HAProxy `cookie` or `balance source`,
AWS ALB stickiness, Kubernetes `sessionAffinity: ClientIP`; with PM2 or `cluster` use `@socket.io/sticky`; gunicorn
with one worker. An adapter (Redis) does not replace that. Or let clients use WebSocket only.

## When it is silent
After the session was closed, or when its ping time is over, or when the server was restarted: then the server is right
(rule EIO017). The same after something for which servers end a session: a packet that is no Engine.IO (EIO201), a
request that overlaps another (EIO020, EIO021), a poll that the client cut (EIO022), a ping of the client (EIO038). A
session that was served many times before is only a possible case: a server that was restarted forgets its sessions
too.

## References
- socket.io documentation, "Using multiple nodes"
- socket.io issues #1739, #4881 and #4433, Flask-SocketIO issue #1417
"""

from collections.abc import Iterator

from eiosniff.knowledge.boxes import is_affinity
from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.engineio import WEBSOCKET
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.unknown_sids import (
    LUCKY_STREAK,
    answer_words,
    ended_by_client,
    expired,
    lifetime_ns,
    pair,
    processes,
    restarted,
    says_unknown,
)

_ALL = "The server forgets its sessions at once"
_UPGRADES = "The upgrade to WebSocket gets to a server that does not know the session"


@rule(
    code="EIO016",
    name="sid-unknown-sticky",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="{trouble}: several back ends without sticky sessions",
    message="The server at {server} opens a session for {client}, and {after} later refuses a request with its sid: "
    "{answer}.{seen}",
    why="Behind that address are several server processes, each of which knows only the sessions that it opened "
    "itself. The load balancer sends requests of one session to different ones.",
    fix=(
        "Make the load balancer sticky: nginx ip_hash or hash $remote_addr consistent; HAProxy cookie or balance "
        "source; AWS ALB target group stickiness; Kubernetes sessionAffinity: ClientIP.",
        "One machine: @socket.io/sticky with cluster or PM2; gunicorn with one worker (-w 1).",
        'Or skip polling: transports: ["websocket"] on the client. An adapter such as Redis does not replace '
        "stickiness.",
    ),
    explains=(
        "preflight-not-sticky",
        "stuck-in-polling",
        "connect-loop",
        "no-backoff",
        "no-connect-packet",
        "ping-missing",
        "pong-missing",
    ),
    hence="The server does not know the sessions that it has opened: requests get to another process",
)
def sid_unknown_sticky(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.refusals or session.midstream or lifetime_ns(session) == 0:
        return
    unknown = [
        refusal
        for refusal in session.refusals
        if says_unknown(refusal)
        and not refusal.after_close
        and not expired(session, refusal)
        and not restarted(session, refusal)
        and not ended_by_client(session, refusal)
    ]
    if not unknown or _closed_by_server(session):
        return
    first = unknown[0]
    count = processes(session.server)
    upgrades_only = all(refusal.transport is WEBSOCKET for refusal in unknown) and session.requests_answered > 1
    perhaps_restarted = (
        session.requests_answered >= LUCKY_STREAK and session.last.number < first.answer.number and count == 1
    )
    proof = [evidence(session.opened, Side.SERVER, f"opens session {session.sid}")]
    for refusal in unknown:
        proof.append(evidence(refusal.request, Side.CLIENT, "a request of that session"))
        proof.append(evidence(refusal.answer, Side.SERVER, answer_words(refusal)))
    seen = _seen(session, first, count)
    certainty, doubt = Certainty.CERTAIN, ""
    if perhaps_restarted:
        certainty = Certainty.POSSIBLE
        doubt = "a server that was restarted forgets its sessions too, and this one was served well until then"
    elif upgrades_only and not seen:
        certainty, doubt = Certainty.LIKELY, "Socket.IO that is attached twice to one HTTP server looks the same"
    yield Hit(
        *proof,
        certainty=certainty,
        doubt=doubt,
        after=in_ms(first.answer.ts_ns - session.opened.ts_ns),
        severity=Severity.WARNING if upgrades_only else None,
        kind="upgrade" if upgrades_only else "",
        trouble=_UPGRADES if upgrades_only else _ALL,
        answer=answer_words(first),
        seen=seen,
    )


def _seen(session: Session, refusal: RefusedRequest, count: int) -> str:
    """What else shows that another process answered, as a sentence."""
    if count > 1:
        return f" The counters in its session ids are those of {count} processes."
    opened = session.attempt.answered if session.attempt is not None else None
    if opened is None:
        return ""
    now = dict(refusal.answered.cookies)
    for name, value in opened.cookies:
        if is_affinity(name) and name in now and pair(now[name]) != pair(value):
            return f' The load balancer says so itself: its cookie "{name}" has another value in the refusal.'
    if opened.server and refusal.answered.server and opened.server != refusal.answered.server:
        return f' Two servers answer: "{opened.server}" and "{refusal.answered.server}".'
    return ""


def _closed_by_server(session: Session) -> bool:
    """Whether the server had ended the session itself: what follows is not a surprise."""
    closing = session.closing
    first = session.refusals.first[0]
    return closing is not None and closing.side is Side.SERVER and closing.place.ts_ns <= first.answer.ts_ns
