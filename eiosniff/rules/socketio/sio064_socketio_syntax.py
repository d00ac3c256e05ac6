"""A Socket.IO packet that cannot be read.

## What it reports
A message of a Socket.IO session that is no Socket.IO packet: JSON that is wrong, JSON of the wrong kind, a namespace
without its comma, an event with a name that the libraries keep for themselves.

## Why it matters
The packet is lost. Servers of Node close the whole session for it, without saying why; the client connects again and
sends the same once more. python-socketio writes a line to its log and goes on.

## On the wire
`42['name','x']`, `42["name",NaN]`, `42["a "word""]`, `42["name",{"text":"cut in the midd`, `42/chat["name"]`,
`42{"name":1}`, `42["disconnect"]`, and then an empty close frame (over polling: 200 `ok`, and the poll that waits gets
`1`).

## How to fix
Build the JSON with a library (ArduinoJson, JSON.stringify, json.dumps), into a buffer that is large enough, and write
`42["name",data]`, or `42/chat,["name",data]` in a namespace. Call events neither `connect` nor `disconnect`.

## When it is silent
A message with bytes missing in the capture is not judged. Packets of the msgpack and JSON parsers are no mistakes
(rule SIO065), nor is a message that does not begin like Engine.IO (rules EIO201 and WS013). What a server up to
Socket.IO 2 puts behind a CONNECT is not read by anybody. Of what a broken CONNECT holds nothing is shown.

## References
- Socket.IO protocol, revision 5, "Packet encoding"
- socket.io-parser 4.2, `decodeString` and `isPayloadValid`, RESERVED_EVENTS from 4.2.4 on
"""

import re
from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.frames import Mistake, Reserved
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.reactions import reaction_to

_CONNECT = "0"
_NOUNS = {
    "0": "a CONNECT", "1": "a DISCONNECT", "2": "an event", "3": "an acknowledgement", "4": "a CONNECT_ERROR",
    "5": "an event with binary data", "6": "an acknowledgement with binary data",
}  # fmt: skip
_HINTS = {
    "namespace": "the comma behind the namespace is missing",
    "cut": "it ends before its JSON does",
    "number": "JSON has neither NaN nor Infinity",
    "single quotes": "JSON has double quotes only",
    "comma": "JSON has no comma behind the last element",
}
_UNREAD_UP_TO = 3  # the last revision of Engine.IO whose servers put something behind a CONNECT that nobody reads
# A word of data may be a part of a secret, and its first letters show the mistake as well.
_WORD = re.compile(r"(\w\w)[\w.+/=-]{3,}")


@rule(
    code="SIO064",
    name="socketio-syntax",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends a Socket.IO packet that cannot be read",
    message="The {side} ({client} at {server}) sends {what}; {reaction}.",
    why="A Socket.IO packet is a type, perhaps a namespace, and JSON. Servers of Node close the session at one that "
    "they cannot read, others drop it.",
    fix=(
        "Build the JSON with a library instead of joining texts, in a buffer that is large enough for all of it.",
        'An event is 42["name",data], in a namespace 42/chat,["name",data], with the comma.',
    ),
    explains=("connect-loop", "no-backoff", "ack-missing", "event-before-connect", "ws-abnormal-close"),
)
def socketio_syntax(session: Session) -> Iterator[Hit]:
    """See the module."""
    frames = session.frames
    if session.gaps or not (session.anomalies or frames.reserved):
        return
    for side in SIDES:
        mistakes = [one for one in frames.mistakes or () if one.side is side and not _is_unread(session, one)]
        others = [
            anomaly
            for anomaly in session.anomalies
            if anomaly.kind is AnomalyKind.SIO_BAD_SYNTAX
            and anomaly.side is side
            and not any(anomaly.place == one.place for one in frames.mistakes or ())
        ]
        proof = [(one.place, _words(one)) for one in mistakes]
        proof += [(other.place, f"a packet that cannot be read: {other.expected} should be there") for other in others]
        if not proof:
            continue
        count = sum(
            anomaly.kind is AnomalyKind.SIO_BAD_SYNTAX and anomaly.side is side for anomaly in session.anomalies
        )
        reaction = reaction_to(session, side, [place for place, _ in proof])
        yield Hit(
            *(evidence(place, side, text) for place, text in proof),
            *reaction.proof,
            occurrences=max(count, len(proof)),
            kind=side.label,
            side=side.label,
            what=proof[0][1],
            mistake=mistake_of(mistakes[0]) if mistakes else "",
            reaction=reaction.words,
        )
    for reserved in _first_of_each_side(session):
        places = [one.place for one in frames.reserved or () if one.side is reserved.side]
        reaction = reaction_to(session, reserved.side, places)
        yield Hit(
            *(evidence(place, reserved.side, f'an event "{reserved.name}"') for place in places),
            *reaction.proof,
            severity=reaction.severity(Severity.WARNING),
            occurrences=len(places),
            kind=f"{reserved.side.label}, reserved name",
            side=reserved.side.label,
            what=f'an event called "{reserved.name}", a name that the libraries use for themselves',
            mistake="reserved name",
            reaction=reaction.words,
        )


def _first_of_each_side(session: Session) -> list[Reserved]:
    first: dict[Side, Reserved] = {}
    for reserved in session.frames.reserved or ():
        first.setdefault(reserved.side, reserved)
    return list(first.values())


def _is_unread(session: Session, one: Mistake) -> bool:
    """Whether it stands behind a CONNECT of a server, which clients up to Socket.IO 2 do not look at."""
    spoken = session.revisions[Side.SERVER] or session.engineio or 0
    return one.side is Side.SERVER and one.type == _CONNECT and spoken <= _UNREAD_UP_TO


def _words(one: Mistake) -> str:
    """`an event that cannot be read at byte 10, >>> in ["hello",>>>'word']: JSON has double quotes only`."""
    noun = _NOUNS.get(one.type, "a message")
    place = f"{noun} that cannot be read at byte {one.position}"
    hint = _HINTS.get(mistake_of(one), f"{one.expected} should be there")
    if one.type == _CONNECT:
        return f"{place}: {hint}"
    return f"{place} ({_shown(one.before)}>>>{_shown(one.after)}): {hint}"


def mistake_of(one: Mistake) -> str:
    """Which of the usual mistakes it is, empty for another."""
    if "after the namespace" in one.expected:
        return "namespace"
    if not one.after or "Unterminated" in one.expected:
        return "cut"
    if "number" in one.expected and "JSON" in one.expected:
        return "number"
    if one.after.startswith(b"'") or one.before.endswith(b"'"):
        return "single quotes"
    return "comma" if one.before.rstrip().endswith(b",") and one.after[:1] in b"]}" else ""


def _shown(piece: bytes) -> str:
    return _WORD.sub(r"\1…", piece.decode("utf-8", "backslashreplace"))
