"""A byte 04 before binary data, where there should be none (or none, where it should be).

## What it reports
A side of an Engine.IO 4 session that writes binary messages as Engine.IO 3 does, with the byte `04` before the data;
and the reverse, a client of revision 3 that leaves it out.

## Why it matters
Up to revision 3 a binary message begins with its type, the byte 4. From revision 4 on it is the data alone: whoever
writes the byte all the same hands over images, audio and firmware that are one byte too long and open nowhere. Over
polling such a message cannot be read at all, and the client leaves with a parse error. The other way round the first
byte of the data is taken for the type, and the event never arrives.

## On the wire
`04 ff d8 ff` in the place of `ff d8 ff` (JPEG), `04 89 50 4e 47` (PNG), in each binary frame of one side. Over polling
`01 0b ff 04 ...` behind the text of an event.

## How to fix
Mend the side that writes it: netty-socketio up to 2.0.x does, whatever the client asks for. Until then the receiver has
to drop the first byte, if it is 4 and the data cannot begin so.

## When it is silent
Data may begin with 04 by itself. So all binary messages of a side must begin so, and the data behind the byte must be
of a kind that is known (images, PDF, ZIP, gzip, audio, JSON), unless the server shows that it is netty-socketio:
there the id of the session is that of the socket too, and a UUID. Applications put a byte before their JSON, too: of
fewer than three such messages it is only possible.

## References
- Engine.IO protocol, revision 4, "Difference between v3 and v4"
- netty-socketio issue #935
"""

import re
from collections.abc import Iterator

from eiosniff.model.engineio import POLLING
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.frames import BinaryHeads
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words

_TYPED = 3  # the last revision that writes the byte
# What applications put a byte of their own before, to tell kinds of messages apart.
_OFTEN_MARKED = ("JSON", "msgpack")
_SURE = 3  # so many messages, all of one kind, are no chance
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@rule(
    code="EIO062",
    name="binary-extra-0x04",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} writes binary data as in another version of the protocol: {what}",
    message="The {side} ({client} at {server}) {does}.",
    why="Engine.IO 3 writes the byte 04 before binary data, Engine.IO 4 does not. Where the two sides differ the data "
    "has a byte too many or too few.",
    fix=(
        "Let both sides speak the same revision of Engine.IO; update the one that writes binary data in the old way.",
        "Until then, drop the first byte at the receiver where it is 4 and the data cannot begin so.",
    ),
    explains=("binary-incomplete", "engineio-syntax", "connect-loop", "no-backoff"),
)
def binary_extra_0x04(session: Session) -> Iterator[Hit]:
    """See the module."""
    heads = session.frames.heads
    if heads is None:
        yield from _over_polling(session)
        return
    old = (session.revisions[Side.SERVER] or session.engineio or 4) <= _TYPED
    for side in SIDES:
        head = heads[side]
        if head is None or head.typed != (0 if old else head.count):
            continue
        if old:
            # The server's revision decides: its client writes as it reads.
            if side is Side.CLIENT and session.revisions[side] == _TYPED + 1 and _data_of(head, at=0):
                yield _hit(side, head, "the byte 04 is missing", "leaves out", "the first byte of the data is lost")
        elif head.magic or (side is Side.SERVER and is_netty(session)):
            effect = "the receiver gets it as the first byte of the data"
            own = head.magic in _OFTEN_MARKED and head.count < _SURE and not (side is Side.SERVER and is_netty(session))
            yield _hit(side, head, "one byte too many", "writes", effect, own=own)


def _hit(side: Side, head: BinaryHeads, what: str, verb: str, effect: str, own: bool = False) -> Hit:
    """`own` says that the application itself may have put the byte there."""
    data = f" ({head.magic})" if head.magic else ""
    messages = "the only binary message" if head.count == 1 else f"all {head.count} binary messages"
    return Hit(
        *(evidence(place, side, f"binary data begins {start[:6].hex(' ')}") for place, start in head.heads),
        certainty=Certainty.POSSIBLE if own else Certainty.CERTAIN,
        doubt="the application may write such a byte before its data by itself" if own else "",
        severity=Severity.WARNING if own else None,
        occurrences=head.count,
        kind=f"{side.label}, {verb}",
        side=side.label,
        what=what,
        does=f"{verb} the byte 04 before the data of {messages}{data}: {effect}",
    )


def _data_of(head: BinaryHeads, at: int) -> bool:
    """Whether the first byte is none that an Engine.IO packet could begin with."""
    return all(start[at : at + 1] > b"\x06" for _, start in head.heads)


def is_netty(session: Session) -> bool:
    """Whether the id of the session is a UUID and that of a socket too, as only netty-socketio does. (In socketioxide
    the two are the same as well, but 16 characters of base64.)"""
    sid = session.sid
    return (
        sid is not None
        and _UUID.fullmatch(sid) is not None
        and any(one.socket_id == sid for one in session.namespaces.values())
    )


def _over_polling(session: Session) -> Iterator[Hit]:
    """netty-socketio writes binary data over polling as revision 3 does, which clients of revision 4 cannot read."""
    closing = session.closing
    if (
        not session.socketio_counts[Side.SERVER].get("BINARY_EVENT")
        or closing is None
        or session.engineio != _TYPED + 1
    ):
        return
    said = session.last_from[Side.SERVER]
    if session.transports != [POLLING] or not is_netty(session) or said is None:
        return
    left = closing.side is Side.CLIENT and closing.how is CloseHow.EIO_CLOSE
    if left and 0 <= closing.place.ts_ns - said.ts_ns <= CLOSED_BECAUSE_NS:
        yield Hit(
            evidence(said, Side.SERVER, "binary data, framed as in revision 3"),
            evidence(closing.place, Side.CLIENT, closing_words(closing)),
            certainty=Certainty.LIKELY,
            doubt="the client does not say why it leaves",
            kind="polling",
            side=Side.SERVER.label,
            what="the client cannot read it",
            does="sends binary data over polling in the framing of Engine.IO 3; the client leaves at once",
        )
