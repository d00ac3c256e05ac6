"""What the sessions of one server do together, and what a client has at the same time, in their ledgers."""

import pytest

from eiosniff.model.fleet import MAX_BURSTS, MAX_CUTS, MAX_HOWS, Burst, Cut, Fleet
from eiosniff.model.provenance import CLIENT, SERVER
from eiosniff.model.session import CloseHow
from tests.unit.decode.talk_sessions import SECOND, Talk, played, repeated
from tests.unit.decode.talk_sessions import SERVER as THERE

OPEN = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"
JOIN = 'w#> 40\nw#< 40{"sid":"x"}\n'
POLLS = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\na#> GET EIO=4&transport=polling&sid=S#\n"


def fleet(talk: Talk) -> Fleet:
    return talk.sessions.servers[THERE].fleet


def sessions(count: int, begin: str = OPEN + JOIN) -> str:
    return repeated(begin, range(count)) + "\n"


def figures(fleet: Fleet) -> tuple[object, ...]:
    """What is known of a fleet, in a form that can be compared."""
    cuts = [(cut.place.number, cut.silence_ns, cut.age_ns, cut.how, cut.side) for cut in fleet.cuts]
    bursts = [(burst.first.number, burst.count, burst.alive, burst.hows, len(burst.arrivals)) for burst in fleet.bursts]
    return fleet.ended, fleet.cut_count, cuts, bursts


# ---------------------------------------------------------------- cuts


def the_cut(*script: str) -> Cut:
    (cut,) = fleet(played(repeated("".join(script), [1]))).cuts
    return cut


def test_a_cut_knows_how_long_nothing_was_said_and_how_old_it_was() -> None:
    cut = the_cut(OPEN, JOIN, '+ 3\nw#> 42["a"]\n+ 7\nw#< FIN')
    assert cut.silence_ns // SECOND == 7
    assert cut.age_ns // SECOND == 10
    assert cut.survived_ns // SECOND == 3
    assert (cut.side, cut.how, cut.poll, cut.overdue) == (SERVER, CloseHow.FIN, False, False)
    assert cut.interval_ns == 25 * SECOND


def test_a_control_frame_of_websocket_breaks_the_silence() -> None:
    cut = the_cut(OPEN, JOIN, "+ 6\nw#> PING\nw#< PONG\n+ 4\nw#< RST")
    assert cut.silence_ns // SECOND == 4


