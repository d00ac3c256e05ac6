"""The rules, for `eiosniff rules`: all of them as a list, and the documentation of one."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown

from eiosniff.model.finding import RuleInfo
from eiosniff.report.figures import duration
from eiosniff.report.layout import Column, Page
from eiosniff.report.sanitise import printable

_COLUMNS = (Column("rule"), Column("severity"), Column("name"), Column("what it reports"))


def write_list(rules: Sequence[RuleInfo], console: Console) -> None:
    """A line a rule, wrapped to the console."""
    rows = [[rule.code, rule.severity.label, rule.name, _title(rule)] for rule in rules]
    Page(console).table(_COLUMNS, rows)


def plain_list(rules: Sequence[RuleInfo]) -> str:
    """A line a rule, for other programs: four fields with tabs between them, and a fifth, its origin, if the rule is
    not eiosniff's."""
    fields = ((rule.code, rule.severity.label, rule.name, rule.title, *filter(None, [rule.origin])) for rule in rules)
    return "".join("\t".join(printable(field) for field in row) + "\n" for row in fields)


def markdown(rule: RuleInfo) -> str:
    """The documentation of a rule as Markdown, with the limits that a user may set."""
    facts = [rule.severity.label]
    facts += [f"since {rule.since}"] if rule.since else []
    facts += [f"from {printable(rule.origin)}"] if rule.origin else []
    facts += [f"may cause {', '.join(rule.explains)}"] if rule.explains else []
    sections = [*rule.sections, ("Limits", limits(rule))] if rule.limits else rule.sections
    parts = [
        f"# {rule.code} {rule.name}",
        f"**{rule.title}**",
        " · ".join(facts),
        *(f"## {heading}\n\n{text.strip()}" for heading, text in sections),
    ]
    return "\n\n".join(parts) + "\n"


def limits(rule: RuleInfo) -> str:
    """The limits of a rule with their defaults (Markdown), as they would stand in a configuration."""
    settings = [f"{rule.name}.{name} = {value:.15g}" for name, value in rule.limits]
    widest = max(map(len, settings))
    units = [_unit(name, value) for name, value in rule.limits]
    lines = [f"{setting:{widest}}  # {unit}" for setting, unit in zip(settings, units, strict=True)]
    block = "\n".join(["```toml", "[limits]", *lines, "```"])
    return f"The thresholds by which it judges. To set others than these, write them into `eiosniff.toml`:\n\n{block}"


def _unit(name: str, value: float) -> str:
    """What a limit counts, by the end of its name."""
    if name.endswith("_ms"):
        return f"milliseconds: {duration(int(value * 1_000_000))}"
    noun = name.rpartition("_")[2]
    return f"number of {noun}" if isinstance(value, int) else noun


def _title(rule: RuleInfo) -> str:
    return f"{rule.title} ({printable(rule.origin)})" if rule.origin else rule.title


def write(rule: RuleInfo, console: Console) -> None:
    """The documentation of a rule, set for reading."""
    page = Page(console)
    console.print(_Document(markdown(rule)), width=page.width)


class _LeftHeading(Heading):
    """A heading at the left margin; rich's own are centred, in boxes."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Document(Markdown):
    elements = Markdown.elements | {"heading_open": _LeftHeading}
