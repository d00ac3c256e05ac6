"""Sessions, clients and servers that are over make room for others, and nothing of them stays."""

import gc
from collections import Counter

import pytest

from eiosniff.decode.sessions.peers import Peers
from eiosniff.decode.sessions.register import Register
from eiosniff.decode.sessions.roster import _MOST_SILENT
from eiosniff.decode.sessions.session_packets import SessionState
from eiosniff.model.peers import Client, Retired, Server
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Connection, Session
from tests.unit.decode.talk_sessions import MILLISECOND, SERVER, Talk, played, repeated

LASTING = "w#> WS EIO=4&transport=websocket\nw#< 101\nw#< open:S#\n"
SHORT = f"{LASTING}w#< close\nw#< FIN\nw#> FIN\n"
ASKED = "p#> GET EIO=4&transport=polling\np#< 200 open:S#\n"
POLLED = f"{ASKED}p#> FIN\np#< FIN\n"
POLL = "p#> GET EIO=4&transport=polling&sid=S#\n"


def _gone(talk: Talk, kind: type = Session) -> list[object]:
    return [retired.ledger for retired in talk.retired if isinstance(retired.ledger, kind)]


def _gone_sids(talk: Talk) -> list[str | None]:
    return [session.sid for session in _gone(talk) if isinstance(session, Session)]


def _kept_sids(talk: Talk) -> list[str | None]:
    return [session.sid for session in talk.sessions.sessions]


# ---------------------------------------------------------------------- sessions


def test_the_oldest_sessions_that_are_over_go() -> None:
    talk = Talk(most=3).play(repeated(SHORT, range(6)))
    assert _gone_sids(talk) == ["S0", "S1", "S2"]
    assert _kept_sids(talk) == ["S3", "S4", "S5"]
    assert [session.index for session in talk.sessions.sessions] == [4, 5, 6]
    assert talk.sessions.total == 6


@pytest.mark.parametrize(
    "script",
    [
        LASTING,  # its WebSocket is open
        f"{LASTING}w#< close",  # it was closed; the other side has not ended yet
        ASKED + POLL,  # a poll is under way
        f"{ASKED}{POLL}p#< 200 6\n{POLL}",
        ASKED,  # it may poll at any moment
    ],
    ids=["WebSocket", "half closed", "poll", "next poll", "between polls"],
)
def test_a_session_that_is_alive_stays(script: str) -> None:
    talk = Talk(most=2).play(repeated(script, ["alive"])).play(repeated(SHORT, range(10)))
    assert _kept_sids(talk)[0] == "Salive"
    assert _gone_sids(talk) == [f"S{number}" for number in range(9)]


@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        (ASKED, 45.1),  # pingInterval and pingTimeout of its handshake have passed: the server has ended it
        (f"{LASTING}w#< close\nw#< FIN\n", 45.1),  # the client has vanished
    ],
)
def test_a_session_that_stays_silent_goes(script: str, seconds: float) -> None:
    talk = Talk(most=1).play(repeated(script, ["silent"]))
    talk.play(f"+ {seconds - 1}").play(repeated(SHORT, [1, 2]))
    assert "Ssilent" not in _gone_sids(talk)
    talk.play("+ 1").play(repeated(SHORT, [3, 4]))
    assert "Ssilent" in _gone_sids(talk)
    assert all(session.observed_until_ns for session in _gone(talk) if isinstance(session, Session))


def test_many_short_sessions_take_bounded_memory() -> None:
    talk = Talk(most=100).play(repeated(SHORT, range(1_000)))
    sessions = talk.sessions
    assert len(sessions.sessions) == 100
    assert len(sessions.clients) == len(sessions.servers) == 1
    assert sessions.total == 1_000 == next(iter(sessions.clients.values())).sessions


@pytest.mark.parametrize("closed", [True, False])
def test_twenty_thousand_sessions_take_bounded_memory(closed: bool) -> None:
    """Those that are never closed are handshakes that never come back."""
    gone: Counter[type] = Counter()

    def retire(retired: Retired) -> None:
        gone[type(retired.ledger)] += 1

    peers = Peers(100, retire)
    register = Register(100, peers, retire)
    for number in range(20_000):
        place = PacketRef(number + 1, number * MILLISECOND)
        connection = Connection(number, Endpoint(f"10.1.{number >> 8}.{number & 255}", 5), SERVER, place, place)
        session = Session(
            register.total + 1, f"S{number}", "/", peers.client(connection, ""), peers.server(SERVER),
            connection.client, place,
        )  # fmt: skip
        session.last = place
        session.closing = Closing(Side.SERVER, CloseHow.FIN, place) if closed else None
        register.add(session, SessionState(session, lambda *_: None, None))
    assert len(register.states) == len(register.by_sid) <= (100 if closed else 100 + _MOST_SILENT)
    assert len(peers.clients) < len(register.states) + 2 * _MOST_SILENT
    assert gone[Session] + len(register.states) == gone[Client] + len(peers.clients) == 20_000


# ---------------------------------------------------------------------- what comes late