def test_the_silence_of_a_poll_begins_with_its_request() -> None:
    cut = the_cut(POLLS, "+ 20\na#< RST")
    assert (cut.poll, cut.silence_ns // SECOND) == (True, 20)


@pytest.mark.parametrize(
    "end",
    ["w#> 41\nw#> FIN", "w#< close\nw#< FIN", "w#< close 1000\nw#< FIN", "w#> close 1001\nw#> FIN", "w#< 1\nw#< FIN"],
)
def test_a_goodbye_is_no_cut(end: str) -> None:
    assert not fleet(played(repeated(f"{OPEN}{JOIN}+ 5\n{end}", [1]))).cuts


def test_a_close_frame_that_says_going_away_is_one() -> None:
    assert the_cut(OPEN, JOIN, "+ 600\nw#< close 1001\nw#< FIN").how is CloseHow.WS_CLOSE


def test_a_cut_is_overdue_where_the_heartbeat_failed() -> None:
    assert the_cut(OPEN, JOIN, "+ 28\nw#< FIN").overdue  # a ping was due after 25 s
    assert the_cut(OPEN, JOIN, "+ 25\nw#< 2\n+ 20\nw#< FIN").overdue  # and its pong after 20 s
    assert not the_cut(OPEN, JOIN, "+ 25\nw#< 2\nw#> 3\n+ 20\nw#< FIN").overdue


def test_what_the_capture_lacks_is_no_cut() -> None:
    assert not fleet(played(repeated(f"{OPEN}{JOIN}w#! server\n+ 5\nw#< FIN", [1]))).cuts


def test_cuts_are_capped_and_counted() -> None:
    found = fleet(played(repeated(OPEN + JOIN + "+ 3\nw#< FIN\n", range(MAX_CUTS + 10))))
    assert (len(found.cuts), found.cut_count, found.ended) == (MAX_CUTS, MAX_CUTS + 10, MAX_CUTS + 10)
    assert len(found.bursts) == MAX_BURSTS


# ---------------------------------------------------------------- many at once


def the_burst(script: str) -> Burst:
    (burst,) = fleet(played(script)).bursts
    return burst


def test_sessions_that_end_together_are_one_burst() -> None:
    burst = the_burst(sessions(6) + "+ 5\n" + repeated("w#< FIN", range(2)) + "\n+ 1\n" + repeated("w#< RST", [2, 3]))
    assert (burst.count, burst.alive, burst.cut) == (4, 6, 4)
    assert burst.hows == {"TCP FIN": 2, "TCP RST": 2}
    assert burst.longest_silence_ns > burst.shortest_silence_ns > 5 * SECOND


def test_ways_to_end_are_capped() -> None:
    closes = "\n".join(f"w{at}#< close {3000 + at}".replace("#", "") for at in range(20))
    burst = the_burst(sessions(20) + "+ 5\n" + closes)
    assert len(burst.hows) == MAX_HOWS + 1
    assert sum(burst.hows.values()) == burst.count == 20


def test_sessions_that_end_one_by_one_are_not() -> None:
    talk = played(sessions(3) + repeated("+ 3\nw#< FIN", range(3)))
    assert [burst.count for burst in fleet(talk).bursts] == [1, 1, 1]
    assert [burst.alive for burst in fleet(talk).bursts] == [3, 2, 1]


def test_a_session_that_began_after_the_first_end_does_not_belong_to_it() -> None:
    talk = played(repeated(OPEN + JOIN + "w#< close\nw#< FIN\n+ 0.3", range(5)))
    assert [burst.count for burst in fleet(talk).bursts] == [1] * 5


def test_polls_that_are_cut_belong_to_a_burst() -> None:
    burst = the_burst(sessions(3, POLLS) + "+ 5\n" + repeated("a#< FIN", range(3)))
    assert (burst.count, burst.alive, burst.cut) == (3, 3, 3)


def test_the_largest_bursts_are_kept() -> None:
    many = sessions(40) + repeated("+ 3\nw#< FIN", range(20)) + "\n+ 3\n" + repeated("w#< FIN", range(20, 40))
    talk = played(many + "\n" + repeated(OPEN + JOIN + "+ 3\nw#< FIN", range(40, 60)))
    assert len(fleet(talk).bursts) == MAX_BURSTS
    assert max(burst.count for burst in fleet(talk).bursts) == 20


def test_handshakes_that_follow_are_noted() -> None:
    ends = sessions(3) + "+ 5\n" + repeated("w#< FIN", range(3)) + "\n+ 1\n"
    assert len(the_burst(ends + repeated(OPEN, [7, 8])).arrivals) == 2
    assert len(the_burst(ends + "+ 60\n" + repeated(OPEN, [7, 8])).arrivals) == 0


@pytest.mark.parametrize("most", [1, 10_000])
@pytest.mark.parametrize("late", [False, True])
def test_nothing_depends_on_batches_or_on_when_sessions_are_let_go(most: int, late: bool) -> None:
    script = sessions(6) + "+ 5\n" + repeated("w#< FIN", range(4)) + "\n+ 1\n" + sessions(3, POLLS)
    script += "+ 3\n" + repeated("a#< RST", range(2)) + "\n" + repeated(OPEN + "+ 9\nw#< FIN\n+ 1", [7, 8, 9])
    whole = fleet(played(script))
    assert figures(fleet(played(script, late=late, most=most))) == figures(whole)


def test_sessions_that_the_server_gives_up_are_counted() -> None:
    left = OPEN + JOIN + "+ 25\nw#< 2\n+ 20\nw#< close\nw#< FIN\n"
    frozen_first = fleet(played(repeated(left, range(3)) + "\n" + repeated(OPEN + JOIN + "w#> 41\nw#> FIN", [7])))
    assert frozen_first.abandoned is not None
    assert (frozen_first.abandoned.count, frozen_first.ended) == (3, 4)


# ---------------------------------------------------------------- of one client


def test_a_websocket_that_the_client_drops_counts_if_it_comes_back() -> None:
    dropped = OPEN + JOIN + "+ 2\nw#> FIN\nw#< FIN\n"
    (client,) = played(repeated(dropped + "+ 5", range(3))).sessions.clients.values()
    assert client.losses is not None
    assert client.losses.by[CLIENT].count == 2  # it did not come back from the last one
    assert all(loss.back is not None for loss in client.losses.by[CLIENT])
    (client,) = played(repeated(dropped + "+ 90", range(2))).sessions.clients.values()
    assert client.losses is not None
    assert not client.losses.by[CLIENT]


def test_sessions_at_the_same_time_are_noted_with_their_ends() -> None:
    script = sessions(3) + "+ 1\n" + repeated("w#> FIN\nw#< FIN", range(3))
    for most in (1, 10_000):
        (client,) = played(script + "\n+ 1\n" + repeated(OPEN, [7]), most=most).sessions.clients.values()
        company = client.company
        assert company is not None
        assert [stay.alive for stay in company.stays] == [1, 2, 3]
        assert [stay.by for stay in company.stays] == [CLIENT] * 3
        assert company.peak == 3
        assert company.stays[0].namespaces == ("/",)


def test_sessions_one_after_the_other_are_no_company() -> None:
    (client,) = played(repeated(OPEN + JOIN + "w#> close\nw#> FIN\nw#< FIN", range(3))).sessions.clients.values()
    assert client.company is None


def test_a_session_over_polling_that_nobody_uses_any_more_is_not_alive() -> None:
    talk = played(repeated(POLLS.partition("a#> GET EIO=4&transport=polling&sid")[0] + "+ 50", range(3)))
    (client,) = talk.sessions.clients.values()
    assert client.company is None
