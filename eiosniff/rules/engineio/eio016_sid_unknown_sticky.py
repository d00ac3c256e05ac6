"""The server does not know a session that it has just opened: several back ends without sticky sessions.

## What it reports
A request with a `sid` that is refused as unknown, although the same address opened that session moments ago and nothing
has closed it.

## Why it matters
The most reported fault of all. Behind one address are several server processes; each knows only its own sessions. The
handshake goes to one, the next request to another. With n processes about (n-1)/n of the requests fail.

## On the wire
200 with `0{"sid":...}`, then within the ping time a request with that sid is answered 400 with code 1 ("Session ID
unknown"; python-engineio: "Invalid session"), or a WebSocket upgrade with a bare 400. Others with the same sid may
succeed.

## How to fix
Make the load balancer sticky: nginx `hash $remote_addr consistent` or `ip_hash`, HAProxy `cookie` or `balance source`,
AWS ALB stickiness, Kubernetes `sessionAffinity: ClientIP`; with PM2 or `cluster` use `@socket.io/sticky`; gunicorn with
one worker. An adapter (Redis) does not replace that. Or let clients use WebSocket only.

## When it is silent
After the session was closed, or when its ping time is over: then the server is right. A session that was served many
times before is only a possible case: a server that was restarted forgets its sessions too.

## References
- socket.io documentation, "Using multiple nodes"
- socket.io issues #1739, #4881 and #4433, Flask-SocketIO issue #1417
"""

from collections.abc import Iterator

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms

UNKNOWN_SID_CODE = 1
# With two back ends in turn, so many requests in a row get to the right one once in 256 times.
LUCKY_STREAK = 8
_PYTHON_TEXT = "Invalid session"
_NODE_TEXT = "Session ID unknown"


def says_unknown(refusal: RefusedRequest) -> bool:
    """Whether the refusal says that the session is not known."""
    error = refusal.error
    if error is None:
        return False
    if error.code == UNKNOWN_SID_CODE:
        return True
    return error.message.startswith((_PYTHON_TEXT, _NODE_TEXT))


@rule(
    code="EIO016",
    name="sid-unknown-sticky",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server forgets its sessions at once: several back ends without sticky sessions",
    message="The server at {server} opens a session for {client}, and {after} later refuses a request with its sid: "
    '{status} "{said}".',
    why="Behind that address are several server processes, each of which knows only the sessions that it opened "
    "itself. The load balancer sends requests of one session to different ones.",
    fix=(
        "Make the load balancer sticky: nginx ip_hash or hash $remote_addr consistent; HAProxy cookie or balance "
        "source; AWS ALB target group stickiness; Kubernetes sessionAffinity: ClientIP.",
        "One machine: @socket.io/sticky with cluster or PM2; gunicorn with one worker (-w 1).",
        'Or skip polling: transports: ["websocket"] on the client. An adapter such as Redis does not replace '
        "stickiness.",
    ),
    explains=("connect-loop", "no-backoff", "no-connect-packet", "ping-missing", "pong-missing"),
)
def sid_unknown_sticky(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.refusals or session.midstream or session.handshake is None:
        return
    times = (session.handshake.ping_interval_ms, session.handshake.ping_timeout_ms)
    lifetime_ns = sum(time for time in times if time is not None) * NS_PER_MS
    unknown = [
        refusal
        for refusal in session.refusals
        if says_unknown(refusal)
        and not refusal.after_close
        and refusal.idle_ns < lifetime_ns
        and not _pinged_out(session, refusal)
    ]
    if not unknown or _closed_by_server(session):
        return
    first = unknown[0]
    restarted = session.requests_answered >= LUCKY_STREAK and session.last.number < first.answer.number
    proof = [evidence(session.opened, Side.SERVER, f"opens session {session.sid}")]
    for refusal in unknown:
        proof.append(evidence(refusal.request, Side.CLIENT, "a request of that session"))
        proof.append(evidence(refusal.answer, Side.SERVER, f"{refusal.status}{_message(refusal)}"))
    yield Hit(
        *proof,
        certainty=Certainty.POSSIBLE if restarted else Certainty.CERTAIN,
        doubt="a server that was restarted forgets its sessions too, and this one was served well until then"
        if restarted
        else "",
        after=in_ms(first.answer.ts_ns - session.opened.ts_ns),
        status=first.status,
        said=first.error.message if first.error else "",
    )


def _pinged_out(session: Session, refusal: RefusedRequest) -> bool:
    """Whether the server had waited in vain for a pong: it has ended the session, and could not say so."""
    waiting, handshake = session.heartbeats.pending, session.handshake
    if waiting is None or handshake is None or waiting.side is Side.CLIENT:
        return False
    return refusal.request.ts_ns - waiting.ping.ts_ns >= (handshake.ping_timeout_ms or 0) * NS_PER_MS


def _closed_by_server(session: Session) -> bool:
    """Whether the server had ended the session itself: what follows is not a surprise."""
    closing = session.closing
    first = session.refusals.first[0]
    return closing is not None and closing.side is Side.SERVER and closing.place.ts_ns <= first.answer.ts_ns


def _message(refusal: RefusedRequest) -> str:
    return f' "{refusal.error.message}"' if refusal.error else ""
