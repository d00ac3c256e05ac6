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
In a client of one's own: four random bytes for each frame. With a library that does so: `wss://`, into which no proxy
can look.

## When it is silent
When the keys are other ones. Fewer than `messages` (2) with this key may be chance. When a library for microcontrollers
writes them and the server is in the same private network: there is nothing to be done.

## References
- RFC 6455, sections 5.3 and 10.3
- arduinoWebSockets, src/WebSockets.cpp, `sendFrame`
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule

# arduinoWebSockets and ArduinoWebsockets, whose users cannot change how they mask.
_LIBRARIES = frozenset({"arduino-WebSocket-Client", "TinyWebsockets Client"})


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
        "In a client of your own, write four random bytes as the key of each frame.",
        "If a library writes the frames, use wss://: no proxy can look into that.",
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
    if session.client.user_agent in _LIBRARIES and _is_private(session.server.endpoint.address):
        return
    if _is_first(session):
        yield Hit(evidence(frames.zero_mask, Side.CLIENT, "the first frame with the key 00 00 00 00"))


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _is_first(session: Session) -> bool:
    """Whether it is the first session of its client: how a library masks does not change."""
    opened = [
        attempt
        for group in session.client.attempts.values()
        for attempt in group.first
        if attempt.session is not None and attempt.request.place < session.opened
    ]
    return all(attempt.session is session for attempt in opened)
