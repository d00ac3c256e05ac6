"""What is recorded of a namespace: second CONNECTs, events outside, departures, the Admin UI, recovery."""

import pytest

from eiosniff.decode.sessions import recoveries
from eiosniff.model.departures import NotRecovered
from eiosniff.model.provenance import Side
from eiosniff.model.session import MAX_NAME, Namespace
from tests.unit.decode.talk_sessions import JOINED, WEBSOCKET, Talk, played, repeated

PUBLIC_EVENTS = 'w< 42["news",1]\n'


def namespace(*parts: str, name: str = "/") -> Namespace:
    return played(WEBSOCKET, *parts).session.namespaces[name]


# ---------------------------------------------------------------- CONNECT


def test_a_second_connect_and_what_the_server_says_to_it() -> None:
    found = namespace(JOINED, "w> 40", 'w< 40{"sid":"y"}')
    assert (found.connect, found.doubled, found.double_answer) != (None, None, None)
    assert found.doubled is not None
    assert found.double_answer is not None
    assert [place.number for place in (found.doubled, found.double_answer)] == [6, 7]
    assert not found.double_refused
    assert found.connects == 2


def test_an_answer_to_the_first_connect_is_none_to_the_second() -> None:
    found = namespace("w> 40", "w> 40", 'w< 40{"sid":"x"}')
    assert found.doubled is not None
    assert found.double_answer is None


def test_a_refusal_of_the_second_connect_leaves_the_client_in() -> None:
    found = namespace(JOINED, "w> 40", 'w< 44"Unable to connect"')
    assert found.double_refused
    assert found.refused is None


def test_where_the_credentials_of_a_connect_are() -> None:
    assert namespace('w> 40{"token":"x"}').auth_in_query is False
    behind = namespace("w> 40/a?token=x,", name="/a")
    assert (behind.auth_in_query, behind.auth_keys) == (True, ("token",))


# ---------------------------------------------------------------- events


def test_events_before_and_after_a_stay_are_kept_apart() -> None:
    found = namespace('w> 42["a"]', JOINED, 'w> 42["b"]', "w> 41", 'w> 42["c"]\nw> 42["d"]')
    assert [place.number for place in found.early_events] == [4]
    assert found.outside_events is not None
    assert [place.number for place in found.outside_events] == [9, 10]
    assert found.events == 4


def test_a_stay_has_no_events_outside() -> None:
    found = namespace(JOINED, 'w> 42["a"]\nw< 42["b"]')
    assert found.outside_events is None
    assert found.last_event is not None
    assert found.last_event.number == 7


@pytest.mark.parametrize(("before", "seen"), [(0, True), (7, True), (8, False)])
def test_the_admin_ui_shows_itself_early(before: int, seen: bool) -> None:
    found = namespace(JOINED, PUBLIC_EVENTS * before, 'w< 42["server_stats",{"serverId":"a","pid":7}]')
    assert (found.admin_event is not None) is seen


def test_a_client_that_sends_such_an_event_shows_no_admin_ui() -> None:
    assert namespace(JOINED, 'w> 42["server_stats",{"serverId":"a"}]').admin_event is None


@pytest.mark.parametrize(
    "event", ['"socket_connected","a"', '"all_sockets",[]', '"server_stats",{}', '"config",{"a":1}']
)
def test_an_application_may_have_events_of_the_same_names(event: str) -> None:
    assert namespace(JOINED, f"w< 42[{event}]").admin_event is None


# ---------------------------------------------------------------- departures


def test_how_the_server_throws_a_client_out() -> None:
    talk = played(WEBSOCKET, JOINED, 'w> 40/a,\nw< 40/a,{"sid":"y"}', "+ 2\nw< 41/a,\nw> 40/a,")
    kicks = talk.session.client.kicks
    assert kicks is not None
    assert kicks.count == 1
    kick = kicks.first[0]
    assert kick.namespace == "/a"
    assert not kick.alone
    assert not kick.overdue
    assert kick.back is not None
    assert kick.stayed_ns is not None
    assert 2.0 <= kick.stayed_ns / 1e9 < 2.1


def test_the_last_namespace_is_left_alone() -> None:
    kicks = played(WEBSOCKET, JOINED, "w< 41").session.client.kicks
    assert kicks is not None
    assert kicks.first[0].alone


