"""Findings over their lives: which is which from one judgement to the next, and what is told of it."""

from eiosniff.live.findings import MAX_RESOLVED, TOLD_EVERY_NS, FindingTracker
from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Finding, Severity
from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.model.tally import NS_PER_S
from tests.unit.report.builders import START, finding, session

NEW, CHANGED, RESOLVED = EventKind.FINDING_NEW, EventKind.FINDING_CHANGED, EventKind.FINDING_RESOLVED


def fault(
    rule: str = "EIO038", packet: int = 10, clients: tuple[str, ...] = ("10.0.0.7",), **changes: object
) -> Finding:
    """A finding that one packet proves, of these clients at one server."""
    server = "10.0.0.2:3000"
    about = [("client", client, server) for client in clients] + [("server", server)]
    made: dict[str, object] = {
        "rule": rule, "name": rule.lower(), "title": "It fails", "occurrences": 1, "clients": [*clients],
        "servers": [server], "first_packet": packet, "evidence": [proof(packet)], "subjects": frozenset(about),
    }  # fmt: skip
    return finding(**(made | changes))


def proof(packet: int) -> Evidence:
    return Evidence(packet, START + packet, "client", "PING")


class Live:
    """A tracker, and its clock in seconds."""

    def __init__(self) -> None:
        self.tracker = FindingTracker()
        self.now_s = 0.0

    def judge(self, *found: Finding | Diagnosis, after_s: float = 0.5) -> list[LiveEvent]:
        self.now_s += after_s
        diagnoses = [each if isinstance(each, Diagnosis) else Diagnosis(each) for each in found]
        return self.tracker.update(diagnoses, self.now_ns)

    @property
    def now_ns(self) -> int:
        return START + round(self.now_s * NS_PER_S)

    @property
    def held(self) -> list[str]:
        return [live.id for live in self.tracker.findings]


def short(events: list[LiveEvent]) -> list[tuple[EventKind, str, str]]:
    return [(event.kind, event.finding.id, event.text) for event in events if event.finding]


def test_a_finding_is_new_once() -> None:
    live = Live()
    (event,) = live.judge(fault())
    assert short([event]) == [(NEW, "f1", "found")]
    assert (event.packet, event.ts_ns, event.severity) == (10, live.now_ns, Severity.ERROR)
    assert event.finding is not None
    assert (event.finding.packet_ns, event.finding.first_ns) == (START + 10, live.now_ns)
    assert not live.judge(fault())
    assert live.held == ["f1"]


def test_what_is_surer_or_worse_is_told_at_once() -> None:
    live = Live()
    live.judge(fault(certainty=Certainty.POSSIBLE, severity=Severity.WARNING))
    (surer,) = live.judge(fault(certainty=Certainty.CERTAIN, severity=Severity.WARNING))
    assert (surer.text, surer.changes) == ("certain now, was possible", ("certainty",))
    (worse,) = live.judge(fault(evidence=[proof(10), proof(12)]))
    assert (worse.text, worse.changes, worse.packet) == ("error now, was warning", ("severity",), 12)


def test_that_it_occurs_again_is_told_now_and_then_and_in_the_end() -> None:
    live = Live()
    live.judge(fault())
    told = [live.judge(fault(occurrences=count)) for count in range(2, 50)]
    events = [event for events in told for event in events]
    assert [event.text for event in events] == ["21 times now", "41 times now"]
    assert events[1].ts_ns - events[0].ts_ns == TOLD_EVERY_NS
    (last,) = live.tracker.rest(live.now_ns)
    assert (last.text, last.changes) == ("49 times now", ("occurrences",))
    assert not live.tracker.rest(live.now_ns)


def test_what_waits_is_told_when_it_is_due() -> None:
    live = Live()
    live.judge(fault())
    assert not live.judge(fault(occurrences=2))
    assert not live.judge(fault(occurrences=2), after_s=9)
    assert len(live.judge(fault(occurrences=2), after_s=0.5)) == 1


def test_numbers_in_a_title_change_with_the_count() -> None:
    live = Live()
    live.judge(fault(title="3 of 4 sessions are lost"))
    assert not live.judge(fault(title="4 of 5 sessions are lost"))
    (event,) = live.judge(fault(title="All sessions are lost"))
    assert (event.text, event.changes) == ("in other words", ("title",))


def test_a_cause_that_is_found_later_takes_the_finding_under_it_and_lets_it_go_again() -> None:
    live = Live()
    live.judge(fault("EIO089", 20))
    events = live.judge(Diagnosis(fault("EIO038", 10), [fault("EIO089", 20)]))
    assert short(events) == [(NEW, "f2", "found"), (CHANGED, "f1", "follows from f2")]
    assert live.held == ["f2", "f1"]
    assert [found.explained_by for found in live.tracker.findings] == [None, "f2"]
    events = live.judge(fault("EIO089", 20), after_s=20)
    assert short(events) == [
        (CHANGED, "f1", "follows from no other any more"),
        (RESOLVED, "f2", "by what came since, it does not hold any more"),
    ]


