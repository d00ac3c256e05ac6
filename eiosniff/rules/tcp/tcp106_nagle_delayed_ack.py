"""Small writes wait for delayed acknowledgements.

## What it reports
A side that writes small pieces one after the other and has its system hold the next one back until the one before is
acknowledged, while the other side's system delays that acknowledgement: `stalls` times or more in a session.

## Why it matters
Each time costs 40 ms (Linux) or 200 ms (Windows, lwIP on microcontrollers) in which nobody does anything. On a fast
network it is most of what a message takes.

## On the wire
A small segment; 40 or 200 ms later its acknowledgement without data; and at once the next segment of the first side.
Nagle's algorithm holds back what does not fill a segment as long as something is not acknowledged, and the receiver
waits with the acknowledgement for an answer to put it into. Libraries that write a frame in pieces (header, then
payload) meet it with each message: arduinoWebSockets writes an event as three.

## How to fix
Switch Nagle's algorithm off at the side that writes: `TCP_NODELAY` (Node: `socket.setNoDelay(true)`, Python:
`setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)`, lwIP and Arduino: `client.setNoDelay(true)`). Or write header and payload at
once.

## When it is silent
For a few, and where it was captured far from the side that writes: there the next piece comes a round trip later. For a
side that is seen to send small segments one behind the other: it waits for no acknowledgement, and only writes at about
the pace of the other side's (24 times a second, as games do).

## References
- RFC 9293, section 3.7.4 (Nagle); RFC 1122, section 4.2.3.2 (delayed acknowledgements)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms

# A capture may lack the acknowledgement between two segments.
_SELDOM = 5


@rule(
    code="TCP106",
    name="nagle-delayed-ack",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="Small writes of the {side} wait for delayed acknowledgements",
    message="{client} with {server}: {count} times the next bytes of the {side} wait for the acknowledgement of a "
    "small segment, {each} each time and {total} in all; without that it would be next to nothing.",
    why="The {side}'s system holds small segments back until those before are acknowledged (Nagle's algorithm), and "
    "the {peer}'s waits with the acknowledgement: each waits for the other.",
    fix=("Switch Nagle's algorithm off at the {side} (TCP_NODELAY), or write a whole message at once.",),
    limits={"stalls": 5},
)
def nagle_delayed_ack(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    sides = session.network.sides
    if sides is None or (sides[0].stalls is None and sides[1].stalls is None):
        return
    for side in SIDES:
        stalls = sides[side].stalls
        if stalls is None or stalls.count < limits["stalls"] or sides[side].unheld * _SELDOM > stalls.count:
            continue
        proof = [
            evidence(stalls.first.first, side, "a small segment"),
            evidence(stalls.first.last, side, "the next bytes, at once after its acknowledgement"),
        ]
        yield Hit(
            *proof,
            kind=side.label,
            occurrences=stalls.count,
            side=side.label,
            peer=side.other.label,
            count=stalls.count,
            each=in_ms(stalls.total_ns // stalls.count),
            total=in_ms(stalls.total_ns),
        )
