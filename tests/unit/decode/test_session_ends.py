"""How a session ends, as far as it tells whose fault that is: acknowledgements of the end, and what comes after it."""

import pytest

from eiosniff.model.provenance import Side
from eiosniff.model.session import Closing
from tests.cases import RECORDED, report_of
from tests.unit.decode.talk_sessions import Talk, played

OPEN = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\n"
BEAT = "+ 25\nw< 2\nw> 3\n"


def test_what_is_said_after_the_end_is_counted_but_is_no_heartbeat() -> None:
    session = played(OPEN + BEAT + "+ 25\nw< 2\n+ 20\nw< close\nw> 3\nw< 2\nw> 41").session
    beats = session.heartbeats
    assert (beats.pings, beats.pongs, beats.delays.count) == (2, 1, 1)
    assert beats.pending is beats.last
    assert session.engineio_counts[Side.CLIENT]["pong"] == 2


def test_the_last_packet_of_a_side_is_that_before_the_end() -> None:
    heard = played(OPEN + "w> 40\nw< close\nw> 41").session.last_from[Side.CLIENT]
    assert heard is not None
    assert heard.number == 4


def test_a_side_that_spoke_only_after_the_end_spoke() -> None:
    heard = played(OPEN + "w< close\nw> 41").session.last_from[Side.CLIENT]
    assert heard is not None
    assert heard.number == 5


@pytest.mark.parametrize(
    ("end", "asked"),
    [
        ("+ 30\nw> close", True),
        ("+ 30\nw< close 1000", True),
        ("+ 30\nw< 1", True),
        ("+ 20\nw> close", False),  # no ping was due
        ("+ 30\nw> FIN", False),
    ],
)
def test_tcp_is_asked_whether_an_end_arrived_when_a_ping_was_due(end: str, asked: bool) -> None:
    talk = Talk().play(OPEN + end)
    assert [isinstance(watched, Closing) for watched in talk.watched] == [True] * asked
    talk.acknowledge()
    closing = talk.close().session.closing
    assert closing is not None
    assert (closing.acked is not None) == asked


@pytest.mark.parametrize(
    ("stem", "closed", "acked"),
    [
        ("ping-missing-server-frozen", 17, 18),
        ("eio3-no-client-ping-client-frozen", 15, 16),
        ("ping-missing-network-gone", 17, None),
        ("eio3-no-client-ping-network-gone", 15, None),
    ],
)
def test_recordings_show_whether_the_end_arrived(stem: str, closed: int, acked: int | None) -> None:
    (session,) = report_of(RECORDED / "faulty" / f"{stem}.pcap").sessions
    closing = session.closing
    assert closing is not None
    assert closing.place.number == closed
    assert (closing.acked.number if closing.acked else None) == acked
    assert (session.repeats[closing.side] >= 2) == (acked is None)