def _late(*scripts: str) -> Talk:
    """S0 is let go; then comes a script."""
    talk = Talk(most=1).play(repeated(POLLED + "x#> GET EIO=4&transport=polling&sid=S#\n", [0]))
    talk.play("x0< 200 1\nx0> FIN\nx0< FIN").play(repeated(SHORT, [1]))
    assert _gone_sids(talk) == ["S0"]
    for script in scripts:
        talk.play(script)
    return talk.close()


@pytest.mark.parametrize(
    "script",
    [
        "y> GET EIO=4&transport=polling&sid=S0\ny< 200 6",
        "y> POST EIO=4&transport=polling&sid=S0 41\ny< 200 ok",
        'y> GET EIO=4&transport=polling&sid=S0\ny< 400 {"code":1,"message":"Session ID unknown"}',
        "y> WS EIO=4&transport=websocket&sid=S0\ny< 101\ny> 2probe\ny< 3probe\ny> 5",
    ],
    ids=["poll", "post", "refused", "upgrade"],
)
def test_what_comes_late_for_a_session_that_was_let_go_is_no_session(script: str) -> None:
    talk = _late(script)
    assert talk.sessions.total == 2
    assert talk.names() == []


def test_what_was_in_flight_when_a_session_was_let_go_is_not_counted() -> None:
    talk = Talk(most=1).play(repeated(LASTING, [0])).play("w0< RST").play(repeated(SHORT, [1]))
    (session,) = _gone(talk)
    talk.play('w0> 42["late"]\nw0> zzz\nw0> close\nw0! client').close()
    assert isinstance(session, Session)
    assert session.engineio_counts == [{}, {"open": 1}]
    assert not session.gaps


# ---------------------------------------------------------------------- loops


@pytest.mark.parametrize("script", [SHORT + "+ 1", POLLED + "+ 50", ASKED + "+ 50", LASTING + "+ 2\nw#< RST\n+ 1"])
def test_loops_are_the_same(script: str) -> None:
    def loops(most: int) -> list[tuple[int, int, int]]:
        talk = played(repeated(script, range(6)), most=most)
        (client,) = talk.sessions.clients.values()
        return [(loop.lives.count, loop.lengths.total, loop.pauses.total) for loop in client.loops]

    assert loops(1) == loops(100)
    assert loops(1)


# ---------------------------------------------------------------------- clients and servers


def _visit(talk: Talk, number: int, script: str = SHORT, server: Endpoint = SERVER) -> None:
    for name in ("w", "p"):
        talk.connect(f"{name}{number}", f"10.1.{number // 250}.{number % 250}", server)
    talk.play(repeated(script, [number]))


def test_clients_without_a_session_in_memory_go_after_a_while() -> None:
    talk = Talk(most=2)
    for number in range(6):
        _visit(talk, number)
        talk.play("+ 100")
    addresses = [client.address for client in _gone(talk, Client) if isinstance(client, Client)]
    assert addresses == ["10.1.0.0", "10.1.0.1", "10.1.0.2"]
    assert len(talk.sessions.clients) == 3  # the sessions of the last two are in memory


def test_a_client_with_a_handshake_under_way_stays() -> None:
    talk = Talk(most=1)
    _visit(talk, 0, "p#> GET EIO=4&transport=polling")
    for number in range(1, 5):
        talk.play("+ 100")
        _visit(talk, number)
    assert "10.1.0.0" in [client.address for client in talk.sessions.clients.values()]


def test_a_client_that_loops_among_many_others_stays_one() -> None:
    talk = Talk(most=5)
    for number in range(1, 400):
        if number % 50 == 0:
            talk.play(repeated("a#> GET EIO=3&transport=polling\na#< 400\na#> FIN\na#< FIN", [number]))
        _visit(talk, number)
        talk.play("+ 0.5")
    (client,) = [client for client in talk.close().sessions.clients.values() if client.address == "10.0.0.7"]
    assert [loop.lives.count for loop in client.loops] == [7]


def test_the_loop_of_a_client_that_goes_is_in_its_ledger() -> None:
    talk = Talk(most=1).play(repeated(SHORT + "+ 1", range(5)))
    for number in range(5):
        talk.play("+ 100")
        _visit(talk, number)
    (client,) = [client for client in _gone(talk, Client) if isinstance(client, Client) and client.loops]
    assert client.loops[0].lives.count == 5
    assert "connect-loop" in " ".join(talk.names())


def test_a_scan_of_many_servers_is_bounded() -> None:
    talk = Talk(most=3)
    for number in range(20):
        _visit(talk, number, server=Endpoint(f"10.2.0.{number}", 80))
        talk.play("+ 100")
    assert len(talk.sessions.servers) <= 6
    assert len(_gone(talk, Server)) >= 14


# ---------------------------------------------------------------------- nothing stays


def test_what_is_let_go_is_freed_without_the_collector() -> None:
    talk = Talk(most=1)
    gc.collect()
    gc.disable()
    try:
        for number in range(4):
            _visit(talk, number, SHORT + ASKED + "p#> FIN\np#< FIN\n")
            talk.play("+ 100")
        gone = {id(ledger) for kind in (Session, Client) for ledger in _gone(talk, kind)}
        assert len(gone) > 4
        talk.retired.clear()
        talk.wires.clear()
        assert not gone & {id(each) for each in gc.get_objects() if isinstance(each, Session | Client)}
    finally:
        gc.enable()
