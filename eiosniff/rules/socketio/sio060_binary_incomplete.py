"""An event whose binary attachments do not come.

## What it reports
A packet that announces binary attachments, and fewer of them before the next text message of that side, or until the
connection ends `wait_ms` (5 s) later or more.

## Why it matters
The receiver puts an event and its attachments together before it hands it over. A server of Node closes the session at
the text that comes in their place ("got plaintext data when reconstructing a packet"); python-socketio drops the text.

## On the wire
`451-["file",{"_placeholder":true,"num":0}]`, and then another `4...` in the place of a binary message. Packets of
Engine.IO itself (`2`, `3`, `6`) may stand between.

## How to fix
Send the header and all its attachments one after the other, with nothing between them; in a client with several threads
or tasks, under one lock. Look for a proxy or a callback that drops binary frames.

## When it is silent
When the capture lacks messages. When the sender only left before it was through, or the other side had closed, as at
more attachments than it takes (rule SIO063).

## References
- Socket.IO protocol, revision 5, "Sending and receiving binary data"
- socket.io-parser, lib/index.ts, `Decoder.add`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.frames import CutShort
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.gaps import lacks
from eiosniff.rules.phrases import NS_PER_MS, in_ms, quoted
from eiosniff.rules.reactions import reaction_to


@rule(
    code="SIO060",
    name="binary-incomplete",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} announces binary data that does not come",
    message="The {side} ({client} at {server}) announces {announced} with an event and sends {came}, {instead}; "
    "{reaction}.",
    why="Binary data follows the event in messages of its own. Until all of it is there the receiver cannot hand the "
    "event over, and a server of Node closes the session if something else comes first.",
    fix=(
        "Send an event and its binary messages in one go, with no other message of Socket.IO between them.",
        "If the {side} did send them, look for what drops binary frames on the way.",
    ),
    explains=(
        "binary-orphan",
        "connect-loop",
        "no-backoff",
        "ack-missing",
        "event-before-connect",
        "ws-abnormal-close",
    ),
    limits={"wait_ms": 5000},
)
def binary_incomplete(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    cut_short = session.frames.cut_short
    if cut_short is None:
        return
    for side in SIDES:
        shown = [one for one in cut_short if one.side is side and _is_fault(session, one, limits["wait_ms"])]
        if shown:
            all_of_them = len(shown) == sum(1 for _ in cut_short)
            yield _hit(session, side, shown, cut_short.count if all_of_them else len(shown))


def _is_fault(session: Session, one: CutShort, wait_ms: float) -> bool:
    if lacks(session, one.place, one.shown):
        return False
    return bool(one.text) or _waited_ns(session, one) >= wait_ms * NS_PER_MS


def _hit(session: Session, side: Side, shown: list[CutShort], count: int) -> Hit:
    first, proof = shown[0], []
    for one in shown:
        proof.append(evidence(one.place, side, f"announces {_binary(one.announced)}"))
        if one.text:
            proof.append(evidence(one.shown, side, f"sends {quoted(b'4' + one.text)} instead"))
    if first.text:
        reaction = reaction_to(session, side, [one.shown for one in shown])
        words = reaction.words
        proof.extend(reaction.proof)
    else:
        words = f"the {side.other.label} waits for the rest for {in_ms(_waited_ns(session, first))}, until the end"
    return Hit(
        *proof,
        occurrences=count,
        kind=side.label,
        lasting=not first.text,
        side=side.label,
        announced=_binary(first.announced),
        came="none" if not first.came else f"only {first.came}",
        instead="but another message" if first.text else "and then no more",
        reaction=words,
    )


def _waited_ns(session: Session, one: CutShort) -> int:
    """From a header to the end of the session, if the sender was there so long."""
    end = session.closing.place if session.closing is not None else one.shown
    return min(end.ts_ns, one.shown.ts_ns) - one.place.ts_ns


def _binary(count: int) -> str:
    return "1 binary message" if count == 1 else f"{count} binary messages"
