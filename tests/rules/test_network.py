"""The rules on what the network does, and what they leave to others."""

from collections.abc import Callable

import pytest

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.network import Reset, SideFacts, Spell
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit
from eiosniff.rules.engineio.eio042_heartbeat_slow import heartbeat_slow
from eiosniff.rules.tcp.tcp102_tcp_reset import tcp_reset
from eiosniff.rules.tcp.tcp103_half_open import half_open
from eiosniff.rules.tcp.tcp104_zero_window import zero_window
from eiosniff.rules.tcp.tcp105_loss_latency import loss_latency
from eiosniff.rules.tcp.tcp106_nagle_delayed_ack import nagle_delayed_ack
from eiosniff.rules.tcp.tcp115_slow_consumer import slow_consumer
from tests.cases import RECORDED, report_of
from tests.unit.decode.talk_sessions import JOINED, MILLISECOND, POLL, POLLING, SECOND, WEBSOCKET, played

C, S = Side.CLIENT, Side.SERVER
SESSION = f"{WEBSOCKET}\n{JOINED}\n"
BEAT = "+ 25\nw< 2\nw> 3\n"
LATE = "+ 25\nw< 2\n+ 2\nw> 3\n"


def session(*script: str, **facts: Callable[[SideFacts], object]) -> Session:
    """A session, and what TCP shows of its sides: `client` and `server` change the facts of each."""
    found = played("\n".join(script)).session
    found.network.sides = (SideFacts(), SideFacts())
    for name, change in facts.items():
        change(found.network.sides[Side[name.upper()]])
    return found


def spell(seconds: float, probes: int = 5, start: int = 1000, open: bool = False) -> Spell:
    first = PacketRef(start, 1_700_000_100 * SECOND)
    return Spell(first, PacketRef(start + 9, first.ts_ns + round(seconds * SECOND)), probes, open)


def reset(found: Session, ttl: int, usual: int) -> list[Hit]:
    """What is found if the end of the session was a RST with this TTL."""
    closing, sides = found.closing, found.network.sides
    assert closing is not None
    assert sides is not None
    sides[closing.side].reset = Reset(closing.place, ttl, usual)
    return list(tcp_reset.hits(found))


# ---------------------------------------------------------------- resets


def test_a_reset_with_another_ttl_is_of_something_in_between() -> None:
    (hit,) = reset(session(SESSION, BEAT, "w< RST"), ttl=57, usual=64)
    assert hit.values["who"] == "something between the two"
    assert hit.certainty is Certainty.LIKELY


@pytest.mark.parametrize("usual", [64, -1], ids=["the same", "nothing to compare with"])
def test_else_it_is_the_peers_own(usual: int) -> None:
    (hit,) = reset(session(SESSION, BEAT, "w< RST"), ttl=64, usual=usual)
    assert (hit.values["who"], hit.severity) == ("the server", Severity.ERROR)
    (hit,) = reset(session(SESSION, BEAT, "w> RST"), ttl=64, usual=usual)
    assert (hit.values["who"], hit.severity) == ("the client", Severity.INFO)
    assert bool(hit.values["detail"]) is (usual == 64)  # nothing is said of what was not captured


@pytest.mark.parametrize(
    "end",
    ["w> 1\nw> RST", "w> 41\nw< RST", "w> close 1000\nw> RST", "w< close\nw< FIN\nw> RST"],
    ids=["close packet", "left the namespace", "close frame", "closed by the server"],
)
def test_a_reset_after_a_goodbye_is_no_fault(end: str) -> None:
    found = session(SESSION, BEAT, end)
    assert found.network.sides is not None
    for side in found.network.sides:
        side.reset = Reset(found.last, 57, 64)
    assert not list(tcp_reset.hits(found))


def test_a_reset_of_one_poll_ends_no_session() -> None:
    found = session(POLLING, POLL, "a< RST")
    assert not list(tcp_reset.hits(found))


# ---------------------------------------------------------------- into the void


def into_the_void(repeats: int, seconds: float, start: int = 1000) -> list[Hit]:
    found = session(SESSION, BEAT, server=lambda side: side.add_unheard(spell(seconds, repeats, start)))
    return list(half_open.hits(found))


def test_the_same_bytes_again_and_again() -> None:
    (hit,) = into_the_void(4, 3)
    assert (hit.values["side"], hit.values["peer"], hit.values["count"]) == ("server", "client", 4)


def test_a_few_times_or_a_short_while_is_no_dead_connection() -> None:
    assert not into_the_void(3, 3)
    assert not into_the_void(5, 1.5)


def test_a_peer_that_is_heard_later_was_there() -> None:
    assert not into_the_void(4, 3, start=-20)


