"""The exit codes of the contract, and which one a report leads to."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eiosniff.model.finding import Report

CLEAN, FINDINGS, UNUSABLE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
NO_MATCH = 1  # of the filters of `decode`, as grep has it

FAIL_ON = ("error", "warning", "info", "never")


def of_report(report: "Report", fail_on: str) -> int:
    """The exit code of a report. Consequences count too: the cause of an error may itself be worth less than one."""
    from eiosniff.model.finding import Severity

    if report.interrupted:
        return INTERRUPTED
    if report.crashed:
        return FAILED
    if fail_on == "never":
        return CLEAN
    findings = [finding for diagnosis in report.diagnoses for finding in diagnosis.findings]
    threshold = Severity[fail_on.upper()]
    return FINDINGS if any(finding.severity >= threshold for finding in findings) else CLEAN
