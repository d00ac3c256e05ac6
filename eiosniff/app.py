"""The one module that knows everything: it joins sources, decoders, rules and knowledge into a report."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from eiosniff import __version__, knowledge
from eiosniff.errors import CaptureError, EiosniffError
from eiosniff.model.crossing import NEAR_SERVER, Sides
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Finding, Report, RuleInfo, Severity, Totals
from eiosniff.model.numbering import Joined, where
from eiosniff.model.session import MAX_SESSIONS, Session
from eiosniff.model.summary import CaptureProblem, CaptureSummary
from eiosniff.rules import registry
from eiosniff.rules.api import Rule
from eiosniff.rules.diagnosis import diagnose
from eiosniff.rules.engine import Judge, Ledgers, internal_error

if TYPE_CHECKING:
    from eiosniff.capture.live.source import LiveSource
    from eiosniff.capture.secrets import KeySource
    from eiosniff.capture.series import Series
    from eiosniff.comparison.choice import Material, Wanted
    from eiosniff.comparison.recorder import Recorder
    from eiosniff.decode.crossings import Place
    from eiosniff.decode.stack import Stack
    from eiosniff.decode.trails import Trails
    from eiosniff.model.comparison import Comparison
    from eiosniff.model.secrets import Secrets
    from eiosniff.report.selection import Selection

# What needs numpy is imported where a capture is read: `eiosniff rules` starts without it.
# Called now and then with the bytes read so far, and the size of all input if it is known.
Progress = Callable[[int, int | None], None]
_Rank = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose. `select` and `ignore` hold codes or names of rules; `None` selects all.

    `rule_files` are Python files with rules of the user's own, which are run. `severity` and `limits` are by the code
    of a rule: how bad it is whatever it finds, and its limits that are not to have their defaults.
    `max_sessions` are listed in the report. `kept_sessions`, and those listed, are in memory at a time; what was found
    in older ones is folded into the findings. These are two numbers so that a short list does not change what is found.
    `keylog` are files with the secrets of TLS connections; without any, the one that SSLKEYLOGFILE names is used.
    `joined`: read all files as one, none, or (None) those that are parts of one by their names and times.
    """

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    rule_files: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    path: str | None = None
    max_sessions: int = MAX_SESSIONS
    kept_sessions: int = MAX_SESSIONS
    batch_size: int = 35_000
    joined: bool | None = None
    keylog: tuple[str, ...] = ()


class Analysis:
    """One capture that is being analysed: its decoders, and the judgement of what they let go."""

    def __init__(
        self,
        name: str,
        options: Options,
        rules: Sequence[Rule],
        changed: set[Session] | None = None,
        secrets: "Secrets | None" = None,
        listener: Callable[[DecodedPacket], None] | None = None,
        trails: "Trails | None" = None,
    ) -> None:
        """`name` is that of the capture in the report; `rules` are those of `chosen_rules`. `trails` keeps what is
        compared with other captures of the same sessions, and hears what is decoded, as a `listener` does; for the
        others see `Stack`."""
        from eiosniff.decode.stack import Stack

        most = max(options.max_sessions, options.kept_sessions)
        self.stack = Stack(
            CaptureSummary(name),
            trails.take if trails is not None else listener,
            ports=options.ports,
            path=options.path,
            most=most,
            changed=changed,
            secrets=secrets,
        )
        self.trails = trails
        self.totals = Totals()
        self._rules = rules
        self._judge = Judge(rules, knowledge.advice, name, most, self.summary.drops, self._where)

    @property
    def summary(self) -> CaptureSummary:
        """The ledger of the capture."""
        return self.stack.summary

    def _where(self, number: int) -> str:
        return where(self.summary.numbering, number)

    def fold(self) -> list[Session]:
        """Keep what is to be known of ledgers that were let go since this was called last; returns the sessions."""
        gone: list[Session] = []
        for each in self.stack.retired():
            if isinstance(each.ledger, Session):
                self.totals.add(each.ledger)
                gone.append(each.ledger)
                if self.trails is not None:
                    self.trails.settle(each.ledger)
            knowledge.fold(each)
            self._judge.take(each)
        return gone

    def close(self) -> None:
        """No more packets come."""
        self.stack.close()
        self.fold()

    def findings(self) -> list[Finding]:
        """What is found in it, once it is closed."""
        sessions = self.stack.sessions
        ledgers = Ledgers(
            self.summary, sessions.sessions, list(sessions.clients.values()), list(sessions.servers.values())
        )
        knowledge.identify(ledgers.clients, ledgers.servers, ledgers.sessions)
        findings = self._judge.findings(ledgers)
        for crash in self.stack.crashes:
            findings.append(internal_error("INT002", "decoder-crashed", crash, self.summary.file))
        for session in ledgers.sessions:
            self.totals.add(session)
            if self.trails is not None:
                self.trails.settle(session)
        return findings

    def sessions(self) -> list[Session]:
        """Those in memory, once it is judged, in the order of their opening."""
        return sorted([*self._judge.faulty, *self.stack.sessions.sessions], key=attrgetter("index"))


