"""The table of how long answers take: acknowledgements by event, and heartbeats."""

from rich.text import Text

from eiosniff.model.finding import Answers, Report
from eiosniff.model.provenance import Side
from eiosniff.report.figures import duration
from eiosniff.report.layout import Column, Page, Row, fit
from eiosniff.report.redact import Redactor

# Findings that one wants to see all figures for.
_CALLS_FOR_IT = frozenset({"ack-slow", "ack-missing", "heartbeat-slow"})
_MAX_ROWS = 20
_USUAL_WORST = 0.95

# What the other columns and the margin leave for the name of an event.
_OTHER_COLUMNS = 62
_LEAST_NAME = 16
_MAX_NAME = 40

_COLUMNS = (
    Column("answer to", least=_LEAST_NAME),
    Column("by"),
    Column("times", right=True),
    Column("median", right=True, least=7),
    Column("p95", right=True, least=7),
    Column("worst", right=True, least=7),
    Column("missing"),
)


def is_called_for(report: Report) -> bool:
    """Whether a finding is about what the table shows."""
    return any(finding.name in _CALLS_FOR_IT for diagnosis in report.diagnoses for finding in diagnosis.findings)


def write_figures(report: Report, page: Page, redactor: Redactor) -> None:
    """The slowest events first, then those that nothing answers, then heartbeats; over all sessions."""
    totals = report.totals
    acks = sorted(totals.acks.items(), key=lambda entry: (-_usual_worst(entry[1]), -entry[1].asked))
    room = min(max(_LEAST_NAME, page.width - _OTHER_COLUMNS), _MAX_NAME)
    # A name is cut once more by its cells: some characters take two of them.
    rows: list[Row] = [
        _row(fit(redactor.shown(event, room), room) or '""', side, answers)
        for (side, event), answers in acks[:_MAX_ROWS]
    ]
    if len(acks) > _MAX_ROWS:
        rows.append(Text(f"... and {len(acks) - _MAX_ROWS:,} more events"))
    rows += [_row("(heartbeat)", side, totals.beats[side]) for side in Side if side in totals.beats]
    page.line(("How long answers take", "bold"), ", in all sessions")
    if rows:
        page.table(_COLUMNS, rows, lead="    ")
    else:
        page.line("    Nobody asked for an acknowledgement, and there was no heartbeat.")


def _usual_worst(answers: Answers) -> int:
    return answers.delays.quantile(_USUAL_WORST)


def _row(name: str, asker: Side, answers: Answers) -> list[str]:
    delays = answers.delays
    times = [delays.median, _usual_worst(answers), delays.maximum]
    missing = answers.asked - delays.count
    return [
        name,
        asker.other.label,
        f"{delays.count:,}",
        *(duration(time) if delays.count else "-" for time in times),
        f"{missing:,}" if missing > 0 else "",
    ]
