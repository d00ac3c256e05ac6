"""Sessions of Socket.IO 0.9: what the ledgers show of them, and which conversations are none."""

import pytest

from eiosniff.model.engineio import Transport
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, NamespaceState
from eiosniff.model.socketio import SioType
from tests.unit.decode.talk_sessions import Talk

SID = "JJR8sqIE-7sHKcUmgpx-"
HANDSHAKE = f"h> GET t=1795640434025\nh< 200 {SID}:60:60:websocket,xhr-polling"
WEBSOCKET = "w> WS -\nw< 101\nw< 1::"


def talk(*scripts: str, late: bool = False, path: str | None = None, resource: str = "/socket.io") -> Talk:
    """`h` is for handshakes, `w` a WebSocket, `p` and `q` poll, `b` says goodbye."""
    made = Talk(late=late, path=path)
    made.connect("h", path=f"{resource}/1/", agent="node-XMLHttpRequest")
    made.connect("w", path=f"{resource}/1/websocket/{SID}")
    for name in ("p", "q"):
        made.connect(name, path=f"{resource}/1/xhr-polling/{SID}", agent="node-XMLHttpRequest")
    made.connect("b", path=f"{resource}/1//{SID}/", agent="node-XMLHttpRequest")
    for script in scripts:
        made.play(script)
    return made.close()


def labels(made: Talk) -> list[str | None]:
    return [None if packet.socketio is None else SioType(packet.socketio.type).name for packet in made.heard]


@pytest.mark.parametrize("late", [False, True], ids=["packet by packet", "one batch"])
@pytest.mark.parametrize("resource", ["/socket.io", "/live/feed"])
def test_a_session_over_websocket(late: bool, resource: str) -> None:
    made = talk(
        HANDSHAKE,
        WEBSOCKET,
        'w> 5:1+::{"name":"ask","args":["x"]}\nw< 6:::1+["y"]\nw< 2::\nw> 2::\nw> 1::/chat\nw< 1::/chat',
        "w> 0::\nw> FIN",
        late=late,
        resource=resource,
    )
    session = made.session
    assert session.socketio09
    assert (session.sid, session.path, session.engineio, session.socketio) == (SID, f"{resource}/1/", None, None)
    assert session.transports == [Transport.WEBSOCKET]
    assert session.engineio_counts == [{}, {}]
    assert session.socketio_counts == [
        {"EVENT": 1, "HEARTBEAT": 1, "CONNECT": 1, "DISCONNECT": 1},
        {"CONNECT": 2, "ACK": 1, "HEARTBEAT": 1},
    ]
    assert {name: namespace.state for name, namespace in session.namespaces.items()} == {
        "/": NamespaceState.DISCONNECTED,
        "/chat": NamespaceState.CONNECTED,
    }
    assert (session.heartbeats.pings, session.heartbeats.pongs) == (1, 1)
    assert session.messages.acks_of(server=False)["ask"].delays.count == 1
    closing = session.closing
    assert closing is not None
    assert (closing.side, closing.how, closing.after_goodbye) == (Side.CLIENT, CloseHow.DISCONNECT, True)
    assert not session.midstream
    assert session.handshake is not None
    assert session.handshake.ping_timeout_ms == 60_000
    assert {packet.revision for packet in made.heard} == {None}
    assert [packet.engineio.data for packet in made.heard][-1] == b"0::"
    assert made.names() == ["legacy-09-client"]


def test_a_session_over_polling_with_batches() -> None:
    made = talk(
        HANDSHAKE,
        "p> GET t=1\np< 200 1::",
        'q> POST t=2 �5�3:::a�20�5:::{"name":"event"}\nq< 200 1',
        "p> GET t=3\np< 200 �5�3:::b�3�8::",
        "p> GET t=4\nq> POST t=5 0::\nq< 200 1\np< 200 0::",
    )
    session = made.session
    assert session.transports == [Transport.POLLING]
    assert session.socketio_counts == [
        {"MESSAGE": 1, "EVENT": 1, "DISCONNECT": 1},
        {"CONNECT": 1, "MESSAGE": 1, "NOOP": 1, "DISCONNECT": 1},
    ]
    assert session.connection_count == 3
    assert labels(made) == ["CONNECT", "MESSAGE", "EVENT", "MESSAGE", "NOOP", "DISCONNECT", "DISCONNECT"]
    assert session.anomalies == []


def test_a_client_that_falls_back_to_polling_goes_on() -> None:
    made = talk(HANDSHAKE, WEBSOCKET, "w< RST", "p> GET t=1\np< 200 3:::again")
    session = made.session
    assert session.transports == [Transport.WEBSOCKET, Transport.POLLING]
    assert session.closing is None
    assert session.socketio_counts[Side.SERVER] == {"CONNECT": 1, "MESSAGE": 1}


def test_a_page_says_goodbye_by_a_request() -> None:
    closing = talk(HANDSHAKE, WEBSOCKET, "b> GET disconnect=1\nb< 200 -").session.closing
    assert closing is not None
    assert (closing.side, closing.how, closing.after_goodbye) == (Side.CLIENT, CloseHow.DISCONNECT, True)


