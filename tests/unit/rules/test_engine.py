"""Hits of rules become findings: what is merged, counted, kept, and how sure it is. With rules made up for it."""

from collections.abc import Callable, Iterator

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.peers import Client, Identity, Server
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, Rule, evidence, rule
from eiosniff.rules.engine import OCCURRENCES_SHOWN, FixSource, Ledgers, judge

SECOND = 1_000_000_000
SERVER = Endpoint("10.0.0.2", 3000)
SENTENCE = "{client} does it {much} at {server}"

Check = Callable[[object], Iterator[Hit]]


def made(check: Check, subject: type = Session, **given: object) -> Rule:
    """A rule that does what `check` does."""
    fields: dict[str, object] = {
        "code": "EIO900", "name": "made-up", "severity": Severity.ERROR, "since": "0.1.0", "title": "Title",
        "message": "{client} at {server}", "why": "Because.", "fix": ("General.",), **given,
    }  # fmt: skip
    return rule(subject=subject, **fields)(check)  # type: ignore[arg-type]  # a table of keyword arguments


def place(number: int) -> PacketRef:
    return PacketRef(number, number * SECOND)


def seen(number: int, text: str = "x") -> Hit:
    return Hit(evidence(place(number), Side.CLIENT, text))


def ledgers(*addresses: str, library: str = "", sessions: int = 1, alike: bool = True) -> Ledgers:
    """Clients at one server, each with some sessions; those that are not alike say so in their User-Agent."""
    server = Server(SERVER)
    clients = [Client(address, "" if alike else f"agent of {address}", SERVER) for address in addresses]
    for client in clients:
        client.identity = Identity(library, library.title(), "1 or later") if library else None
    opened = [client for client in clients for _ in range(sessions)]
    all_sessions = [
        Session(index, f"sid{index}", "/", client, server, Endpoint(client.address, 5), place(10 * index))
        for index, client in enumerate(opened, start=1)
    ]
    return Ledgers(CaptureSummary("a.pcap"), all_sessions, clients, [server])


def at_opening(session: object) -> Iterator[Hit]:
    assert isinstance(session, Session)
    yield Hit(evidence(session.opened, Side.CLIENT, "x"))


def no_fix(*_: object) -> list[str]:
    return []


def one(rules: Rule | list[Rule], given: Ledgers, fixes: FixSource = no_fix) -> Finding:
    (finding,) = judge(rules if isinstance(rules, list) else [rules], given, fixes)
    return finding


def test_a_hit_becomes_a_finding() -> None:
    finding = one(made(at_opening), ledgers("10.0.0.7"))
    assert (finding.rule, finding.name, finding.severity, finding.capture) == (
        "EIO900",
        "made-up",
        Severity.ERROR,
        "a.pcap",
    )
    assert finding.summary == "10.0.0.7 at 10.0.0.2:3000"
    assert (finding.occurrences, finding.period_ns, finding.certainty) == (1, None, Certainty.CERTAIN)
    assert [item.packet for item in finding.evidence] == [10]
    assert [session.index for session in finding.sessions] == [1]
    assert (finding.clients, finding.servers) == (["10.0.0.7"], ["10.0.0.2:3000"])
    assert finding.first_packet == 10


@pytest.mark.parametrize(
    ("given", "findings", "who"),
    [
        (ledgers("10.0.0.7", "10.0.0.8", alike=False), 2, "10.0.0.7"),
        (ledgers("10.0.0.7", "10.0.0.8"), 1, "2 clients"),
        (ledgers("10.0.0.7", "10.0.0.8", library="node"), 1, "2 clients (Node 1 or later)"),
        (ledgers("10.0.0.7", library="node", sessions=3), 1, "10.0.0.7 (Node 1 or later)"),
    ],
    ids=["unknown programs", "an unknown program", "one library", "one client"],
)
def test_hits_are_merged_by_what_the_client_runs(given: Ledgers, findings: int, who: str) -> None:
    found = judge([made(at_opening)], given, no_fix)
    assert len(found) == findings
    assert found[0].summary == f"{who} at 10.0.0.2:3000"
    assert sum(finding.occurrences for finding in found) == len(given.sessions)


def test_hits_of_different_kinds_are_different_faults() -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "a"), kind="a", which="A")
        yield Hit(evidence(place(2), None, "b"), kind="b", which="B")

    found = judge([made(check, message="{which}")], ledgers("10.0.0.7", sessions=2), no_fix)
    assert [(finding.summary, finding.occurrences) for finding in found] == [("A", 2), ("B", 2)]


def test_the_period_is_that_of_each_client() -> None:
    given = ledgers("10.0.0.7", "10.0.0.8", library="node", sessions=4)
    # The sessions of the two alternate, five seconds apart: each comes back after ten.
    for index, session in enumerate(sorted(given.sessions, key=lambda session: session.index % 4)):
        session.index, session.opened = index + 1, PacketRef(index + 1, 5 * index * SECOND)
    given.sessions.sort(key=lambda session: session.opened)
    assert one(made(at_opening), given).period_ns == 10 * SECOND


def test_the_period_that_a_rule_knows_counts() -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "x"), occurrences=14, period_ns=20 * SECOND)

    finding = one(made(check), ledgers("10.0.0.7"))
    assert (finding.occurrences, finding.period_ns) == (14, 20 * SECOND)


def test_a_fault_that_repeats_keeps_bounded_evidence() -> None:
    finding = one(made(at_opening), ledgers("10.0.0.7", sessions=3000))
    assert finding.occurrences == 3000
    assert [item.packet for item in finding.evidence] == [10, 20, 30, 40, 50, 30_000]
    assert len(finding.evidence) == OCCURRENCES_SHOWN + 1
    assert finding.first_packet == 10


