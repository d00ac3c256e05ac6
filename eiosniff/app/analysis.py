"""From a capture to a report: decoders, and the judgement of what they recorded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from eiosniff import __version__, knowledge
from eiosniff.app.reading import read, sources
from eiosniff.app.setting import Options, Progress, chosen_rules
from eiosniff.model.crossing import NEAR_SERVER, Sides
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Finding, Report, Severity, Totals
from eiosniff.model.numbering import Joined, where
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Rule
from eiosniff.rules.diagnosis import diagnose
from eiosniff.rules.engine import Judge, Ledgers, internal_error

if TYPE_CHECKING:
    from eiosniff.capture.series import Series
    from eiosniff.comparison.recorder import Recorder
    from eiosniff.decode.outside.pieces import Outside
    from eiosniff.decode.sides.crossings import Place
    from eiosniff.decode.sides.trails import Trails
    from eiosniff.model.secrets import Secrets

# What needs numpy is imported where a capture is read: `eiosniff rules` starts without it.
_Rank = tuple[int, int]


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
        outside: "Outside | None" = None,
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
            outside=outside,
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
    rules = chosen_rules(options)
    writer = ReportWriter(options, rules)
    several = len(captures) > 1 and options.joined is None
    with closing(sources(captures, options)) as opened:
        for source in opened:
            writer.add(_analysed(source, options, writer, progress, recorder, several=several))
            if writer.interrupted:
                break
    return writer.report()


def _analysed(
    source: "Series",
    options: Options,
    writer: "ReportWriter",
    progress: Progress | None,
    recorder: "Recorder | None",
    *,
    several: bool,
) -> Analysis:
    """Analyse one capture; in a second pass if tshark decrypts what the first one left."""
    from eiosniff.app.passes import Passes
    from eiosniff.decode.sides.trails import Trails

    def run(passes: Passes) -> Analysis:
        if recorder is not None:
            recorder.begin()
        analysis = Analysis(
            passes.source.name,
            options,
            writer.rules,
            secrets=passes.keys.secrets,
            listener=recorder.take if recorder is not None else None,
            trails=Trails() if several and recorder is None else None,
            outside=passes.outside,
        )
        try:
            for _ in read(analysis.stack, passes.source, passes.keys, progress):
                analysis.fold()
                passes.collect()
        except KeyboardInterrupt:
            writer.interrupted = True
            analysis.close()
        return analysis

    with Passes(source, options) as passes:
        analysis = run(passes)
        if not writer.interrupted and passes.again():
            analysis = run(passes)
        passes.note_problems(analysis.summary)
    if recorder is not None:
        known = analysis.stack.sessions
        recorder.close(list(known.clients.values()), list(known.servers.values()))
    return analysis


class ReportWriter:
    """Makes one report of analyses, by `rules`. `interrupted` says that the user stopped them."""

    def __init__(self, options: Options, rules: Sequence[Rule]) -> None:
        self.interrupted = False
        self._most, self._narrowed = options.max_sessions, options.narrowed
        self.rules = rules
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
            from eiosniff.decode.sides.crossings import Place

            self._places.append(Place(analysis.summary, list(analysis.trails.trails.values())))

    def report(self) -> Report:
        """The report of all that were added."""
        sides = self._sides()
        if sides:
            from eiosniff.app.both_sides import told_once

            self._findings = told_once(self._findings, sides)
        for pair in sides:
            self._findings.extend(self._judge(pair))
        return Report(
            version=__version__,
            captures=self._summaries,
            sessions=[session for _, session, _ in self._ranked],
            diagnoses=diagnose(self._findings, self.rules),
            sessions_total=self._sessions,
            sessions_folded=self._sessions - len(self._ranked),
            connections=sum(summary.connections for summary in self._summaries),
            totals=self._totals,
            crashed=any(finding.rule.startswith("INT") for finding in self._findings),
            interrupted=self.interrupted,
            capture_of={session: summary for _, session, summary in self._ranked},
            sides=sides,
            narrowed=self._narrowed,
        )

    def _sides(self) -> list[Sides]:
        """The captures that show the same sessions; what compares them is not loaded for one alone (`live` makes a
        report some times a second)."""
        if len(self._places) < 2:
            return []
        from eiosniff.decode.sides.crossings import cross

        return cross(self._places)

    def _judge(self, sides: Sides) -> list[Finding]:
        """What is found in sessions that two captures show."""
        client, server = self._places[sides.client].summary, self._places[sides.server].summary
        numbering = Joined((client.file, client.numbering), (server.file, server.numbering), NEAR_SERVER)
        found = Judge(self.rules, knowledge.advice, client.file).crossings(sides.crossings)
        for finding in found:
            finding.numbering, finding.also_in = numbering, (server.file,)
        return found


def _rank(sessions: list[Session], findings: list[Finding]) -> Iterator[tuple[_Rank, Session]]:
    """Faulty sessions first (worst first), then the last seen."""
    worst: dict[Session, Severity] = {}
    for finding in findings:
        for session in finding.sessions:
            worst[session] = max(worst.get(session, Severity.INFO), finding.severity)
    for session in sessions:
        yield (-worst.get(session, 0), -session.last.ts_ns), session
