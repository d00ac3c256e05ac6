"""A binary message that belongs to no event.

## What it reports
A binary message in a Socket.IO session, without a header (`45...`, `46...`) before it that announces it.

## Why it matters
Socket.IO has no binary messages of their own: the data is lost. A server of Node closes the session ("got binary data
when not reconstructing a packet"), python-socketio ignores the message.

## On the wire
A binary frame after a text that announces nothing, and an empty close frame.

## How to fix
Send binary data as an argument of an event: the library then writes the header. By hand:
`451-["name",{"_placeholder":true,"num":0}]`, and then the bytes.

## When it is silent
Binary messages that are Socket.IO packets themselves belong to the msgpack parser (rule SIO065). When the capture lacks
messages, the header may be among them. Sessions without Socket.IO may send what they like.

## References
- Socket.IO protocol, revision 5, "Sending and receiving binary data"
- socket.io-parser, lib/index.ts, `Decoder.add`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.reactions import reaction_to


@rule(
    code="SIO061",
    name="binary-orphan",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends binary data outside of an event",
    message="The {side} ({client} at {server}) sends {found} that belongs to no event; {reaction}.",
    why="In Socket.IO binary data is a part of an event, which announces it. Servers of Node close the session at "
    "bytes that nothing has announced.",
    fix=(
        'Send the bytes as an argument of an event (socket.emit("name", bytes)), not through the WebSocket below it.',
        'By hand: 451-["name",{{"_placeholder":true,"num":0}}] first, then the bytes.',
    ),
    explains=("connect-loop", "no-backoff", "ack-missing", "ws-abnormal-close"),
)
def binary_orphan(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.anomalies or session.gaps:
        return
    for side in SIDES:
        orphans = [
            anomaly
            for anomaly in session.anomalies
            if anomaly.kind is AnomalyKind.SIO_BINARY_ORPHAN and anomaly.side is side
        ]
        if not orphans:
            continue
        reaction = reaction_to(session, side, [orphan.place for orphan in orphans])
        yield Hit(
            *(evidence(orphan.place, side, orphan.found) for orphan in orphans),
            *reaction.proof,
            occurrences=len(orphans),
            kind=side.label,
            side=side.label,
            found=orphans[0].found,
            reaction=reaction.words,
        )
