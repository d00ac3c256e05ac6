"""What there is to show while a capture runs: one picture of it, for the screen and for the stream of events.

Times are instants of the capture (ns since 1970). What is text in here may quote the wire: `eiosniff.report` sanitises
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from eiosniff.model.finding import Diagnosis, Finding, Severity
from eiosniff.model.session import Session


@dataclass(slots=True, eq=False)
class LiveFinding:
    """A finding over its life. `id` (`f1`, `f2`, ...) stays; `diagnosis` is the latest, of the finding itself or of the
    one that explains it, whose id is `explained_by` then. `first_ns` is when it was found, `changed_ns` when it was
    told of last. `packet_ns` is the instant of the last packet that proves it; where no packet does, when it was found.
    `resolved` says that, by what came since, it does not hold any more, or, where `merged_into` is the id of another
    finding, that both are one fault."""

    id: str
    finding: Finding
    diagnosis: Diagnosis
    first_ns: int
    changed_ns: int
    packet_ns: int
    explained_by: str | None = None
    resolved: bool = False
    merged_into: str | None = None


class EventKind(Enum):
    """What may happen while a capture runs."""

    STARTED = "started"
    SESSION_OPENED = "session-opened"
    SESSION_UPGRADED = "session-upgraded"
    SESSION_CLOSED = "session-closed"
    FINDING_NEW = "finding-new"
    FINDING_CHANGED = "finding-changed"
    FINDING_RESOLVED = "finding-resolved"
    CAPTURE = "capture"  # packets were dropped, the interface went or came back, writing stopped
    ENDED = "ended"


@dataclass(slots=True, frozen=True, eq=False)
class LiveEvent:
    """One thing that happened. `session` and `finding` are ledgers as they are by now; `text` says what happened, in a
    few words for a person. `packet` is the captured packet that shows it, 0 if none does.

    `ts_ns` is the instant of that packet for what is told of a session, and that of the judgement for what is told of a
    finding. `changes` names what is other than it was told, of a finding: `severity`, `certainty`, `explained_by`,
    `title`, `occurrences`, `sessions`.

    `facts` are, of STARTED: `source`, `backend`; of CAPTURE: `what` (`dropped`, `interface-down`, `interface-up`,
    `writing-stopped`, and what else there is to say), `dropped` (how many packets in all, None if nothing counts);
    of ENDED: `reason`, `packets`, `bytes`, `dropped`, `sessions`.
    """

    kind: EventKind
    ts_ns: int
    text: str
    packet: int = 0
    session: Session | None = None
    finding: LiveFinding | None = None
    severity: Severity | None = None
    changes: tuple[str, ...] = ()
    facts: Mapping[str, str | int | None] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class LiveSession:
    """A session as it is shown: its ledger, and what is judged of it. `client_library` and `server_library` are names
    with versions, empty where nothing tells; `worst` is that of the findings that concern it."""

    session: Session
    client_library: str = ""
    server_library: str = ""
    worst: Severity | None = None


@dataclass(slots=True, eq=False)
class LiveView:
    """All that a screen shows. `sessions` are the newest first, those that are open before those that are over, at most
    a few hundred; `sessions_open` and `sessions_total` count all. `findings` are those that hold, in the order of the
    report: causes before what they explain. `events` are the newest last.

    `started_ns` is the instant of the first packet, `now_ns` the clock of the capture (0 before the first packet), and
    `running_ns` for how long it has been running. `packets_per_s` and `bytes_per_s` are of the last second or so.
    `dropped` is None where nothing counts. `state` and `note` are those of the source (see `capture.live.source`),
    `writing` says where packets are kept or why that ended. `connections` counts those that came about so far, by what
    they speak (`HTTP`, `TLS (port 443)`). The times of evidence count from `started_ns`.
    """

    source: str
    backend: str
    started_ns: int
    now_ns: int
    running_ns: int = 0
    packets: int = 0
    bytes: int = 0
    packets_per_s: float = 0.0
    bytes_per_s: float = 0.0
    dropped: int | None = None
    state: str = "running"
    note: str = ""
    writing: str = ""
    sessions: list[LiveSession] = field(default_factory=list)
    sessions_open: int = 0
    sessions_total: int = 0
    findings: list[LiveFinding] = field(default_factory=list)
    events: list[LiveEvent] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
