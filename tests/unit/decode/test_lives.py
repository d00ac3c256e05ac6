"""Chains of lives: what a reconnect loop is made of, and what is none."""

import pytest

from eiosniff.decode.sessions.lives import LOOPS_KEPT
from eiosniff.model.peers import Client, Loop
from tests.unit.decode.talk_sessions import SECOND, Talk, played, repeated

TRY = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"
LOST = TRY + "w#< close\nw#< FIN\nw#> FIN\n"
REFUSED = 'a#> GET EIO=3&transport=polling\na#< 400 {"code":5,"message":"Unsupported protocol version"}\n'
POLLED = "a#> GET EIO=4&transport=polling\na#< 200 open:S#\na#> FIN\na#< FIN\n"


def _client(talk: Talk) -> Client:
    (client,) = talk.sessions.clients.values()
    return client


def _loops(script: str, times: int) -> list[Loop]:
    return _client(played(repeated(script, range(times)))).loops


@pytest.mark.parametrize(
    ("script", "lives"),
    [
        (LOST + "+ 1", 4),
        (REFUSED + "+ 1", 4),
        (POLLED + "+ 1", 3),  # nothing ends the last one within the capture
        (TRY + "+ 5\nw#< RST\n+ 1", 4),
        ("w#> WS EIO=4&transport=websocket\nw#< 101\n+ 20\nw#> close\nw#> FIN\nw#< FIN\n+ 1", 4),
        ("a#> GET EIO=4&transport=polling\na#< RST\n+ 1", 4),
        (TRY + "+ 110\nw#< close\n+ 1", 4),
        (LOST + "+ 59", 4),
    ],
)
def test_lives_that_follow_each_other_are_a_loop(script: str, lives: int) -> None:
    (loop,) = _loops(script, 4)
    assert loop.lives.count == lives
    assert loop.pauses.count == lives - 1
    assert loop.lengths.count == lives


@pytest.mark.parametrize(
    "script",
    [
        TRY + "w#> 41\nw#> close\n+ 1",
        TRY + "w#> 1\n+ 1",
        TRY + "w#> close 1000\nw#> 41\nw#> 1\nw#> FIN\n+ 1",  # python-socketio
        TRY + "w#> close 1001\nw#> FIN\n+ 1",  # a browser leaves the page
        TRY + "+ 130\nw#< close\n+ 1",  # it was served for minutes
        LOST + "+ 70",  # it came back after a minute
        TRY,  # several at a time: tabs, or clients behind one address
    ],
    ids=["41", "1", "close, then 41", "page left", "long life", "long pause", "at a time"],
)
def test_what_is_no_loop(script: str) -> None:
    assert _loops(script, 4) == []


def test_figures_of_a_loop() -> None:
    (loop,) = _loops(TRY + "+ 4.999\nw#< close\n+ 0.999", 5)
    assert loop.lengths.median == 5_002_000_000
    assert loop.pauses.minimum == loop.pauses.maximum == SECOND


def test_a_goodbye_breaks_a_loop_in_two() -> None:
    goodbye = repeated(TRY + "w#> 41\nw#> FIN\n+ 1", [3])
    client = _client(played(repeated(LOST + "+ 1", range(3)), goodbye, repeated(LOST + "+ 1", range(4, 6))))
    assert [loop.lives.count for loop in client.loops] == [3, 2]


def test_only_the_longest_loops_are_kept() -> None:
    talk = Talk()
    for number in range(8):
        first = 100 * number
        talk.play(repeated(LOST + "+ 1", range(first, first + 2 + number)) + "\n+ 100")
    assert [loop.lives.count for loop in _client(talk.close()).loops] == [9, 8, 7, 6][:LOOPS_KEPT]


def test_a_session_that_is_refused_is_no_orderly_end() -> None:
    script = POLLED.replace("a#> FIN\na#< FIN\n", "") + (
        'a#> GET EIO=4&transport=polling&sid=S#\na#< 400 {"code":1,"message":"Session ID unknown"}\n'
        "a#> POST EIO=4&transport=polling&sid=S# 1\na#< 400\n+ 1\n"
    )
    (loop,) = _loops(script, 4)
    assert loop.lives.count == 4


@pytest.mark.parametrize(
    "asked",
    ["a> GET EIO=4&transport=polling", "w> WS EIO=4&transport=websocket", "w> WS EIO=4&transport=websocket\nw< 101"],
)
def test_an_attempt_that_still_waits_for_its_answer_is_no_life(asked: str) -> None:
    """Judged in the middle of a capture, it would make a loop of two lives and a session that is about to stay."""
    (loop,) = _client(played(repeated(REFUSED + "+ 1", range(2)) + f"\n{asked}")).loops
    assert loop.lives.count == 2
