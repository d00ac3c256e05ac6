"""`eiosniff compare`: where two conversations first part."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from eiosniff.cli import choice, exits, options
from eiosniff.cli.output import Output, text_of
from eiosniff.cli.progress import progress

Command = TypeVar("Command", bound=Callable[..., Any])

DIFFERENT = 1


def _chooses(capture: str, which: str) -> Callable[[Command], Command]:
    """The options that choose a conversation of one of the captures."""

    def add(command: Command) -> Command:
        command = click.option(
            f"--{capture}-client", metavar="ADDRESS", callback=options.not_empty,
            help=f"Of {capture.upper()}, take a conversation of the client with this IP address. "
            f"Example: --{capture}-client 10.0.0.7",
        )(command)  # fmt: skip
        return click.option(
            f"--{capture}-session", metavar="SID", callback=options.not_empty,
            help=f"Of {capture.upper()}, take this session and not {which}: its sid, the first 4 characters or more of "
            f"it, or its id in the report. Example: --{capture}-session s2",
        )(command)  # fmt: skip

    return add


@click.command(
    epilog="""\b
Examples:
  eiosniff compare browser.pcap device.pcap
  eiosniff compare both.pcap both.pcap
  eiosniff compare --failing-client 10.0.0.7 both.pcap both.pcap
  eiosniff compare --format json -o difference.json yesterday.pcap today.pcap

\b
Exit codes:
  0    no difference that matters
  1    there is one
  2    the captures or the options cannot be used, or hold nothing to compare
  3    eiosniff itself failed, or a rule
  130  interrupted
"""
)
@click.argument("working", metavar="WORKING", is_eager=True)
@click.argument("failing", metavar="FAILING", is_eager=True)
@_chooses("working", "the one that goes best")
@_chooses("failing", "the one that the first diagnosis is about")
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="text for people, json for programs. Example: --format json",
)  # fmt: skip
@options.output
@options.configuration
@options.rule_files
@options.places
@options.keylog
@options.no_redact
@options.no_color
def compare(
    working: str,
    failing: str,
    working_session: str | None,
    working_client: str | None,
    failing_session: str | None,
    failing_client: str | None,
    output_format: str,
    output: str | None,
    config: str | None,
    no_config: bool,
    rule_files: tuple[str, ...],
    ports: tuple[int, ...],
    path: str | None,
    keylog: tuple[str, ...],
    no_redact: bool,
    no_color: bool,
) -> None:
    """Find out where a conversation that fails parts from one that works.

    "The browser works, the device does not": WORKING and FAILING are captures of the two, as `eiosniff analyze` takes
    them, or one capture given twice that holds both. What they do is compared step by step; the first difference that
    matters comes first, with the reason and the remedy if a rule knows them.
    """
    _check(working, failing)
    from eiosniff import app
    from eiosniff.comparison.choice import Wanted
    from eiosniff.report.redact import Redactor

    setting = choice.chosen(
        select=(),
        ignore=(),
        rule_files=rule_files,
        config=config,
        no_config=no_config,
        fail_on="warning",
        ports=ports,
        path=path,
        keylog=keylog,
        max_sessions=10_000,
    )
    wanted = Wanted(working_session, working_client), Wanted(failing_session, failing_client)
    with progress(wanted=True) as watch:
        comparison = app.compare(working, failing, setting.options, watch, chosen=wanted)
    redactor = Redactor(enabled=not no_redact)
    with Output(output, no_color=no_color, encoding="utf-8" if output_format == "json" else None) as place:
        if output_format == "json":
            from eiosniff.report import comparison_json

            place.write(comparison_json.render(comparison, redactor))
        else:
            from eiosniff.report import comparison as as_text

            console = place.console()
            as_text.write(comparison, console, redactor)
            place.write(text_of(console))
    if comparison.interrupted:
        click.echo("eiosniff: interrupted; the comparison is of what was read until then", err=True)
        click.get_current_context().exit(exits.INTERRUPTED)
    if comparison.crashed:
        click.echo("eiosniff: a part of the analysis failed (INT...), the comparison is not complete", err=True)
        click.get_current_context().exit(exits.FAILED)
    click.get_current_context().exit(exits.CLEAN if comparison.difference is None else DIFFERENT)


def _check(working: str, failing: str) -> None:
    if working == failing == "-":
        raise click.UsageError("standard input (-) can only be read once")
    if "-" in (working, failing) and sys.stdin.isatty():
        raise click.UsageError("standard input (-) is a terminal; pipe a capture into it")