@pytest.mark.parametrize(
    "script",
    [
        WEBSOCKET,
        'w> WS -\nw< 101\nw> 5:::{"name":"early"}\nw< 5:::{"name":"late"}',
        "p> GET t=1795640434025\np< 200 8::",
        "p> POST t=1795640434025 3:::text\np< 200 1",
    ],
)
@pytest.mark.parametrize("resource", ["/socket.io", "/live/feed"])
def test_a_session_that_began_before_the_capture(script: str, resource: str) -> None:
    made = talk(script, resource=resource)
    session = made.session
    assert (session.socketio09, session.midstream, session.sid) == (True, True, SID)
    assert len(session.transports) == 1
    assert None not in labels(made)
    assert sum(sum(side.values()) for side in session.socketio_counts) == len(made.heard) > 0
    assert made.names() == ["legacy-09-client"]


def test_a_websocket_that_began_before_the_capture() -> None:
    made = Talk()
    made.connect("m", midstream=True)
    made.play('m< 2::\nm> 2::\nm< 5:::{"name":"tick"}').close()
    assert made.session.socketio09
    assert made.session.sid is None
    assert labels(made) == ["HEARTBEAT", "HEARTBEAT", "EVENT"]


def test_what_is_no_packet_is_heard_with_the_reason() -> None:
    made = talk(HANDSHAKE, WEBSOCKET, "w< hello\nw> hex:00ff\nw< b4AAAA\nw> 5:::{}")
    assert labels(made) == ["CONNECT", None, None, None, None]
    assert [packet.trouble for packet in made.heard[1:3]] == ["expected type:id:endpoint:data", "expected text"]
    assert [side.count for side in made.session.odd] == [2, 2]


def test_only_the_path_that_the_user_chose() -> None:
    assert talk(HANDSHAKE, WEBSOCKET, path="/socket.io/").session.socketio09
    assert talk(HANDSHAKE, WEBSOCKET, path="/other/").sessions.sessions == []
    assert talk(HANDSHAKE, WEBSOCKET, path="/live", resource="/live").session.socketio09


# ---------------------------------------------------------------------- rule EIO006


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('400 {"code":0,"message":"Transport unknown"}', "does not speak it"),
        ("404 Cannot GET /socket.io/1/", "does not speak it"),
        ("200 <!doctype html>", "does not speak it"),
        ("403 handshake unauthorized", "refuses the client"),
        ('200 io.j[0](new Error("handshake bad origin"));', "refuses the client"),
    ],
)
def test_a_client_that_gets_no_session(answer: str, words: str) -> None:
    made = talk(f"h> GET t=1795640434025\nh< {answer}\n+ 1\nh> GET t=1795640435025\nh< {answer}")
    finding = made.found("legacy-09-client")
    assert finding is not None
    assert words in finding.title
    assert (finding.severity.label, finding.occurrences) == ("error", 2)
    assert made.names() == ["legacy-09-client"], "no rule for Engine.IO judges that handshake"


def test_an_answer_that_is_not_whole_says_nothing() -> None:
    made = talk("h> GET t=1795640434025\nh< 200 cut:36 JJR8sqIE-7sHKcU\nh< FIN\nh> FIN")
    assert made.sessions.sessions == []
    assert made.names() == []


def test_a_later_client_at_a_server_of_09() -> None:
    made = Talk().play("a> GET EIO=4&transport=polling&t=x\na< 200 Welcome to socket.io.").close()
    finding = made.found("legacy-09-client")
    assert finding is not None
    assert finding.title.startswith("The server speaks only Socket.IO 0.9")


@pytest.mark.parametrize(
    ("path", "script"),
    [
        ("/api/items/1/", "a> GET t=1795640434025\na< 404 not found"),
        ("/api/items/1/", 'a> GET t=1795640434025\na< 200 {"id":1}'),
        ("/api/1/websocket/status", 'a> GET -\na< 200 {"clients":7}'),
        ("/api/1/websocket/abc", "a> WS -\na< 101\na< hello\na> 4:1:abc"),
        ("/rooms/1/", 'a> GET EIO=4&transport=polling\na< 200 open:S\na> POST EIO=4&sid=S 40\na< 200 ok'),
    ],
)  # fmt: skip
def test_other_programs_count_from_1_too(path: str, script: str) -> None:
    made = Talk()
    made.connect("a", path=path)
    made.play(script).close()
    assert not any(session.socketio09 for session in made.sessions.sessions)
    assert made.found("legacy-09-client") is None


def test_rules_do_not_judge_such_sessions() -> None:
    """Each of these would be a fault in Engine.IO."""
    silent_for_long = talk(HANDSHAKE, WEBSOCKET, "w< 2::\n+ 300\nw< 2::", "w> x\nw> 7::/a:2\nw< 7::/a:2\nw< RST")
    assert silent_for_long.names() == ["legacy-09-client"]