def analyze(
    captures: Sequence[str], options: Options, progress: Progress | None = None, recorder: "Recorder | None" = None
) -> Report:
    """Read captures (paths, `-` is standard input) and diagnose them. Raises `EiosniffError` for unusable input.

    Each capture is analysed by itself, files that are parts of one as one; the report is of all of them. Ctrl-C ends
    the reading: the report is then of what was read, and says that it was interrupted. A `recorder` is for one
    capture: it hears what is decoded.
    """
    from eiosniff.decode.trails import Trails

    rules = chosen_rules(options)
    writer = ReportWriter(options, rules)
    several = len(captures) > 1 and options.joined is None
    with closing(_sources(captures, options)) as sources:
        for source in sources:
            keys = _keys(options)
            listener = recorder.take if recorder is not None else None
            trails = Trails() if several and recorder is None else None
            analysis = Analysis(source.name, options, rules, secrets=keys.secrets, listener=listener, trails=trails)
            try:
                for _ in _read(analysis.stack, source, keys, progress):
                    analysis.fold()
            except KeyboardInterrupt:
                writer.interrupted = True
                analysis.close()
            writer.add(analysis)
            if recorder is not None:
                known = analysis.stack.sessions
                recorder.close(list(known.clients.values()), list(known.servers.values()))
            if writer.interrupted:
                break
    return writer.report()


def compare(
    working: str,
    failing: str,
    options: Options,
    progress: Progress | None = None,
    *,
    chosen: "tuple[Wanted, Wanted] | None" = None,
) -> "Comparison":
    """Compare the conversation that went best in one capture with the one that fails in another, or in the same.

    `chosen` are the two that the user wants, if not these. Raises `EiosniffError` where there is nothing to compare.
    """
    from eiosniff.comparison import choice, weighing

    of_working, of_failing = chosen or (choice.Wanted(), choice.Wanted())
    good = _material(working, options, progress)
    bad = good if _is_same(working, failing) else _material(failing, options, progress)
    one = choice.working(good, of_working)
    avoid = weighing.rules_of(one, good.report)
    other = choice.failing(bad, of_failing, avoid, one.session if bad is good else None)
    return weighing.compare(one, other, good.report, bad.report)


def _material(capture: str, options: Options, progress: Progress | None) -> "Material":
    from eiosniff.capture.rotation import expand
    from eiosniff.comparison.choice import Material
    from eiosniff.comparison.recorder import Recorder

    recorder = Recorder()
    report = analyze(expand([capture]), options, progress, recorder)
    if len(report.captures) > 1:
        raise EiosniffError(
            f"{capture} is {len(report.captures)} captures, and not the files of one", "name one of them"
        )
    return Material(report, recorder)


def _is_same(one: str, other: str) -> bool:
    """Whether two paths name one capture."""
    return one == other or (Path(one).exists() and Path(other).exists() and Path(one).samefile(other))


