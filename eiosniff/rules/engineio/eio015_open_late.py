"""The server takes long to open a session.

## What it reports
A session whose open packet came late: more than 5 s (`answer_ms`) after the client asked for it, or more than a second
(`open_ms`) after the WebSocket was accepted.

## Why it matters
Clients wait for a while and then start again: the JavaScript, Java and Dart clients 20 s, python-socketio and
arduinoWebSockets 5 s. Until then the user looks at nothing, and after that each try costs the server another session.

## On the wire
A handshake request, acknowledged by TCP at once, and the answer seconds later; or 101, and `0{...}` only after a pause.

## How to fix
Find what the server does meanwhile: a computation or a synchronous call that holds its event loop (then everything else
on it waits too), a middleware or `allowRequest` that asks a database, a process that has to start first.

## When it is silent
For handshakes that are never answered. The time of a CORS preflight is not counted.

## References
- socket.io documentation, client option `timeout`; Node.js documentation, "Don't block the event loop"
- recorded: python-socketio gives up after 5 s
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="EIO015",
    name="open-late",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The server takes long to open a session: {waited}",
    message="{client} asks for a session. The server at {server} opens it {waited} {since}.{outcome}",
    why="Clients give up on such a handshake and start again (after 5 s to 20 s, by library).",
    fix=(
        "Look for what holds the server meanwhile: code that blocks its event loop, a middleware or a check of the "
        "request that waits for a database, a process that is only just starting.",
    ),
    explains=("no-connect-packet", "ping-missing", "pong-missing", "connect-loop", "no-backoff", "server-silent"),
    hence="the session is opened only after {waited}",
    limits={"answer_ms": 5000, "open_ms": 1000},
)
def open_late(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    attempt = session.attempt
    if attempt is None or session.handshake is None or session.forwarded:
        return
    asked, opened = attempt.request.place, session.opened
    if opened.ts_ns - asked.ts_ns <= min(limits["open_ms"], limits["answer_ms"]) * NS_PER_MS:
        return
    proof = [evidence(asked, Side.CLIENT, f"{attempt.request.method} {attempt.request.target}")]
    waited_ns = opened.ts_ns - asked.ts_ns
    since = "after the request"
    accepted = attempt.answered if attempt.answered and attempt.answered.accepts else None
    if accepted is not None:
        proof.append(evidence(accepted.place, Side.SERVER, f"{accepted.status}"))
        paused_ns = opened.ts_ns - accepted.place.ts_ns
        if paused_ns > limits["open_ms"] * NS_PER_MS:
            waited_ns, since = paused_ns, "after it has accepted the WebSocket"
    if since == "after the request" and waited_ns <= limits["answer_ms"] * NS_PER_MS:
        return
    gone = attempt.ended if attempt.ended is not None and attempt.ended_by is Side.CLIENT else None
    if gone is not None and gone < opened:
        proof.append(evidence(gone, Side.CLIENT, "gives up"))
    else:
        gone = None
    proof.append(evidence(opened, Side.SERVER, "the open packet"))
    yield Hit(
        *proof,
        severity=Severity.ERROR if gone else None,
        waited=in_ms(waited_ns),
        since=since,
        outcome=f" The client had given up after {in_ms(gone.ts_ns - asked.ts_ns)}." if gone else "",
    )
