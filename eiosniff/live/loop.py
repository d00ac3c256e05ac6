"""The loop of a running capture: packets in, what is found out, until somebody or something ends it.

    LiveSource.take -> PcapngWriter          each batch as it was captured, if packets are kept
                    -> Analysis.stack.feed   decoders, as for a file
                    -> SessionTracker        what became of sessions
    Judging (in a copy) -> FindingTracker    what became of findings
    all events          -> Face              a screen, or a stream

There is one thread. It waits for packets, keys, signals and judgements, whatever comes first, or for what is due next.
"""

import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from eiosniff import knowledge
from eiosniff.app import Analysis, Options, check_links, measure
from eiosniff.capture.live.source import LiveSource, State, decodable
from eiosniff.capture.secrets import KeySource
from eiosniff.capture.writer import PcapngWriter
from eiosniff.errors import EiosniffError
from eiosniff.live.clock import CaptureClock
from eiosniff.live.copies import Copy, CopyFailedError
from eiosniff.live.face import Face, Wish
from eiosniff.live.findings import FindingTracker
from eiosniff.live.judgement import Judgement, Judging, report_up_to
from eiosniff.live.pace import Pace
from eiosniff.live.sessions import SessionTracker
from eiosniff.live.signals import Signals
from eiosniff.live.view import ViewMaker
from eiosniff.model.batch import PacketBatch
from eiosniff.model.finding import Report
from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.model.session import Session
from eiosniff.rules.api import Rule

_NS = 1_000_000_000
_POLL_NS = _NS // 2
_VIEW_NS = _NS // 4
# epoll(7) takes no files, which standard input may be.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
# Decoding more packets at once takes no less time for each.
_MANY = 5_000
# So old a counter of drops may be: tcpdump is asked every two seconds.
_COUNTED_NS = 3 * _NS


