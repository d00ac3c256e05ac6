"""One event of each kind, as the trackers and the loop make them."""

from eiosniff.model.finding import Diagnosis
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding
from tests.unit.report.builders import MS, START, finding, loop, session

NOW = START + 19_982 * MS  # 480 ms after the last packet that proves the finding


def found(**changes: object) -> LiveFinding:
    """A finding with one consequence, which two packets prove."""
    fault = finding(sessions=[session(1)], occurrences=1)
    fault.evidence = fault.evidence[:2]
    made = LiveFinding("f1", fault, Diagnosis(fault, [loop()]), NOW, NOW, fault.evidence[-1].ts_ns)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def consequence() -> LiveFinding:
    cause = found()
    effect = cause.diagnosis.consequences[0]
    return LiveFinding("f2", effect, cause.diagnosis, NOW, NOW, effect.evidence[-1].ts_ns, "f1")


def events() -> dict[str, LiveEvent]:
    """By names."""
    ledger = session(1)
    closed = ledger.last
    live = found()
    severity = live.finding.severity
    return {
        "started": LiveEvent(
            EventKind.STARTED, START, "eth0, through dumpcap", facts={"source": "eth0", "backend": "dumpcap"}
        ),
        "opened": LiveEvent(EventKind.SESSION_OPENED, START, "opened over websocket", 10, ledger),
        "upgraded": LiveEvent(EventKind.SESSION_UPGRADED, START + MS, "goes on over WebSocket", 12, ledger),
        "closed": LiveEvent(
            EventKind.SESSION_CLOSED, closed.ts_ns, "closed by the server: WebSocket close frame", 19, ledger
        ),
        "silent": LiveEvent(
            EventKind.SESSION_CLOSED, closed.ts_ns, "silent for 90.0 s", 0, session(2, closing=None, midstream=True)
        ),
        "new": LiveEvent(EventKind.FINDING_NEW, NOW, "found", 33, finding=live, severity=severity),
        "consequence": LiveEvent(EventKind.FINDING_NEW, NOW, "found, follows from f1", 33, finding=consequence()),
        "changed": LiveEvent(
            EventKind.FINDING_CHANGED, NOW, "14 times now", 0, None, live, severity, ("occurrences",)
        ),
        "resolved": LiveEvent(EventKind.FINDING_RESOLVED, NOW, "it does not hold any more", 0, None, live),
        "merged": LiveEvent(
            EventKind.FINDING_RESOLVED, NOW, "the same fault as f3", 0, None, found(resolved=True, merged_into="f3")
        ),
        "dropped": LiveEvent(
            EventKind.CAPTURE, NOW, "12 packets were dropped", facts={"what": "dropped", "dropped": 12}
        ),
        "ended": LiveEvent(
            EventKind.ENDED, NOW, "interrupted",
            facts={"reason": "interrupted", "packets": 156, "bytes": 15_000, "dropped": None, "sessions": 4},
        ),
    }  # fmt: skip
