"""A client sends WebSocket frames before the server has accepted the WebSocket.

## What it reports
A masked frame of the client on a connection that still speaks HTTP: behind a handshake by polling, or behind the
request for a WebSocket and before its `101`.

## Why it matters
Until the `101` the server reads HTTP. It takes the frame for the next request and refuses it with 400, and closes; the
handshake may be lost with it. Servers that keep the bytes for later read them before anything has been agreed: the
event is lost, or the connection is closed for it.

## On the wire
`GET ...`, then `81 8x ...` (text frame, masked) from the client before the answer. Node answers a frame behind a poll
with a bare `400 Bad Request`, aiohttp with "Invalid method encountered" and the bytes that it read.

## How to fix
Send nothing before the library says that it is connected: in arduinoWebSockets, from `sIOtype_CONNECT` on; use 2.3.1 or
later, which no longer sends events while the handshake runs. In own firmware, wait for the `101`.

## When it is silent
When frames come right after the `101`, and when the capture lacks what the server sends, or a part of what came before.

## References
- RFC 6455, section 4.1: a client must not send data before the server's handshake
- arduinoWebSockets, issue #599 and release 2.3.1
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, EarlyFrame, UpgradeTry
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.upgrades import AT_ONCE_NS

_REFUSED = 400


@rule(
    code="WS032",
    name="ws-frame-before-101",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends WebSocket frames before the WebSocket is open",
    message="{client} sends a WebSocket frame {after} after {request}, before the server at {server} has accepted any "
    "WebSocket. {reaction}",
    why="Until the server answers 101, the connection speaks HTTP: a server takes the frame for a broken request, or "
    "reads a packet that it cannot expect yet.",
    fix=(
        "Send nothing before the library reports that it is connected. arduinoWebSockets: 2.3.1 or later, and "
        "sendEVENT only after sIOtype_CONNECT.",
        "In own firmware: wait for the 101 before the first frame.",
    ),
    explains=(
        "http-malformed",
        "event-before-connect",
        "upgrade-incomplete",
        "upgrade-without-probe",
        "stuck-in-polling",
        "no-connect-packet",
        "connect-loop",
        "no-backoff",
    ),
)
def ws_frame_before_101(client: Client) -> Iterator[Hit]:
    """See the module."""
    frames = client.early_frames
    if not frames:
        return
    first = frames.first[0]
    proof = []
    reactions = [_reaction(early) for early in frames]
    for early, (place, said, _) in zip(frames, reactions, strict=True):
        proof.append(evidence(early.asked.request.place, Side.CLIENT, f"GET {early.asked.request.target}"))
        proof.append(evidence(early.frame, Side.CLIENT, "a WebSocket frame"))
        if place is not None:
            proof.append(evidence(place, Side.SERVER, said))
    worst = max(reactions, key=lambda reaction: reaction[0] is not None)
    harmless = worst[0] is None and all(
        isinstance(early.asked, UpgradeTry) and early.asked.accepted for early in frames
    )
    yield Hit(
        *proof,
        severity=Severity.WARNING if harmless else Severity.ERROR,
        occurrences=frames.count,
        period_ns=frames.period_ns,
        after=in_ms(first.frame.ts_ns - first.asked.request.place.ts_ns),
        request="its request for a WebSocket" if first.asked.request.upgrade else "its handshake by polling",
        reaction=worst[2],
    )


def _reaction(early: EarlyFrame) -> tuple[PacketRef | None, str, str]:
    """What the server does about it: where, in a few words, and in a sentence."""
    refused, answered = early.refused, early.asked.answered
    if refused is None and answered is not None and answered.status >= _REFUSED:
        refused = answered
    if refused is not None:
        return refused.place, f"{refused.status}", f"The server takes it for a request, and answers {refused.status}."
    closed = _closed(early.asked)
    if closed is not None and 0 <= closed.ts_ns - early.frame.ts_ns <= AT_ONCE_NS:
        return closed, "closes", f"The server closes the connection {in_ms(closed.ts_ns - early.frame.ts_ns)} later."
    if answered is not None and answered.accepts:
        return None, "", "This server reads it all the same, after its 101; others refuse the connection."
    return None, "", "The server does not answer it."


def _closed(asked: Attempt | UpgradeTry) -> PacketRef | None:
    """Where the server closed what was asked for."""
    if asked.ended is not None:
        return asked.ended if asked.ended_by is Side.SERVER else None
    closing = asked.session.closing if isinstance(asked, Attempt) and asked.session is not None else None
    return closing.place if closing is not None and closing.side is Side.SERVER else None
