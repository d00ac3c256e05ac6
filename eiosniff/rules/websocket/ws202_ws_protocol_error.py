"""WebSocket frames that break the protocol.

## What it reports
A frame that WebSocket does not know or allow: a reserved opcode, a control frame in fragments or over 125 bytes, a
continuation of nothing, a message inside another one, a close frame with a code that may not be sent, a length in the
wrong form, compressed data that is none.

## Why it matters
The other side has to close the connection: servers of Node and of Python do, with code 1002.

## On the wire
The frame, and a close frame with 1002 (1007 for data that does not inflate). Where several things are wrong in one
frame, it mostly is none: the length of the frame before it was wrong.

## How to fix
Let a WebSocket library write the frames. By hand, look at the frame before the faulty one too: its length, in one,
three or nine bytes, must be that of its payload.

## When it is silent
When all that is wrong is the mask (rule WS095), a reserved bit (WS096) or the encoding of a text (WS097). When HTTP
stands in the place of frames (WS031, EIO002). After a gap in the capture.

## References
- RFC 6455, sections 5.2, 5.4, 5.5 and 7.4
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.frame_faults import FrameFault, faulty_frames
from eiosniff.rules.reactions import reaction_to

_WORDS = {
    AnomalyKind.WS_RESERVED_OPCODE: "a frame of a kind that does not exist (opcode {found})",
    AnomalyKind.WS_BAD_LENGTH: "a frame whose length is not as it should be ({found})",
    AnomalyKind.WS_BAD_CONTROL: "a control frame that is too long or in fragments ({found})",
    AnomalyKind.WS_BAD_CONTINUATION: "{found} where {expected} was due",
    AnomalyKind.WS_BAD_CLOSE: "a close frame with {found} in the place of {expected}",
    AnomalyKind.WS_BAD_DEFLATE: "compressed data that does not inflate ({found})",
    AnomalyKind.WS_WRONG_MASK: "a frame that is {found}",
    AnomalyKind.WS_RESERVED_BITS: "a frame with reserved bits {found}",
    AnomalyKind.WS_BAD_UTF8: "text that is not UTF-8 ({found})",
}


@rule(
    code="WS202",
    name="ws-protocol-error",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends WebSocket frames that break the protocol",
    message="The {side} ({client} at {server}) sends {what}; {reaction}.",
    why="WebSocket says exactly what a frame looks like, and whoever gets another one has to close the connection.",
    fix=(
        "Let a WebSocket library write the frames of the {side}.",
        "By hand: check the length that the frame before the faulty one announces, and that nothing else writes to the "
        "same connection.",
    ),
    explains=(
        "engineio-syntax",
        "plain-websocket-client",
        "no-connect-packet",
        "socketio-syntax",
        "binary-orphan",
        "connect-loop",
        "no-backoff",
        "ws-abnormal-close",
        "tcp-reset",
    ),
)
def ws_protocol_error(session: Session) -> Iterator[Hit]:
    """See the module."""
    for faulty in faulty_frames(session, FrameFault.PROTOCOL):
        side, anomalies = faulty.side, faulty.anomalies
        reaction = reaction_to(session, side, [anomaly.place for anomaly in anomalies], "does nothing about it")
        yield Hit(
            *(evidence(anomaly.place, side, _words(anomaly)) for anomaly in anomalies),
            *reaction.proof,
            severity=reaction.severity(Severity.INFO),
            occurrences=len({anomaly.place for anomaly in anomalies}),
            kind=side.label,
            side=side.label,
            what=_words(anomalies[0]),
            reaction=reaction.words,
        )


def _words(anomaly: Anomaly) -> str:
    return _WORDS[anomaly.kind].format(found=anomaly.found, expected=anomaly.expected)
