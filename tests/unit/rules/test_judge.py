"""Ledgers that are let go are judged as they come, with the same result as all of them at the end."""

from collections.abc import Iterator

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.peers import Client, Identity, Retired
from eiosniff.model.session import Session
from eiosniff.rules import engine
from eiosniff.rules.api import Hit, Rule, evidence
from eiosniff.rules.engine import Judge, Ledgers, judge
from tests.unit.rules.test_engine import at_opening, ledgers, made, no_fix, place, seen


def _wavering(session: object) -> Iterator[Hit]:
    """Not sure of any but the third; of two kinds; a message that each fills in in its own way."""
    assert isinstance(session, Session)
    yield Hit(
        evidence(session.opened, None, f"of {session.index}"),
        certainty=Certainty.CERTAIN if session.index == 3 else Certainty.LIKELY,
        doubt=f"doubt {session.index}",
        kind="even" if session.index % 2 else "odd",
        period_ns=session.index,
        which=session.index,
    )


def _per_client(client: object) -> Iterator[Hit]:
    assert isinstance(client, Client)
    yield seen(int(client.address.rsplit(".")[-1]))


RULES = [
    made(at_opening),
    made(_wavering, code="EIO901", name="wavering", message="{which}"),
    made(_per_client, Client, code="EIO902", name="of clients"),
]


def _in_parts(rules: list[Rule], given: Ledgers, gone: list[Session], clients: int = 0, keep: int = 100) -> Judge:
    """Some sessions are let go, and then some clients, whose sessions all were."""
    judge = Judge(rules, no_fix, given.summary.file, keep)
    for session in gone:
        judge.take(Retired(session, session.server))
        given.sessions.remove(session)
    for client in given.clients[:clients]:
        judge.take(Retired(client, given.servers[0]))
    del given.clients[:clients]
    return judge


def _as_values(findings: list[Finding], periods: bool) -> list[object]:
    """All but the sessions and the order, which may differ."""
    return sorted(
        (
            finding.rule, finding.severity, finding.certainty.rank, finding.summary, finding.fix, finding.occurrences,
            finding.period_ns if periods else None, finding.evidence, sorted(finding.clients), finding.servers,
            sorted(map(str, finding.subjects)), finding.first_packet, finding.doubt,
        )
        for finding in findings
    )  # fmt: skip


@pytest.mark.parametrize("library", ["", "node"])
@pytest.mark.parametrize("gone", [[0, 1, 2], [0, 2, 1], [5, 4, 3], [0, 7, 11], list(range(12))])
def test_the_same_is_found_in_parts(library: str, gone: list[int]) -> None:
    """Four clients with three sessions each; the evidence and the words are those of the first ones, whoever goes."""
    addresses = ("10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9")
    whole = ledgers(*addresses, library=library, sessions=3)
    parts = ledgers(*addresses, library=library, sessions=3)
    sessions = [parts.sessions[index] for index in gone]
    taken = _in_parts(RULES, parts, sessions, clients=1 if {0, 1, 2} <= set(gone) else 0)
    in_order = gone in ([0, 1, 2], list(range(12)))  # else what passed between some is not known
    assert _as_values(taken.findings(parts), periods=in_order) == _as_values(judge(RULES, whole, no_fix), in_order)


def test_a_library_that_is_known_only_later_joins_what_was_found_before() -> None:
    given = ledgers("10.0.0.7", "10.0.0.8", sessions=2)
    taken = _in_parts([made(at_opening)], given, given.sessions[:1] + given.sessions[2:3])
    for client in given.clients:
        client.identity = Identity("node", "Node")
    (finding,) = taken.findings(given)
    assert finding.occurrences == 4
    assert finding.summary == "2 clients (Node) at 10.0.0.2:3000"


def test_the_worst_and_last_seen_sessions_are_kept() -> None:
    def check(session: object) -> Iterator[Hit]:
        assert isinstance(session, Session)
        severity = {1: Severity.ERROR, 4: Severity.ERROR}.get(session.index % 10, Severity.WARNING)
        if session.index % 3:
            yield Hit(evidence(session.opened, None, "x"), severity=severity, kind=str(severity))

    given = ledgers("10.0.0.7", sessions=30)
    for session in given.sessions:
        session.last = place(100 + session.index)
    taken = _in_parts([made(check)], given, list(given.sessions), keep=8)
    worst = [session.index for session in taken.faulty if session.index % 10 in (1, 4)]
    assert worst == [1, 4, 11, 14]
    others = [session.index for session in taken.faulty if session.index not in worst]
    assert others == [25, 26, 28, 29]
    found = taken.findings(given)
    assert sum(finding.occurrences for finding in found) == 20
    assert sorted(session.index for finding in found for session in finding.sessions) == [1, 4, 11, 14, 25, 26, 28, 29]


def test_sessions_without_a_fault_are_not_kept() -> None:
    def check(session: object) -> Iterator[Hit]:
        yield Hit(evidence(place(1), None, "x"), severity=Severity.INFO)

    given = ledgers("10.0.0.7", sessions=3)
    taken = _in_parts([made(check)], given, list(given.sessions))
    assert taken.faulty == []
    (finding,) = taken.findings(given)
    assert (finding.occurrences, finding.sessions) == (3, [])


def test_a_rule_that_raises_for_what_is_let_go_is_reported_once() -> None:
    def broken(_: object) -> Iterator[Hit]:
        yield seen(1)
        raise ValueError

    given = ledgers("10.0.0.7", sessions=3)
    found = _in_parts([made(broken), RULES[1]], given, given.sessions[:2]).findings(given)
    assert [finding.rule for finding in found] == ["INT001", "EIO900", "EIO901", "EIO901"]


def test_findings_and_the_clients_that_they_name_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_FINDINGS", 3)
    monkeypatch.setattr(engine, "MAX_PLACES", 7)  # three name one each
    monkeypatch.setattr(engine, "PLACES_OF_EACH", 2)
    given = ledgers(*(f"10.0.0.{number}" for number in range(20)), alike=False)
    found = judge([made(at_opening)], given, no_fix)
    assert len(found) == 4
    assert sum(finding.occurrences for finding in found) == 20
    assert found[-1].summary == "more than 4 clients at 10.0.0.2:3000"
