"""Acknowledgements take long.

## What it reports
Events of which 95 of 100 acknowledgements do not come within a second (`ack_ms`), and two at least (`slow_answers`),
the slowest event first. Heartbeats in the same session show that it is not the path: they are ten times as fast
(`heartbeat_times`) or faster.

## Why it matters
Whoever sent the event waits: a button that does nothing for a second is pressed again. With `timeout()` and `retries`
the client gives up and sends the event once more, so that it is handled twice.

## On the wire
From `42<id>["event",...]` to `43<id>[...]`: the round trip, and what the handler takes. A table of all events is in the
report (`eiosniff analyze --figures` shows it in any case).

## How to fix
Look at the handler of the slowest event: what it waits for (a database, another service) before it calls back. Call
back at once where the answer does not depend on it, and send the result as an event of its own.

## When it is silent
For a single slow one. When heartbeats are slow too: then the path or the whole program is, and the rule on heartbeats
says so. Without a heartbeat in the capture it is only likely that the handler is to blame. Where the client is slow and
its heartbeats are not, it is an information: it may have to ask a person.

## References
- socket.io documentation, "Emitting events", acknowledgements and timeout
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.messages import AckFigures
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.events import named
from eiosniff.rules.phrases import NS_PER_MS, in_ms

_USUAL_WORST = 0.95
_RANKED = 3
_NO_HEARTBEAT = "the capture has no heartbeat that could tell how much of the time is the path's"
_PERSON = "a person may have to answer first"
_ENOUGH_FOR_A_SHARE = 20


@rule(
    code="SIO059",
    name="ack-slow",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {other} takes long to acknowledge {event}: {worst_usual}",
    message="{client} with {server}: the {other} acknowledges {ranking}. {path}",
    why="The {who} waits for the answer that long. A client with a timeout gives up meanwhile, and may send the event "
    "again.",
    fix=(
        "Look at what the handler of {event} on the {other} waits for before it calls back, and at how many of them it "
        "handles at a time.",
        "Where the answer does not depend on it, call back at once and send the result later as an event of its own.",
    ),
    explains=("duplicate-event",),
    limits={"ack_ms": 1000, "slow_answers": 2, "heartbeat_times": 10},
)
def ack_slow(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    messages = session.messages
    if messages.acks_of_client is None and messages.acks_of_server is None:
        return
    limit_ns = limits["ack_ms"] * NS_PER_MS
    beats = session.heartbeats.delays
    for side in Side:
        slow = [
            (event, figures)
            for event, figures in messages.acks_of(side is Side.SERVER).items()
            if figures.delays.maximum > limit_ns
            and _usual(figures) > max(limit_ns, limits["heartbeat_times"] * beats.median)
            and _reached_by(figures, limits["slow_answers"]) > limit_ns
        ]
        if not slow:
            continue
        slow.sort(key=lambda entry: -_usual(entry[1]))
        event, worst = slow[0]
        asked, answered = worst.slowest_asked, worst.slowest_answered
        if asked is None or answered is None:
            continue
        doubt = "" if side is Side.CLIENT else _PERSON
        doubt = doubt if beats.count else _NO_HEARTBEAT
        path = f"Heartbeats take {in_ms(beats.median)} in this session: it is not the path." if beats.count else ""
        yield Hit(
            evidence(asked, side, f"event {named(event)}"),
            evidence(answered, side.other, f"its acknowledgement, the slowest, {in_ms(worst.delays.maximum)} later"),
            kind=f"{side.label} {event}",
            severity=Severity.INFO if side is Side.SERVER and beats.count else None,
            certainty=Certainty.LIKELY if doubt else Certainty.CERTAIN,
            doubt=doubt,
            occurrences=sum(figures.delays.count for _, figures in slow),
            who=side.label,
            other=side.other.label,
            event=named(event),
            worst_usual=in_ms(_usual(worst)),
            ranking="; ".join(_figures(name, figures) for name, figures in slow[:_RANKED]),
            path=path,
        )


def _usual(figures: AckFigures) -> int:
    """What 95 of 100 stay below (ns)."""
    return figures.delays.quantile(_USUAL_WORST)


def _reached_by(figures: AckFigures, count: float) -> int:
    """The time that so many took at least (ns); 0 if there are fewer."""
    delays = figures.delays
    return delays.quantile((delays.count - count + 0.5) / delays.count) if delays.count >= count else 0


def _figures(event: str, figures: AckFigures) -> str:
    delays = figures.delays
    most = f", 95 of 100 within {in_ms(_usual(figures))}" if delays.count >= _ENOUGH_FOR_A_SHARE else ""
    return (
        f"{named(event)} after {in_ms(delays.median)} as a rule{most}, the slowest of {delays.count} after "
        f"{in_ms(delays.maximum)}"
    )
