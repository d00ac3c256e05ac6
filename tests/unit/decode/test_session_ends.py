"""Who ended a session and how, and what tells whose fault it is: acknowledgements of the end, what comes after it."""

from collections.abc import Callable

import pytest

from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Closing
from tests.cases import RECORDED, report_of
from tests.unit.decode.talk_sessions import JOINED, POLL, POLLING, POST, UPGRADED, WEBSOCKET, Talk, played

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


# ---------------------------------------------------------------------- who ended it

SCRIPTS_OF_ENDS = [
    # what happens after a WebSocket session was joined; who ended it, how, was it orderly
    ("w> close 1000", Side.CLIENT, CloseHow.WS_CLOSE, False),
    ("w< close", Side.SERVER, CloseHow.WS_CLOSE, False),
    ("w< close\nw> close\nw> FIN\nw< FIN", Side.SERVER, CloseHow.WS_CLOSE, False),
    ("w< FIN\nw> FIN", Side.SERVER, CloseHow.FIN, False),
    ("w> FIN\nw< FIN", Side.CLIENT, CloseHow.FIN, False),
    ("w> RST", Side.CLIENT, CloseHow.RST, False),
    ("w< RST", Side.SERVER, CloseHow.RST, False),
    ("w> 41\nw> close", Side.CLIENT, CloseHow.WS_CLOSE, True),
    ("w> 1\nw< FIN", Side.CLIENT, CloseHow.EIO_CLOSE, True),
    ("w< 1\nw> FIN", Side.SERVER, CloseHow.EIO_CLOSE, True),
    # python-socketio's client says goodbye after its close frame
    ("w> close 1000\nw> 41\nw> 1\nw> FIN", Side.CLIENT, CloseHow.WS_CLOSE, True),
    # the peer of one that said goodbye only hangs up
    ("w> 41\nw< FIN", Side.CLIENT, CloseHow.DISCONNECT, True),
    ("w< 41\nw> close 1005", Side.SERVER, CloseHow.DISCONNECT, True),
    # leaving one namespace of two, or joining again, is no goodbye
    ('w> 40/b,\nw< 40/b,{"sid":"y"}\nw> 41/b,\nw< FIN', Side.SERVER, CloseHow.FIN, False),
    ('w> 41\nw> 40\nw< 40{"sid":"z"}\nw> RST', Side.CLIENT, CloseHow.RST, False),
]


@pytest.mark.parametrize(("script", "side", "how", "orderly"), SCRIPTS_OF_ENDS)
@pytest.mark.parametrize("beginning", [WEBSOCKET, UPGRADED], ids=["websocket", "upgraded"])
def test_end_of_a_session_on_websocket(
    play: Callable[..., Talk], beginning: str, script: str, side: Side, how: CloseHow, orderly: bool
) -> None:
    closing = play(beginning, JOINED, script).session.closing
    assert closing is not None
    assert (closing.side, closing.how, closing.after_goodbye) == (side, how, orderly)


@pytest.mark.parametrize("beginning", [WEBSOCKET, UPGRADED], ids=["websocket", "upgraded"])
def test_a_close_that_follows_a_goodbye_is_at_the_goodbye(beginning: str) -> None:
    talk = Talk().play(beginning).play(JOINED).play("w< 41")
    goodbye = talk.number
    closing = talk.play("+ 3\nw> FIN").close().session.closing
    assert closing is not None
    assert closing.place.number == goodbye


@pytest.mark.parametrize(
    ("script", "side", "how"),
    [
        (f"b> POST {POST} 41~1\nb< 200 ok", Side.CLIENT, CloseHow.EIO_CLOSE),
        (f"{POLL}\na< 200 1", Side.SERVER, CloseHow.EIO_CLOSE),
        (f"{POLL}\na< 200 41~1", Side.SERVER, CloseHow.EIO_CLOSE),
        (f"{POLL}\na> FIN\na< FIN", None, None),  # a connection is not the session
        (f"{POLL}\na< RST", None, None),
        ("w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> hello\nw< close\nw< FIN\nw> FIN", None, None),
        ("w> WS EIO=4&transport=websocket&sid=S\nw< 400 Bad request\nw< FIN", None, None),
        ("w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw> RST", None, None),
    ],
)
def test_end_of_a_session_over_polling(
    play: Callable[..., Talk], script: str, side: Side | None, how: CloseHow | None
) -> None:
    closing = play(POLLING, script).session.closing
    assert (closing and closing.side, closing and closing.how) == (side, how)


def test_a_second_upgrade_that_the_server_closes_does_not_end_the_session() -> None:
    session = played(
        UPGRADED, "x> WS EIO=4&transport=websocket&sid=S\nx< 101\nx> 2probe\nx< close\nx< FIN\nx> FIN", "w< 2\nw> 3"
    ).session
    assert session.closing is None
