"""The server refuses the client's revision of Engine.IO, over WebSocket.

## What it reports
A WebSocket handshake (no `sid`) with `EIO=3` or none that the server refuses, or answers with silence.

## Why it matters
The browser or library says "Invalid frame header", "RSV1 must be clear" or "bad opcode", or just times out after 20 s:
nothing that points at the version.

## On the wire
Three shapes. socket.io 4.x (seen with 4.8.4) accepts the upgrade with 101 and then writes the text of an
`HTTP/1.1 400 Bad Request` answer into the WebSocket, and closes: a WebSocket parser reads the letters `HT` as a frame
with RSV1 set. socket.io 3.1.0 to 4.0.0 accept it and never send a byte; the client gives up. python-socketio answers
with a plain 400 and no 101.

## How to fix
Use a client of the server's generation. Where the client cannot change, `allowEIO3: true` makes Node servers
(socket.io 3.1 and later) speak revision 3 too.

## When it is silent
HTTP text after a 101 with another message has another cause (two handlers on one HTTP server). A server that never
answers a handshake with `EIO=4` is no Socket.IO server (rule WS012). A client that leaves within seconds has not waited
long enough to tell.

## References
- socket.io documentation, "Troubleshooting connection issues"; socket.io issue #3794
- arduinoWebSockets issue #835
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.engineio.eio001_eio_unsupported_polling import refuses_revision
from eiosniff.rules.phrases import NS_PER_S, in_ms

# A server that speaks the revision sends its open packet at once; python-socketio's client waits for 5 s.
PATIENCE_NS = 4 * NS_PER_S


@rule(
    code="EIO002",
    name="eio-unsupported-ws",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server does not speak the client's protocol version ({asked}) over WebSocket",
    message="{client} opens with {asked} over WebSocket. The server at {server} {reaction}.",
    why="The two are of different generations: Socket.IO 2 and older speaks Engine.IO 3, Socket.IO 3 and later speaks "
    "Engine.IO 4. The server accepts the WebSocket before it looks at the version, so client libraries report a broken "
    'frame ("Invalid frame header", "RSV1") or a time-out instead of the refusal.',
    fix=(
        "Use a client library of the server's generation (Socket.IO 3 or later), so that it asks for EIO=4.",
        "Only if the client cannot change: allowEIO3: true on a Node server (socket.io 3.1 or later). Not for ever: it "
        "keeps the old heartbeat, which drops clients whose timers are slow.",
    ),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def eio_unsupported_ws(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        request = sample.request
        if not request.upgrade:
            continue
        reaction = _reaction(sample)
        if reaction is None:
            continue
        silent = sample.outcome is Outcome.SILENT_AFTER_101 and sample.error is None
        proof = []
        for attempt in group:
            proof.append(evidence(attempt.request.place, Side.CLIENT, f"GET {attempt.request.target}"))
            if attempt.answer is not None:
                proof.append(evidence(attempt.answer, Side.SERVER, _answer(attempt)))
            if sample.outcome is Outcome.SILENT_AFTER_101 and attempt.ended is not None:
                proof.append(evidence(attempt.ended, attempt.ended_by, "gives up" if silent else "closes"))
        yield Hit(
            *proof,
            certainty=Certainty.LIKELY if silent else Certainty.CERTAIN,
            kind=sample.outcome.value,
            doubt="silence after the 101 is what socket.io 3.1 to 4.0 does; another server may have another reason"
            if silent
            else "",
            occurrences=group.count,
            period_ns=group.period_ns,
            asked=f"EIO={request.eio}" if request.eio else "no EIO",
            reaction=reaction,
            eio=request.eio or "",
        )


def _reaction(attempt: Attempt) -> str | None:
    """What the server does about the version; None if it is about something else."""
    if attempt.outcome is Outcome.SILENT_AFTER_101 and attempt.error is None:
        if attempt.request.eio == "4" or attempt.answer is None or attempt.ended is None:
            return None
        waited = attempt.ended.ts_ns - attempt.answer.ts_ns
        if waited < PATIENCE_NS:
            return None
        return f"accepts the WebSocket (101) and then says nothing for {in_ms(waited)}, until the end"
    if not refuses_revision(attempt):
        return None
    if attempt.outcome is Outcome.REFUSED_AFTER_101:
        return f"accepts the WebSocket (101) and then writes an HTTP {attempt.status} into it"
    if attempt.outcome is Outcome.REFUSED:
        return f"answers {attempt.status} without a 101"
    return f'accepts the WebSocket (101) and then closes it: "{attempt.error.message}"' if attempt.error else None


def _answer(attempt: Attempt) -> str:
    message = f' "{attempt.error.message}"' if attempt.error else ""
    if attempt.outcome is Outcome.REFUSED_AFTER_101:
        return f"after the 101: HTTP {attempt.status}{message}"
    return f"{attempt.status}{message}"
