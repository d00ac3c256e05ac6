"""From findings to diagnoses: the root cause first, its consequences under it."""

from collections.abc import Iterable
from itertools import product

from eiosniff.model.finding import Diagnosis, Finding, Severity
from eiosniff.model.peers import Server
from eiosniff.rules.api import Rule


def diagnose(findings: Iterable[Finding], rules: Iterable[Rule]) -> list[Diagnosis]:
    """Rank findings, and put what another one explains under it.

    A finding explains another by name (`Rule.explains`), if both concern one client at one server or, if one of them is
    about a server, one server; one that did no harm explains nothing. Where a rule found a fault, what it found of the
    same client or server that did no harm belongs to that. What a consequence explains belongs to its root cause.
    """
    known = {rule.name: rule for rule in rules}
    ranked = sorted(findings, key=_rank)
    explained = _explained(ranked, known)
    causes = {id(finding): _cause(finding, explained) for finding in ranked}
    diagnoses = {id(finding): Diagnosis(finding) for finding in ranked if causes[id(finding)] is None}
    for finding in ranked:
        root = causes[id(finding)]
        if root is None:
            continue
        while (cause := causes[id(root)]) is not None:
            root = cause
        diagnoses[id(root)].consequences.append(finding)
    result = sorted(
        diagnoses.values(),
        key=lambda diagnosis: (
            *_grade(diagnosis.finding), _is_remark(diagnosis.finding, known), *_weight(diagnosis),
        ),
    )  # fmt: skip
    for diagnosis in result:
        diagnosis.consequences.sort(key=_rank)
    return result


def _grade(finding: Finding) -> tuple[int, int]:
    return -finding.severity, finding.certainty.rank


def _is_harmless(finding: Finding, rule: Rule) -> bool:
    """Whether a rule on faults found that this one did no harm: then it is the cause of none."""
    return finding.severity is Severity.INFO and rule.severity is not Severity.INFO


def _is_remark(finding: Finding, rules: dict[str, Rule]) -> bool:
    """Whether it is on how a peer is set up, and did no harm: then what happened comes first."""
    rule = rules.get(finding.name)
    return finding.severity is Severity.INFO and rule is not None and rule.remark


def _weight(diagnosis: Diagnosis) -> tuple[int, int, int]:
    finding = diagnosis.finding
    return -len(diagnosis.consequences), -finding.occurrences, finding.first_packet


def _rank(finding: Finding) -> tuple[int, int, int, int]:
    return (*_grade(finding), -finding.occurrences, finding.first_packet)


def _explained(ranked: list[Finding], rules: dict[str, Rule]) -> dict[tuple[str, str, object], tuple[int, Finding]]:
    """What explains a finding: (capture, name of the finding, a subject that it concerns) -> the best ranked, and its
    rank. By subject, for there may be as many findings as clients."""
    causes: dict[tuple[str, str, object], tuple[int, Finding]] = {}
    for rank, candidate in enumerate(ranked):
        captures = (candidate.capture, *candidate.also_in)
        if candidate.severity is not Severity.INFO:
            for subject, capture in product(candidate.subjects, captures):
                causes.setdefault((capture, _harmless(candidate.name), subject), (rank, candidate))
        rule = rules.get(candidate.name)
        if rule is None or not rule.explains or _is_harmless(candidate, rule):
            continue
        for subject in candidate.subjects:
            at_server = rule.subject is not Server and not _is_client(subject)
            for name, capture in product(rule.explains, captures):
                key = capture, _at_server(name) if at_server else name, subject
                causes.setdefault(key, (rank, candidate))
    return causes


def _is_client(subject: object) -> bool:
    return isinstance(subject, tuple) and subject[0] == "client"


def _at_server(name: str) -> str:
    """What a finding is called, among what is explained, that is about a server alone: there what happened to some
    client of it is enough."""
    return f"at server {name}"


def _harmless(name: str) -> str:
    """What a finding that did no harm is called among what is explained, beside its name (which has no space)."""
    return f"harmless {name}"


def _cause(finding: Finding, explained: dict[tuple[str, str, object], tuple[int, Finding]]) -> Finding | None:
    """The best ranked finding that explains this one (no rules explain each other: a contract test sees to it)."""
    names = [finding.name]
    if not any(_is_client(subject) for subject in finding.subjects):
        names.append(_at_server(finding.name))
    if finding.severity is Severity.INFO:
        names.append(_harmless(finding.name))
    keys = ((finding.capture, name, subject) for name in names for subject in finding.subjects)
    causes = [explained[key] for key in keys if key in explained]
    return min(causes, key=lambda cause: cause[0])[1] if causes else None
