"""WebSocket frames that are masked with zero, which is no mask.

## What it reports
A client whose frames have the masking key `00 00 00 00`.

## Why it matters
No server minds. The mask is there so that nobody who controls what a client sends can make it look like HTTP to a proxy
that does not know WebSocket; with the key zero the data goes over the wire as it is. A random key costs nothing.

## On the wire
`81 82 00 00 00 00 34 30`: the text `40` as it is, behind a key of zeros. arduinoWebSockets writes its frames so unless
it has room to copy them, and so does ArduinoWebsockets.

## How to fix
In a client of one's own: four random bytes for each frame. With a library for microcontrollers there is nothing to do
in a network of one's own; elsewhere use `wss://`, through which no proxy looks.

## When it is silent
When the keys are other ones. Fewer than `messages` (2) with this key may be chance.

## References
- RFC 6455, sections 5.3 and 10.3
- arduinoWebSockets, src/WebSockets.cpp, `sendFrame`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="WS099",
    name="ws-zero-mask",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The client masks its WebSocket frames with zero",
    message="{client} masks frames to {server} with the key 00 00 00 00, which leaves them as they are.",
    why="The mask protects proxies that do not know WebSocket from data that looks like HTTP. No server minds; behind "
    "such a proxy it would be a risk.",
    fix=(
        "A client of your own: write four random bytes as the key of each frame.",
        "With a library for microcontrollers nothing is to be done in a network of your own; else use wss://.",
    ),
    one_side_tells=True,
    tolerates_gaps=True,
    remark=True,
    limits={"messages": 2},
)
def ws_zero_mask(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    frames = session.frames
    if frames.zero_mask is None or frames.zero_masks < limits["messages"]:
        return
    yield Hit(evidence(frames.zero_mask, Side.CLIENT, "the first frame with the key 00 00 00 00"))
