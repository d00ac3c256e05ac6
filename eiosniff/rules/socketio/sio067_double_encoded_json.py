r"""An event argument is JSON inside a string.

## What it reports
An event, most of whose messages (`encoded_share`), and three at least (`messages`), have an argument that is a string
with an object or an array in it.

## Why it matters
Socket.IO writes arguments as JSON by itself. What was made a string before arrives as a string: the handler that reads
`data.user` finds nothing, until somebody adds a `JSON.parse` there, and then the next client has to do the same. Each
quotation mark takes two bytes on the wire.

## On the wire
`42["event","{\"key\":1}"]` where `42["event",{"key":1}]` is meant.

## How to fix
Pass the object itself: `socket.emit("event", data)` and not `socket.emit("event", JSON.stringify(data))`. In sketches:
write the object without quotation marks around it, or let ArduinoJson write the whole array. Then take the `JSON.parse`
out of the handlers.

## When it is silent
For texts that happen to look like JSON now and then, such as a chat message; for strings inside of objects, which may
come from elsewhere as they are; for empty objects and arrays of numbers. The first 64 messages of an event are looked
at.

## References
- socket.io documentation, "Emitting events": there is no need to run JSON.stringify() on objects
- Links2004/arduinoWebSockets, examples, WebSocketClientSocketIO: the array is serialised as a whole
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import named
from eiosniff.rules.phrases import in_bytes


@rule(
    code="SIO067",
    name="double-encoded-json",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The {who} sends JSON inside a string: {event}",
    message="{client} with {server}: argument {argument} of {event} is a string that holds {holds}, in {messages} "
    "of {looked_at} messages of the {who}. It was made JSON twice; the escapes took {escapes} more.",
    why="Socket.IO makes JSON of arguments by itself. The handler gets a string, in which it finds no field, instead "
    "of the object.",
    fix=(
        "On the {who}: pass the object itself to emit(), without JSON.stringify() and the like.",
        "On the other side take the extra JSON.parse() out, if there is one.",
    ),
    limits={"messages": 3, "encoded_share": 0.9},
)
def double_encoded_json(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    encoded = session.messages.encoded
    if encoded is None:
        return
    for (server, event), entry in encoded.items():
        if entry.messages < limits["messages"] or entry.messages < limits["encoded_share"] * entry.looked_at:
            continue
        side = SIDES[server]
        holds = f"an object ({', '.join(entry.keys)})" if entry.keys else "an array"
        yield Hit(
            *[evidence(place, side, f"event {named(event)}") for place in entry.places],
            kind=f"{side.label} {event}",
            occurrences=entry.messages,
            period_ns=entry.places.period_ns,
            who=side.label,
            event=named(event),
            argument=entry.argument,
            holds=holds,
            messages=entry.messages,
            looked_at=entry.looked_at,
            escapes=in_bytes(entry.escapes),
        )
