"""Judgements: what rules find, what the diagnosis makes of it, and the report that is rendered."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from eiosniff.model.crossing import Sides
from eiosniff.model.numbering import Numbering
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import Sketch

# Names of events of which the report has figures.
MAX_EVENTS: Final = 256


class Severity(IntEnum):
    """How bad a finding is; higher is worse."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """`error`, `warning` or `info`, as every output writes it."""
        return self.name.lower()


class Certainty(Enum):
    """How sure a finding is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """0 is the surest."""
        return list(Certainty).index(self)


class Evidence(NamedTuple):
    """A captured packet that proves something: its number, instant, who sent it, and a few words.

    `who` is `client`, `server` or empty; `text` may quote the wire and is sanitised by `eiosniff.report`.
    """

    packet: int
    ts_ns: int
    who: str
    text: str


@dataclass(slots=True, frozen=True)
class RuleInfo:
    """What is fixed of a rule: `title` is the first line of its documentation, `sections` are the headings and texts
    (Markdown) that follow, in order. `limits` are names and defaults. `origin` is where a rule comes from that is not
    eiosniff's: its file, or its package and version; else empty. `since` is empty where that is not known."""

    code: str
    name: str
    severity: Severity
    since: str
    title: str
    explains: tuple[str, ...]
    sections: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, float], ...] = ()
    origin: str = ""


@dataclass(slots=True, eq=False)
class Finding:
    """One fault, all its occurrences in one capture merged.

    `summary` says what happened here (the rule's message, filled in). `sessions` are those of its sessions that were
    kept. `subjects` are keys of the clients and servers that it concerns: a finding can only explain another that
    shares one.
    """

    rule: str  # code
    name: str
    severity: Severity
    certainty: Certainty
    title: str
    summary: str
    why: str
    fix: list[str]
    occurrences: int
    period_ns: int | None
    evidence: list[Evidence]
    sessions: list[Session]
    clients: list[str]
    servers: list[str]
    subjects: frozenset[object]
    capture: str
    first_packet: int
    doubt: str = ""  # why it is not certain
    numbering: Numbering | None = None  # of its evidence, where it is another one than that of the capture
    also_in: tuple[str, ...] = ()  # other captures that it is about, or that show it too
    hence: str = ""  # a few words on it where it is a consequence of another


@dataclass(slots=True, eq=False)
class Diagnosis:
    """A root cause, and what follows from it."""

    finding: Finding
    consequences: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """The cause, and then what follows from it."""
        return [self.finding, *self.consequences]


@dataclass(slots=True)
class Answers:
    """How long it takes to answer what is asked so often (ns)."""

    asked: int = 0
    delays: Sketch = field(default_factory=Sketch)

    def add(self, asked: int, delays: Sketch) -> None:
        """Count in those of a session."""
        self.asked += asked
        self.delays.merge(delays)


@dataclass(slots=True)
class Totals:
    """What was in all sessions, listed or not.

    `acks` are the acknowledgements of events, by the side that asks and the name of the event; `beats` the pongs, by
    the side that pings.
    """

    engineio: int = 0  # packets
    socketio: int = 0
    heartbeats: int = 0  # pings that were answered
    slowest_ns: int = 0
    acks: dict[tuple[Side, str], Answers] = field(default_factory=dict)
    beats: dict[Side, Answers] = field(default_factory=dict)

    def add(self, session: Session) -> None:
        """Count a session in."""
        self.engineio += sum(sum(counts.values()) for counts in session.engineio_counts)
        self.socketio += sum(sum(counts.values()) for counts in session.socketio_counts)
        self.heartbeats += session.heartbeats.delays.count
        self.slowest_ns = max(self.slowest_ns, session.heartbeats.delays.maximum)
        if session.heartbeats.pings:
            self.beats.setdefault(session.pinger, Answers()).add(session.heartbeats.pings, session.heartbeats.delays)
        for side in SIDES:
            for event, figures in session.messages.acks_of(bool(side)).items():
                self._add_acks((side, event), figures.asked, figures.delays)

    def merge(self, other: "Totals") -> None:
        """Count in those of another capture."""
        self.engineio += other.engineio
        self.socketio += other.socketio
        self.heartbeats += other.heartbeats
        self.slowest_ns = max(self.slowest_ns, other.slowest_ns)
        for side, beats in other.beats.items():
            self.beats.setdefault(side, Answers()).add(beats.asked, beats.delays)
        for key, acks in other.acks.items():
            self._add_acks(key, acks.asked, acks.delays)

    def _add_acks(self, key: tuple[Side, str], asked: int, delays: Sketch) -> None:
        if key in self.acks or len(self.acks) < MAX_EVENTS:
            self.acks.setdefault(key, Answers()).add(asked, delays)


@dataclass(slots=True, eq=False)
class Report:
    """Everything that a renderer needs. `sessions` are ordered: faulty ones first, then the last seen. `narrowed` has
    the options that left conversations out (`--port 80`)."""

    version: str
    captures: list[CaptureSummary]
    sessions: list[Session]
    diagnoses: list[Diagnosis]
    sessions_total: int = 0
    sessions_folded: int = 0
    connections: int = 0
    totals: Totals = field(default_factory=Totals)
    crashed: bool = False  # a rule or decoder raised: exit code 3
    interrupted: bool = False  # the user stopped the reading: exit code 130
    capture_of: dict[Session, CaptureSummary] = field(default_factory=dict)  # of the sessions
    sides: list[Sides] = field(default_factory=list)  # captures of the same sessions
    narrowed: str = ""

    @property
    def same(self) -> dict[Session, Session]:
        """Sessions as a second capture has them, and as the first one has them, which is nearer to their clients."""
        return {crossing.server: crossing.client for sides in self.sides for crossing in sides.crossings}

    def count(self, severity: Severity) -> int:
        """How many diagnoses have this severity."""
        return sum(diagnosis.finding.severity is severity for diagnosis in self.diagnoses)
