"""A handshake without the `EIO` parameter.

## What it reports
A handshake request (no `sid`) that does not say which revision of Engine.IO the client speaks.

## Why it matters
Each server takes it differently: engine.io 5.0 and later (socket.io 4.x) as revision 3, which it refuses; engine.io 4.1
(socket.io 3.1) as revision 4; python-engineio refuses it. What works with one server fails with the next version.

## On the wire
A query without `EIO=`. Hand-written clients, old ESP libraries (`/socket.io/?transport=websocket`), load tests, health
checks, and the Swift client up to 15.2.

## How to fix
Add `EIO=4` to the URL (`EIO=3` for a server of Socket.IO 2 or older).

## When it is silent
When the parameter is there, whatever its value; for applications on engine.io up to 0.4 (no Socket.IO), which had no
such parameter, and as long as it may be one: until the handshake is answered, and something is said in the session, or
it ends.

## References
- Engine.IO protocol, revision 4, "HTTP long-polling", query parameters
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="EIO005",
    name="eio-missing",
    subject=Client,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The handshake does not say which protocol version the client speaks (no EIO)",
    message="{client} opens with {request}, without EIO. The server at {server} {reaction}.",
    why="Without EIO each server guesses: socket.io 4 takes it for EIO=3 and refuses, socket.io 3.1 takes it for "
    "EIO=4, python-socketio refuses.",
    fix=("Add EIO=4 to the URL: /socket.io/?EIO=4&transport=... (EIO=3 for a server of Socket.IO 2 or older).",),
    explains=("connect-loop", "no-backoff"),
)
def eio_missing(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        if sample.request.eio is not None or not sample.request.transports:
            continue  # without a transport it is no Engine.IO request at all: rule EIO203
        if _may_be_older(sample):
            continue
        proof = [evidence(a.request.place, Side.CLIENT, f"{a.request.method} {a.request.target}") for a in group]
        if sample.answer is not None:
            proof.append(evidence(sample.answer, Side.SERVER, f"{sample.status}"))
        yield Hit(
            *proof,
            occurrences=group.count,
            period_ns=group.period_ns,
            request=f"{sample.request.method} {sample.request.target}",
            kind=sample.outcome.value,
            reaction=_reaction(sample),
        )


def _may_be_older(attempt: Attempt) -> bool:
    """Whether the client may be one on engine.io up to 0.4, before there was such a parameter: what is said tells."""
    session = attempt.session
    if session is None:
        return attempt.waits
    revision = session.revisions[Side.SERVER]
    silent = revision is None and session.closing is None
    return (revision == 3 or silent) and not any(session.socketio_counts)


def _reaction(attempt: Attempt) -> str:
    if attempt.outcome is Outcome.OPENED:
        return "accepts it all the same"
    if attempt.outcome in (Outcome.REFUSED, Outcome.REFUSED_AFTER_101):
        return f"refuses it ({attempt.status})"
    if attempt.outcome is Outcome.FOREIGN:
        return "gives an answer that is not Engine.IO"
    return "does not answer within the capture"
