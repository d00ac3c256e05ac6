"""Which face `eiosniff live` has: a whole screen, lines for people, or objects for programs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from eiosniff.cli.output import Output
from eiosniff.errors import EiosniffError

if TYPE_CHECKING:
    from eiosniff.live.face import Face
    from eiosniff.model.finding import Report, RuleInfo
    from eiosniff.report.redact import Redactor


@contextmanager
def chosen(
    output_format: str | None,
    output: str | None,
    rules: "Sequence[RuleInfo]",
    redactor: "Redactor",
    show_report: "Callable[[Report, Output], None]",
    *,
    no_color: bool,
) -> "Iterator[Face]":
    """The face that the user wants; where nothing is said, the one that suits standard output.

    `show_report` shows a report as text. With a screen, `output` gets it at the end. Raises `EiosniffError` where there
    is no terminal for one.
    """
    from eiosniff.cli.streams import JsonLines, Lines, Stream

    def write_report(report: "Report") -> None:
        with Output(output, no_color=no_color) as place:
            show_report(report, place)
        if output is not None and output != "-":
            click.echo(f"eiosniff: the report is in {output}", err=True)

    wanted = output_format or ("screen" if sys.stdout.isatty() else "jsonl")
    if wanted == "screen":
        face = _screen(rules, redactor, write_report, no_color=no_color, needed=output_format is not None)
        if face is not None:
            with closing(face):
                yield face
            return
        wanted = "text"
    with Stream(output, no_color=no_color, encoding="utf-8" if wanted == "jsonl" else None) as stream:
        yield JsonLines(stream, redactor) if wanted == "jsonl" else Lines(stream, redactor, show_report)


def _screen(
    rules: "Sequence[RuleInfo]",
    redactor: "Redactor",
    write_report: "Callable[[Report], None]",
    *,
    no_color: bool,
    needed: bool,
) -> "Face | None":
    """A screen; None where there can be none, if the user has not asked for one."""
    from eiosniff.cli.screen import Screen

    try:
        return Screen(rules, redactor, write_report, no_color=no_color)
    except EiosniffError as error:
        if needed:
            raise
        click.echo(f"eiosniff: {error}; lines are shown instead", err=True)
        return None