class Reason(Enum):
    """Why a capture ends."""

    INTERRUPTED = "interrupted"
    DURATION = "the time is over"
    COUNT = "enough packets"
    FOUND = "what was waited for was found"
    ENDED = "the input ended"
    UNREAD = "nobody reads the output any more"
    FAILED = "eiosniff itself failed"


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop by itself: after so long, after so many packets, or so long after one of these rules (codes) found
    something."""

    duration_ns: int | None = None
    packets: int | None = None
    until: frozenset[str] = frozenset()
    settle_ns: int = 2 * _NS


class _Waited(Protocol):
    def fileno(self) -> int: ...


class Loop:
    """Follows one source until it ends, or is to end.

    `write_report` writes a report where the user finds it and says where; it runs in a copy of the process.
    """

    def __init__(
        self,
        source: LiveSource,
        face: Face,
        options: Options,
        rules: Sequence[Rule],
        *,
        limits: Limits,
        writer: PcapngWriter | None,
        write_report: Callable[[Report], str],
        keys: KeySource | None = None,
        real_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.reason: Reason | None = None
        self._source = source
        self._face = face
        self._options = options
        self._rules = rules
        self._limits = limits
        self._writer = writer
        self._write_report = write_report
        self._real_ns = real_ns
        self._started_ns = real_ns()
        self._changed: set[Session] = set()
        self._keys = keys
        self._analysis = Analysis(source.name, options, rules, self._changed, keys.secrets if keys else None)
        self._clock = CaptureClock(real_ns, source.late_ns)
        self._judging = Judging(options, rules)
        self._pace = Pace(real_ns)
        self._findings = FindingTracker()
        self._sessions = SessionTracker()
        self._views = ViewMaker(source, self._analysis, real_ns)
        self._report: Copy | None = None  # that is being written
        self._failure = ""  # why the last judgement failed
        self._stop_at_ns: int | None = None  # once what was waited for was found
        self._poll_at_ns = self._view_at_ns = self._take_at_ns = self._started_ns
        self._fed = self._fed_bytes = 0  # packets, and their bytes on the wire
        self._told_state = State.RUNNING
        self._told_dropped = 0
        self._told_problem = ""
        self._drops_from_ns: int | None = None

    # ------------------------------------------------------------------ the loop

    def run(self, signals: Signals) -> Report:
        """Go on until the end; returns the report of all, which the face has shown."""
        try:
            self._follow(signals)
        except EiosniffError:  # the output cannot be written to, or nothing can be decoded
            raise
        except Exception:  # a bug: what days have shown is not lost by it
            self.reason = Reason.FAILED
            with suppress(Exception):
                self._end()
            raise
        finally:
            self._judging.close()
        return self._end()

    def _follow(self, signals: Signals) -> None:
        source = self._source
        text = f"captures on {source.name} by {source.backend}"
        self._tell(EventKind.STARTED, text, source=source.name, backend=source.backend)
        while self.reason is None:
            self._wait(signals)
            self._turn(signals)
        if signals.stopping and self.reason is Reason.UNREAD:  # a terminal that is closed says so both ways
            self.reason = Reason.INTERRUPTED

    def _wait(self, signals: Signals) -> None:
        """Until something can be read, or the next thing is due."""
        with _Selector() as selector:
            waited: tuple[_Waited | None, ...] = self._source, self._face, signals, self._judging, self._report
            gathering = self._real_ns() < self._take_at_ns
            for each in waited:
                if each is not None and each.fileno() >= 0 and not (gathering and each is self._source):
                    selector.register(each.fileno(), selectors.EVENT_READ, each)
            due = min(self._due())
            for key, _ in selector.select(max(0, due - self._real_ns()) / _NS):
                self._ready(key.data, signals)

    def _due(self) -> list[int]:
        due = [self._poll_at_ns, self._pace.at_ns]
        if self._real_ns() < self._take_at_ns:
            due.append(self._take_at_ns)
        if self._face.shows_views:
            due.append(self._view_at_ns)
        if self._limits.duration_ns is not None:
            due.append(self._started_ns + self._limits.duration_ns)
        if self._stop_at_ns is not None:
            due.append(self._stop_at_ns)
        return due

    def _ready(self, waited: object, signals: Signals) -> None:
        if waited is self._source:
            begun_ns, before = self._real_ns(), self._fed
            self._take()
            if self._fed - before < _MANY:  # else there may be more at once
                self._take_at_ns = begun_ns + self._source.gather_ns
        elif waited is signals:
            signals.clear()
        elif waited is self._face:
            with self._for_readers():
                for wish in self._face.typed():
                    self._grant(wish)
            self._view_at_ns = self._real_ns()
        elif waited is self._judging:
            self._judged()
        elif waited is self._report:
            self._written()

    def _turn(self, signals: Signals) -> None:
        """What is due, or asked for."""
        real = self._real_ns()
        if signals.resized():
            self._view_at_ns = real
        if real >= self._poll_at_ns:
            self._poll_at_ns = real + _POLL_NS
            self._source.poll()
            if self._source.fileno() < 0:  # nothing to wait for, but something may have come
                self._take()
        self._note_source()
        self._judge_if_due()
        if self._face.shows_views and real >= self._view_at_ns:
            self._view_at_ns = real + _VIEW_NS
            self._show()
        if signals.stopping:
            self.reason = Reason.INTERRUPTED
        elif self.reason is None:
            self._look_at_limits(real)

    def _look_at_limits(self, real: int) -> None:
        limits = self._limits
        if limits.packets is not None and self._fed >= limits.packets:
            self.reason = Reason.COUNT
        elif limits.duration_ns is not None and real - self._started_ns >= limits.duration_ns:
            self.reason = Reason.DURATION
        elif self._stop_at_ns is not None and real >= self._stop_at_ns:
            self.reason = Reason.FOUND
        elif self._source.state is State.ENDED:
            self.reason = Reason.ENDED

    # ------------------------------------------------------------------ packets

    def _take(self) -> None:
        for batch in self._source.take():
            wanted = self._wanted(batch)
            if not len(wanted):
                return
            self._feed(wanted)
        stack = self._analysis.stack
        if set(self._source.link_types) <= set(stack.unknown_links):
            check_links(stack)

    def _take_rest(self) -> None:
        """Take what was captured by now: some of it may be on its way yet."""
        source = self._source
        until_ns = self._real_ns() + source.late_ns
        self._take()
        while source.fileno() >= 0 and (left_ns := until_ns - self._real_ns()) > 0:
            with _Selector() as selector:
                selector.register(source, selectors.EVENT_READ)
                selector.select(left_ns / _NS)
            self._take()

    def _measure(self) -> None:
        measure(self._analysis.summary, self._source)
        # More may have been captured than are wanted.
        self._analysis.summary.packets, self._analysis.summary.bytes = self._fed, self._fed_bytes

    def _wanted(self, batch: PacketBatch) -> PacketBatch:
        """The packets of a batch that are not too many."""
        most = self._limits.packets
        return batch if most is None else batch.first(most - self._fed)

    def _feed(self, batch: PacketBatch) -> None:
        if self._writer is not None:
            self._writer.write(batch)
        analysis = self._analysis
        self._fed = int(batch.number[-1])
        self._fed_bytes += int(batch.wire.sum())
        self._measure()
        if self._keys is not None:
            self._keys.update()
        analysis.stack.feed(decodable(batch))
        self._clock.packets(int(batch.ts_ns[0]), int(batch.ts_ns[-1]))
        for session in self._changed:
            _identify(session)
        self._pass_on(self._sessions.update(self._changed, analysis.fold()))
        self._pace.changed(matters=len(analysis.stack.sessions.clients) > 0)

    def _note_source(self) -> None:
        """Tell of drops, of an interface that went or came back, and of packets that cannot be kept any more."""
        source = self._source
        if source.state is not self._told_state:
            self._told_state = source.state
            if source.state is State.WAITING:
                self._clock.stop()
                self._tell_capture("interface-down", source.note)
            elif source.state is State.RUNNING:
                self._tell_capture("interface-up", f"captures on {source.name} again")
        self._note_drops()
        if self._writer is not None:
            self._writer.dropped = source.dropped
            if self._writer.problem != self._told_problem:
                self._told_problem = self._writer.problem
                self._tell_capture("writing-stopped", self._told_problem)

    def _note_drops(self) -> None:
        source, summary, now_ns = self._source, self._analysis.summary, self._now_ns
        fresh = (source.dropped or 0) - self._told_dropped
        if fresh > 0:
            # Since the counter was read last; or, as a source reads it, some time before.
            from_ns = summary.first_ns if self._drops_from_ns is None else self._drops_from_ns
            summary.note_drops(now_ns if from_ns is None else from_ns, now_ns, fresh)
            self._told_dropped += fresh
            self._tell_capture(
                "dropped", f"{fresh:,} packets were dropped ({self._told_dropped:,} in all): too many to take them all"
            )
        if fresh > 0 or not source.counts_at_end:
            self._drops_from_ns = now_ns - _COUNTED_NS

    # ------------------------------------------------------------------ judgements

    def _judge_if_due(self) -> None:
        now_ns = self._clock.now_ns
        if self._judging.busy or not self._pace.is_due():
            return
        if now_ns is None or not self._judging.possible:
            self._pace.put_off()
            return
        self._measure()
        self._pace.begins()
        try:
            self._judging.start(self._analysis, now_ns)
        except OSError as error:
            self._failed(f"there is no room for a process that judges, which is tried again: {error.strerror}")

    def _judged(self) -> None:
        try:
            judgement = self._judging.take(self._analysis)
        except CopyFailedError as bug:
            self._failed(f"a judgement failed, the next one may not: {bug}")
            return
        if judgement is None:
            return
        self._pace.ended(self._judging.worked_ns)
        self._failure = ""
        self._take_findings(judgement)
        if self._stop_at_ns is None and self._limits.until & _codes(judgement):
            self._stop_at_ns = self._real_ns() + self._limits.settle_ns

    def _failed(self, why: str) -> None:
        """There is no judgement this time. It is told once: there may be many such times."""
        self._pace.ended(self._judging.worked_ns)
        if why != self._failure:
            self._failure = why
            self._say(why)

    def _take_findings(self, judgement: Judgement) -> None:
        self._views.judged(judgement)
        self._pass_on(self._findings.update(judgement.diagnoses, self._clock.now_ns or judgement.at_ns))

    # ------------------------------------------------------------------ what is shown

    def _tell(self, kind: EventKind, text: str, **facts: str | int | None) -> None:
        self._pass_on([LiveEvent(kind, self._now_ns, text, facts=facts)])

    def _tell_capture(self, what: str, text: str) -> None:
        self._tell(EventKind.CAPTURE, text, what=what, dropped=self._source.dropped)

    def _pass_on(self, events: Sequence[LiveEvent]) -> None:
        if events:
            self._views.happened(events)
            with self._for_readers():
                self._face.tell(events)

    def _show(self) -> None:
        writing = "" if self._writer is None else self._writer.status
        with self._for_readers():
            self._face.show(self._views.view(self._clock.now_ns, self._findings.findings, writing))

    def _say(self, text: str) -> None:
        with self._for_readers():
            self._face.say(text)

    @contextmanager
    def _for_readers(self) -> Iterator[None]:
        """Whatever the face does: without anybody who reads it, the capture ends, and nothing that was captured is lost
        to its report and its file."""
        try:
            yield
        except BrokenPipeError:
            self.reason = self.reason or Reason.UNREAD

    @property
    def _now_ns(self) -> int:
        """The instant in the capture; before its first packet that of this machine."""
        now_ns = self._clock.now_ns
        return time.time_ns() if now_ns is None else now_ns

    def _grant(self, wish: Wish) -> None:
        if wish is Wish.STOP:
            self.reason = Reason.INTERRUPTED
        elif not self._judging.possible:
            self._say("a report can only be written at the end on this system")
        elif self._report is not None:
            self._say("a report is being written already")
        else:
            try:
                self._report = Copy(self._report_now)
            except OSError as error:
                self._say(f"there is no room for a process that writes a report: {error.strerror}")

    def _report_now(self) -> bytes:
        report = report_up_to(self._analysis, self._options, self._rules, self._clock.now_ns)
        return self._write_report(report).encode()

    def _written(self) -> None:
        assert self._report is not None
        try:
            said = self._report.take()
        except CopyFailedError as bug:
            said = f"the report could not be written: {bug}".encode()
        if said is not None:
            self._report = None
            self._say(said.decode("utf-8", "replace"))

    # ------------------------------------------------------------------ the end

    def _end(self) -> Report:
        """Take what has come, judge it all, and tell what is new in it."""
        wants_rest = self.reason not in (Reason.COUNT, Reason.UNREAD, Reason.FAILED)
        if wants_rest:
            self._take_rest()
        self._source.close()
        if wants_rest:
            self._take()  # what a program handed over as it ended
            check_links(self._analysis.stack)
        if self._writer is not None:
            self._writer.dropped = self._source.dropped
            self._writer.close()
        self._measure()
        self._note_source()
        while self._report is not None:
            self._written()
        report = report_up_to(self._analysis, self._options, self._rules, self._clock.now_ns)
        report.interrupted = self.reason is Reason.INTERRUPTED
        self._tell_end(report, self._now_ns)
        return report

    def _tell_end(self, report: Report, now_ns: int) -> None:
        self._pass_on(self._findings.update(report.diagnoses, now_ns))
        self._pass_on(self._findings.rest(now_ns))
        summary, reason = self._analysis.summary, self.reason.value if self.reason else ""
        problems = [problem.text for problem in self._source.problems]
        figures = {"packets": summary.packets, "bytes": summary.bytes, "dropped": summary.dropped}
        self._tell(
            EventKind.ENDED, ": ".join([reason, *problems]), reason=reason, **figures, sessions=report.sessions_total
        )
        with self._for_readers():
            self._face.report(report, now_ns)


def _identify(session: Session) -> None:
    """Say who its peers are, as far as its beginning shows; judgements will know better."""
    client, server = session.client, session.server
    if client.identity is None:
        client.identity = knowledge.identify_client(client, [session])
    if server.identity is None:
        server.identity = knowledge.identify_server(server, [session], [client])


def _codes(judgement: Judgement) -> frozenset[str]:
    found = (finding for diagnosis in judgement.diagnoses for finding in diagnosis.findings)
    return frozenset(finding.rule for finding in found)