def test_evidence_is_in_packet_order_and_each_once() -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(5), None, "b"), evidence(place(2), None, "a"), evidence(place(5), None, "c"))
        yield Hit(evidence(place(5), None, "b"))

    finding = one(made(check), ledgers("10.0.0.7"))
    assert [(item.packet, item.text) for item in finding.evidence] == [(2, "a"), (5, "b"), (5, "c")]
    assert len(finding.sessions) == 1


@pytest.mark.parametrize(
    ("gaps", "midstream", "given", "tolerates", "expected"),
    [
        ([], False, Certainty.CERTAIN, False, Certainty.CERTAIN),
        ([(14, 15)], False, Certainty.CERTAIN, False, Certainty.POSSIBLE),
        ([(14, 15)], False, Certainty.CERTAIN, True, Certainty.CERTAIN),
        ([(5, 9), (21, 22)], False, Certainty.CERTAIN, False, Certainty.CERTAIN),
        ([(19, 30)], False, Certainty.CERTAIN, False, Certainty.POSSIBLE),  # it may have been said in between
        ([], True, Certainty.CERTAIN, False, Certainty.POSSIBLE),
        ([], True, Certainty.LIKELY, False, Certainty.POSSIBLE),
        ([], False, Certainty.LIKELY, False, Certainty.LIKELY),
    ],
)
def test_certainty(
    gaps: list[tuple[int, int]], midstream: bool, given: Certainty, tolerates: bool, expected: Certainty
) -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(10), None, "x"), evidence(place(20), None, "y"), certainty=given, doubt="why")

    looked_at = ledgers("10.0.0.7")
    (session,) = looked_at.sessions
    session.gap_starts, session.gaps = [start for start, _ in gaps], [shown for _, shown in gaps]
    session.midstream = midstream
    finding = one(made(check, tolerates_gaps=tolerates), looked_at)
    assert finding.certainty is expected
    assert finding.doubt


@pytest.mark.parametrize(("lasting", "expected"), [(False, Certainty.CERTAIN), (True, Certainty.POSSIBLE)])
def test_what_is_missing_to_the_end_may_be_in_a_gap_after_the_evidence(lasting: bool, expected: Certainty) -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(10), None, "x"), lasting=lasting)

    given = ledgers("10.0.0.7")
    given.sessions[0].gap_starts, given.sessions[0].gaps = [98], [99]
    assert one(made(check), given).certainty is expected


def test_the_surest_occurrence_and_the_worst_count() -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "x"), certainty=Certainty.POSSIBLE, doubt="d", severity=Severity.INFO)
        yield Hit(evidence(place(2), None, "x"), severity=Severity.WARNING)

    finding = one(made(check), ledgers("10.0.0.7"))
    assert (finding.certainty, finding.doubt, finding.severity) == (Certainty.CERTAIN, "", Severity.WARNING)


def test_rules_see_the_ledgers_of_their_subject() -> None:
    def hits(_: object) -> Iterator[Hit]:
        yield seen(1)

    given = ledgers("10.0.0.7", "10.0.0.8", sessions=2)
    counts = {
        subject: sum(finding.occurrences for finding in judge([made(hits, subject)], given, no_fix))
        for subject in (Session, Client, Server, CaptureSummary)
    }
    assert counts == {Session: 4, Client: 2, Server: 1, CaptureSummary: 1}


def test_a_hit_on_the_capture_may_name_a_client_and_a_server() -> None:
    def check(_: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "x"), client="10.0.0.7", server=SERVER)
        yield Hit(evidence(place(1), None, "x"), client="10.9.9.9", server=Endpoint("::1", 80))

    found = judge([made(check, CaptureSummary)], ledgers("10.0.0.7", library="node"), no_fix)
    assert [finding.summary for finding in found] == [
        "10.0.0.7 (Node 1 or later) at 10.0.0.2:3000",
        "10.9.9.9 at [::1]:80",
    ]


def test_the_fix_for_the_library_comes_before_the_general_one() -> None:
    rules = made(at_opening, fix=("For {client}.",))
    assert one(rules, ledgers("10.0.0.7")).fix == ["For 10.0.0.7."]
    assert one(rules, ledgers("10.0.0.7"), lambda *_: ["Special."]).fix == ["Special."]


def test_what_the_wire_says_is_never_a_template() -> None:
    def check(_: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "x"), said="{client} {0} {__class__}")

    assert one(made(check, message="{said}"), ledgers("10.0.0.7")).summary == "{client} {0} {__class__}"


@pytest.mark.parametrize("raised", [ValueError("secret from the wire"), SystemExit(5)])
def test_a_rule_that_raises_costs_nobody_else(raised: BaseException) -> None:
    def broken(session: object) -> Iterator[Hit]:
        yield seen(1)
        raise raised

    rules = [made(broken, code="EIO901", name="broken"), made(at_opening)]
    found = judge(rules, ledgers("10.0.0.7", sessions=3), no_fix)
    assert [finding.rule for finding in found] == ["INT001", "EIO901", "EIO900"]
    assert found[0].summary == f"the rule broken (EIO901) failed: {type(raised).__name__}"
    assert found[2].occurrences == 3


def test_a_message_that_cannot_be_filled_in_costs_nobody_else() -> None:
    found = judge([made(at_opening, code="EIO901", message=SENTENCE), made(at_opening)], ledgers("10.0.0.7"), no_fix)
    assert [finding.rule for finding in found] == ["INT001", "EIO900"]
