"""Text over WebSocket that is not UTF-8.

## What it reports
A text message, or the reason in a close frame, with bytes that are no UTF-8.

## Why it matters
Text in WebSocket is UTF-8, and the receiver has to close at anything else (code 1007): servers of Node and of Python
do.

## On the wire
A letter such as `e9` (é in Latin-1) by itself in a text frame; or a message that ends in the middle of a character,
cut by a buffer of fixed size. Then a close frame with 1007.

## How to fix
Write text as UTF-8, and cut it only between characters. Bytes that are no text belong in a binary message.

## When it is silent
When an earlier frame of that side has another fault. When bytes of the message are missing from the capture.

## References
- RFC 6455, sections 5.6 and 8.1
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.frame_faults import FrameFault, faulty_frames
from eiosniff.rules.reactions import reaction_to

_CUT = "unexpected end of data"


@rule(
    code="WS097",
    name="ws-bad-utf8",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends text that is not UTF-8",
    message="The {side} ({client} at {server}) sends text that is not UTF-8 ({found}): {cause}; {reaction}.",
    why="Text messages of WebSocket are UTF-8; the receiver has to close the connection at anything else (code 1007).",
    fix=(
        "Encode texts of the {side} as UTF-8 before they are sent, and cut long ones only between characters.",
        "Send bytes that are no text as binary data.",
    ),
    explains=(
        "socketio-syntax",
        "engineio-syntax",
        "plain-websocket-client",
        "connect-loop",
        "no-backoff",
        "ws-abnormal-close",
    ),
)
def ws_bad_utf8(session: Session) -> Iterator[Hit]:
    """See the module."""
    for faulty in faulty_frames(session, FrameFault.UTF8):
        side, places = faulty.side, [anomaly.place for anomaly in faulty.anomalies]
        reaction = reaction_to(session, side, places, "takes it all the same")
        found = faulty.anomalies[0].found
        cut = found.startswith(_CUT)
        yield Hit(
            *(evidence(anomaly.place, side, f"not UTF-8: {anomaly.found}") for anomaly in faulty.anomalies),
            *reaction.proof,
            severity=reaction.severity(Severity.WARNING),
            occurrences=len(places),
            kind=side.label,
            side=side.label,
            found=found,
            cause="it ends in the middle of a character, as a text does that a buffer has cut"
            if cut
            else "it is in another encoding (such as Latin-1), or no text at all",
            reaction=reaction.words,
        )
