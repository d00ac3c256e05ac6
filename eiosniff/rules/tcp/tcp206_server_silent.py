"""The server takes the connection and the request, and never answers.

## What it reports
Handshakes that the server's TCP accepted and acknowledged, and that were not answered until the client gave up, after a
second or more (`waited_ms`).

## Why it matters
The host is there and the port is open, so that everything looks well; but the program does not read, or does not
answer. The client waits for its whole time-out (20 s in JavaScript, 5 s in Python and on boards), then starts again.

## On the wire
SYN, SYN-ACK, the request, an ACK without data, and silence until the client's FIN or RST. The operating system of the
server does the first part for any program that listens, even one that is stopped or blocked.

## How to fix
See what the server does: code that blocks its event loop, all worker threads taken by long polls, a process that is
stopped or out of memory, a debugger. Check that it is the Socket.IO server that listens on this port, and not a service
that waits for another protocol (TLS, a database). A `when` that never calls back (`allowRequest`, a middleware of the
engine) looks the same.

## When it is silent
Where the client sent its request again and again without an acknowledgement: then the network is gone. For requests
that the server answered in any way, or whose connection it ended itself, for WebSockets that it accepted, and for
WebTransport (rule EIO247). A single request that the client gave up sooner than any library does is only a possible
case.

## References
- RFC 9293, section 3.10.7.4 (acknowledgements come from TCP, not from the program)
- socket.io documentation, client option `timeout`; Node.js documentation, "Don't block the event loop"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.answers import is_for_webtransport
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import REPEATS_INTO_THE_VOID
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms

# Of python-socketio and of boards: 5 s.
_SHORTEST_TIME_OUT_NS = NS_PER_S * 9 // 2


@rule(
    code="TCP206",
    name="server-silent",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server takes the request and never answers",
    message="{client} asks {server} for a session. The request arrives (TCP acknowledges it), and nothing comes back "
    "until the client gives up after {waited}.",
    why="The operating system accepts connections for a program that listens, even if it is blocked or stopped. It is "
    "the program that does not answer.",
    fix=(
        "Look at what the server process does: a blocked event loop, no free worker thread, a process that is stopped, "
        "a check of the request (allowRequest, a middleware) that never calls back.",
        "Check that the Socket.IO server listens on that port, and not a service that speaks another protocol.",
    ),
    explains=("connect-loop", "no-backoff", "gateway-5xx"),
    hence="handshakes are not answered",
    limits={"waited_ms": 1000},
)
def server_silent(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        if group.last is None or group.last.outcome is not Outcome.UNANSWERED or is_for_webtransport(group.last):
            continue
        silent = [attempt for attempt in group if _waited_ns(attempt) >= limits["waited_ms"] * NS_PER_MS]
        if not silent:
            continue
        waited_ns = max(_waited_ns(attempt) for attempt in silent)
        left = group.count == 1 and waited_ns < _SHORTEST_TIME_OUT_NS
        proof = []
        for attempt in silent:
            request = attempt.request
            proof.append(evidence(request.place, Side.CLIENT, f"{request.method} {request.target}"))
            proof.append(evidence(attempt.ended or request.place, Side.CLIENT, "gives up"))
        yield Hit(
            *proof,
            certainty=Certainty.POSSIBLE if left else Certainty.CERTAIN,
            doubt="no library gives up so soon: a page that was left, or a program that was ended, looks the same"
            if left
            else "",
            severity=Severity.WARNING if left else None,
            occurrences=group.count if len(silent) == len(list(group)) else len(silent),
            period_ns=group.period_ns,
            waited=in_ms(waited_ns),
        )


def _waited_ns(attempt: Attempt) -> int:
    """How long a client waited in vain, although its request had arrived; 0 if something else came of it."""
    if attempt.ended is None or attempt.ended_by is not Side.CLIENT or attempt.status is not None:
        return 0
    if attempt.repeats >= REPEATS_INTO_THE_VOID:
        return 0
    return attempt.ended.ts_ns - attempt.request.place.ts_ns
