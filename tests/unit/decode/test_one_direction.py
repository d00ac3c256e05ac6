"""Captures that hold only what one side sends."""

import pytest

from eiosniff.model.attempt import Outcome
from eiosniff.model.provenance import PacketRef, Side
from tests.unit.decode.talk_sessions import Talk, played

POLL = "EIO=4&transport=polling"


def _one_sided(*names: str, syn: bool) -> Talk:
    """Connections of which the client's side is there, perhaps with its SYN."""
    talk = Talk()
    for name in names:
        talk.connect(name)
        flow = talk.wires[name].conversation.flow
        flow.heard = 1
        flow.client = 0
        if syn:
            flow.directions[0].syn = PacketRef(1, talk.now)
    return talk


@pytest.mark.parametrize("syn", [True, False])
def test_requests_without_their_answers(syn: bool) -> None:
    talk = _one_sided("a", "b", syn=syn)
    talk.play(f"""
        a> GET {POLL}
        b> POST {POLL}&sid=S 40
        b> POST {POLL}&sid=S 42["one"]
        b> GET {POLL}&sid=S
        b> POST {POLL}&sid=S 42["two"]
    """)
    session = talk.close().session
    assert (session.sid, session.midstream, session.one_direction) == ("S", True, True)
    assert session.socketio_counts == [{"CONNECT": 1, "EVENT": 2}, {}]
    assert [packet.packets for packet in talk.heard] == [(2,), (3,), (5,)]  # in the order of the capture
    (attempts,) = next(iter(talk.sessions.clients.values())).attempts.values()
    assert attempts.first[0].outcome is (Outcome.UNSEEN if syn else Outcome.UNANSWERED)


def test_a_session_of_which_only_the_answers_are_there() -> None:
    talk = Talk()
    for name in "abcd":
        talk.connect(name)
        talk.wires[name].conversation.flow.heard = 2
    talk.play("""
        a< 200 open:S
        b< 200 ok
        c< 200 40{"sid":"x"}~42["hello"]
        d< 101
        d< 3probe
        d< 42["over WebSocket"]
    """)
    session = talk.close().session
    assert (session.sid, session.midstream) == ("S", True)
    assert session.socketio_counts == [{}, {"CONNECT": 1, "EVENT": 2}]
    assert [use.stream for use in session.connections] == [0, 2, 3]


def test_answers_of_something_else_are_no_session() -> None:
    talk = Talk()
    talk.connect("a")
    talk.play("""
        a< 200 2
        a< 200 404 page not found
        a< 200 {"sid":"S"}
        a< 200 6
    """)
    assert not talk.close().sessions.sessions


def test_rules_that_need_both_sides_are_silent() -> None:
    talk = Talk()
    talk.connect("w")
    talk.wires["w"].conversation.flow.heard = 2
    talk.play("""
        w< 101
        w< open:S
        + 25
        w< 2
        + 20
        w< close
    """)
    assert talk.session.heartbeats.pings == 1
    assert talk.names() == []
    assert talk.session.last_from[Side.CLIENT] is None


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_without_its_request_is_not_that_to_the_upgrade_behind_it(late: bool) -> None:
    talk = played(
        "a! client\na< 200 open:S\na> WS EIO=4&transport=websocket&sid=S\na< 101\na> 2probe\na< 3probe\na> 5\na> 40",
        late=late,
    )
    assert talk.session.engineio_counts == [{"ping": 1, "upgrade": 1, "message": 1}, {"open": 1, "pong": 1}]
    (attempted,) = talk.session.upgrades
    assert attempted.confirmed is not None


def test_an_answer_whose_request_is_missing_belongs_to_the_session_that_waits_for_one() -> None:
    talk = played(
        "a> GET EIO=4&transport=polling\na< 200 open:S\nb> POST EIO=4&transport=polling&sid=S 40\nb< 200 ok",
        'c! client\nc< 200 40{"sid":"x"}\nb> POST EIO=4&transport=polling&sid=S 42["early?"]\nb< 200 ok',
    )
    assert talk.session.socketio_counts == [{"CONNECT": 1, "EVENT": 1}, {"CONNECT": 1}]
    assert talk.session.gaps
    assert talk.names() == []


def test_an_answer_to_a_post_that_is_missing_is_no_packet() -> None:
    talk = played(
        "a> GET EIO=4&transport=polling\na< 200 open:S\na> GET EIO=4&transport=polling&sid=S\na< 200 6",
        "a! client\na< 200 OK",
    )
    assert talk.session.engineio_counts == [{}, {"open": 1, "noop": 1}]
    assert talk.names() == []


def test_a_handshake_whose_answer_may_be_missing_is_not_unanswered() -> None:
    talk = played("w> WS EIO=4&transport=websocket\nw! server\n+ 1\nw< FIN\nw> FIN")
    (client,) = talk.sessions.clients.values()
    (group,) = client.attempts.values()
    assert group.first[0].outcome is Outcome.UNSEEN
