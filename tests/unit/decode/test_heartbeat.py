"""The heartbeat ledger: which ping a pong answers, pings of the wrong side, revisions that show late."""

import pytest

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Heartbeats
from tests.unit.decode.talk_sessions import MILLISECOND, SECOND, Talk, played, repeated

EIO4 = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S"
EIO3 = EIO4.replace("EIO=4", "EIO=3")
POLLING = "a> GET EIO=4&transport=polling\na< 200 open:S"


def _beats(*scripts: str) -> Heartbeats:
    return played(*scripts).session.heartbeats


@pytest.mark.parametrize(
    ("script", "pings", "pongs", "pending", "overtaken", "wrong"),
    [
        (f"{EIO4}\nw< 2\nw> 3", 1, 1, False, 0, 0),
        (f"{EIO4}\nw< 2", 1, 0, True, 0, 0),
        (f"{EIO4}\nw> 3", 0, 0, False, 0, 0),  # some clients send one as they connect
        (f"{EIO4}\nw> 3\nw< 2\nw> 3", 1, 1, False, 0, 0),
        (f"{EIO4}\nw< 2\nw< 2\nw> 3\nw> 3", 2, 1, False, 1, 0),
        (f"{EIO4}\nw< 2\nw< 2\nw< 2", 3, 0, True, 2, 0),
        (f"{EIO4}\nw> 2", 0, 0, False, 0, 1),
        (f"{EIO4}\nw< 2\nw> 3\nw> 2\nw< 2\nw> 3", 2, 2, False, 0, 1),
        (f"{EIO3}\nw> 2\nw< 3", 1, 1, False, 0, 0),
        (f"{EIO3}\nw> 2", 1, 0, True, 0, 0),
        (f"{EIO3}\nw> 2\nw> 2\nw< 3", 2, 1, False, 1, 0),
        # EIO=3 at socket.io 3.0: only the server's own ping shows that it speaks revision 4
        (f"{EIO3}\nw< 2", 1, 0, True, 0, 0),
        (f"{EIO3}\nw> 2\nw< 2", 1, 0, True, 0, 1),
        # netty-socketio frames like revision 4 and beats like revision 3
        ("a> GET EIO=3&transport=polling\na< 200 open:S\na> POST EIO=3&transport=polling&sid=S 2\na< 200 ok\n"
         "a> GET EIO=3&transport=polling&sid=S\na< 200 3", 1, 1, False, 0, 0),
    ],
)  # fmt: skip
def test_pings_and_pongs(script: str, pings: int, pongs: int, pending: bool, overtaken: int, wrong: int) -> None:
    beats = _beats(script)
    assert (beats.pings, beats.pongs, beats.unanswered.count, beats.reversed.count) == (pings, pongs, overtaken, wrong)
    assert (beats.pending is not None) is pending


@pytest.mark.parametrize(
    "probe", ["w> 2probe\nw< 3probe\nw> 5", "w> 2probe\nw> 5\nw< 3probe", "w> 2probe\nw< 3probe\nw> 5\nw< 6"]
)
def test_the_upgrade_probe_is_no_heartbeat(probe: str) -> None:
    beats = _beats(POLLING, f"w> WS EIO=4&transport=websocket&sid=S\nw< 101\n{probe}")
    assert (beats.pings, beats.pongs, beats.reversed.count) == (0, 0, 0)


def test_delays_and_pauses() -> None:
    beats = _beats(EIO4, "+ 24.999\nw< 2\n+ 1.999\nw> 3\n+ 22.999\nw< 2\nw> 3")
    assert beats.delays.maximum == 2 * SECOND
    assert beats.delays.minimum == MILLISECOND
    assert beats.pauses.minimum == beats.pauses.maximum == 25 * SECOND
    assert beats.slowest is not None
    assert beats.slowest.delay_ns == 2 * SECOND
    assert beats.slowest.ping.number == 4


def test_the_oldest_ping_is_the_one_that_waits() -> None:
    beats = _beats(EIO4, "w< 2\n+ 25\nw< 2\n+ 25\nw< 2")
    assert beats.pending is not None
    assert beats.pending.ping.number == 4


def test_acknowledgements_by_tcp_are_asked_for_each_ping() -> None:
    talk = Talk().play(EIO4).play("w< 2\nw> 3\nw> 2")
    beats = talk.close().session.heartbeats
    assert talk.watched == [beats.last, beats.reversed.last]
    assert [beat.side for beat in talk.watched] == [Side.SERVER, Side.CLIENT]


def test_an_acknowledgement_is_kept_only_as_long_as_there_is_no_pong() -> None:
    talk = Talk().play(EIO4).play("w< 2\nw< 2")
    for beat in talk.watched:
        beat.ping_acked = PacketRef(99, 0)
    talk.play("w> 3")
    answered, waiting = talk.watched
    assert (answered.ping_acked, waiting.ping_acked) == (None, PacketRef(99, 0))


def test_a_long_session_keeps_no_more_than_a_short_one() -> None:
    beats = _beats(EIO4, repeated("+ 25\nw< 2\nw> 3\nw> 2", range(2000)))
    assert (beats.pings, beats.reversed.count) == (2000, 2000)
    assert len(list(beats.reversed)) == 6
    assert not beats.delays._values