def test_a_finding_that_changes_its_cause_to_and_fro_is_told_of_now_and_then() -> None:
    live = Live()
    one, two, loop = fault("EIO038", 10), fault("EIO039", 11), fault("EIO089", 20)
    live.judge(Diagnosis(one, [loop]), two)
    told = [
        live.judge(*([one, Diagnosis(two, [loop])] if turn % 2 else [Diagnosis(one, [loop]), two]))
        for turn in range(1, 40)
    ]
    assert [event.text for events in told for event in events] == ["follows from f3", "follows from f1"]


def test_the_same_first_packet_is_the_same_finding_whoever_the_client_turns_out_to_be() -> None:
    live = Live()
    live.judge(fault(packet=10), fault(packet=30, clients=("10.0.0.8",)))
    assert not live.judge(fault(packet=30, clients=("10.0.0.8",)), fault(packet=10))
    assert live.held == ["f2", "f1"]


def test_without_the_first_packet_other_packets_sessions_and_peers_tell() -> None:
    one, two = session(1), session(2)
    live = Live()
    live.judge(
        fault("EIO038", 10, evidence=[proof(10), proof(12)], clients=("10.0.0.1",)),
        fault("EIO038", 20, sessions=[one], clients=("10.0.0.2",)),
        fault("EIO038", 30, clients=("10.0.0.3",)),
    )
    events = live.judge(
        fault("EIO038", 33, clients=("10.0.0.3",)),
        fault("EIO038", 22, sessions=[one, two], clients=("10.0.0.4",)),
        fault("EIO038", 12, evidence=[proof(12)], clients=("10.0.0.5",)),
    )
    assert live.held == ["f3", "f2", "f1"]
    assert not [event for event in events if event.kind is not CHANGED]


def test_another_rule_or_another_client_is_another_finding() -> None:
    live = Live()
    live.judge(fault("EIO038", 10))
    events = live.judge(fault("EIO039", 10), fault("EIO038", 40, clients=("10.0.0.9",)))
    assert [(kind, ident) for kind, ident, _ in short(events)] == [(NEW, "f2"), (NEW, "f3"), (RESOLVED, "f1")]


def test_one_old_finding_is_continued_by_one_new_one() -> None:
    live = Live()
    live.judge(fault(packet=10))
    events = live.judge(fault(packet=10), fault(packet=10, title="Another kind of it", summary="other"))
    assert [(kind, ident) for kind, ident, _ in short(events)] == [(NEW, "f2")]


def test_two_findings_that_turn_out_to_be_one() -> None:
    """A client in Node polls with a User-Agent and has none over WebSocket: one library, once it is known."""
    live = Live()
    live.judge(fault(packet=10, occurrences=2), fault(packet=20, occurrences=3))
    events = live.judge(fault(packet=10, occurrences=5, evidence=[proof(10), proof(20)]), after_s=20)
    assert short(events) == [(CHANGED, "f1", "5 times now"), (RESOLVED, "f2", "the same fault as f1")]
    assert events[1].finding is not None
    assert (events[1].finding.resolved, events[1].finding.merged_into) == (True, "f1")


def test_a_finding_that_vanishes_was_none_and_comes_back_as_the_same_or_as_another() -> None:
    live = Live()
    live.judge(fault(packet=10))
    assert short(live.judge()) == [(RESOLVED, "f1", "by what came since, it does not hold any more")]
    assert not live.held
    assert short(live.judge(fault(packet=10))) == [(NEW, "f1", "found again")]
    live.judge()
    assert short(live.judge(fault(packet=40))) == [(NEW, "f2", "found")]


def test_our_own_bugs_are_findings_too() -> None:
    live = Live()
    bugs = [fault("INT001", 0, (), servers=[], evidence=[], subjects=frozenset(), summary=f"{n}") for n in (1, 2)]
    (event,) = live.judge(bugs[0])
    assert (event.packet, event.finding and event.finding.packet_ns) == (0, live.now_ns)
    events = live.judge(*bugs)
    assert short(events) == [(NEW, "f2", "found")]


def test_what_is_kept_of_resolved_findings_is_bounded() -> None:
    live = Live()
    for packet in range(1, MAX_RESOLVED + 20):
        live.judge(fault(packet=packet, clients=(f"10.0.{packet >> 8}.{packet & 255}",)))
    assert len(live.tracker._resolved) == MAX_RESOLVED
    assert len(live.tracker.findings) == 1


def test_thousands_of_findings_are_matched_by_their_peers() -> None:
    live = Live()

    def found(first: int) -> list[Finding]:
        return [
            fault(packet=first + number, clients=(f"10.{number >> 8}.{number & 255}.1",)) for number in range(3_000)
        ]

    live.judge(*found(10))
    assert not [event for event in live.judge(*found(20_010)) if event.kind is not CHANGED]
    assert live.held == [f"f{number}" for number in range(1, 3_001)]
