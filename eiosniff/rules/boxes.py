"""Which proxy or load balancer wrote an answer, or passed a request on, in words (the signs: `boxes.toml`)."""

from eiosniff.knowledge import boxes
from eiosniff.model.attempt import AnswerFacts, RequestFacts

UNNAMED = "a proxy or load balancer"


def box_of(answer: AnswerFacts) -> str:
    """The proxy that an answer names, or `UNNAMED`; programs that are servers themselves are none."""
    found = boxes.answered_by(answer)
    return found[0].name if found is not None else UNNAMED


def forwarder_of(request: RequestFacts) -> str:
    """The proxy that passed a request for a WebSocket on, as far as it tells, or `UNNAMED`."""
    box = boxes.forwarded_by(request)
    return box.name if box is not None else UNNAMED


def is_forwarded(request: RequestFacts) -> bool:
    """Whether a proxy has had a request for a WebSocket in its hands, by what it added or by the version of HTTP."""
    return request.version == "1.0" or forwarder_of(request) != UNNAMED or bool(boxes.forwarded_headers(request))