@pytest.mark.parametrize("late", [False, True])
def test_a_ping_that_waits_is_overdue_at_the_goodbye(late: bool) -> None:
    kicks = played(WEBSOCKET, JOINED, "+ 25\nw< 2\n+ 20\nw< 41", late=late).session.client.kicks
    assert kicks is not None
    assert kicks.first[0].overdue


def test_who_leaves_is_not_thrown_out() -> None:
    session = played(WEBSOCKET, JOINED, "w> 41\nw< 41").session
    assert session.client.kicks is None
    assert session.namespaces["/"].kick is None
    assert session.namespaces["/"].disconnected_by is Side.SERVER  # the last word


@pytest.mark.parametrize("goodbye", ["close 1001", "FIN", "RST"])
def test_a_goodbye_to_a_client_that_is_gone_throws_nobody_out(goodbye: str) -> None:
    assert played(WEBSOCKET, JOINED, f"w> {goodbye}\nw< 41").session.client.kicks is None


# ---------------------------------------------------------------- recovery

LIFE = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"


def test_servers_that_nobody_asks_have_no_figures() -> None:
    assert played(WEBSOCKET, 'w> 40\nw< 40{"sid":"x","pid":"P"}').session.server.recovery is None


def test_what_is_recovered_and_what_not_is_counted() -> None:
    talk = Talk()
    talk.play(repeated(LIFE, [1]) + 'w1> 40\nw1< 40{"sid":"x","pid":"P"}\nw1< 42["a","o1"]\nw1< close\n')
    talk.play(repeated(LIFE, [2]) + 'w2> 40{"pid":"P","offset":"o1"}\nw2< 40{"sid":"x","pid":"P"}\nw2< close\n')
    talk.play(repeated(LIFE, [3]) + 'w3> 40{"pid":"P","offset":"o1"}\nw3< 40{"sid":"y","pid":"Q"}\n')
    recovery = talk.close().sessions.sessions[0].server.recovery
    assert recovery is not None
    assert (recovery.asked, recovery.recovered) == (2, 1)
    assert list(recovery.failures) == [NotRecovered.UNTOLD]
    (failure,) = recovery.failures[NotRecovered.UNTOLD]
    assert failure.namespace == "/"
    assert failure.away_ns is not None
    assert failure.idle_ns is None  # the session that was recovered had no event of its own
    assert failure.lost is not None


@pytest.mark.interpreted
def test_a_server_that_gives_one_session_key_after_key_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recoveries, "_MAX_OFFERS", 20)
    monkeypatch.setattr(recoveries, "_MAX_OFFERS_OF_SESSION", 10)
    ledgers = recoveries.Recoveries()
    session = played(WEBSOCKET, JOINED).session
    for number in range(500):
        ledgers.answered(session, session.namespaces["/"], None, f"P{number}")
    assert len(ledgers._of_session[session]) == 10
    assert len(ledgers._offers) == 20
    ledgers.forget(session)
    assert not ledgers._of_session


def test_keys_are_cut() -> None:
    long = "P" * 5000
    talk = Talk()
    talk.play(repeated(LIFE, [1]) + f'w1> 40\nw1< 40{{"sid":"x","pid":"{long}"}}\nw1< 42["a","o1"]\nw1< close\n')
    asks, gets = f'40{{"pid":"{long}","offset":"o1"}}', f'40{{"sid":"x","pid":"{long}"}}'
    talk.play(repeated(LIFE, [2]) + f"w2> {asks}\nw2< {gets}\n")
    recovery = talk.close().sessions.sessions[0].server.recovery
    assert recovery is not None
    assert recovery.recovered == 1
    assert max(map(len, talk.sessions._openings.peers.recoveries._offers)) <= MAX_NAME


@pytest.mark.interpreted
def test_no_more_keys_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recoveries, "_MAX_OFFERS", 2)
    talk = Talk()
    for number in range(4):
        talk.play(repeated(LIFE, [number]) + f'w{number}> 40\nw{number}< 40{{"sid":"x","pid":"P{number}"}}\n')
    talk.play(repeated(LIFE, [9]) + 'w9> 40{"pid":"P0","offset":"o"}\nw9< 40{"sid":"y","pid":"Q"}\n')
    recovery = talk.close().sessions.sessions[0].server.recovery
    assert recovery is not None
    assert list(recovery.failures) == [NotRecovered.UNKNOWN_SESSION]
