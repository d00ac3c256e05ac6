"""What the other side does about a packet or a frame that it cannot take: it closes, or it ignores it.

A server of Node closes at once, python-engineio mostly says nothing. The close is put down to the packet before it, for
its code says little.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, NS_PER_MS, closing_words, in_ms
from eiosniff.rules.unknown_sids import answer_words, says_unknown

# A capture that ends sooner than this after a packet, without another one of the other side, does not show what that
# makes of it.
_SHOWS_NS = 100 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a side did after the last of some packets: in words (`the server closes, code 1002`), and as evidence."""

    words: str
    closed: bool
    proof: tuple[Evidence, ...] = ()

    def severity(self, otherwise: Severity) -> Severity:
        """An error where the session ended for it."""
        return Severity.ERROR if self.closed else otherwise


def reaction_to(session: Session, by: Side, places: Iterable[PacketRef], otherwise: str = "ignores it") -> Reaction:
    """What the other side did about these packets of a side; `otherwise` says that it did nothing."""
    other, closing, last = by.other, session.closing, max(places, key=lambda place: place.number)
    if closing is not None and closing.side is other:
        delay = closing.place.ts_ns - last.ts_ns
        if closing.place.number >= last.number and delay <= CLOSED_BECAUSE_NS:  # the clock may have been set back
            proof = evidence(closing.place, other, f"{closing_words(closing)}, {in_ms(delay)} later")
            return Reaction(f"the {other.label} {closing_words(closing)}", True, (proof,))
    if by is Side.CLIENT:
        refused = next((one for one in session.refusals if one.request.number == last.number), None)
        if refused is not None:
            proof = evidence(refused.answer, Side.SERVER, answer_words(refused))
            return Reaction(f"the server answers {answer_words(refused)} and ends the session", True, (proof,))
    refusal = forgotten(session, last) if by is Side.CLIENT else None
    if refusal is not None:
        asked = evidence(refusal.request, Side.CLIENT, "the next request of the session")
        answer = evidence(refusal.answer, Side.SERVER, answer_words(refusal))
        words = f"the server ends the session and answers the next request {answer_words(refusal)}"
        return Reaction(words, True, (asked, answer))
    said = session.last_from[other]
    goes_on = closing is not None or (said is not None and said.number > last.number)
    if not goes_on and session.observed_until_ns - last.ts_ns < _SHOWS_NS:
        return Reaction(f"the capture ends before it shows what the {other.label} does about it", False)
    return Reaction(f"the {other.label} {otherwise}", False)


def forgotten(session: Session, place: PacketRef) -> RefusedRequest | None:
    """The first request after a packet, if it is refused because the session is not known any more."""
    after = next((refusal for refusal in session.refusals if refusal.request > place), None)
    return after if after is not None and says_unknown(after) else None
