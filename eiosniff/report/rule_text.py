"""The rules, for `eiosniff rules`: all of them as a list, and the documentation of one."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown
from rich.text import Text

from eiosniff.model.finding import RuleInfo
from eiosniff.report.layout import Column, Page

_COLUMNS = (Column("rule"), Column("severity"), Column("name"), Column("what it reports"))


def write_list(rules: Sequence[RuleInfo], console: Console) -> None:
    """A line a rule, wrapped to the console."""
    rows = [[rule.code, rule.severity.label, rule.name, rule.title] for rule in rules]
    Page(console).table(_COLUMNS, rows)


def plain_list(rules: Sequence[RuleInfo]) -> str:
    """A line a rule, for other programs: four fields with tabs between them."""
    return "".join(f"{rule.code}\t{rule.severity.label}\t{rule.name}\t{rule.title}\n" for rule in rules)


def markdown(rule: RuleInfo) -> str:
    """The documentation of a rule as Markdown."""
    explains = f" · explains {', '.join(rule.explains)}" if rule.explains else ""
    parts = [
        f"# {rule.code} {rule.name}",
        f"**{rule.title}**",
        f"{rule.severity.label} · since {rule.since}{explains}",
        *(f"## {heading}\n\n{text.strip()}" for heading, text in rule.sections),
    ]
    return "\n\n".join(parts) + "\n"


def write(rule: RuleInfo, console: Console) -> None:
    """The documentation of a rule, set for reading."""
    page = Page(console)
    console.print(_Document(markdown(rule)), width=page.width)


class _LeftHeading(Heading):
    """A heading at the left margin; rich's own are centred, in boxes."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        if self.tag != "h1":
            yield Text("")
        yield self.text


class _Document(Markdown):
    elements = Markdown.elements | {"heading_open": _LeftHeading}
