"""The sessions that a client has at the same time: shared by the rules on those that it does not need."""

from typing import Final

from eiosniff.model.fleet import Company, Stay
from eiosniff.model.provenance import Side
from eiosniff.rules.cuts import forwarder_shown

# A page or a program that goes ends all of its connections within this time.
_TOGETHER_NS: Final = 250_000_000


def runs(company: Company) -> list[list[Stay]]:
    """Sessions of which each was opened beside all that were opened before it, with the first of them."""
    found: list[list[Stay]] = []
    for stay in company.stays:
        if found and stay.alive == found[-1][-1].alive + 1:
            found[-1].append(stay)
        else:
            found.append([stay])
    return found


def last_together(run: list[Stay]) -> bool:
    """Whether all of them were still in use when the last one was opened: what came later shows it."""
    newest = run[-1].opened
    return not any(stay.refused for stay in run) and all(
        newest < stay.last or (stay.end is not None and newest < stay.end) for stay in run[:-1]
    )


def end_together(run: list[Stay]) -> bool:
    """Whether the client ended all of them in the same moment."""
    ends = [stay.end for stay in run if stay.end is not None and stay.by is Side.CLIENT]
    return len(ends) == len(run) and max(end.ts_ns for end in ends) - min(end.ts_ns for end in ends) <= _TOGETHER_NS


def is_passed_on(run: list[Stay]) -> bool:
    """Whether a proxy passed the requests on, or they are of pages of different origins: several clients."""
    requests = [stay.request for stay in run if stay.request is not None]
    if any(forwarder_shown(request) for request in requests):
        return True
    return len({request.origin for request in requests}) > 1


def share_namespaces(run: list[Stay]) -> bool:
    """Whether more than one of them joined the same namespace, as far as they joined any."""
    joined = [name for stay in run for name in stay.namespaces]
    return not joined or len(set(joined)) < len(joined)
