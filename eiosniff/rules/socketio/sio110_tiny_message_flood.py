"""A client or a server sends a flood of tiny events.

## What it reports
More than 50 events a second (`second_messages`) of less than 64 bytes each, over WebSocket, for three seconds or more
(`busy_seconds`), and what they would cost if they were sent together every 50 ms.

## Why it matters
Each takes a packet with at least 40 bytes of headers, an acknowledgement by TCP, and a turn of the event loop at both
ends. On a mobile link the radio never sleeps. The payload is the smallest part of it.

## On the wire
`42["move",[12,7]]`, each in a packet of its own, a hundred times a second.

## How to fix
Collect what is said and send it together: an array of the changes of the last 50 ms. Send only the latest state where
the ones before it do not matter, as `volatile` events, so that a slow client gets fewer of them.

## When it is silent
Over polling, which collects messages by itself; where two or more events share a packet on the average, for they are
collected already. For a flood that lasts less long. It is an information, and a warning
where heartbeats in the same session take a second or more, so that somebody cannot keep up.

## References
- python-socketio issue #275, socket.io issue #2690
- socket.io documentation, "Emitting events", volatile events; RFC 6455, section 5.2
"""

from collections.abc import Iterator, Mapping
from typing import Final

from eiosniff.model.finding import Severity
from eiosniff.model.messages import Pace
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import frame_bytes, header_bytes, share
from eiosniff.rules.phrases import NS_PER_S, in_bytes, in_ms

_BATCHES_A_SECOND: Final = 20
_USUAL_WORST = 0.95
_TOGETHER: Final = 2  # events in a packet, on the average: they are collected already


@rule(
    code="SIO110",
    name="tiny-message-flood",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {who} sends {rate} tiny events a second",
    message="{client} with {server}: {spent}. {instead}{harm}",
    why="Each tiny event costs a packet with its headers, an acknowledgement by TCP and a turn of both event loops; "
    "what it says is the smallest part.",
    fix=(
        "On the {who}: collect what is to be said and emit it as one event every 50 ms or so.",
        "Where only the latest value counts (positions, sensor readings): send no more often than somebody looks, as "
        "a volatile event (JavaScript: socket.volatile.emit).",
    ),
    limits={"second_messages": 50, "busy_seconds": 3},
)
def tiny_message_flood(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    paces = session.messages.paces
    if paces is None:
        return
    for side in SIDES:
        pace = paces[side]
        if pace is None or pace.seconds < limits["busy_seconds"] or pace.rates.median <= limits["second_messages"]:
            continue
        if pace.packets * _TOGETHER <= pace.messages:
            continue
        beats = session.heartbeats.delays
        slow = beats.count > 0 and beats.quantile(_USUAL_WORST) >= NS_PER_S
        peak = [evidence(pace.peak, side, f"the fullest second begins: {pace.most} events")]
        yield Hit(
            evidence(pace.first, side, "the first of them"),
            *(peak if pace.first < pace.peak < pace.last else ()),
            evidence(pace.last, side, "the last second of it begins"),
            kind=side.label,
            severity=None if slow else Severity.INFO,
            who=side.label,
            rate=f"{pace.messages / pace.seconds:,.0f}",
            spent=_spent(session, side, pace),
            instead=_instead(session, side, pace),
            harm=f" Heartbeats take up to {in_ms(beats.maximum)}: somebody cannot keep up." if slow else "",
        )


def _overhead(session: Session, side: Side, pace: Pace) -> int:
    """The bytes on the wire that are no payload, without those of acknowledgements."""
    return pace.packets * header_bytes(session.server.endpoint.address) + pace.messages * frame_bytes(side)


def _spent(session: Session, side: Side, pace: Pace) -> str:
    overhead = _overhead(session, side, pace)
    return (
        f"in {pace.seconds} s the {side.label} sends {pace.messages:,} events with {in_bytes(pace.bytes)} of payload, "
        f"in {pace.packets:,} packets whose headers are another {in_bytes(overhead)} "
        f"({share(overhead, overhead + pace.bytes)} of all)"
    )


def _instead(session: Session, side: Side, pace: Pace) -> str:
    batches = min(pace.seconds * _BATCHES_A_SECOND, pace.packets)
    overhead = batches * (header_bytes(session.server.endpoint.address) + frame_bytes(side))
    return (
        f"Sent together every 50 ms it would be {batches:,} packets with {in_bytes(overhead)} of headers: "
        f"{share(_overhead(session, side, pace) - overhead, _overhead(session, side, pace))} less."
    )
