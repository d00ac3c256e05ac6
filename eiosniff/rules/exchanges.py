"""Handshakes as evidence: shared by the rules about refused clients."""

from collections.abc import Callable, Iterable

from eiosniff.model.attempt import Attempt
from eiosniff.model.finding import Evidence
from eiosniff.model.provenance import Side
from eiosniff.rules.api import evidence


def exchanges(attempts: Iterable[Attempt], answered: Callable[[Attempt], str]) -> list[Evidence]:
    """The request and the answer of each attempt; `answered` puts an answer into words."""
    proof = []
    for attempt in attempts:
        request = attempt.request
        proof.append(evidence(request.place, Side.CLIENT, f"{request.method} {request.target}"))
        if attempt.answer is not None:
            proof.append(evidence(attempt.answer, Side.SERVER, answered(attempt)))
    return proof
