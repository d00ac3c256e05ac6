"""Packets that the capturing host dropped lower the certainty of what happened meanwhile."""

from collections.abc import Iterator

import pytest

from eiosniff.model.finding import Certainty, Finding, Severity
from eiosniff.model.peers import Client, Server
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.summary import MAX_DROPS, CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.engine import Judge, Ledgers

SECOND = 1_000_000_000
SERVER = Endpoint("10.0.0.2", 3000)


def found(summary: CaptureSummary, *, lasting: bool = False, tolerates_gaps: bool = False) -> Finding:
    """A finding with evidence at 10 s and 20 s."""

    def check(_: object) -> Iterator[Hit]:
        proof = (evidence(PacketRef(second, second * SECOND), Side.CLIENT, "x") for second in (10, 20))
        yield Hit(*proof, lasting=lasting)

    made = rule(
        code="EIO900",
        name="made-up",
        subject=Session,
        severity=Severity.ERROR,
        since="0.1.0",
        title="Title",
        message="{client} at {server}",
        why="Because.",
        fix=("General.",),
        tolerates_gaps=tolerates_gaps,
    )(check)  # type: ignore[arg-type]  # a rule on anything
    client, server = Client("10.0.0.7", "", SERVER), Server(SERVER)
    session = Session(1, "sid", "/", client, server, Endpoint("10.0.0.7", 5), PacketRef(1, SECOND))
    judge = Judge([made], lambda *_: [], "eth0", drops=summary.drops)
    (finding,) = judge.findings(Ledgers(summary, [session], [client], [server]))
    return finding


@pytest.mark.parametrize(
    ("begin", "end", "lasting", "certainty"),
    [
        (1, 9, False, Certainty.CERTAIN),
        (1, 10, False, Certainty.LIKELY),
        (12, 13, False, Certainty.LIKELY),
        (20, 30, False, Certainty.LIKELY),
        (21, 30, False, Certainty.CERTAIN),
        (21, 30, True, Certainty.LIKELY),
        (1, 9, True, Certainty.CERTAIN),
    ],
)
def test_only_what_they_may_touch_is_less_certain(begin: int, end: int, lasting: bool, certainty: Certainty) -> None:
    summary = CaptureSummary("eth0")
    summary.note_drops(begin * SECOND, end * SECOND, 1204)
    finding = found(summary, lasting=lasting)
    assert finding.certainty is certainty
    if certainty is Certainty.LIKELY:
        assert finding.doubt == "the capturing host dropped 1,204 packets in that time"


def test_a_rule_that_gaps_cannot_mislead_stays_as_sure_as_it_is() -> None:
    summary = CaptureSummary("eth0")
    summary.note_drops(12 * SECOND, 13 * SECOND, 1)
    assert found(summary, tolerates_gaps=True).certainty is Certainty.CERTAIN


def test_drops_that_follow_each_other_are_one_and_their_number_is_bounded() -> None:
    summary = CaptureSummary("eth0")
    summary.note_drops(0, SECOND, 1)
    summary.note_drops(SECOND, 2 * SECOND, 2)
    (drops,) = summary.drops
    assert (drops.from_ns, drops.until_ns, drops.packets) == (0, 2 * SECOND, 3)
    for minute in range(1, 3 * MAX_DROPS):
        summary.note_drops(minute * 60 * SECOND, (minute * 60 + 1) * SECOND, 1)
    assert len(summary.drops) == MAX_DROPS
    assert sum(drops.packets for drops in summary.drops) == 3 + 3 * MAX_DROPS - 1
    assert summary.drops[-1].until_ns == ((3 * MAX_DROPS - 1) * 60 + 1) * SECOND
