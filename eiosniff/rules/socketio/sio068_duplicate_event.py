"""The same event comes several times.

## What it reports
Two things that look the same to a handler:
- a side sends an event, with the same arguments, two or more times within a millisecond, again and again (`bursts`):
  nearly always because its code registered the same listener several times;
- the client sends an event once more, with a new ack id, because the first one was not acknowledged: at once after it,
  or in its next session.

## Why it matters
What the event does is done twice: two orders, two lines in the chat. Listeners that pile up also grow without end, and
each reconnect adds one.

## On the wire
`42["news",1]` `42["news",1]` in one instant, over one WebSocket. Or `420["order",1]`, and when no `430[]` has come,
`421["order",1]`.

## How to fix
Register listeners once: not inside of another handler, in JavaScript clients not inside of `on("connect")`, which runs
after each reconnect; take them away (`off()`) where a component does. Events that are sent again by `retries` need an
id of their own in the arguments, by which the server leaves out what it has had.

## When it is silent
For an event that comes in several copies only now and then: half of its times at least have to be so. For data that is
binary, for polling (where what was said in the meantime comes together), and for more than 20 copies (`copies`), which
is a loop and no listener. For answers: who is asked several things at once says "done" as many times. What a client
says as soon as it has joined, it says in each session; and what it goes on saying after it was acknowledged is a
question that it asks again and again.

## References
- socket.io-client issue #1617, socket.io issue #3453
- socket.io documentation, "Listening to events" and "Delivery guarantees"; client option `retries`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.messages import Repeats
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import named
from eiosniff.rules.phrases import in_ms

_LISTENERS = "as if a listener had been registered {most} times"


@rule(
    code="SIO068",
    name="duplicate-event",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {who} sends {event} {how}",
    message="{client} with {server}: {detail}",
    why="Whatever the event does is done again by each copy that arrives.",
    fix=("{advice}",),
    limits={"bursts": 3, "copies": 20},
    hence="the {who} sends {event} {how}",
)
def duplicate_event(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    messages = session.messages
    if messages.resent is not None:
        yield from _resent(session)
    if messages.repeats is None:
        return
    for (server, event), repeats in messages.repeats.items():
        usual = repeats.bursts >= limits["bursts"] and 2 * repeats.bursts >= repeats.runs
        if usual and repeats.most <= limits["copies"]:
            yield _repeated(SIDES[server], event, repeats)


def _repeated(side: Side, event: str, repeats: Repeats) -> Hit:
    proof = []
    for burst in repeats.seen:
        proof.append(evidence(burst.first, side, f"event {named(event)}"))
        passed = in_ms(burst.last.ts_ns - burst.first.ts_ns)
        proof.append(evidence(burst.last, side, f"the same, number {burst.count} of {burst.count}, {passed} later"))
    return Hit(
        *proof,
        kind=f"{side.label} {event}",
        certainty=Certainty.LIKELY,
        doubt="a program may also mean to say the same thing several times at once, or the network held back what was "
        "said one after the other",
        occurrences=repeats.bursts,
        period_ns=repeats.seen.period_ns,
        who=side.label,
        event=named(event),
        how=f"up to {repeats.most} times at once",
        detail=f"the {side.label} sends {named(event)} with the same arguments up to {repeats.most} times within a "
        f"millisecond, {_LISTENERS.format(most=repeats.most)}: {repeats.bursts} of {repeats.runs} times, "
        f"{repeats.copies} copies in all.",
        advice=f'On the {side.label}: look for an on(...) inside of another handler, of on("connect") or of a '
        f"component that is made again, whose listener emits {named(event)}. Register it once, or take it away with "
        "off() first.",
    )


def _resent(session: Session) -> Iterator[Hit]:
    resent = session.messages.resent
    if resent is None:
        return
    usual = session.messages.acknowledged or {}
    kept = list(resent)
    shown = [again for again in kept if not usual.get(again.digest)]
    if not shown:
        return
    first = shown[0]
    proof = []
    for again in shown:
        proof.append(evidence(again.first, Side.CLIENT, f"event {named(again.event)}, asks for an acknowledgement"))
        if again.ended is not None:
            proof.append(evidence(again.ended, None, "the session ends without it"))
        passed = in_ms(again.again.ts_ns - again.first.ts_ns)
        proof.append(evidence(again.again, Side.CLIENT, f"the same event with a new ack id, {passed} later"))
    after = "in its next session" if first.ended is not None else "although the first one may have arrived"
    yield Hit(
        *proof,
        kind=f"again {first.event}",
        certainty=Certainty.LIKELY,
        doubt="two events with the same arguments may also be meant to be two",
        occurrences=resent.count if len(shown) == len(kept) else len(shown),
        period_ns=resent.period_ns,
        who="client",
        event=named(first.event),
        how="once more when no acknowledgement comes",
        detail=f"no acknowledgement of {named(first.event)} comes, and the client sends it once more, with the same "
        f"arguments and a new ack id, {after}. The server cannot tell it from a second one.",
        advice="Let the server acknowledge the event as soon as it has it. Put an id of its own into the arguments, "
        "and let the server leave out an event whose id it has had: an event that is sent again (client option "
        "retries) arrives at least once, not exactly once.",
    )
