"""A WebSocket message that is begun and not finished.

## What it reports
A message in several frames (fragments) whose last frame comes `stall_ms` (5 s) after the first or later, or never.

## Why it matters
Until a message is complete its sender can send no other one: not even the `3` that answers a ping of Engine.IO. What
waits behind it is late, and after `pingTimeout` the other side gives the session up.

## On the wire
A frame with FIN 0 (`01`, `02` in the first byte), and its continuation (`80`) seconds later, or none before the end.

## How to fix
Send messages in one frame, or their fragments one right after the other; do not wait for data in the middle of one.
Look for a proxy that holds frames back.

## When it is silent
When a large message comes at 2 KB per second or faster: that is a slow link (rule EIO043 tells if it costs the
session). When the capture ends in the middle of it.

## References
- RFC 6455, section 5.4
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.frames import Fragmented
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.model.websocket import FRAGMENT_MISSING
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms
from eiosniff.rules.reactions import reaction_to

# Mobile networks of the second generation (GPRS) carry some 2 to 5 KB per second.
_SLOWEST_BYTES_PER_S = 2000


@rule(
    code="WS100",
    name="ws-fragment-stall",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {side} begins a WebSocket message and {title}",
    message="The {side} ({client} at {server}) sends the first part of a message and {rest}{reaction}.",
    why="A message may be sent in parts, but nothing else can be sent before its last part: no other message, and no "
    "answer to a ping of Engine.IO.",
    fix=(
        "Let the {side} send each message in one frame, or its parts one right after the other.",
        "If it does, look for a proxy or an antivirus that holds frames back.",
    ),
    explains=("pong-missing", "chatty-but-no-pong", "heartbeat-slow", "ping-missing", "connect-loop", "no-backoff"),
    limits={"stall_ms": 5000},
)
def ws_fragment_stall(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    limit_ns = limits["stall_ms"] * NS_PER_MS
    for slow in session.frames.slow or ():
        if slow.last.ts_ns - slow.first.ts_ns >= limit_ns and _bytes_per_s(slow) < _SLOWEST_BYTES_PER_S:
            yield _late(slow)
    for anomaly in session.anomalies:
        if anomaly.kind is AnomalyKind.WS_INCOMPLETE and anomaly.expected == FRAGMENT_MISSING:
            yield from _never(session, anomaly, limit_ns)


def _bytes_per_s(slow: Fragmented) -> float:
    return slow.bytes * NS_PER_S / (slow.last.ts_ns - slow.first.ts_ns)


def _late(slow: Fragmented) -> Hit:
    waited = in_ms(slow.last.ts_ns - slow.first.ts_ns)
    return Hit(
        evidence(slow.first, slow.side, "the first part of a message (FIN 0)"),
        evidence(slow.last, slow.side, f"its last part, {waited} later"),
        kind=f"{slow.side.label}, late",
        side=slow.side.label,
        title=f"finishes it {waited} later",
        rest=f"the last of its {slow.fragments} parts {waited} later",
        reaction="",
    )


def _never(session: Session, anomaly: Anomaly, limit_ns: float) -> Iterator[Hit]:
    closing = session.closing
    if session.gaps or closing is None:
        return
    side = anomaly.side
    waited = closing.place.ts_ns - anomaly.place.ts_ns
    if waited < limit_ns:
        return
    closed = closing.side is not side
    reaction = reaction_to(session, side, [closing.place])
    yield Hit(
        evidence(anomaly.place, side, "the first part of a message (FIN 0)"),
        *(reaction.proof if closed else ()),
        severity=Severity.ERROR if closed else None,
        kind=f"{side.label}, never",
        lasting=True,
        side=side.label,
        title="never finishes it",
        rest=f"nothing more of it for {in_ms(waited)}",
        reaction=f"; then {reaction.words}" if closed and side is not Side.SERVER else "",
    )
