"""`eiosniff doctor`: what works on this system, and what to do where something does not."""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import eiosniff
from eiosniff.cli import exits, options
from eiosniff.cli.output import Output

if TYPE_CHECKING:
    from eiosniff.capture.health import Fact, Health

SCHEMA = "eiosniff.doctor/1"
_HEADINGS = {
    "capture": "Live captures",
    "programs": "Programs and libraries",
    "place": "Here",
}
_COLORS = {"ok": "green", "absent": "yellow", "broken": "red"}
_MOST_TEXT = 300
_MARGIN = 2
_STATUS_WIDTH = 8
_NAME_WIDTH = 15
_MOST_WIDTH = 120
_HARD_SPACE = "\xa0"  # no printable text has one


@click.command(
    epilog="""\b
Examples:
  eiosniff doctor
  sudo $(which eiosniff) doctor
  eiosniff doctor --format json

The exit code is 0 if captures can be analysed and interfaces be captured, else 1.
"""
)
@click.option(
    "-f", "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="text for people, json for programs. Example: --format json",
)  # fmt: skip
@options.no_color
@click.pass_context
def doctor(context: click.Context, output_format: str, no_color: bool) -> None:
    """Find out what works here: capturing programs, rights, libraries."""
    from eiosniff.capture import health

    found = health.examine()
    with Output(None, no_color=no_color) as place:
        found.facts += _here(place)
        place.write(_as_json(found) if output_format == "json" else _as_text(found, place))
    context.exit(exits.CLEAN if found.captures else exits.FINDINGS)


def _here(place: Output) -> list["Fact"]:
    """What is so where the command was started: the terminal, the configuration."""
    from eiosniff.capture.health import Fact, Status

    encoding = sys.stdout.encoding or "no encoding"
    if place.is_terminal:
        columns, lines = shutil.get_terminal_size()
        colors = "colours" if place.color else "no colours"
        small = columns < 80 or lines < 24
        terminal = Fact(
            "place", "terminal", Status.ABSENT if small else Status.OK, f"{columns}x{lines}, {colors}, {encoding}",
            "the live view" if small else "", "make it 80x24 or larger" if small else "",
        )  # fmt: skip
    else:
        terminal = Fact("place", "terminal", Status.OK, f"none: output goes elsewhere, in {encoding}")
    return [terminal, _configuration()]


def _configuration() -> "Fact":
    from eiosniff.capture.health import Fact, Status

    try:
        from eiosniff import app
        from eiosniff.cli.configuration import configuration

        source = configuration(None, wanted=True, rules=app.rules()).source
    except Exception as error:  # of the configuration, or a library that is missing
        return Fact("place", "configuration", Status.BROKEN, str(error), "rules as you want them")
    return Fact("place", "configuration", Status.OK, source or "none in this folder (eiosniff.toml, setup.cfg)")


def _verdict(health: "Health") -> str:
    """The last line: what works, and what to do if it is not all."""
    if not health.analyzes:
        return "eiosniff does not work here: see what is broken above."
    if not health.captures:
        return f"eiosniff analyze works. eiosniff live does not: {health.remedy}."
    return f"eiosniff analyze works, and eiosniff live with {health.backends[0]}."


def _as_json(health: "Health") -> str:
    from eiosniff.report.sanitise import json_safe

    facts: list[dict[str, Any]] = [
        {
            "area": fact.area, "name": fact.name, "status": fact.status.value, "text": fact.text,
            "needed_for": fact.needed_for or None, "remedy": fact.remedy or None,
        }
        for fact in health.facts
    ]  # fmt: skip
    document = {
        "schema": SCHEMA,
        "eiosniff": eiosniff.__version__,
        "system": health.system,
        "works": {"analyze": health.analyzes, "live": health.captures},
        "backends": health.backends,
        "remedy": health.remedy or None,
        "facts": facts,
    }
    return json_safe(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _as_text(health: "Health", place: Output) -> str:
    from eiosniff.report.sanitise import printable

    width = max(40, min(place.width, _MOST_WIDTH))
    lines = [f"eiosniff {eiosniff.__version__}, {printable(health.system, _MOST_TEXT)}"]
    for area, heading in _HEADINGS.items():
        lines += ["", _bold(heading, place)]
        for fact in health.facts:
            if fact.area == area:
                lines += _lines(fact, place, width)
    verdict = _wrapped(printable(_verdict(health), 4 * _MOST_TEXT), width)
    return "\n".join([*lines, "", *(_bold(line, place) for line in verdict)]) + "\n"


def _lines(fact: "Fact", place: Output, width: int) -> Sequence[str]:
    from eiosniff.report.sanitise import printable

    said = [fact.text, fact.needed_for and f"needed for {fact.needed_for}", fact.remedy]
    text = printable("; ".join(filter(None, said)), _MOST_TEXT)
    indent = _MARGIN + _STATUS_WIDTH + _NAME_WIDTH
    wrapped = _wrapped(text, width - indent)
    word = fact.status.value
    status = click.style(word, fg=_COLORS[word]) if place.color else word
    first = f"{' ' * _MARGIN}{status}{' ' * (_STATUS_WIDTH - len(word))}{fact.name:<{_NAME_WIDTH}}{wrapped[0]}"
    return [first, *(" " * indent + line for line in wrapped[1:])]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text. A command between backticks is not broken: it is to be copied."""
    whole = re.sub(r"`[^`]*`", lambda command: command[0].replace(" ", _HARD_SPACE), text)
    lines = textwrap.wrap(whole, width, break_on_hyphens=False, break_long_words=False)
    return [line.replace(_HARD_SPACE, " ") for line in lines] or [""]


def _bold(text: str, place: Output) -> str:
    return click.style(text, bold=True) if place.color else text
