"""An event asks for an acknowledgement that never comes.

## What it reports
An event with an ack id to which the other side has not replied although it had time enough (`answer_ms`) and was alive:
it said other things afterwards, pongs at least.

## Why it matters
The callback of whoever sent the event never runs, a call that waits for it never returns, and a program that tells its
user "saved" only then never does. The event may have been handled all the same; nobody knows.

## On the wire
`42<id>["event",...]` and no `43<id>[...]` on the same namespace. Node sends it when the handler calls the callback that
it is given as its last argument; python-socketio when the handler returns, whatever it returns. So there is none if the
handler has no such callback or forgets it on some path, if it raises, if no handler has that name, or was registered
yet.

## How to fix
Call the callback on all paths, errors too. Compare the names of event and handler letter by letter. If nobody waits for
the acknowledgement, do not ask for it.

## When it is silent
While the other side may still answer: the session or the namespace ended, the capture ended, or the other side fell
silent before the time was up; or before twice the time had passed that the slowest acknowledgement of the same event
took. For events on a namespace that the client is not in. Some frameworks give each event an id and wait for none of
them: if a side sends two kinds of events or more, all with ids, and no acknowledgement ever comes, that is an
information. Of a client it is only likely that it never answers: it may have to ask a person.

## References
- Socket.IO protocol, revision 5, "Acknowledgement"
- socket.io documentation, "Emitting events", acknowledgements; python-socketio documentation, "Event callbacks"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.messages import AckFigures, Ask
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import events_of, is_joined, named
from eiosniff.rules.phrases import NS_PER_MS, in_ms

_EVENTS_SHOWN = 8
_SHOWN = 3
_TIMES_THE_SLOWEST = 2
_CHANCE = "every event of the {who} has an ack id; it may be that its framework always adds one and nobody waits"
_PERSON = "a person may have to answer first, and take longer"
_NOBODY_WAITS = (
    "asks for an acknowledgement of each of its events, of several names, and none ever comes. Its framework may add "
    "an id to all of them, and nobody waits."
)


@rule(
    code="SIO057",
    name="ack-missing",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {other} does not acknowledge {missed}",
    message="{client} with {server}: the {who} {what} The {other} is alive: it says other things up to {alive} later.",
    why="The callback of the {who} never runs, and what waits for it waits for ever or runs into a timeout.",
    fix=(
        "In the handler of {event} on the {other}: call the callback that it gets as its last argument, on every path, "
        "and see that nothing raises before.",
        "Check that the {other} has a handler of exactly that name, on that namespace, before the event comes.",
        "If the {who} does not need an answer, do not ask for one: leave the callback (or the ack id) out.",
    ),
    explains=("duplicate-event",),
    limits={"answer_ms": 10_000},
)
def ack_missing(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    waiting = session.messages.waiting
    if not waiting:
        return
    for side in Side:
        heard = session.last_from[side.other]
        if heard is None or session.unreadable[side.other]:
            continue
        missing: dict[str, list[Ask]] = {}
        acks = session.messages.acks_of(side is Side.SERVER)
        for (server, _, _), ask in waiting.items():
            if server != (side is Side.SERVER):
                continue
            enough = max(limits["answer_ms"] * NS_PER_MS, _TIMES_THE_SLOWEST * _slowest_ns(acks.get(ask.event)))
            if _waited_ns(session, ask, heard) >= enough:
                missing.setdefault(ask.event, []).append(ask)
        if missing:
            yield from _hits(session, side, heard, missing)


def _slowest_ns(figures: AckFigures | None) -> int:
    return figures.delays.maximum if figures is not None else 0


def _waited_ns(session: Session, ask: Ask, heard: PacketRef) -> int:
    """How long the other side could have answered."""
    namespace = session.namespaces.get(ask.namespace)
    if not is_joined(namespace, session):
        return 0
    until = heard.ts_ns
    if namespace is not None:
        if namespace.connected is not None and ask.place < namespace.connected:
            return 0
        if namespace.disconnected is not None and ask.place < namespace.disconnected:
            until = min(until, namespace.disconnected.ts_ns)
    return until - ask.place.ts_ns


def _hits(session: Session, side: Side, heard: PacketRef, missing: dict[str, list[Ask]]) -> Iterator[Hit]:
    acks = session.messages.acks_of(side is Side.SERVER)
    answered = any(figures.delays.count for figures in acks.values())
    plain = events_of(session, side) - sum(figures.asked for figures in acks.values())
    always = plain <= 0 and not answered  # each of its events asks, and none was ever acknowledged
    harmless, unsure = always and len(acks) > 1, always and len(acks) == 1
    doubt = _CHANCE.format(who=side.label) if unsure else _PERSON if side is Side.SERVER and not harmless else ""
    for event, asks in list(missing.items())[: 1 if harmless else _EVENTS_SHOWN]:
        figures = acks.get(event)
        count = sum(1 + ask.more for ask in asks)
        asked = max(figures.asked if figures else count, count)
        shown = [*asks[:_SHOWN], *(asks[-1:] if len(asks) > _SHOWN else ())]
        proof = [evidence(ask.place, side, f"event {named(ask.event)}, asks for an acknowledgement") for ask in shown]
        proof.append(evidence(heard, side.other, "is alive, and has not sent it"))
        what = f"sends {named(event)} {_times(asked)} and asks for an acknowledgement. "
        some = "One never comes." if count == 1 else f"{count} never come."
        what += "It never comes." if asked == 1 else "None ever comes." if asked == count else some
        yield Hit(
            *proof,
            kind=f"{side.label} {'any' if harmless else event}",
            severity=Severity.INFO if harmless else None,
            certainty=Certainty.LIKELY if doubt else Certainty.CERTAIN,
            doubt=doubt,
            occurrences=count,
            lasting=True,
            who=side.label,
            other=side.other.label,
            event=named(event),
            missed=f"any event of the {side.label}" if harmless else named(event),
            what=_NOBODY_WAITS if harmless else what,
            waits="perhaps not" if harmless else "yes",
            alive=in_ms(heard.ts_ns - asks[0].place.ts_ns),
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
