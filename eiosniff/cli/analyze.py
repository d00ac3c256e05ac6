"""`eiosniff analyze`: the diagnosis of captures."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eiosniff.cli import choice, exits, options
from eiosniff.cli.output import Output, text_of
from eiosniff.cli.progress import progress

if TYPE_CHECKING:
    from eiosniff.model.finding import Report


@click.command(
    epilog="""\b
Examples:
  eiosniff analyze capture.pcapng
  eiosniff analyze page.har
  tcpdump -i any -w - port 3000 | eiosniff analyze -
  eiosniff analyze --format json -o report.json before.pcap after.pcap
  eiosniff analyze --fail-on error --ignore no-backoff,EIO005 capture.pcap
  eiosniff analyze --rules my_rules.py capture.pcap
  eiosniff analyze 'cap_*.pcapng'

\b
eiosniff.toml in the current folder, or [eiosniff] in its setup.cfg, may have
  select, ignore, fail-on     as the options, which win over it
  [severity]                  such as: connect-loop = "warning"
  [limits]                    such as: connect-loop.fewest_lives = 5
"""
)
@options.captures
@options.joining
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="text for people, json for programs. Example: --format json",
)  # fmt: skip
@options.output
@options.judging
@options.places
@options.keylog
@click.option(
    "--max-sessions", metavar="N", type=click.IntRange(min=1), default=10_000, show_default=True,
    help="List no more sessions than this, the faulty ones first; the others are counted. Example: --max-sessions 50",
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0),
    help="Explain the first N diagnoses; the others get a line each. Without it, the first 5 faults are explained, or "
    "what is worth knowing most if there is none. Example: --limit 20",
)  # fmt: skip
@click.option(
    "--figures",
    is_flag=True,
    help="Show a table of how long acknowledgements and heartbeats take; without this, only if a finding is about it.",
)
@options.no_redact
@click.option("-q", "--quiet", is_flag=True, help="Only one line for each diagnosis, and no progress bar.")
@options.no_color
def analyze(
    captures: Sequence[str],
    joined: str | None,
    output_format: str,
    output: str | None,
    fail_on: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    rule_files: tuple[str, ...],
    config: str | None,
    no_config: bool,
    ports: tuple[int, ...],
    path: str | None,
    keylog: tuple[str, ...],
    max_sessions: int,
    limit: int | None,
    figures: bool,
    no_redact: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Find out what is wrong in captures, why, and how to mend it.

    CAPTURE is a pcap or pcapng file, or a HAR that a browser or a proxy has exported, plain or compressed (gzip, zstd);
    - is standard input. The files of a rotation (cap_00001.pcap, cap_00002.pcap, ...) are read as one capture, in
    whatever order they are named.
    """
    from eiosniff import app

    setting = choice.chosen(
        select=select,
        ignore=ignore,
        rule_files=rule_files,
        config=config,
        no_config=no_config,
        fail_on=fail_on,
        ports=ports,
        path=path,
        keylog=keylog,
        max_sessions=max_sessions,
        joined=options.is_joined(joined),
    )
    with progress(wanted=not quiet) as watch:
        report = app.analyze(captures, setting.options, watch)
    with Output(output, no_color=no_color, encoding="utf-8" if output_format == "json" else None) as place:
        show(
            report,
            place,
            output_format,
            no_redact=no_redact,
            quiet=quiet,
            limit=limit,
            selected_rules=setting.selected_rules,
            figures=figures,
            configuration=setting.configuration,
            rule_files=rule_files,
        )
    code = exits.of_report(report, setting.fail_on)
    if report.interrupted:
        click.echo("eiosniff: interrupted; the report is of what was read until then", err=True)
    if report.crashed:
        click.echo("eiosniff: a part of the analysis failed (INT...), the report is not complete", err=True)
    click.get_current_context().exit(code)


def show(
    report: "Report",
    place: Output,
    output_format: str,
    *,
    no_redact: bool = False,
    quiet: bool = False,
    limit: int | None = None,
    selected_rules: bool = False,
    figures: bool = False,
    configuration: str = "",
    rule_files: Sequence[str] = (),
    again: bool = True,
) -> None:
    """Write a report in one of the formats. The text says which configuration was used, and how to show rules; and how
    to see more, if the same packets can be looked at `again`."""
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
        show_rule = "eiosniff rules show" + "".join(f" --rules {shlex.quote(file)}" for file in rule_files)
        terminal.write(
            report,
            console,
            redactor,
            selected_rules=selected_rules,
            figures=figures,
            configuration=configuration,
            show_rule=show_rule,
            limit=limit,
            again=again,
        )
    place.write(text_of(console))
