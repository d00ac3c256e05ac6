"""Whatever is judged: who follows the events knows what holds, as the last judgement has it."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.live.findings import TOLD_EVERY_NS, FindingTracker
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Finding, Severity
from eiosniff.model.live import EventKind, LiveEvent
from tests.unit.report.builders import START, finding, session

SESSIONS = [session(index) for index in range(1, 5)]


@dataclass
class Reader:
    """A program that reads the events, and keeps what they say: the severity, certainty, cause and count of what holds,
    by id."""

    held: dict[str, tuple[Severity, Certainty, str | None, int]] = field(default_factory=dict)

    def read(self, events: list[LiveEvent]) -> None:
        for event in events:
            live = event.finding
            assert live is not None
            fault = live.finding
            said = fault.severity, fault.certainty, live.explained_by, fault.occurrences
            before = self.held.get(live.id)
            match event.kind:
                case EventKind.FINDING_NEW:
                    assert before is None, "what is new is not known yet"
                case EventKind.FINDING_CHANGED:
                    assert before is not None, "what changes is known"
                    assert event.changes
                    for name, old, new in zip(
                        ("severity", "certainty", "explained_by", "occurrences"), before, said, strict=True
                    ):
                        assert (name in event.changes) == (old != new)
                case EventKind.FINDING_RESOLVED:
                    assert before is not None, "what does not hold any more did"
                    assert live.merged_into is None or live.merged_into in self.held
            if event.kind is EventKind.FINDING_RESOLVED:
                del self.held[live.id]
            else:
                assert live.explained_by is None or live.explained_by in self.held, "a cause is told first"
                self.held[live.id] = said
        assert {cause for *_, cause, _ in self.held.values() if cause} <= set(self.held), "a cause holds"


@st.composite
def faults(draw: st.DrawFn) -> Finding:
    packet = draw(st.integers(0, 4))
    client = draw(st.sampled_from(["", "10.0.0.7", "10.0.0.8"]))
    about = [("server", "10.0.0.2:80"), *([("client", client, "10.0.0.2:80")] if client else [])]
    return finding(
        rule=draw(st.sampled_from(["EIO038", "EIO089"])),
        severity=draw(st.sampled_from(Severity)),
        certainty=draw(st.sampled_from(Certainty)),
        title=draw(st.sampled_from(["one", "another"])),
        occurrences=draw(st.integers(1, 4)),
        first_packet=packet,
        evidence=[
            Evidence(packet + more, START + packet + more, "", "x") for more in range(draw(st.integers(0, 2))) if packet
        ],
        sessions=draw(st.lists(st.sampled_from(SESSIONS), max_size=2, unique_by=id)),
        clients=[client] if client else [],
        servers=["10.0.0.2:80"],
        subjects=frozenset(about),
    )


DIAGNOSES = st.builds(Diagnosis, faults(), st.lists(faults(), max_size=2))
JUDGEMENTS = st.lists(
    st.tuples(st.lists(DIAGNOSES, max_size=3), st.sampled_from([0, 1, TOLD_EVERY_NS, -TOLD_EVERY_NS, -1])),
    max_size=8,
)


@given(JUDGEMENTS)
def test_events_add_up_to_the_last_judgement(judgements: list[tuple[list[Diagnosis], int]]) -> None:
    tracker, reader, now_ns = FindingTracker(), Reader(), START
    for diagnoses, passed_ns in judgements:
        now_ns += passed_ns
        reader.read(tracker.update(diagnoses, now_ns))
        judged = [each for diagnosis in diagnoses for each in (diagnosis.finding, *diagnosis.consequences)]
        assert [live.finding for live in tracker.findings] == judged
        ids = [live.id for live in tracker.findings]
        assert len(set(ids)) == len(ids)
        assert set(reader.held) == set(ids)
    reader.read(tracker.rest(now_ns))
    assert reader.held == {
        live.id: (live.finding.severity, live.finding.certainty, live.explained_by, live.finding.occurrences)
        for live in tracker.findings
    }
