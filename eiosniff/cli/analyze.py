"""`eiosniff analyze`: the diagnosis of captures."""

from typing import TYPE_CHECKING

import click

from eiosniff.cli import exits, options
from eiosniff.cli.output import Output, text_of
from eiosniff.cli.progress import progress

if TYPE_CHECKING:
    from eiosniff.model.finding import Report


@click.command(
    epilog="""\b
Examples:
  eiosniff analyze capture.pcapng
  tcpdump -i any -w - port 3000 | eiosniff analyze -
  eiosniff analyze --format json -o report.json before.pcap after.pcap
  eiosniff analyze --fail-on error --ignore no-backoff,EIO005 capture.pcap
"""
)
@options.captures
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="text for people, json for programs. Example: --format json",
)  # fmt: skip
@options.output
@options.fail_on("warning")
@options.rule_list("--select", "Only these rules, by code or name. Example: --select EIO038,connect-loop")
@options.rule_list("--ignore", "All rules but these, by code or name. Example: --ignore no-backoff")
@options.places
@click.option(
    "--max-sessions", metavar="N", type=click.IntRange(min=1), default=10_000, show_default=True,
    help="List no more sessions than this, the faulty ones first; the others are counted. Example: --max-sessions 50",
)  # fmt: skip
@options.no_redact
@click.option("-q", "--quiet", is_flag=True, help="Only one line for each diagnosis, and no progress bar.")
@options.no_color
def analyze(
    captures: tuple[str, ...],
    output_format: str,
    output: str | None,
    fail_on: str,
    select: frozenset[str],
    ignore: frozenset[str],
    ports: tuple[int, ...],
    path: str | None,
    max_sessions: int,
    no_redact: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Find out what is wrong in captures, why, and how to mend it.

    CAPTURE is a pcap or pcapng file, plain or compressed (gzip, zstd); - is standard input.
    """
    from eiosniff import app

    chosen = app.Options(
        select=select or None, ignore=ignore, ports=frozenset(ports), path=path, max_sessions=max_sessions
    )
    with progress(wanted=not quiet) as watch:
        report = app.analyze(captures, chosen, watch)
    with Output(output, no_color=no_color, encoding="utf-8" if output_format == "json" else None) as place:
        show(report, place, output_format, no_redact=no_redact, quiet=quiet, selected_rules=bool(select or ignore))
    code = exits.of_report(report, fail_on)
    if report.interrupted:
        click.echo("eiosniff: interrupted; the report is of what was read until then", err=True)
    if report.crashed:
        click.echo("eiosniff: a part of eiosniff failed, the report is not complete; please report it", err=True)
    click.get_current_context().exit(code)


def show(
    report: "Report", place: Output, output_format: str, *, no_redact: bool, quiet: bool, selected_rules: bool
) -> None:
    """Write a report in one of the formats."""
    from eiosniff.report.redact import Redactor

    redactor = Redactor(enabled=not no_redact)
    if output_format == "json":
        from eiosniff.report import as_json

        place.write(as_json.render(report, redactor))
        return
    from eiosniff.report import terminal

    console = place.console()
    if quiet:
        terminal.write_headlines(report, console, redactor)
    else:
        terminal.write(report, console, redactor, selected_rules=selected_rules)
    place.write(text_of(console))