class ReportWriter:
    """Makes one report of analyses. `interrupted` says that the user stopped them."""

    def __init__(self, options: Options, rules: Sequence[Rule]) -> None:
        self.interrupted = False
        self._most = options.max_sessions
        self._rules = rules
        self._summaries: list[CaptureSummary] = []
        self._ranked: list[tuple[_Rank, Session, CaptureSummary]] = []
        self._findings: list[Finding] = []
        self._sessions, self._totals = 0, Totals()
        self._places: list[Place] = []

    def add(self, analysis: Analysis) -> None:
        """One more analysis, which is closed."""
        found = analysis.findings()
        self._findings.extend(found)
        self._summaries.append(analysis.summary)
        self._totals.merge(analysis.totals)
        kept = analysis.sessions()
        for session in kept:
            session.index += self._sessions  # they are numbered over all captures
        self._ranked.extend((rank, session, analysis.summary) for rank, session in _rank(kept, found))
        self._ranked.sort(key=itemgetter(0))
        del self._ranked[self._most :]
        self._sessions += analysis.stack.sessions.total
        if analysis.trails is not None:
            from eiosniff.decode.crossings import Place

            self._places.append(Place(analysis.summary, list(analysis.trails.trails.values())))

    def report(self) -> Report:
        """The report of all that were added."""
        from eiosniff.decode.crossings import cross

        sides = cross(self._places)
        for pair in sides:
            self._findings.extend(self._judge(pair))
        return Report(
            version=__version__,
            captures=self._summaries,
            sessions=[session for _, session, _ in self._ranked],
            diagnoses=diagnose(self._findings, self._rules),
            sessions_total=self._sessions,
            sessions_folded=self._sessions - len(self._ranked),
            connections=sum(summary.connections for summary in self._summaries),
            totals=self._totals,
            crashed=any(finding.rule.startswith("INT") for finding in self._findings),
            interrupted=self.interrupted,
            capture_of={session: summary for _, session, summary in self._ranked},
            sides=sides,
        )

    def _judge(self, sides: Sides) -> list[Finding]:
        """What is found in sessions that two captures show."""
        client, server = self._places[sides.client].summary, self._places[sides.server].summary
        numbering = Joined((client.file, client.numbering), (server.file, server.numbering), NEAR_SERVER)
        found = Judge(self._rules, knowledge.advice, client.file).crossings(sides.crossings)
        for finding in found:
            finding.numbering, finding.also_in = numbering, server.file
        return found


def _sources(captures: Sequence[str], options: Options) -> Generator["Series", None, None]:
    """The captures, one after the other, each open until the next is asked for. Raises `CaptureError`."""
    from eiosniff.capture.rotation import Run, plan
    from eiosniff.capture.series import Series

    for run in plan(captures, joined=options.joined):
        left: Run | None = run
        while left is not None:
            with Series(left, options.batch_size) as source:
                yield source
            left = source.rest


def _keys(options: Options) -> "KeySource":
    """The secrets for a capture. Raises `EiosniffError` for a key log that cannot be used."""
    from eiosniff.capture.secrets import KeySource

    with KeySource(options.keylog) as keys:  # a file is read as a whole
        return keys


def _read(stack: "Stack", source: "Series", keys: "KeySource", progress: Progress | None) -> Iterator[None]:
    """Feed a capture to its decoders; yields after each batch, and once more when all is settled.

    Raises `CaptureError` for a capture that cannot be read, or none of whose packets can be decoded.
    """
    summary = stack.summary
    if source.is_har:
        yield from _read_entries(stack, source, progress)
    for batch in source.batches():
        _measure(summary, source)
        keys.update(source)
        stack.feed(batch)
        if progress is not None:
            progress(source.position, source.size)
        yield
    check_links(stack)
    _measure(summary, source)
    summary.last_ns = summary.last_ns if source.is_har else source.last_ns
    stack.close()
    yield


def _measure(summary: CaptureSummary, source: "Series") -> None:
    """The same as `measure`, and which files it is."""
    measure(summary, source)
    summary.file = source.name
    if len(source.numbering.files) > 1:
        summary.numbering = source.numbering
    while source.missing:
        summary.note_drops(*source.missing.pop(0), packets=0)


def _read_entries(stack: "Stack", source: "Series", progress: Progress | None) -> Iterator[None]:
    """The same of a HAR: what happens in it is known when all of it was read."""
    entries = stack.entries()
    for entry in source.entries(entries.is_wanted):
        entries.add(entry)
        if progress is not None:
            progress(source.position, source.size)
    for _ in entries.steps(source.batch_size):
        yield


