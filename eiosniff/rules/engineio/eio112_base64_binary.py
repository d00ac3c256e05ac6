"""Binary data travels as base64.

## What it reports
Events that carry 8 kB or more (`base64_bytes`) of binary data as base64, in three messages at least (`messages`): as a
string that is most of the event, or as attachments of events over polling, which has no other form for them.

## Why it matters
Base64 takes four bytes for three, and both sides spend time on it; a string of that size is also read as JSON.

## On the wire
`42["image","iVBORw0KGgo..."]` or `"data:image/png;base64,..."`; over polling, packets that begin with `b`.

## How to fix
Hand the bytes themselves to `emit()` (Buffer, ArrayBuffer, Blob; `bytes` in Python): Socket.IO sends them as binary
messages. Over polling: let the session go on over WebSocket.

## When it is silent
For less than that, and for strings that are not most of their event. For attachments that go over polling before the
session goes on over WebSocket: they have no other way.

## References
- socket.io documentation, "Emitting events", serializable data; Engine.IO protocol, revision 4, "Payload"
- RFC 4648, section 4
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.messages import Base64Figures
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import named
from eiosniff.rules.phrases import in_bytes

_STRING = "a string in the JSON"
_ATTACHMENT = "an attachment that polling has to write so"


@rule(
    code="EIO112",
    name="base64-binary",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The {who} sends binary data as base64: {event}",
    message="{client} with {server}: {event} carries binary data as base64, as {form}: {count} messages of the {who} "
    "with {spent} of it. Sent as binary it would be {instead}, {saved} less.",
    why="Base64 takes four bytes for three, and time at both ends.",
    fix=("{advice}",),
    limits={"base64_bytes": 8000, "messages": 3},
)
def base64_binary(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    messages = session.messages
    if messages.base64_strings is None and messages.base64_attachments is None:
        return
    for (server, event), figures in (messages.base64_strings or {}).items():
        if _is_much(figures, limits):
            yield _hit(server, event, figures, _STRING)
    if session.upgraded is not None:
        return
    for (server, event), figures in (messages.base64_attachments or {}).items():
        if _is_much(figures, limits):
            yield _hit(server, event, figures, _ATTACHMENT)


def _is_much(figures: Base64Figures, limits: Mapping[str, float]) -> bool:
    return figures.bytes >= limits["base64_bytes"] and figures.places.count >= limits["messages"]


def _hit(server: bool, event: str, figures: Base64Figures, form: str) -> Hit:
    side = SIDES[server]
    if form == _STRING:
        advice = (
            f"On the {side.label}: hand the bytes themselves to emit() (Buffer, ArrayBuffer, Blob; bytes in Python) "
            "instead of a base64 string; the other side gets them as they are."
        )
    else:
        advice = (
            "Let the session go on over WebSocket, which carries bytes as they are: leave transports alone in the "
            "client, and mend what keeps the upgrade from working."
        )
    return Hit(
        *[evidence(place, side, f"event {named(event)}") for place in figures.places],
        kind=f"{side.label} {event} {form}",
        occurrences=figures.places.count,
        period_ns=figures.places.period_ns,
        who=side.label,
        event=named(event),
        form=form,
        count=figures.places.count,
        spent=in_bytes(figures.bytes),
        instead=in_bytes(figures.bytes * 3 / 4),
        saved=in_bytes(figures.bytes / 4),
        advice=advice,
    )
