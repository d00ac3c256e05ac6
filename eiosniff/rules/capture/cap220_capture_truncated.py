"""The capture file ends in the middle of a record.

## What it reports
A capture file that was cut, or damaged, so that reading stops before its end.

## Why it matters
What came after that place is not in the report.

## On the wire
Nothing: it is about the file. The capturing program was killed, the disk was full, or the copy was interrupted.

## How to fix
Let the capturing program end by itself (Ctrl-C, not kill -9), and copy the file after that. For a capture that is being
written: `tcpdump -U`.

## When it is silent
For a file that ends with a whole record, however early.

## References
- pcap-savefile(5)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import PacketRef
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import capital

_KINDS = {AnomalyKind.CAPTURE_TRUNCATED.value, AnomalyKind.CAPTURE_DAMAGED.value}


@rule(
    code="CAP220",
    name="capture-truncated",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capture file is cut: what came later is not in this report",
    message="{text}.",
    why="All packets before that place are used. The capturing program was killed, the disk was full, or the copy was "
    "interrupted.",
    fix=("Capture again, stop with Ctrl-C, and copy the file after that (tcpdump -U writes each packet at once).",),
    tolerates_gaps=True,
)
def capture_truncated(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for problem in summary.problems:
        if problem.code in _KINDS:
            place = PacketRef(problem.packet, summary.last_ns or 0)
            proof = [evidence(place, None, "the last packet that is whole")] if problem.packet else []
            yield Hit(*proof, text=capital(problem.text).rstrip("."))