def check_links(stack: "Stack") -> None:
    """Raises `CaptureError` if all packets so far are of link types that cannot be decoded."""
    from eiosniff.decode.links import link_name

    if stack.unknown_links:
        names = ", ".join(link_name(link_type) for link_type in stack.unknown_links)
        raise CaptureError(
            f"{stack.summary.file}: eiosniff cannot decode packets of link type {names}",
            "capture on an interface with Ethernet or IP (tcpdump -y lists what the interface offers)",
        )


def measure(summary: CaptureSummary, source: "Series | LiveSource") -> None:
    """Note what was read up to now: the user may stop the reading after each batch."""
    from eiosniff.decode.links import link_name

    summary.format = source.format
    summary.link_types = [link_name(link_type) for link_type in source.link_types]
    summary.packets = source.packets
    summary.bytes = source.wire_bytes
    summary.dropped = source.dropped
    summary.first_ns = source.first_ns if not source.is_har else summary.first_ns
    summary.problems = [CaptureProblem(problem.kind.value, problem.text, problem.packet) for problem in source.problems]


def chosen_rules(options: Options) -> list[Rule]:
    """The rules that the user selects, as they set them up. Raises `EiosniffError` for one that cannot be used."""
    rules = registry.with_others(options.rule_files)
    known = {label for rule in rules for label in (rule.code, rule.code.lower(), rule.name)}
    unknown = sorted(((options.select or frozenset()) | options.ignore) - known)
    if unknown:
        raise EiosniffError(f"there is no rule {unknown[0]!r}", "'eiosniff rules list' shows all")

    def named(rule: Rule, names: frozenset[str]) -> bool:
        return bool(names & {rule.code, rule.code.lower(), rule.name})

    return [
        rule.adjusted(options.severity.get(rule.code), options.limits.get(rule.code, {}))
        for rule in rules
        if (options.select is None or named(rule, options.select)) and not named(rule, options.ignore)
    ]


def _rank(sessions: list[Session], findings: list[Finding]) -> Iterator[tuple[_Rank, Session]]:
    """Faulty sessions first (worst first), then the last seen."""
    worst: dict[Session, Severity] = {}
    for finding in findings:
        for session in finding.sessions:
            worst[session] = max(worst.get(session, Severity.INFO), finding.severity)
    for session in sessions:
        yield (-worst.get(session, 0), -session.last.ts_ns), session


def decode(
    captures: Sequence[str],
    options: Options,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
    selection: "Selection | None" = None,
) -> Iterator[DecodedPacket]:
    """Every Engine.IO packet of the captures, in order; only what `selection` takes, if there is one.

    Sessions are numbered over all captures, as in the report. `warn` is told what is wrong with a capture that could
    be read in part, and of one without any packet. Raises `EiosniffError` for unusable input.
    """
    from eiosniff.decode.stack import Stack

    sessions = 0
    for source in _sources(captures, options):
        decoded: list[DecodedPacket] = []
        keys = _keys(options)
        summary, ports, path = CaptureSummary(source.name), options.ports, options.path
        stack = Stack(summary, decoded.append, ports=ports, path=path, secrets=keys.secrets)
        empty = True
        for _ in _read(stack, source, keys, progress):
            stack.retired()  # nobody asks what becomes of them
            empty = empty and not decoded
            for packet in decoded:
                packet.capture = stack.summary.file
                packet.numbering = stack.summary.numbering
                packet.capture_began_ns = stack.summary.first_ns or 0
                if packet.session is not None:
                    packet.session += sessions
                if selection is None or selection.takes(packet):
                    yield packet
            decoded.clear()
        sessions += stack.sessions.total
        if warn is not None:
            for problem in stack.summary.problems:
                warn(f"{stack.summary.file}: {problem.text}")
            for crash in stack.crashes:
                warn(f"{stack.summary.file}: a part of eiosniff failed, packets are missing; please report it: {crash}")
            if empty:
                chosen = " of the chosen ports and path" if options.ports or options.path else ""
                warn(f"{stack.summary.file}: no Engine.IO packet{chosen} was found; `eiosniff analyze` may say why")


def rules(rule_files: Sequence[str] = ()) -> list[RuleInfo]:
    """All rules, by code: those of eiosniff, of installed packages, and of these Python files, which are run.

    Raises `EiosniffError` for a file, a package or a rule in it that cannot be used.
    """
    return [rule.info() for rule in registry.with_others(rule_files)]
