"""What captures of the same sessions all show is told once."""

from collections.abc import Sequence

from eiosniff.model.crossing import Sides
from eiosniff.model.finding import Finding
from eiosniff.model.session import Session


def told_once(findings: Sequence[Finding], sides: Sequence[Sides]) -> list[Finding]:
    """The findings without those that another capture has of the same sessions, or else of the same clients.

    Of two the more certain one is kept, or else that which is about more, if it is about all that the other is about.
    It then explains what the other one would.
    """
    nearer: dict[object, object] = {}
    for crossing in (crossing for pair in sides for crossing in pair.crossings):
        nearer[crossing.server] = crossing.client
        nearer.setdefault(_client(crossing.server), _client(crossing.client))
    kept: list[Finding] = []
    by_name: dict[str, list[tuple[Finding, set[object]]]] = {}
    for finding in sorted(findings, key=_order):
        alike = by_name.setdefault(finding.name, [])
        about = {_nearest(each, nearer) for each in _about(finding)}
        others = [other for other, known in alike if other.capture != finding.capture and about <= known]
        if about and others:
            others[0].subjects |= finding.subjects
            others[0].also_in = (*others[0].also_in, finding.capture)
        else:
            alike.append((finding, about))
            kept.append(finding)
    return kept


def _order(finding: Finding) -> tuple[int, int, int]:
    return -finding.severity, finding.certainty.rank, -len(_about(finding))


def _client(session: Session) -> object:
    """The client of a session, as the subject of a finding."""
    return "client", session.client_endpoint.address, str(session.server.endpoint)


def _about(finding: Finding) -> Sequence[object]:
    """The sessions that it is about, or else the clients."""
    if finding.sessions:
        return finding.sessions
    return [subject for subject in finding.subjects if isinstance(subject, tuple) and subject[0] == "client"]


def _nearest(subject: object, nearer: dict[object, object]) -> object:
    """The same as the capture that is nearest to the client has it."""
    seen = {subject}
    while (other := nearer.get(subject, subject)) not in seen:
        seen.add(other)
        subject = other
    return subject
