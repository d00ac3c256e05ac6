"""A record separator inside of a packet tears it in two.

## What it reports
A polling body of Engine.IO 4 in which the text of one event holds the byte 0x1E, so that it falls into two pieces of
which neither is a packet.

## Why it matters
Servers of Node answer 200 `ok` and end the session, without a reason; python-engineio drops the event. It only happens
with the few texts that hold this character (records of scanners, payment terminals, EDI), and only over polling.

## On the wire
`42["hello","one<1e>two"]`: the first piece is an event whose JSON has no end, and the second begins with no type. The
two put together with a space between them are an event.

## How to fix
Write JSON with a JSON library: a control character has to be escaped in it (RFC 8259, section 7), and all of them do
that. The event is most likely put together as a string. Binary data belongs into an attachment.

## When it is silent
When a broken event cannot be put together again from its neighbours (then it is a mistake of its own), and over
WebSocket, where no separator has a meaning.

## References
- Engine.IO protocol, revision 4, "HTTP long-polling"; RFC 8259, section 7
- recorded with a client by hand at socket.io 4.8 and python-socketio 5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import capital, quoted
from eiosniff.rules.reactions import reaction_to


@rule(
    code="EIO070",
    name="separator-in-data",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A text of the {side} holds the character that separates packets, and is torn by it",
    message="The {side} ({client} at {server}) sends an event with the byte 0x1E in its text, after {said}. "
    "{reaction}.",
    why="Over polling, Engine.IO 4 puts the character 0x1E between packets. In the middle of a text it ends the packet "
    "there, and neither half makes sense.",
    fix=(
        "Write the JSON with a JSON library instead of putting it together as a string: it writes this character as "
        "\\u001e.",
        "Send binary data as such (an attachment), or in base64.",
    ),
    explains=("sid-reused", "sid-unknown-sticky", "sid-expired", "connect-loop", "no-backoff", "ack-missing"),
)
def separator_in_data(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.anomalies:
        return
    for side in SIDES:
        torn = [one for one in session.anomalies if one.kind is AnomalyKind.EIO_TORN_PACKET and one.side is side]
        if not torn:
            continue
        result = reaction_to(session, side, [torn[-1].place], "drops it")
        yield Hit(
            *(evidence(one.place, side, f"{quoted(one.found.encode('latin-1'))}, then 0x1E") for one in torn),
            *result.proof,
            occurrences=len(torn),
            kind=side.label,
            side=side.label,
            said=quoted(torn[0].found.encode("latin-1")),
            reaction=capital(result.words),
        )