@pytest.mark.parametrize(("others", "back"), [(False, True), (True, False)])
def test_of_several_behind_one_address_any_may_come(others: bool, back: bool) -> None:
    """Another session of that address goes on: who comes next may be anybody."""
    script = f"{WEBSOCKET.replace('w', 'v').replace('vebsocket', 'websocket')}\n{SESSION}" if others else SESSION
    later = 'v> 42["a"]\n' if others else ""
    talk = played(f"{script}{later}{WEBSOCKET.replace('w>', 'u>').replace('w<', 'u<')}")
    found = next(each for each in talk.sessions.sessions if each.opened.number == (6 if others else 3))
    found.network.sides = (SideFacts(), SideFacts())
    found.network.sides[S].add_unheard(spell(5, 5, start=8 if others else 5))
    (hit,) = half_open.hits(found)
    assert ("comes back" in str(hit.values["back"])) is back


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize(("seconds", "found"), [(0.9, 0), (1.1, 1)])
def test_a_window_may_be_closed_for_a_moment(seconds: float, found: int) -> None:
    for side in ("client", "server"):
        whole = session(SESSION, BEAT, **{side: lambda facts: facts.add_closed(spell(seconds))})
        assert len(list(zero_window.hits(whole))) == found


def closes(times: int, seconds: float, open: bool = False) -> Callable[[SideFacts], object]:
    """A receive window that is 0 so often, for so long each time."""

    def change(facts: SideFacts) -> None:
        for _ in range(times):
            facts.add_closed(spell(seconds, open=open))

    return change


@pytest.mark.parametrize(("open", "severity"), [(True, Severity.ERROR), (False, None)])
def test_a_window_that_stays_closed_while_a_ping_waits_is_an_error(open: bool, severity: Severity | None) -> None:
    (hit,) = zero_window.hits(session(SESSION, BEAT, "+ 25\nw< 2\n+ 30\nw< 42[1]", client=closes(1, 5, open)))
    assert hit.severity is severity


def test_a_client_that_reads_slowly_closes_its_window_again_and_again() -> None:
    assert list(slow_consumer.hits(session(SESSION, BEAT, client=closes(3, 0.5))))
    assert not list(slow_consumer.hits(session(SESSION, BEAT, client=closes(2, 5))))
    assert not list(slow_consumer.hits(session(SESSION, BEAT, client=closes(5, 0.1))))
    assert not list(slow_consumer.hits(session(SESSION, BEAT, server=closes(5, 1))))


# ---------------------------------------------------------------- losses and delays


def poor(lost: int, sent: int, round_trip_ms: int = 20, beats: str = BEAT * 3, samples: int = 2) -> list[Hit]:
    def change(facts: SideFacts) -> None:
        facts.segments, facts.repeats = sent, lost
        for _ in range(samples):
            facts.add_round_trip(round_trip_ms * MILLISECOND)

    return list(loss_latency.hits(session(SESSION, beats, server=change)))


def test_a_few_losses_are_no_news() -> None:
    assert not poor(4, 100)
    assert not poor(50, 10_000)
    assert poor(50, 5_000)


def test_losses_matter_if_heartbeats_are_late() -> None:
    (harmless,) = poor(10, 100)
    (harmful,) = poor(10, 100, beats=LATE * 3)
    (once,) = poor(10, 100, beats=BEAT * 3 + LATE)
    assert (harmless.severity, harmful.severity, once.severity) == (Severity.INFO, None, Severity.INFO)
    assert harmful.values["figure"] == "10.0 % of the segments are sent again"


def test_what_nobody_could_hear_is_not_lost() -> None:
    def change(facts: SideFacts) -> None:
        facts.segments, facts.repeats = 20, 6
        facts.add_unheard(spell(10, 6))

    assert not list(loss_latency.hits(session(SESSION, BEAT, server=change)))


def test_a_long_way() -> None:
    (hit,) = poor(0, 100, round_trip_ms=700)
    assert hit.values["figure"] == "packets take 700 ms there and back"
    assert not poor(0, 100, round_trip_ms=300)
    assert not poor(0, 100, round_trip_ms=700, samples=1)  # the acknowledgement may be what the capture lacks


def test_figures_of_delayed_acknowledgements() -> None:
    def change(facts: SideFacts) -> None:
        for _ in range(5):
            facts.add_stall(spell(0.2))

    (hit,) = nagle_delayed_ack.hits(session(SESSION, client=change))
    assert (hit.values["count"], hit.values["each"], hit.values["total"]) == (5, "200 ms", "1.0 s")


@pytest.mark.parametrize(("unheld", "found"), [(1, 1), (2, 0)])
def test_who_holds_nothing_back_only_writes_at_that_pace(unheld: int, found: int) -> None:
    def change(facts: SideFacts) -> None:
        facts.unheld = unheld
        for _ in range(5):
            facts.add_stall(spell(0.04))

    assert len(list(nagle_delayed_ack.hits(session(SESSION, client=change)))) == found


# ---------------------------------------------------------------- the root cause

FIRST = {
    "half-open-forgotten-by-a-nat": ("half-open", {"pong-missing"}),
    "ping-missing-network-gone": ("half-open", {"ping-missing"}),
    "zero-window-until-ping-timeout": ("zero-window", {"pong-missing"}),
    "loss-latency-lossy-wire": ("loss-latency", {heartbeat_slow.name}),
    "tcp-reset-firewall": ("tcp-reset", {"ws-abnormal-close"}),
}


@pytest.mark.parametrize("stem", FIRST)
def test_the_network_comes_first(stem: str) -> None:
    first = report_of(RECORDED / "faulty" / f"{stem}.pcap").diagnoses[0]
    assert (first.finding.name, {finding.name for finding in first.consequences}) == FIRST[stem]
