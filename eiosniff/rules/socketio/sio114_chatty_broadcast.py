"""A server sends the same event to many clients, many times a second.

## What it reports
An event with the same arguments that goes to ten clients or more (`receivers`) five times a second or more often
(`second_broadcasts`), at least eight times (`broadcasts`), and what that is together.

## Why it matters
Each broadcast costs the server a packet, and the writing of a message, for each client: what looks like one `emit` is
clients times rate. It is the first thing that a server with a thousand clients dies of.

## On the wire
The same `42["tick",...]` to one client after the other, and a moment later the next one.

## How to fix
Broadcast no more often than clients need it, the changes since the last time together; send to the rooms that care
instead of to all; send the latest state as `volatile`, so that slow clients get fewer.

## When it is silent
For fewer clients, or less often; for events that differ from client to client, and those with attachments. The server
is judged by what this capture holds of it.

## References
- socket.io documentation, "Broadcasting events", "Rooms" and "Performance tuning"
"""

from collections.abc import Iterator, Mapping
from typing import Final

from eiosniff.model.finding import Severity
from eiosniff.model.messages import BroadcastFigures
from eiosniff.model.peers import Server
from eiosniff.model.provenance import SERVER
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import frame_bytes, header_bytes, named
from eiosniff.rules.phrases import NS_PER_S, in_bytes, in_ms

_BATCHES_A_SECOND: Final = 2


@rule(
    code="SIO114",
    name="chatty-broadcast",
    subject=Server,
    severity=Severity.INFO,
    since="0.1.0",
    title="The server broadcasts {event} {rate} times a second, to {receivers} clients",
    message="{server} sends {event} {rounds} times in {lasted} to up to {most} clients: {deliveries} messages, "
    "{payload} of payload and {overhead} of headers, {pace} together. {instead}",
    why="A broadcast costs a packet and a message for each client. Its price grows with the clients, whatever one of "
    "them pays.",
    fix=(
        "Broadcast {event} less often, with what has changed since the last time in one event; twice a second is "
        "enough for most displays.",
        "Send it to the room of those who need it (JavaScript: io.to(room).emit), and as volatile where only the "
        "latest one counts.",
    ),
    remark=True,
    limits={"receivers": 10, "second_broadcasts": 5, "broadcasts": 8},
)
def chatty_broadcast(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    events = server.broadcasts.events
    if events is None:
        return
    for event, figures in events.items():
        receivers = figures.deliveries / max(figures.rounds, 1)
        rate = _a_second(figures, figures.rounds - 1)
        if (
            figures.rounds < limits["broadcasts"]
            or receivers < limits["receivers"]
            or rate < limits["second_broadcasts"]
        ):
            continue
        each = header_bytes(server.endpoint.address) + frame_bytes(SERVER)
        overhead = figures.deliveries * each
        yield Hit(
            evidence(figures.first, SERVER, f"event {named(event)}, to client number 5"),
            evidence(figures.last, SERVER, "the same event, for the last time"),
            kind=event,
            occurrences=figures.rounds,
            event=named(event),
            rate=f"{rate:.0f}",
            receivers=f"{receivers:.0f}",
            rounds=f"{figures.rounds:,}",
            most=figures.most,
            lasted=in_ms(_lasted_ns(figures)),
            deliveries=f"{figures.deliveries:,}",
            payload=in_bytes(figures.bytes),
            overhead=in_bytes(overhead),
            pace=f"{in_bytes(_a_second(figures, figures.bytes + overhead))} a second",
            instead=_instead(figures, receivers, each),
        )


def _lasted_ns(figures: BroadcastFigures) -> int:
    return max(figures.last.ts_ns - figures.first.ts_ns, 0)


def _a_second(figures: BroadcastFigures, count: float) -> float:
    """How many there are in a second; of what lasted less, as if it had lasted that long."""
    return count * NS_PER_S / max(_lasted_ns(figures), NS_PER_S)


def _instead(figures: BroadcastFigures, receivers: float, each: int) -> str:
    seconds = max(_lasted_ns(figures) / NS_PER_S, 1)
    deliveries = min(seconds * _BATCHES_A_SECOND * receivers, figures.deliveries)
    payload = deliveries * figures.bytes / max(figures.deliveries, 1)
    return (
        f"Collected and sent {_BATCHES_A_SECOND} times a second, it would be {deliveries:,.0f} messages with "
        f"{in_bytes(deliveries * each)} of headers; with the latest state alone, {in_bytes(payload)} of payload."
    )
