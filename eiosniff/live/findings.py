"""Findings over their lives: what is new, what changed and what turned out to be none since the last judgement."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from eiosniff.live.matching import match, merged_into
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Finding, Severity
from eiosniff.model.live import EventKind, LiveEvent, LiveFinding
from eiosniff.model.tally import NS_PER_S
from eiosniff.report.figures import counted

# That a fault occurs once more is told so often, per finding; and so is what may change to and fro.
TOLD_EVERY_NS = 10 * NS_PER_S
# Of findings that are resolved, those that are known again by their first packet.
MAX_RESOLVED = 2_000

_NUMBERS = re.compile(r"\d[\d.,]*")
_Mark = tuple[str, int, str]


@dataclass(slots=True, frozen=True)
class _Facts:
    """What is told of a finding, as far as a change of it is told too."""

    severity: Severity
    certainty: Certainty
    explained_by: str | None
    title: str  # without numbers, which grow as the occurrences do
    occurrences: int
    sessions: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Entry:
    """A finding that holds: `told` is what the last event said of it, `packet` the last packet of its evidence then.

    `turned_ns` is when something other than its count was last told to have changed, `counted_ns` any event.
    """

    live: LiveFinding
    told: _Facts
    packet: int
    counted_ns: int
    turned_ns: int | None = None


class FindingTracker:
    """Keeps the findings of one capture, by ids that stay, and tells what becomes of them.

    `findings` are those that hold, in the order of the report: causes before what they explain.
    """

    def __init__(self) -> None:
        self.findings: list[LiveFinding] = []
        self._entries: dict[Finding, _Entry] = {}  # by the finding as it was judged last, in the order of the report
        self._resolved: OrderedDict[_Mark, tuple[str, int]] = OrderedDict()  # ids, and when they were found
        self._last_id = 0

    def update(self, diagnoses: Sequence[Diagnosis], now_ns: int) -> list[LiveEvent]:
        """Take a judgement of the capture up to now (`now_ns`, by its clock); returns what is to be told, in order:
        what is new or changed as the report ranks it, then what is resolved."""
        judged = [
            (finding, diagnosis)
            for diagnosis in diagnoses
            for finding in diagnosis.findings
        ]  # fmt: skip
        news = [finding for finding, _ in judged]
        before = match(list(self._entries), news)
        kept = set(before.values())
        lost = [finding for finding in self._entries if finding not in kept]
        merged = merged_into(lost, news, before) if lost else {}
        ends = {self._entries[finding].live.id for finding in lost}
        entries: dict[Finding, _Entry] = {}
        events: list[LiveEvent] = []
        for finding, diagnosis in judged:
            cause = entries[diagnosis.finding].live.id if finding is not diagnosis.finding else None
            known = before.get(finding)
            if known is None:
                entry, event = self._begin(finding, diagnosis, cause, now_ns)
                events.append(event)
            else:
                entry = self._entries[known]
                _renew(entry.live, finding, diagnosis, cause)
                # What is told to follow from something is not to be left without it.
                events.extend(_changes(entry, now_ns, at_once=entry.told.explained_by in ends))
            entries[finding] = entry
        gone = [(self._entries[finding], merged.get(finding)) for finding in lost]
        for entry, new in sorted(gone, key=lambda pair: _number(pair[0].live)):
            events.append(self._resolve(entry, None if new is None else entries[new].live.id, now_ns))
        self._entries = entries
        self.findings = [entry.live for entry in entries.values()]
        return events

    def rest(self, now_ns: int) -> list[LiveEvent]:
        """The changes that were held back: nothing comes after this."""
        return [event for entry in self._entries.values() for event in _changes(entry, now_ns, at_once=True)]

    def _begin(
        self, finding: Finding, diagnosis: Diagnosis, cause: str | None, now_ns: int
    ) -> tuple[_Entry, LiveEvent]:
        known = self._resolved.pop(_mark(finding), None)
        if known is None:
            self._last_id += 1
            known = f"f{self._last_id}", now_ns
        ident, first_ns = known
        proof = _last_proof(finding)
        packet_ns = now_ns if proof is None else proof.ts_ns
        live = LiveFinding(ident, finding, diagnosis, first_ns, now_ns, packet_ns, cause)
        packet = 0 if proof is None else proof.packet
        text = "found" if first_ns == now_ns else "found again"
        if cause is not None:
            text += f", follows from {cause}"
        event = LiveEvent(EventKind.FINDING_NEW, now_ns, text, packet, finding=live, severity=finding.severity)
        return _Entry(live, _facts(live), packet, now_ns), event

    def _resolve(self, entry: _Entry, into: str | None, now_ns: int) -> LiveEvent:
        live = entry.live
        live.resolved, live.merged_into, live.changed_ns = True, into, now_ns
        self._resolved[_mark(live.finding)] = live.id, live.first_ns
        if len(self._resolved) > MAX_RESOLVED:
            self._resolved.popitem(last=False)
        text = f"the same fault as {into}" if into else "by what came since, it does not hold any more"
        return LiveEvent(EventKind.FINDING_RESOLVED, now_ns, text, finding=live, severity=live.finding.severity)


def _renew(live: LiveFinding, finding: Finding, diagnosis: Diagnosis, cause: str | None) -> None:
    live.finding, live.diagnosis, live.explained_by = finding, diagnosis, cause
    proof = _last_proof(finding)
    if proof is not None:
        live.packet_ns = proof.ts_ns


def _changes(entry: _Entry, now_ns: int, *, at_once: bool = False) -> list[LiveEvent]:
    """The event that tells what changed, if it is to be told now."""
    live, told = entry.live, entry.told
    facts = _facts(live)
    if facts == told:
        return []
    rises = facts.severity > told.severity or facts.certainty.rank < told.certainty.rank
    counted_only = replace(facts, occurrences=told.occurrences, sessions=told.sessions) == told
    since_ns = entry.counted_ns if counted_only else entry.turned_ns
    # The clock of a capture may be set back.
    if not (at_once or rises or since_ns is None or abs(now_ns - since_ns) >= TOLD_EVERY_NS):
        return []
    entry.told, entry.counted_ns, live.changed_ns = facts, now_ns, now_ns
    if not counted_only:
        entry.turned_ns = now_ns
    proof = _last_proof(live.finding)
    packet = proof.packet if proof is not None and proof.packet > entry.packet else 0  # else it proved it before
    entry.packet = max(entry.packet, packet)
    changes = tuple(name for name in _NAMES if getattr(facts, name) != getattr(told, name))
    text = ", ".join(filter(None, _words(facts, told))) or "in other words"
    severity = live.finding.severity
    return [LiveEvent(EventKind.FINDING_CHANGED, now_ns, text, packet, None, live, severity, changes)]


_NAMES = ("severity", "certainty", "explained_by", "title", "occurrences", "sessions")


def _facts(live: LiveFinding) -> _Facts:
    finding = live.finding
    sessions = finding.sessions
    return _Facts(
        finding.severity,
        finding.certainty,
        live.explained_by,
        _NUMBERS.sub("0", finding.title),
        finding.occurrences,
        (len(sessions), sessions[0].index, sessions[-1].index) if sessions else (),
    )


def _words(facts: _Facts, told: _Facts) -> Sequence[str]:
    severity = f"{facts.severity.label} now, was {told.severity.label}"
    certainty = f"{facts.certainty.value} now, was {told.certainty.value}"
    cause = f"follows from {facts.explained_by}" if facts.explained_by else "follows from no other any more"
    return (
        severity if facts.severity is not told.severity else "",
        certainty if facts.certainty is not told.certainty else "",
        cause if facts.explained_by != told.explained_by else "",
        f"{counted(facts.occurrences, 'time')} now" if facts.occurrences != told.occurrences else "",
        _sessions(facts.sessions) if facts.sessions != told.sessions else "",
    )


def _sessions(sessions: tuple[int, ...]) -> str:
    return f"in {counted(sessions[0], 'session')}" if sessions else "in no session that is kept"


def _last_proof(finding: Finding) -> Evidence | None:
    """The last packet that proves it: before that nobody could know."""
    return max(finding.evidence, key=attrgetter("packet"), default=None)


def _mark(finding: Finding) -> _Mark:
    """By what one that was resolved is known again."""
    return finding.rule, finding.first_packet, "" if finding.first_packet else finding.summary


def _number(live: LiveFinding) -> int:
    return int(live.id[1:])
