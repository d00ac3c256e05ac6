"""Servers by what they answer."""

import pytest

from eiosniff.knowledge import identify_server
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.model.tally import NS_PER_S
from tests.unit.knowledge.documented import ANSWERS, REFUSALS, WITH_PAYLOAD, Answers, Refusal
from tests.unit.knowledge.peers import server


def _who(answers: Answers) -> str | None:
    identity = identify_server(answers.peer, [answers.session()], [])
    return str(identity) if identity else None


@pytest.mark.parametrize("answers", ANSWERS, ids=lambda answers: f"{answers.expected}: {answers.why}")
def test_named_by_its_sessions(answers: Answers) -> None:
    assert _who(answers) == answers.expected


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.expected}: {refusal.headers}")
def test_named_by_its_refusal(refusal: Refusal) -> None:
    peer, refused = refusal.peers()
    identity = identify_server(peer, [], [refused])
    assert (str(identity) if identity else None) == refusal.expected


def _without_pongs(ledger: Session) -> None:
    [answers] = [each for each in ANSWERS if each.why == "outlives a pong" and each.expected == "socket.io 4.7"]
    answers.change(ledger)


def _closed_when_due(ledger: Session) -> None:
    _without_pongs(ledger)
    ledger.closing = Closing(Side.SERVER, CloseHow.WS_CLOSE, PacketRef(80, 21 * NS_PER_S))


def _silent_from_then_on(ledger: Session) -> None:
    _without_pongs(ledger)
    ledger.last_from[Side.SERVER] = PacketRef(20, NS_PER_S)


def _a_pong_may_be_lost(ledger: Session) -> None:
    _without_pongs(ledger)
    ledger.gaps.append(40)


def _pings_of_revision_3(ledger: Session) -> None:
    _without_pongs(ledger)
    ledger.revisions[Side.SERVER] = 3


@pytest.mark.parametrize("change", [_closed_when_due, _silent_from_then_on, _a_pong_may_be_lost, _pings_of_revision_3])
def test_no_server_is_old_for_pongs_that_it_did_not_forgo(change: object) -> None:
    answers = Answers(server(WITH_PAYLOAD), "socket.io 4.5 or later", change=change)  # type: ignore[arg-type]
    assert _who(answers) == answers.expected
