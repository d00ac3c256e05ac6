"""A Socket.IO client at a WebSocket server that is not Socket.IO.

## What it reports
A WebSocket that was opened with `EIO=` in the URL, and on which the server never sends the open packet.

## Why it matters
The WebSocket itself opens, so everything looks connected; the client waits for `0{...}` and gives up after 20 s, again
and again.

## On the wire
101, and then either nothing of the server, or a first message that is no Engine.IO packet: an echo, JSON, a greeting.

## How to fix
Point the client at a Socket.IO server (port, path), or use a plain WebSocket client for this server.

## When it is silent
Silence after a 101 that asked for `EIO=3` is how socket.io 3.1 to 4.0 refuse it (rule EIO002). A server whose open
packet is late but comes is fine.

## References
- socket.io documentation, "What Socket.IO is not"
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_S, in_ms, quoted

# A server that has not sent its open packet by then will not: clients give up after 5 s to 20 s.
PATIENCE_NS = 4 * NS_PER_S


@rule(
    code="WS012",
    name="plain-websocket-server",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server speaks WebSocket, but not Socket.IO",
    message="{client} opens a WebSocket for Socket.IO ({target}). The server at {server} accepts it and {reaction}.",
    why="A Socket.IO server greets with an open packet (0{{...}}). Without it the client waits until its time-out and "
    "starts again.",
    fix=(
        "Check host, port and path: this is another WebSocket server (an echo or chat server, a framework's own).",
        "If it is meant to be a plain WebSocket server, use a plain WebSocket client with it.",
    ),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def plain_websocket_server(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        if sample.status != 101 or not sample.request.upgrade:
            continue
        foreign = sample.outcome is Outcome.FOREIGN
        if not foreign and not _waited_in_vain(sample):
            continue
        proof = []
        for attempt in group:
            proof.append(evidence(attempt.request.place, Side.CLIENT, f"GET {attempt.request.target}"))
            if attempt.answer is not None:
                text = f"first message: {quoted(attempt.body)}" if foreign else "101, and then nothing"
                proof.append(evidence(attempt.answer, Side.SERVER, text))
            if not foreign and attempt.ended is not None:
                proof.append(evidence(attempt.ended, attempt.ended_by, "gives up"))
        yield Hit(
            *proof,
            certainty=Certainty.CERTAIN if foreign else Certainty.LIKELY,
            doubt="" if foreign else "the server says nothing that would show what it is",
            occurrences=group.count,
            period_ns=group.period_ns,
            target=sample.request.target,
            reaction=f"sends {quoted(sample.body)}" if foreign else _silence(sample),
        )


def _waited_in_vain(attempt: Attempt) -> bool:
    """Silence that is not a refusal of the version."""
    if attempt.outcome is not Outcome.SILENT_AFTER_101 or attempt.request.eio != "4":
        return False
    return _waited_ns(attempt) >= PATIENCE_NS


def _waited_ns(attempt: Attempt) -> int:
    if attempt.answer is None or attempt.ended is None:
        return 0
    return attempt.ended.ts_ns - attempt.answer.ts_ns


def _silence(attempt: Attempt) -> str:
    return f"then says nothing for {in_ms(_waited_ns(attempt))}"
