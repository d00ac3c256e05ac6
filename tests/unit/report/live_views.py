"""Fabricated pictures of a capture that runs, as the loop would hand them to a screen."""

from datetime import UTC

from eiosniff.model.finding import Diagnosis, RuleInfo, Severity
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding, LiveSession, LiveView
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, Session
from eiosniff.report.redact import Redactor
from eiosniff.report.screen.look import Look
from eiosniff.report.screen.picture import Picture
from tests.unit.report.builders import MS, START, finding, loop, session

NOW = START + 70_000 * MS
S = 1_000 * MS

RULES = [
    RuleInfo(
        "EIO038", "client-ping-in-eio4", Severity.ERROR, "0.1.0", "The client sends PING", ("connect-loop",),
        (("What it reports", "A ping of the client.\n" * 60), ("How to fix", "Upgrade.")),
    )
]  # fmt: skip
PLAIN = Look(color=False, zone=UTC)


def opened(index: int, **changes: object) -> Session:
    """A session that is open, and was pinged 12 s ago."""
    ledger = session(index, closing=None)
    ledger.opened = PacketRef(10 * index, NOW - 40 * S)
    ledger.last = PacketRef(10 * index + 9, NOW - 12 * S)
    ping = PacketRef(10 * index + 5, NOW - 12 * S)
    ledger.heartbeats.pings = ledger.heartbeats.pongs = 2
    ledger.heartbeats.last = Beat(ping, Side.SERVER, PacketRef(10 * index + 6, ping.ts_ns + 8 * MS))
    for name, value in changes.items():
        setattr(ledger, name, value)
    return ledger


def live(ledger: Session, worst: Severity | None = None) -> LiveSession:
    return LiveSession(ledger, "arduinoWebSockets older than 2.3.3", "socket.io 4.5 or later", worst)


def found(name: str = "f1", explained_by: str | None = None, **changes: object) -> LiveFinding:
    fault = (loop if explained_by else finding)(**changes)
    diagnosis = Diagnosis(fault, [] if explained_by else [loop()])
    return LiveFinding(name, fault, diagnosis, START + 20 * S, NOW, START + 60 * S, explained_by)


def view(**changes: object) -> LiveView:
    """One session that is open, three that the server closed for the same fault, and what follows from it."""
    closed = [session(index) for index in (3, 2, 1)]
    ledger = opened(4)
    cause = found(sessions=closed)
    made = LiveView(
        "eth0", "dumpcap", START, NOW, NOW - START, packets=1_204, bytes=99_000, packets_per_s=85.4, dropped=0,
        sessions=[live(ledger), *(live(each, Severity.ERROR) for each in closed)], sessions_open=1, sessions_total=4,
        findings=[cause, found("f2", "f1", sessions=closed)],
        events=[
            LiveEvent(EventKind.SESSION_OPENED, START, "opened over polling", 10, closed[2]),
            LiveEvent(EventKind.FINDING_NEW, START + 20 * S, "found", 32, None, cause, Severity.ERROR),
            LiveEvent(EventKind.SESSION_OPENED, NOW - 40 * S, "opened over websocket", 40, ledger),
        ],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def nothing(**changes: object) -> LiveView:
    """No session yet."""
    merged: dict[str, object] = {
        "sessions": [], "sessions_open": 0, "sessions_total": 0, "findings": [], "events": [],
    }  # fmt: skip
    return view(**(merged | changes))


def picture(made: LiveView | None = None, look: Look = PLAIN, redactor: Redactor | None = None) -> Picture:
    return Picture(made or view(), RULES, redactor or Redactor(), look)
