"""An acknowledgement belongs to no event.

## What it reports
An ACK with an id with which the other side has asked for none in this session, one that comes a second time, and ids
that several events use at the same time, so that nobody can tell which of them is acknowledged.

## Why it matters
The other side drops it without a word ("bad ack" in the debug log of socket.io). What the answer was meant for waits in
vain; a second answer is lost. If several events have one id, the callback of one gets the answer to another.

## On the wire
`43<id>[...]` with no `42<id>[...]` of the other side before it, on this namespace and in this session. What asks in one
session is forgotten in the next: an answer that was worked out before a reconnect, and is sent after it, belongs to no
event of the new one.

## How to fix
Answer in the session in which the question was asked; after a reconnect the other side has to ask again. By hand:
repeat the id of the event, answer once, and count ids up instead of writing the same one each time.

## When it is silent
In sessions of which the beginning, or something that the other side said, was not captured; when more events waited
than eiosniff follows. A second acknowledgement is an information: the first one has done its work. An id that is used
again after its acknowledgement came is no fault.

## References
- Socket.IO protocol, revision 5, "Acknowledgement"
- socket.io documentation, "Emitting events", acknowledgements
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.messages import StrayAck
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.tally import Tally
from eiosniff.rules.api import Hit, evidence, rule

_LATE = "The {who} acknowledges in a new session what was asked in the one before"
_UNASKED = "The {who} acknowledges an event that nobody sent in this session"
_AGAIN = "The {who} acknowledges an event a second time"
_AMBIGUOUS = "The {other} uses one ack id for several events at a time"


@rule(
    code="SIO058",
    name="ack-unknown",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="{headline}",
    message="{client} with {server}: {detail}",
    why="{why}",
    fix=("{advice}",),
    explains=("ack-missing",),
)
def ack_unknown(session: Session) -> Iterator[Hit]:
    """See the module."""
    strays = session.messages.strays
    if strays is None or session.midstream or session.gaps or session.messages.untracked:
        return
    for side in Side:
        known, other = strays[side], side.other
        if known is None or session.unreadable[other]:
            continue
        if known.late:
            count, first = known.late.count, known.late.first[0]
            yield _hit(
                side, known.late, _LATE, None,
                f"the {other.label} asks (id {first.id}, on {first.namespace}), the session ends before the answer, "
                f"and the {side.label} sends it in its next session, in which nobody has asked"
                + (f"; {count} times." if count > 1 else "."),
                f"The {other.label} has forgotten the question with its session and drops the answer; what waits for "
                "it waits in vain.",
                f"On the {other.label}: ask again when the {side.label} has come back, with a timeout for the answer. "
                f"On the {side.label}: leave an answer out if the connection has changed since the question.",
            )  # fmt: skip
        if known.unasked:
            count, first = known.unasked.count, known.unasked.first[0]
            yield _hit(
                side, known.unasked, _UNASKED, None,
                f"the {side.label} sends {_acknowledgements(count)}, id {first.id} first, on {first.namespace}; the "
                f"{other.label} has sent no event with such an id in this session.",
                f"The {other.label} drops it, and what waits for the answer goes on waiting.",
                "Repeat the id of the event that is answered, and the namespace. After a reconnect leave out what was "
                "asked before it.",
            )  # fmt: skip
        if known.again:
            count, first = known.again.count, known.again.first[0]
            yield _hit(
                side, known.again, _AGAIN, Severity.INFO,
                f"the {side.label} sends {_acknowledgements(count)} to what is acknowledged already (id {first.id} "
                f"first, on {first.namespace}).",
                f"The {other.label} takes the first one and drops the others; what they hold is lost.",
                "Acknowledge an event once: look for two handlers of the same event, or a reply that is sent again.",
            )  # fmt: skip
        if known.ambiguous:
            count, first = known.ambiguous.count, known.ambiguous.first[0]
            yield _hit(
                side, known.ambiguous, _AMBIGUOUS, None,
                f"the {other.label} sends events with the ack id {first.id} on {first.namespace} while others with the "
                f"same id wait; {_acknowledgements(count)} could belong to either.",
                "The id is all that tells which event an acknowledgement belongs to: a callback gets the answer to "
                "another event.",
                f"On the {other.label}: count the ack id up by one for each event that asks for an acknowledgement.",
            )  # fmt: skip


def _acknowledgements(count: int) -> str:
    return "an acknowledgement" if count == 1 else f"{count} acknowledgements"


def _hit(
    side: Side, strays: Tally[StrayAck], what: str, severity: Severity | None, detail: str, why: str, advice: str
) -> Hit:
    headline = what.format(who=side.label, other=side.other.label)
    proof = []
    for stray in strays:
        if stray.asked is not None:
            proof.append(
                evidence(stray.asked, side.other, f"event with the id {stray.id}, asks for an acknowledgement")
            )
        proof.append(evidence(stray.place, side, f"ACK with the id {stray.id}"))
    return Hit(
        *proof, kind=headline, severity=severity, occurrences=strays.count, period_ns=strays.period_ns,
        headline=headline, detail=detail, why=why, advice=advice,
    )  # fmt: skip
