"""A comparison as text: why the failing one fails and where the two part, then both side by side.

A mark tells what each difference means, a colour only repeats it. Every text goes through the redactor and comes out as
printable text.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePath
from typing import Final

from rich.console import Console
from rich.text import Text

from eiosniff.model.comparison import (
    FAILING,
    WORKING,
    Comparison,
    Difference,
    Fact,
    FactPair,
    Importance,
    Step,
    StepPair,
    Verdict,
)
from eiosniff.model.numbering import where
from eiosniff.report.comparison_words import absent, shown_fact, who
from eiosniff.report.figures import counted
from eiosniff.report.layout import GAP, Page
from eiosniff.report.redact import Redactor
from eiosniff.report.terminal import write_diagnosis

NAMES: Final = ("WORKING", "FAILING")

_MARKS: Final = {
    Importance.FIRST: ">",
    Importance.FAILS: "x",
    Importance.MATTERS: "!",
    Importance.MAY_MATTER: "?",
    Importance.NO_MATTER: "~",
    Importance.SAME: " ",
}
_LEGEND: Final = (
    (Importance.FIRST, "the first difference that matters"),
    (Importance.FAILS, "goes wrong in FAILING only"),
    (Importance.MATTERS, "can be why"),
    (Importance.MAY_MATTER, "may matter"),
    (Importance.NO_MATTER, "another way, and no matter"),
)
_STYLES: Final = {
    Importance.FIRST: "bold red",
    Importance.FAILS: "red",
    Importance.MATTERS: "yellow",
    Importance.MAY_MATTER: "yellow",
    Importance.NO_MATTER: "dim",
}
_MATTERING: Final = (Importance.FIRST, Importance.FAILS, Importance.MATTERS)
_LEAST_NAME, _MOST_NAME = 14, 32  # columns
_LONGEST_NAME = 60  # characters
_MARK = 2
_EVENTS = 2  # in a row of one conversation only, that are named
_HEADER = "header "
_ALIKE = "alike"


def write(comparison: Comparison, console: Console, redactor: Redactor) -> None:
    """Write all of it."""
    text = _Text(comparison, console, redactor)
    text.verdict()
    text.compared()
    text.shared()
    text.side_by_side()
    text.end()


def headline(comparison: Comparison, redactor: Redactor) -> str:
    """What it comes to, in one line; of a difference, where it is."""
    difference = comparison.difference
    if difference is not None:
        return _where(comparison, difference, redactor)
    if comparison.verdict is Verdict.FAIL_ALIKE:
        first = comparison.shared[0].finding
        title = redactor.shown(first.title, 300)
        return f"Both fail alike, so that a comparison cannot tell why: {title} ({first.name}, {first.rule})"
    text = "No difference that matters: what was chosen goes well in both"
    if comparison.astray is None:
        return text
    found = comparison.astray.finding
    file = PurePath(comparison.working.capture.file).name
    return redactor.shown(f"{text}. But {file} has a fault, {found.name} ({found.rule}): is it the failing one?")


def _where(comparison: Comparison, difference: Difference, redactor: Redactor) -> str:
    step, pair = difference.step, difference.fact
    label = f" {redactor.shown(step.label, 60)}" if step.label else ""
    values = []
    for name, conversation, fact, side in (
        (NAMES[WORKING], comparison.working, pair.working, step.working),
        (NAMES[FAILING], comparison.failing, pair.failing, step.failing),
    ):
        value = shown_fact(fact, redactor, 120) if fact is not None else absent(step.kind)
        place = _number(side)
        found = f" ({redactor.shown(where(conversation.capture.numbering, place))})" if place else ""
        values.append(f"{name} {value}{found}")
    return f"{step.title}{label}, {redactor.shown(pair.name, 60)}: {values[0]}; {values[1]}"


def _number(step: Step | None) -> int:
    """That of its captured packet, as the decoders count; 0 if it has none."""
    return step.place.number if step is not None and step.place is not None else 0


def _folded(pair: FactPair) -> str:
    """Header fields that need no row of their own, in words; empty for what does."""
    if not pair.name.startswith(_HEADER):
        return ""
    if pair.importance is Importance.SAME and pair.working == pair.failing:
        return _ALIKE
    if pair.importance is not Importance.NO_MATTER or (pair.working is not None and pair.failing is not None):
        return ""
    return f"of {NAMES[WORKING if pair.failing is None else FAILING]} only"


class _Text:
    def __init__(self, comparison: Comparison, console: Console, redactor: Redactor) -> None:
        self.comparison = comparison
        self.redactor = redactor
        self.console = console
        self.page = Page(console)
        self.name_width = self._name_width()
        self.width = (self.page.width - self.name_width - _MARK - 4 * len(GAP)) // 2

    def _name_width(self) -> int:
        names = [pair.name for step in self.comparison.pairs for pair in step.facts]
        widest = max((len(self.redactor.shown(name, _LONGEST_NAME)) for name in names), default=0)
        return max(_LEAST_NAME, min(widest, _MOST_NAME, self.page.width * 3 // 10))

    # ------------------------------------------------------------ the beginning

    def verdict(self) -> None:
        comparison = self.comparison
        difference, root = comparison.difference, comparison.diagnosis
        if root is not None:
            remarks = [("Parts", _where(comparison, difference, self.redactor))] if difference is not None else []
            capture = comparison.failing.capture
            write_diagnosis(root, self.console, self.redactor, capture.first_ns or 0, remarks, capture.numbering)
            return
        text = headline(comparison, self.redactor)
        if difference is None:
            self.page.paragraph(Text(text, style="bold"))
            return
        self.page.paragraph(Text(text, style="bold"), lead=Text.assemble(("PARTS", "bold yellow"), GAP))
        self.page.line()
        self._labelled("Why", difference.words)
        self._labelled("", "No rule explains it; what is marked below is where to look.")

    def compared(self) -> None:
        self.page.line()
        for name, each in zip(NAMES, (self.comparison.working, self.comparison.failing), strict=True):
            lead = Text.assemble((name, "bold"), GAP)
            file = PurePath(each.capture.file).name or each.capture.file
            self.page.paragraph(f"{self.redactor.shown(file)}, {who(each, self.redactor)}: {each.why}", lead=lead)

    def shared(self) -> None:
        if not self.comparison.shared or self.comparison.verdict is Verdict.FAIL_ALIKE:
            return
        found = [f"{each.finding.name} ({each.finding.rule})" for each in self.comparison.shared[:8]]
        self.page.paragraph(self.redactor.shown(", ".join(found)), lead=Text("Both have  ", style="bold"))

    def _labelled(self, label: str, text: str) -> None:
        if text:
            self.page.paragraph(self.redactor.shown(text), lead=Text.assemble("  ", (f"{label:7}", "bold")))

    # ------------------------------------------------------------ side by side

    def side_by_side(self) -> None:
        self.page.line()
        self.page.line(("Side by side", "bold"))
        there = {pair.importance for step in self.comparison.pairs for pair in step.facts}
        legend = [f"{_MARKS[importance]} {words}" for importance, words in _LEGEND if importance in there]
        if legend:
            self.page.paragraph(Text(",  ".join(legend), style="dim"), lead="  ")
        self.page.line()
        self._row(" ", "", NAMES[WORKING], NAMES[FAILING], "dim")
        unreached = []
        for step in self.comparison.pairs:
            if step.failing is None and self.comparison.failing.session is None and not self._is_the_place(step):
                unreached.append(step)
            else:
                self._step(step)
        if unreached:
            names = ", ".join(f"{step.title} {self.redactor.shown(step.label, 60)}".strip() for step in unreached)
            self.page.paragraph(Text(f"FAILING does not come so far: {names}", style="dim"), lead="  ")

    def _step(self, step: StepPair) -> None:
        label = f" {self.redactor.shown(step.label, 60)}" if step.label else ""
        heading = Text.assemble((f"{step.title}{label}", "bold"), (self._places(step), "dim"))
        self.page.paragraph(heading, lead=GAP)
        folded: dict[str, list[str]] = {}
        for pair in self._worth_a_row(step):
            words = _folded(pair) if step.working is not None and step.failing is not None else ""
            if words:
                folded.setdefault(words, []).append(self.redactor.shown(pair.name.removeprefix(_HEADER), 40))
            else:
                self._fact(step, pair)
        for words in sorted(folded):
            names = folded[words]
            text = f"{counted(len(names), 'header field')} {words}: {', '.join(names)}"
            lead = _MARKS[Importance.SAME if words == _ALIKE else Importance.NO_MATTER]
            self.page.paragraph(Text(text, style="dim"), lead=f"{lead}   ")

    def _is_the_place(self, step: StepPair) -> bool:
        """Whether it has the first difference that matters."""
        return self.comparison.difference is not None and self.comparison.difference.step is step

    def _worth_a_row(self, step: StepPair) -> Iterator[FactPair]:
        """Of events that only one of the two has, the first few of those in a row, and what matters; of a step that
        FAILING does not take, what keeps it from that."""
        if step.failing is None and self.comparison.difference is not None and self._is_the_place(step):
            yield self.comparison.difference.fact
            return
        if step.kind != "events":
            yield from step.facts
            return
        for missing, group in groupby(step.facts, key=lambda pair: (pair.working is None, pair.failing is None)):
            pairs = list(group)
            folds = any(missing) and len(pairs) > _EVENTS + 1
            few = [pair for at, pair in enumerate(pairs) if not folds or at < _EVENTS or pair.importance in _MATTERING]
            yield from few
            if len(few) < len(pairs):
                more = Fact(f"and {len(pairs) - len(few)} more", "sent")
                one, other = (None if each else more for each in missing)
                yield FactPair(more.name, one, other, Importance.NO_MATTER)

    def _places(self, step: StepPair) -> str:
        comparison = self.comparison
        shown = []
        for conversation, side in ((comparison.working, step.working), (comparison.failing, step.failing)):
            number = _number(side)
            shown.append(where(conversation.capture.numbering, number) if number else "-")
        return f"   {self.redactor.shown(' | '.join(shown))}" if shown != ["-", "-"] else ""

    def _fact(self, step: StepPair, pair: FactPair) -> None:
        self._row(
            _MARKS[pair.importance],
            self.redactor.shown(pair.name, _LONGEST_NAME),
            self._value(step, pair.working, step.working is not None),
            self._value(step, pair.failing, step.failing is not None),
            _STYLES.get(pair.importance, ""),
        )

    def _value(self, step: StepPair, fact: Fact | None, there: bool) -> str:
        if fact is not None:
            return shown_fact(fact, self.redactor, 3 * self.width)
        return absent(step.kind) if there else "-"

    def _row(self, mark: str, name: str, working: str, failing: str, style: str) -> None:
        cells = ((mark, _MARK), (name, self.name_width), (working, self.width), (failing, self.width))
        self.page.side_by_side(cells, style)

    # ------------------------------------------------------------ the end

    def end(self) -> None:
        root = self.comparison.diagnosis
        if root is not None and not root.finding.rule.startswith("INT"):
            self.page.line()
            self.page.paragraph(f"eiosniff rules show {root.finding.rule}", lead=Text("More: ", style="bold"))
