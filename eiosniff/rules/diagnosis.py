"""From findings to diagnoses: the root cause first, its consequences under it."""

from collections.abc import Iterable

from eiosniff.model.finding import Diagnosis, Finding
from eiosniff.model.session import Server
from eiosniff.rules.api import Rule


def diagnose(findings: Iterable[Finding], rules: Iterable[Rule]) -> list[Diagnosis]:
    """Rank findings, and put what another one explains under it.

    A finding explains another by name (`Rule.explains`), if both concern one session, one client at one server, or, for
    a rule about the server, one server. What is explained by a consequence belongs to the root cause of that.
    """
    known = {rule.name: rule for rule in rules}
    ranked = sorted(findings, key=_rank)
    causes = {id(finding): _cause(finding, ranked, known) for finding in ranked}
    diagnoses = {id(finding): Diagnosis(finding) for finding in ranked if causes[id(finding)] is None}
    for finding in ranked:
        root = causes[id(finding)]
        if root is None:
            continue
        while (cause := causes[id(root)]) is not None:
            root = cause
        diagnoses[id(root)].consequences.append(finding)
    result = sorted(diagnoses.values(), key=lambda diagnosis: (*_grade(diagnosis.finding), *_weight(diagnosis)))
    for diagnosis in result:
        diagnosis.consequences.sort(key=_rank)
    return result


def _grade(finding: Finding) -> tuple[int, int]:
    return -finding.severity, finding.certainty.rank


def _weight(diagnosis: Diagnosis) -> tuple[int, int, int]:
    finding = diagnosis.finding
    return -len(diagnosis.consequences), -finding.occurrences, finding.first_packet


def _rank(finding: Finding) -> tuple[int, int, int, int]:
    return (*_grade(finding), -finding.occurrences, finding.first_packet)


def _cause(finding: Finding, findings: list[Finding], rules: dict[str, Rule]) -> Finding | None:
    """The best ranked finding that explains this one (no rules explain each other: a contract test sees to it)."""
    for candidate in findings:
        rule = rules.get(candidate.name)
        if candidate is finding or rule is None or finding.name not in rule.explains:
            continue
        if candidate.capture != finding.capture or not _related(candidate, finding, rule):
            continue
        return candidate
    return None


def _related(candidate: Finding, finding: Finding, rule: Rule) -> bool:
    shared = candidate.subjects & finding.subjects
    if rule.subject is Server:
        return bool(shared)
    return any(isinstance(subject, tuple) and subject[0] != "server" for subject in shared)
