"""A server refuses a POST because the client is upgrading to WebSocket.

## What it reports
A POST that is refused with the text "paused", after the client has probed a WebSocket and before it has changed over.

## Why it matters
While a client probes a WebSocket it goes on over polling, and what it sends then has to be taken. This server holds
polling from the probe on: an event that is sent in that moment is lost, the client gives the session up ("xhr post
error"), connects again and, if it sends an event as soon as it has joined, goes the same way.

## On the wire
`2probe` and `3probe` on the WebSocket, then a POST with the old transport, and 400 with `payload: paused`. It is what
googollee/go-socket.io says, which is not maintained any more.

## How to fix
Let the client begin with WebSocket (`transports: ["websocket"]`), so that there is no upgrade. Or stay with polling
(`upgrade: false`), or send the first event later. For good: another server library.

## When it is silent
For a POST that is refused for another reason, and for one that comes when the upgrade is over.

## References
- Engine.IO protocol, "Upgrade": the client stops polling when it has got `3probe`, and not before
- googollee/go-socket.io, `engineio/payload`; recorded with the client in Java and go-socket.io 1.7
"""

from collections.abc import Iterator

from eiosniff.model.attempt import RefusedRequest, UpgradeTry
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import quoted

_PAUSED = b"paused"


@rule(
    code="EIO212",
    name="post-while-upgrading",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server refuses what the client posts while it upgrades to WebSocket",
    message="{client} probes a WebSocket, and meanwhile posts to {server}, which answers {status} {said}: the packet "
    "is lost, and the session with it.",
    why="Until a client has changed over to WebSocket it sends by POST, and a server has to take that. This one does "
    "not from the moment of the probe on.",
    fix=(
        'Client: begin with WebSocket (transports: ["websocket"]): then there is no upgrade.',
        "Or send the first event a moment after the connection was made; or change the server library.",
    ),
    explains=("connect-loop", "no-backoff", "upgrade-incomplete", "ack-missing"),
)
def post_while_upgrading(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.refusals or not session.upgrades:
        return
    refused = [
        (refusal, attempted, probe)
        for refusal in session.refusals
        if refusal.asked.method == "POST" and _PAUSED in refusal.answered.body
        for attempted in session.upgrades
        if (probe := attempted.probe) is not None and _is_during(attempted, probe, refusal)
    ]
    if not refused:
        return
    first = refused[0][0]
    proof = []
    for refusal, _, probe in refused:
        proof.append(evidence(probe, Side.CLIENT, 'probes a WebSocket: "2probe"'))
        proof.append(evidence(refusal.request, Side.CLIENT, "a POST meanwhile"))
        proof.append(evidence(refusal.answer, Side.SERVER, f"{refusal.status} {quoted(refusal.answered.body.strip())}"))
    yield Hit(*proof, occurrences=len(refused), status=first.status, said=quoted(first.answered.body.strip()))


def _is_during(attempted: UpgradeTry, probe: PacketRef, refusal: RefusedRequest) -> bool:
    """Whether a POST is refused between the probe of a WebSocket and the change to it."""
    confirmed = attempted.confirmed
    return probe < refusal.answer and (confirmed is None or refusal.request < confirmed)
