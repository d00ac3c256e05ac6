"""Every rule on its captures: it reports what the case says, and nothing on the near misses."""

import pytest
from _pytest.mark import ParameterSet

from eiosniff.model.finding import Finding
from tests.cases import HAS_TSHARK, Case, cases, report_of

WITH_TSHARK = (
    pytest.mark.interop,
    pytest.mark.skipif(not HAS_TSHARK, reason="tshark is not installed: nothing of QUIC was decrypted"),
)


def _cases(bad: bool) -> list[ParameterSet]:
    return [
        pytest.param(case, marks=WITH_TSHARK if case.tshark else (), id=str(case))
        for case in cases()
        if case.bad is bad
    ]


def _findings(case: Case) -> list[tuple[Finding, bool]]:
    """Findings of the case's rule, and whether each is a root cause."""
    diagnoses = report_of(*case.captures).diagnoses
    roots = [(diagnosis.finding, True) for diagnosis in diagnoses]
    consequences = [(finding, False) for diagnosis in diagnoses for finding in diagnosis.consequences]
    return [entry for entry in roots + consequences if entry[0].name == case.rule]


@pytest.mark.parametrize("case", _cases(bad=True))
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


@pytest.mark.parametrize("case", _cases(bad=False))
def test_near_miss_is_not(case: Case) -> None:
    assert not _findings(case)
