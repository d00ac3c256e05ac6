"""`eiosniff live --format text`: a line an event, for people whose terminal cannot show more, and for files."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from eiosniff.model.finding import Finding
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding
from eiosniff.model.session import Session
from eiosniff.report.figures import duration, iso_time
from eiosniff.report.redact import Redactor

_MAX_TITLE = 300
_MAX_TEXT = 200
_MAX_NAME = 60

_WORDS = {
    EventKind.STARTED: "started",
    EventKind.SESSION_OPENED: "opened",
    EventKind.SESSION_UPGRADED: "upgraded",
    EventKind.SESSION_CLOSED: "closed",
    EventKind.FINDING_NEW: "new",
    EventKind.FINDING_CHANGED: "changed",
    EventKind.FINDING_RESOLVED: "resolved",
    EventKind.CAPTURE: "capture",
    EventKind.ENDED: "ended",
}
# Of a session the packet is told, which may be of yesterday when today has begun; what is older is of another capture,
# or somebody has set the clock.
_LATE_NS = 3_600_000_000_000
_WORD = max(map(len, _WORDS.values()))
_SEVERITY = len("WARNING")


class LiveLines:
    """Writes events as lines of any length. The time is that of a clock on the wall, in `zone` (of this machine, if
    there is none); a line with the date comes before the first event of a day, and where the clock was set back."""

    def __init__(self, redactor: Redactor, zone: tzinfo | None = None) -> None:
        self._redactor = redactor
        self._zone = zone
        self._date = ""
        self._newest_ns = 0

    def lines(self, event: LiveEvent) -> list[str]:
        """An event as a line without its end, after a line with the date if that is another one."""
        date, clock = self._instant(event.ts_ns)
        parts = [f"{clock}  {_WORDS[event.kind]:{_WORD}}", *self._parts(event)]
        line = "  ".join(part for part in parts if part)
        late_ns = self._newest_ns - event.ts_ns
        self._newest_ns = event.ts_ns if late_ns > _LATE_NS else max(self._newest_ns, event.ts_ns)
        if date == self._date or 0 < late_ns <= _LATE_NS:
            return [line]
        self._date = date
        return [date, line]

    def _parts(self, event: LiveEvent) -> Sequence[str]:
        text = self._redactor.shown(event.text, _MAX_TEXT)
        if event.finding is not None:
            return self._finding(event, event.finding, text)
        if event.session is not None:
            return self._session(event, event.session, text)
        return (text,)

    def _finding(self, event: LiveEvent, live: LiveFinding, text: str) -> Sequence[str]:
        finding = live.finding
        heading = f"{finding.severity.label.upper():{_SEVERITY}}", f"{finding.name} ({finding.rule})"
        title = self._redactor.shown(" ".join(finding.title.split()), _MAX_TITLE)
        details = [live.id]
        if event.kind is EventKind.FINDING_NEW and live.explained_by is not None:
            details.append(f"follows from {live.explained_by}")
        if event.packet:
            details.append(f"packet {event.packet}")
            details.append(f"after {duration(max(0, event.ts_ns - live.packet_ns))}")
        tail = f"({', '.join(details)})"
        if event.kind is EventKind.FINDING_NEW:
            return *heading, title, self._peers(finding), tail
        return *heading, text, title if "title" in event.changes else "", tail

    def _peers(self, finding: Finding) -> str:
        return " -> ".join(self._few(names) for names in (finding.clients, finding.servers) if names)

    def _few(self, names: Sequence[str]) -> str:
        first = self._redactor.shown(names[0], _MAX_NAME)
        return first if len(names) == 1 else f"{first} and {len(names) - 1:,} more"

    def _session(self, event: LiveEvent, session: Session, text: str) -> Sequence[str]:
        peers = f"{session.client_endpoint} -> {session.server.endpoint}"
        ident = f"s{session.index}"
        tail = f"({ident}, packet {event.packet})" if event.packet else f"({ident})"
        return peers, text, tail

    def _instant(self, ts_ns: int) -> tuple[str, str]:
        """The date with the offset from UTC, and the time of day to the millisecond."""
        seconds, ns = divmod(ts_ns, 1_000_000_000)
        try:
            local = datetime.fromtimestamp(seconds, UTC).astimezone(self._zone)
        except (ValueError, OverflowError, OSError):  # a damaged capture may name any year
            date, _, clock = iso_time(ts_ns).partition("T")
            return f"{date} UTC", clock[:12]
        return f"{local:%Y-%m-%d} UTC{local:%z}", f"{local:%H:%M:%S}.{ns // 1_000_000:03d}"
