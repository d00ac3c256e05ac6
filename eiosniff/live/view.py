"""Makes the picture of a running capture that a screen shows."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from eiosniff.app import Analysis
from eiosniff.capture.live.source import LiveSource
from eiosniff.live.judgement import Judgement
from eiosniff.model.finding import Severity
from eiosniff.model.live import LiveEvent, LiveFinding, LiveSession, LiveView
from eiosniff.model.session import Session
from eiosniff.report.wording import library

_EVENTS_KEPT = 500
_SESSIONS_SHOWN = 300
_NS = 1_000_000_000


class ViewMaker:
    """Remembers what a picture needs beyond the ledgers: the newest events, what was judged, and the last rates."""

    def __init__(self, source: LiveSource, analysis: Analysis, real_ns: Callable[[], int]) -> None:
        self._source = source
        self._analysis = analysis
        self._real_ns = real_ns
        self._started_ns = real_ns()
        self._events: deque[LiveEvent] = deque(maxlen=_EVENTS_KEPT)
        self._worst: dict[Session, Severity] = {}
        self._counted = (self._started_ns, 0, 0)  # when, packets, bytes
        self._rates = 0.0, 0.0

    def happened(self, events: Iterable[LiveEvent]) -> None:
        """Events to show."""
        self._events.extend(events)

    def judged(self, judgement: Judgement) -> None:
        """Which sessions have a fault."""
        self._worst.clear()
        for diagnosis in judgement.diagnoses:
            for finding in diagnosis.findings:
                for session in finding.sessions:
                    self._worst[session] = max(self._worst.get(session, Severity.INFO), finding.severity)

    def view(self, now_ns: int | None, findings: Sequence[LiveFinding], writing: str) -> LiveView:
        """The picture at an instant of the capture."""
        summary, source = self._analysis.summary, self._source
        sessions = self._analysis.stack.sessions.sessions
        still_open = [session for session in sessions if session.closing is None]
        shown = sorted(still_open, key=attrgetter("index"), reverse=True)[:_SESSIONS_SHOWN]
        room = _SESSIONS_SHOWN - len(shown)
        over = [session for session in sessions if session.closing is not None]
        shown += sorted(over, key=attrgetter("index"), reverse=True)[:room]
        per_s = self._measure_rates(summary.packets, summary.bytes)
        return LiveView(
            source=source.name,
            backend=source.backend,
            started_ns=summary.first_ns or now_ns or 0,
            now_ns=now_ns or 0,
            running_ns=self._real_ns() - self._started_ns,
            packets=summary.packets,
            bytes=summary.bytes,
            packets_per_s=per_s[0],
            bytes_per_s=per_s[1],
            dropped=source.dropped,
            state=source.state.value,
            note=source.note,
            writing=writing,
            sessions=[self._shown(session) for session in shown],
            sessions_open=len(still_open),
            sessions_total=self._analysis.stack.sessions.total,
            findings=list(findings),
            events=list(self._events),
            connections=self._analysis.stack.protocols,
        )

    def _shown(self, session: Session) -> LiveSession:
        client, server = session.client.identity, session.server.identity
        return LiveSession(session, library(client), library(server), self._worst.get(session))

    def _measure_rates(self, packets: int, octets: int) -> tuple[float, float]:
        """Packets and bytes a second, since at least a second ago."""
        at, packets_then, octets_then = self._counted
        now = self._real_ns()
        if now - at >= _NS:
            seconds = (now - at) / _NS
            self._rates = (packets - packets_then) / seconds, (octets - octets_then) / seconds
            self._counted = now, packets, octets
        return self._rates
