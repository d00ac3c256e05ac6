"""Compression of WebSocket messages that costs more than it saves.

## What it reports
A session with `messages` (20) or more compressed messages that together were made larger, or smaller by less than
`saved` (a tenth).

## Why it matters
permessage-deflate pays for large texts. Short messages grow by it, above all where each is compressed by itself
(`no_context_takeover`). It costs processor time for each message, and each connection of a server some 300 KB of memory
(zlib holds 256 KB to compress and some 40 KB to inflate), whatever it saves.

## On the wire
RSV1 in the first frame of most messages, and payloads that are as long as the text in them, or longer.

## How to fix
Switch it off: `perMessageDeflate: false` (the default of socket.io from 2.4 and 3.0 on),
`setWebsocketCompression(false)` in netty-socketio. Or compress large messages only: `perMessageDeflate: { threshold:
1024 }`.

## When it is silent
When compression saves a tenth or more, or was hardly used; that it was agreed on costs nothing on the wire. When nobody
agreed to it (rule WS096). It is an information, and a warning from 10,000 bytes (`lost_bytes`) more than without it.

## References
- RFC 7692, section 7.1.1; zlib, zconf.h (memory requirements)
- socket.io issue #3477, engine.io issue #559, ws issue #497
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.frames import Deflated
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="WS111",
    name="deflate-overhead",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="Compression of WebSocket messages {effect}",
    message="Between {client} and the server at {server} {count} messages were compressed, {grown} of which grew: "
    "{wire} bytes on the wire in the place of {plain} without compression{alone}.",
    why="Short messages have nothing to compress. Each connection costs the server some 300 KB of memory for it, and "
    "each message processor time.",
    fix=(
        "Server: switch it off (perMessageDeflate: false in socket.io, compression=None in others), or let it compress "
        "large messages only (threshold: 1024).",
    ),
    limits={"messages": 20, "saved": 0.1, "lost_bytes": 10_000},
)
def deflate_overhead(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.frames.deflated
    if sides is None:
        return
    used = [(side, deflated) for side in SIDES if (deflated := sides[side]) is not None]
    count, wire, plain = (sum(getattr(one, name) for _, one in used) for name in ("count", "wire", "plain"))
    if count < limits["messages"] or wire <= plain * (1 - limits["saved"]):
        return
    if any(anomaly.kind is AnomalyKind.WS_RESERVED_BITS for anomaly in session.anomalies):
        return
    costs, hurts = wire >= plain, wire - plain >= limits["lost_bytes"]
    yield Hit(
        *(evidence(one.first, side, _words(side, one)) for side, one in used),
        severity=Severity.WARNING if hurts else Severity.INFO,
        kind="costs" if costs else "saves little",
        effect="costs more than it saves" if costs else "saves next to nothing",
        count=count,
        grown=sum(one.grown for _, one in used),
        wire=wire,
        plain=plain,
        alone="; each message is compressed by itself" if any(one.alone for _, one in used) else "",
    )


def _words(side: Side, one: Deflated) -> str:
    return f"the first of {one.count} compressed messages of the {side.label}: {one.wire} bytes for {one.plain}"
