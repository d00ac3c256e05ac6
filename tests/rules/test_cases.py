"""Every rule on its captures: it reports what the case says, and nothing on the near misses."""

import pytest

from eiosniff.model.finding import Finding
from tests.cases import Case, cases, report_of


def _findings(case: Case) -> list[tuple[Finding, bool]]:
    """Findings of the case's rule, and whether each is a root cause."""
    diagnoses = report_of(*case.captures).diagnoses
    roots = [(diagnosis.finding, True) for diagnosis in diagnoses]
    consequences = [(finding, False) for diagnosis in diagnoses for finding in diagnosis.consequences]
    return [entry for entry in roots + consequences if entry[0].name == case.rule]


@pytest.mark.parametrize("case", [case for case in cases() if case.bad], ids=str)
def test_fault_is_reported(case: Case) -> None:
    found = _findings(case)
    assert found, f"{case.rule} says nothing of {case.capture.name}"
    finding, is_root = found[0]
    diagnoses = report_of(*case.captures).diagnoses
    if case.first:
        assert diagnoses[0].finding.name == case.rule
        assert is_root
    evidence = {item.packet for item in finding.evidence}
    assert set(case.packets) <= evidence
    if case.certainty:
        assert finding.certainty.value == case.certainty
    if case.severity:
        assert finding.severity.label == case.severity
    if case.occurrences is not None:
        assert finding.occurrences == case.occurrences
    if case.consequences:
        names = {consequence.name for consequence in diagnoses[0].consequences}
        assert set(case.consequences) <= names


@pytest.mark.parametrize("case", [case for case in cases() if not case.bad], ids=str)
def test_near_miss_is_not(case: Case) -> None:
    assert not _findings(case)
