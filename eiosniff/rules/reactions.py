"""What a peer does about something that it cannot read: shared by the rules about packets and bodies that are wrong."""

from typing import NamedTuple

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Evidence
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words, in_ms
from eiosniff.rules.unknown_sids import answer_words, says_unknown


class Reaction(NamedTuple):
    """In words, what shows it, and whether it is any."""

    words: str
    proof: list[Evidence]
    hurts: bool


def reaction(session: Session, side: Side, last: PacketRef) -> Reaction:
    """What the other side does about what a side said last in this packet: it closes within a second, or refuses this
    request or the next one; else it ignores it."""
    closing, other = session.closing, side.other
    proof: list[Evidence] = []
    words = ""
    if closing is not None and closing.side is other:
        delay = closing.place.ts_ns - last.ts_ns
        if 0 <= delay <= CLOSED_BECAUSE_NS:
            proof.append(evidence(closing.place, closing.side, f"{closing_words(closing)}, {in_ms(delay)} later"))
            words = f"the {other.label} {closing_words(closing)}"
    if side is Side.CLIENT:
        refused = next((one for one in session.refusals if one.request.number == last.number), None)
        if refused is not None:
            proof.append(evidence(refused.answer, Side.SERVER, answer_words(refused)))
            words = f"the server answers {answer_words(refused)} and ends the session"
        elif not words and (refusal := forgotten(session, last)) is not None:
            proof.append(evidence(refusal.request, Side.CLIENT, "the next request of the session"))
            proof.append(evidence(refusal.answer, Side.SERVER, answer_words(refusal)))
            words = f"the server ends the session and answers the next request {answer_words(refusal)}"
    return Reaction(words or f"the {other.label} ignores it", proof, bool(words))


def forgotten(session: Session, place: PacketRef) -> RefusedRequest | None:
    """The first request after a packet that is refused, if that is because the session is not known any more."""
    after = next((refusal for refusal in session.refusals if refusal.request > place), None)
    return after if after is not None and says_unknown(after) else None
