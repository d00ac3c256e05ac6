"""The text report: the diagnosis first, so that who has never heard of Engine.IO knows what is wrong and what to do.

Colour only repeats what the words say. Every text goes through the redactor and comes out as printable text.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath

from rich.console import Console
from rich.text import Text

from eiosniff.model.crossing import Sides
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Finding, Report, Severity
from eiosniff.model.numbering import Numbering, where
from eiosniff.model.summary import CaptureSummary
from eiosniff.report import overview
from eiosniff.report.figures import counted, duration, relative, size
from eiosniff.report.figures_table import is_called_for, write_figures
from eiosniff.report.layout import GAP, Column, Page
from eiosniff.report.places import Places
from eiosniff.report.redact import Redactor
from eiosniff.report.session_table import write_sessions

# No sentence of ours is longer, whatever a peer puts into it.
_MAX_PROSE = 1_200
_MAX_EVIDENCE = 200

# Diagnoses that are explained unless the user says how many; the others get a line. More of them where this report is
# the only one that there will be.
_EXPLAINED = 5
_EXPLAINED_ONCE = 20
# Consequences that are named, of those that a diagnosis has.
_CONSEQUENCES = 8

# More rows of proof than this prove nothing more: the first ones, how many are left out, the last ones.
_ROWS = 13
_FIRST_ROWS = 10
_LAST_ROWS = 2
_FILTERED = 4  # packets of what is no fault

_SOON_NS = 10_000_000
_LATER = re.compile(r"(.*[^\s,]),? (<?\d[\d.,]* (?:ms|s) later)")

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}

_PROOF = (
    Column("time", right=True, least=7),
    Column("who", least=6),
    Column("what"),
)
_MAX_SHORT = 14  # characters of a file's name in a column
_FILTERS = 3  # files for which the filter is shown


def write(
    report: Report,
    console: Console,
    redactor: Redactor,
    *,
    selected_rules: bool = False,
    figures: bool = False,
    configuration: str = "",
    show_rule: str = "eiosniff rules show",
    limit: int | None = None,
    again: bool = True,
) -> None:
    """Write the report.

    `selected_rules`: not all rules were asked, so that silence means less. `figures`: with the table of figures,
    whether or not a finding is about them. `configuration`: which one was used, if any was. `show_rule`: the command
    that shows a rule, which comes after it. `limit`: how many diagnoses are explained; if it is None, the first few
    faults, or the first of what is none. `again`: the user can ask for another report of the same packets, and is told
    how it says more.
    """
    text = _TextReport(report, console, redactor, again=again)
    text.write(selected_rules, limit, figures=figures)
    text.end(configuration, show_rule)


def write_headlines(report: Report, console: Console, redactor: Redactor) -> None:
    """One line a diagnosis, and nothing when there is none."""
    page = Page(console)
    several = len(report.captures) > 1
    for diagnosis in report.diagnoses:
        finding = diagnosis.finding
        label = (finding.severity.label.upper(), _STYLES[finding.severity])
        place = f"{redactor.shown(finding.capture)}: " if several else ""
        title = _prose(redactor, finding.title)
        page.line(place, label, f" {finding.rule} {finding.name}: {title} ({counted(finding.occurrences, 'time')})")


def write_diagnosis(
    diagnosis: Diagnosis,
    console: Console,
    redactor: Redactor,
    since_ns: int,
    remarks: Sequence[tuple[str, str]] = (),
    numbering: Numbering | None = None,
) -> None:
    """All of one diagnosis; the times of its proof count from an instant, and `numbering` is that of its capture.
    `remarks` come first: a label and a text, printable."""
    capture = CaptureSummary(diagnosis.finding.capture, first_ns=since_ns, numbering=numbering)
    report = Report("", captures=[capture], sessions=[], diagnoses=[diagnosis])
    _TextReport(report, console, redactor).diagnosis(diagnosis, whole=True, remarks=remarks)


def _prose(redactor: Redactor, text: str) -> str:
    return redactor.shown(" ".join(text.split()), _MAX_PROSE)


class _TextReport:
    def __init__(self, report: Report, console: Console, redactor: Redactor, *, again: bool = True) -> None:
        self.report = report
        self.redactor = redactor
        self.again = again
        self.page = Page(console)
        self.places = Places(report.captures)
        self.first_ns = {capture.file: capture.first_ns for capture in report.captures}

    def write(self, selected_rules: bool, limit: int | None, *, figures: bool) -> None:
        report = self.report
        for capture in report.captures:
            self.header(capture)
        if overview.nothing_there(report):
            self.diagnoses(limit)
            self.page.line()
            overview.write_what_was_there(report, self.page, self.redactor)
        elif not report.diagnoses or overview.only_infos(report):
            self.page.line()
            overview.write_healthy(report, self.page, selected_rules)
            self.diagnoses(limit)
        else:
            self.diagnoses(limit)
        if report.sessions:
            self.page.line()
            write_sessions(report, self.page, self.redactor)
            if figures or is_called_for(report):
                self.page.line()
                write_figures(report, self.page, self.redactor)
        self.summary()

    def prose(self, text: str) -> str:
        return _prose(self.redactor, text)

    def header(self, capture: CaptureSummary) -> None:
        several = {"entry": "entries"}.get(unit := self.places.unit(capture.file), "")
        facts = [counted(capture.packets, unit, several)]
        if capture.first_ns is not None and capture.last_ns is not None:
            facts.append(duration(capture.last_ns - capture.first_ns))
        if len(self.report.captures) == 1:
            facts.append(overview.sessions(self.report))
        self.page.paragraph(Text.assemble((self.file_name(capture.file), "bold"), "   ", ", ".join(facts)))

    def file_name(self, file: str) -> str:
        """The name of a file without its directory, unless another capture is called so too."""
        name = PurePath(file).name
        alike = sum(PurePath(capture.file).name == name for capture in self.report.captures)
        return self.redactor.shown(name if name and alike < 2 else file)

    def diagnosis(self, diagnosis: Diagnosis, *, whole: bool, remarks: Sequence[tuple[str, str]] = ()) -> None:
        """All of a diagnosis; if not the `whole`, then what it is, what to do and which packets to look at."""
        finding = diagnosis.finding
        self.headline(finding)
        self.page.line()
        for label, text in remarks:
            self.labelled(label, text)
        self.labelled("What", self.prose(finding.summary))
        if finding.certainty is not Certainty.CERTAIN and finding.doubt:
            self.labelled("Doubt", self.prose(f"Only {finding.certainty.value}: {finding.doubt}"))
        if whole:
            self.labelled("Why", self.prose(finding.why))
        self.fix(finding.fix)
        if whole:
            self.proof(finding)
        else:
            for at, line in enumerate(self.wireshark(finding, _FILTERED)):
                self.labelled("" if at else "Proof", line)
        for at, consequence in enumerate(diagnosis.consequences[:_CONSEQUENCES]):
            text = f"{self.prose(consequence.hence or consequence.title)} ({consequence.name})"
            self.labelled("" if at else "Hence", text)
        if len(diagnosis.consequences) > _CONSEQUENCES:
            self.labelled("", f"and {len(diagnosis.consequences) - _CONSEQUENCES} more, in --format json")

    def explained(self) -> int:
        """How many diagnoses are explained unless the user says: one screen is to hold what is to be done first."""
        faults = sum(diagnosis.finding.severity is not Severity.INFO for diagnosis in self.report.diagnoses)
        return min(_EXPLAINED if self.again else _EXPLAINED_ONCE, faults) or 1

    def diagnoses(self, limit: int | None) -> None:
        """The first ones in full, the others in a line or two."""
        diagnoses = self.report.diagnoses
        explained = self.explained() if limit is None else limit
        for diagnosis in diagnoses[:explained]:
            self.page.line()
            self.diagnosis(diagnosis, whole=limit is not None or diagnosis.finding.severity is not Severity.INFO)
        if not diagnoses[explained:]:
            return
        self.page.line()
        self.page.line(("Also" if explained else "Found", "bold"))
        alike: dict[tuple[str, str, Severity, Certainty], list[Diagnosis]] = {}
        for diagnosis in diagnoses[explained:]:
            finding = diagnosis.finding
            kind = finding.name, finding.title, finding.severity, finding.certainty
            alike.setdefault(kind, []).append(diagnosis)
        for others in alike.values():
            self.brief(others)
        if self.again:
            self.page.line((f"  --limit {len(diagnoses)} explains all, with the packets that prove them", "dim"))

    def brief(self, alike: list[Diagnosis]) -> None:
        """Diagnoses that say the same of different clients or servers."""
        finding = alike[0].finding
        facts = [f"{finding.name}, {finding.rule}"]
        if finding.certainty is not Certainty.CERTAIN:
            facts.append(finding.certainty.value)
        occurrences = sum(diagnosis.finding.occurrences for diagnosis in alike)
        if occurrences > 1:
            facts.append(counted(occurrences, "time"))
        servers = {server for diagnosis in alike for server in diagnosis.finding.servers}
        if len(servers) > 1:
            facts.append(f"at {len(servers)} servers")
        consequences = sum(len(diagnosis.consequences) for diagnosis in alike)
        if consequences:
            facts.append(f"with {counted(consequences, 'consequence')}")
        label = Text.assemble("  ", (f"{finding.severity.label.upper():7}", _STYLES[finding.severity]), GAP)
        self.page.paragraph(f"{self.prose(finding.title)} ({', '.join(facts)})", lead=label)

    def headline(self, finding: Finding) -> None:
        label = Text.assemble((finding.severity.label.upper(), _STYLES[finding.severity]), GAP)
        self.page.paragraph(Text(self.prose(finding.title), style="bold"), lead=label)
        facts = [f"{finding.name} ({finding.rule})", finding.certainty.value, counted(finding.occurrences, "time")]
        if finding.period_ns:  # 0: their packets do not come in order, or at one instant
            facts.append(f"every {duration(finding.period_ns)}")
        if finding.numbering is not None:
            facts.append("by comparing both captures")
        elif finding.also_in:
            files = [self.file_name(file) for file in (finding.capture, *finding.also_in)]
            facts.append(f"in {', '.join(files[:-1])} and {files[-1]}")
        elif len(self.report.captures) > 1:
            facts.append(f"in {self.file_name(finding.capture)}")
        self.page.paragraph(", ".join(facts), lead=" " * label.cell_len)

    def labelled(self, label: str, text: str) -> None:
        if text:
            self.page.paragraph(text, lead=_label(label))

    def fix(self, steps: list[str]) -> None:
        for at, step in enumerate(steps):
            number = f"{at + 1}. " if len(steps) > 1 else ""
            self.page.paragraph(self.prose(step), lead=Text.assemble(_label("" if at else "Fix"), number))

    def proof(self, finding: Finding) -> None:
        if not finding.evidence:
            return
        rows, asides = self.proof_rows(finding)
        number = Column(self.places.unit(finding), right=True, least=8)
        within = [Column("in")] if self.short_names(finding) else []
        self.page.table((number, *within, *_PROOF), rows, lead=_label("Proof"), asides=asides)
        for line in self.wireshark(finding):
            self.page.paragraph(line, lead=_label(""))

    def wireshark(self, finding: Finding, most: int | None = None) -> list[str]:
        """How Wireshark shows the packets that prove a finding, or the first `most`: a line for each file."""
        filters = self.places.filters(finding, most)
        if not self.places.has_parts(finding):
            return [f"Wireshark: {shown}" for shown in filters.values()]
        lines = [f"Wireshark, {self.part_name(file)}: {shown}" for file, shown in filters.items()]
        return (
            lines
            if len(lines) <= _FILTERS
            else [*lines[:_FILTERS], f"and in {counted(len(lines) - _FILTERS, 'more file')}"]
        )

    def part_name(self, file: str) -> str:
        """The name of one of the files of a capture."""
        return self.redactor.shown(PurePath(file).name or file)

    def short_names(self, finding: Finding) -> dict[str, str]:
        """What the files of two captures are called in a column, where the finding is about both and that is short."""
        if finding.numbering is None:
            return {}
        names = {file: self.redactor.shown(PurePath(file).stem) for file in finding.numbering.files}
        told_apart = len(set(names.values())) == len(names)
        return names if told_apart and all(len(name) <= _MAX_SHORT for name in names.values()) else {}

    def proof_rows(self, finding: Finding) -> tuple[list[list[str] | Text], list[str]]:
        """The rows, and what is remarked beside each. Where numbers are not those of one file, each file has a row."""
        evidence, since_ns = finding.evidence, self.first_ns.get(finding.capture)
        in_parts, names = self.places.has_parts(finding), self.short_names(finding)
        rows: list[list[str] | Text] = []
        asides: list[str] = []
        before: Evidence | None = None
        file = ""
        for at, item in enumerate(evidence):
            if len(evidence) > _ROWS and _FIRST_ROWS <= at < len(evidence) - _LAST_ROWS:
                if at == _FIRST_ROWS:
                    rows.append(Text(f"    ... {len(evidence) - _FIRST_ROWS - _LAST_ROWS} more", style="dim"))
                    asides.append("")
                before = None
                continue
            place = self.places.place(finding, item.packet)
            if in_parts and not names and item.packet and place.file != file:
                file = place.file
                rows.append(Text(f"  {self.part_name(file)}", style="dim"))
                asides.append("")
            number = place.label if item.packet else "-"
            time = relative(item.ts_ns, since_ns) if item.packet else "-"
            text, later = _split_later(self.redactor.shown(item.text, _MAX_EVIDENCE))
            within = [names.get(place.file, "")] if names else []
            rows.append([number, *within, time, self.redactor.shown(item.who), text])
            asides.append(later or _later(before, item))
            before = item
        return rows, asides

    def summary(self) -> None:
        report = self.report
        lines: list[str] = []
        if report.diagnoses and not overview.only_infos(report):  # else the verdict has said so
            counts = [(report.count(severity), severity.label) for severity in sorted(Severity, reverse=True)]
            found = ", ".join(counted(count, label) for count, label in counts if count)
            within = f" in {overview.sessions(report)}" if report.sessions_total else ""
            lines.append(f"{found}{within} on {counted(report.connections, 'connection')}")
        packets = sum(capture.set_aside_packets for capture in report.captures)
        if packets:
            octets = sum(capture.set_aside_bytes for capture in report.captures)
            lines.append(f"Set aside, as not Engine.IO: {counted(packets, 'packet')} ({size(octets)})")
        if not overview.nothing_there(report):  # else it was said already what there is
            lines += overview.unread(report, self.redactor)
        lines += [self.two_sides(each) for each in report.sides]
        for capture in report.captures:
            for problem in capture.problems:
                place = f" ({where(capture.numbering, problem.packet)})" if problem.packet else ""
                name = f"{self.file_name(capture.file)}: " if len(report.captures) > 1 else ""
                lines.append(f"The capture itself: {name}{self.prose(problem.text)}{place}")
        if lines:
            self.page.line()
        for at, line in enumerate(lines):
            self.page.paragraph(line, lead=Text("         " if at else "Summary  ", style="bold"))

    def two_sides(self, sides: Sides) -> str:
        """Two captures of the same sessions, and how their clocks were put together."""
        client, server = (self.file_name(self.report.captures[at].file) for at in (sides.client, sides.server))
        clocks = sides.clocks
        if sides.is_copy:
            return (
                f"{server} has the same packets as {client} ({counted(len(sides.crossings), 'session')}): one of the "
                "two files is enough"
            )
        way = "ahead of" if clocks.ahead_ns >= 0 else "behind"
        if clocks.unsure_ns is None:
            sure = "by one direction alone, so that delays are only told from the quickest packet"
        else:
            sure = f"to within {duration(clocks.unsure_ns)}"
        drift = f", and drifts by {abs(clocks.drift_ppb) / 1000:.0f} ms in 1000 s" if clocks.drift_ppb else ""
        apart = f"the clock of {server} is {relative(abs(clocks.ahead_ns), 0)} s {way} its own"
        if clocks.unsure_ns is not None and abs(clocks.ahead_ns) <= clocks.unsure_ns and not drift:
            apart = "the clocks agree"
        return (
            f"Seen from both sides: {counted(len(sides.crossings), 'session')}; {client} is nearer to the client, and "
            f"{apart} ({sure}{drift})"
        )

    def end(self, configuration: str, show_rule: str) -> None:
        if configuration:
            self.page.line()
            self.page.paragraph(Text(f"Configuration: {self.redactor.shown(configuration)}", style="dim"))
        rules = (diagnosis.finding.rule for diagnosis in self.report.diagnoses)
        codes = list(dict.fromkeys(rule for rule in rules if not rule.startswith("INT")))
        if codes:
            others = f" (or {', '.join(codes[1:])})" if len(codes) > 1 else ""
            self.page.line()
            command = self.redactor.shown(f"{show_rule} {codes[0]}{others}")
            self.page.paragraph(command, lead=Text("More: ", style="bold"))


def _label(label: str) -> Text:
    """The margin of a diagnosis, with a label in it."""
    return Text.assemble("  ", (f"{label:7}", "bold"))


def _split_later(text: str) -> tuple[str, str]:
    """A text that ends in how long after the row above it was, and that end by itself, to be set in a column."""
    found = _LATER.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _later(before: Evidence | None, item: Evidence) -> str:
    """How soon a packet followed the one in the row above, where the time column is too coarse to show it well."""
    if before is None or not before.packet or not item.packet or before.who == item.who:
        return ""
    passed = item.ts_ns - before.ts_ns
    return f"{duration(passed)} later" if 0 <= passed < _SOON_NS else ""
