"""Requests of one session that get in each other's way: shared by the rules about polls and about POSTs."""

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Evidence
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import closing_words, in_ms
from eiosniff.rules.unknown_sids import answer_words, says_unknown

# Node engine.io: 400 from 6.4.2 on, 500 before. The body is empty.
_STATUSES = (400, 500)


def refused_overlaps(session: Session, method: str) -> list[RefusedRequest]:
    """Requests that were refused because another one of that method was not over."""
    return [
        refusal
        for refusal in session.refusals
        if refusal.asked.method == method
        and refusal.overlaps is not None
        and not refusal.asked.upgrade
        and refusal.status in _STATUSES
        and refusal.error is None
        and not refusal.answered.body
    ]


def overlap_proof(session: Session, refused: list[RefusedRequest], method: str) -> list[Evidence]:
    """Both requests, what became of the session, and what it is told later."""
    proof = []
    for refusal in refused:
        if refusal.overlaps is not None:
            proof.append(evidence(refusal.overlaps, Side.CLIENT, f"a {method} of session {session.sid}"))
        proof.append(evidence(refusal.request, Side.CLIENT, f"a second {method} of it, before the first is over"))
        proof.append(evidence(refusal.answer, Side.SERVER, f"{refusal.status}, empty"))
    closing = session.closing
    if closing is not None and closing.side is Side.SERVER and not closing.place < refused[0].request:
        proof.append(evidence(closing.place, Side.SERVER, closing_words(closing)))
    later = next(
        (other for other in session.refusals if says_unknown(other) and other.answer > refused[0].answer), None
    )
    if later is not None:
        proof.append(evidence(later.answer, Side.SERVER, answer_words(later)))
    return proof


def since_the_first(refusal: RefusedRequest) -> str:
    """How long after the first request the second one came."""
    first = refusal.overlaps or refusal.request
    return in_ms(refusal.request.ts_ns - first.ts_ns)
