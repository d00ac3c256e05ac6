"""An event with more binary attachments than the server takes.

## What it reports
An event or acknowledgement that announces more than 10 binary attachments, at which the receiver closes the session.

## Why it matters
Up to March 2026 any number was taken. The versions since then refuse such an event ("too many attachments"): after an
update of the server, or of a dependency alone, a client that worked is thrown out each time it sends one.

## On the wire
`4511-["files",{"_placeholder":true,"num":0},...]`, and an empty close frame while the binary messages still come.

## How to fix
Send fewer buffers with each event: join them into one and send the offsets with it, or send several events. Or allow
more at the receiver: a parser with another `maxAttachments`.

## When it is silent
When the receiver takes them, as older servers and python-socketio do. When it leaves with a DISCONNECT or a close code:
then it has a reason of its own.

## References
- socket.io-parser, changelog of 4.2.6, 3.4.4 and 3.3.5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.reactions import reaction_to


@rule(
    code="SIO063",
    name="too-many-attachments",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends an event with {attachments} binary attachments, and is thrown out",
    message="The {side} ({client} at {server}) announces {attachments} binary attachments with one event; {reaction}.",
    why="Each Buffer or ArrayBuffer in an event is an attachment. From socket.io-parser 4.2.6 (3.4.4 and 3.3.5 for "
    "older servers) on, more than 10 with one event end the session.",
    fix=(
        "Put the buffers into one, or send them with several events: at most 10 each.",
        'Or allow more at the receiver: new Server({{ parser: ... }}) with a Decoder of its own "maxAttachments".',
    ),
    explains=("binary-incomplete", "binary-orphan", "connect-loop", "no-backoff", "ack-missing", "ws-abnormal-close"),
)
def too_many_attachments(session: Session) -> Iterator[Hit]:
    """See the module."""
    announced = session.frames.announced
    if announced is None:
        return
    last = announced.last or announced.first[0]
    reaction = reaction_to(session, last.side, [last.place])
    if not reaction.closed or _leaves_by_itself(session, last.side.other):
        return
    yield Hit(
        evidence(last.place, last.side, f"announces {last.attachments} binary messages"),
        *reaction.proof,
        kind=last.side.label,
        side=last.side.label,
        attachments=last.attachments,
        reaction=reaction.words,
    )


def _leaves_by_itself(session: Session, side: Side) -> bool:
    """Whether a side took its leave: a parser that refuses a packet says nothing, and its close frame has no code."""
    closing = session.closing
    coded = closing is not None and closing.how is CloseHow.WS_CLOSE and closing.code is not None
    return coded or "DISCONNECT" in session.socketio_counts[side]
