"""Sessions: a sid over all its connections, who ended it and how, and what became of handshakes."""

from collections.abc import Callable

import pytest

from eiosniff.decode.sessions.acks import MAX_ACK_EVENTS, MAX_PENDING_ACKS
from eiosniff.model.attempt import Outcome
from eiosniff.model.engineio import Transport
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.session import MAX_ANOMALIES, MAX_CONNECTIONS, MAX_NAMESPACES, CloseHow, NamespaceState, Session
from eiosniff.model.tally import Tally
from tests.unit.decode.talk_sessions import (
    JOINED,
    OPEN,
    POLL,
    POLLING,
    POST,
    UPGRADED,
    WEBSOCKET,
    Talk,
    played,
    repeated,
)

# ---------------------------------------------------------------------- over connections


@pytest.mark.parametrize(
    ("script", "transports", "upgraded", "connections"),
    [
        (POLLING, [Transport.POLLING], False, 1),
        (WEBSOCKET, [Transport.WEBSOCKET], False, 1),
        (UPGRADED, [Transport.POLLING, Transport.WEBSOCKET], True, 2),
        (f"{POLLING}\nw> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe", [Transport.POLLING], False, 2),
        (f"{POLLING}\nb> POST {POST} 40\nb< 200 ok\n{POLL}\na< 200 6", [Transport.POLLING], False, 2),
    ],
)
def test_transports_and_connections(
    play: Callable[..., Talk], script: str, transports: list[Transport], upgraded: bool, connections: int
) -> None:
    session = play(script).session
    assert session.transports == transports
    assert (session.upgraded is not None) is upgraded
    assert session.connection_count == len(session.connections) == connections


def test_packets_are_counted_over_all_connections(play: Callable[..., Talk]) -> None:
    session = play(
        UPGRADED.replace("w> 5", f'b> POST {POST} 40~42["a"]\nb< 200 ok\n{POLL}\na< 200 40{{"sid":"x"}}~6\nw> 5'),
        'w> 451-["b",{"_placeholder":true,"num":0}]\nw> hex:ff00\n+ 25\nw< 2\nw> 3',
    ).session
    assert session.engineio_counts == [
        {"ping": 1, "message": 4, "upgrade": 1, "pong": 1},
        {"open": 1, "pong": 1, "message": 1, "noop": 1, "ping": 1},
    ]
    assert session.socketio_counts == [{"CONNECT": 1, "EVENT": 1, "BINARY_EVENT": 1}, {"CONNECT": 1}]


def test_one_connection_carries_several_sessions_of_several_clients() -> None:
    """As between a proxy and its back end."""
    talk = played(
        "p> GET EIO=4&transport=polling\np< 200 open:A\np> GET EIO=4&transport=polling\np< 200 open:B",
        "p> POST EIO=4&transport=polling&sid=A 40\np< 200 ok\np> POST EIO=4&transport=polling&sid=B 40/b,\np< 200 ok",
    )
    assert [(session.sid, list(session.namespaces)) for session in talk.sessions.sessions] == [
        ("A", ["/"]),
        ("B", ["/b"]),
    ]
    assert talk.names() == []


def test_pipelined_requests_are_answered_in_order() -> None:
    talk = played(
        "p> GET EIO=4&transport=polling\np> GET EIO=4&transport=polling\np< 200 open:A\np< 200 open:B",
        "p> POST EIO=4&transport=polling&sid=A 40/a,\np> POST EIO=4&transport=polling&sid=B 40/b,",
        "p< 200 ok\np< 200 ok",
    )
    assert [(session.sid, list(session.namespaces)) for session in talk.sessions.sessions] == [
        ("A", ["/a"]),
        ("B", ["/b"]),
    ]


def test_two_servers_may_give_the_same_sid() -> None:
    talk = Talk()
    talk.connect("b", server=Endpoint("10.0.0.3", 3000))
    talk.play(POLLING).play("b> GET EIO=4&transport=polling\nb< 200 open:S")
    talk.play(f"b> POST {POST} 40/b,\nb< 200 ok\na> POST {POST} 40/a,\na< 200 ok").close()
    assert [list(session.namespaces) for session in talk.sessions.sessions] == [["/a"], ["/b"]]


def test_a_sid_that_is_given_again_is_another_session() -> None:
    talk = played(POLLING, f"a> POST {POST} 1\na< 200 ok", POLLING, f"a> POST {POST} 40\na< 200 ok")
    first, second = talk.sessions.sessions
    assert first.closing is not None
    assert second.closing is None
    assert (list(first.namespaces), list(second.namespaces)) == ([], ["/"])


# ---------------------------------------------------------------------- the beginning was not captured


def test_an_unknown_sid_that_the_server_answers_is_a_session_from_before(play: Callable[..., Talk]) -> None:
    talk = play(f'{POLL}\nb> POST {POST} 42["a"]\nb< 200 ok\na< 200 42["b"]')
    assert talk.session.midstream
    assert talk.session.sid == "S"
    assert talk.session.socketio_counts == [{"EVENT": 1}, {"EVENT": 1}]


@pytest.mark.parametrize("answer", ['400 {"code":1,"message":"Session ID unknown"}', "502 <html>", "500"])
def test_an_unknown_sid_that_the_server_refuses_is_none(answer: str) -> None:
    assert not played(f"{POLL}\na< {answer}").sessions.sessions


def test_an_upgrade_with_an_unknown_sid_is_a_session_from_before(play: Callable[..., Talk]) -> None:
    session = play(
        'w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw< 3probe\nw> 5\nw> 42["a"]\nw< FIN'
    ).session
    assert session.midstream
    assert session.upgraded
    assert session.closing is not None
    assert session.closing.how is CloseHow.FIN


@pytest.mark.parametrize(
    ("first", "known"),
    [
        ("2", True),
        ("3", True),
        ('42["a"]', True),
        ("4hello", True),
        (OPEN % "S", True),
        ("2probe", True),
        ("12.5", False),
        ("42.5", False),
        ("3 users", False),
        ('{"a":1}', False),
        ("hello", False),
    ],
)
def test_a_websocket_captured_from_its_middle(first: str, known: bool) -> None:
    talk = Talk()
    talk.connect("w", midstream=True)
    talk.play(f"w< {first}\nw< 2\nw> 3").close()
    assert [session.midstream or session.handshake is not None for session in talk.sessions.sessions] == [True] * known


def test_an_open_packet_that_the_capture_lacks_makes_no_foreign_server() -> None:
    talk = played('w> WS EIO=4&transport=websocket\nw< 101\nw! server\nw> 40\nw< 40{"sid":"x"}\nw> 42["a"]')
    assert talk.session.midstream
    assert talk.session.socketio_counts == [{"CONNECT": 1, "EVENT": 1}, {"CONNECT": 1}]
    assert talk.names() == []


# ---------------------------------------------------------------------- what is no packet of a session


@pytest.mark.parametrize(
    "script",
    [
        "a> OPTIONS {q}\na< 204",
        "a> OPTIONS {q}\na< 200",
        "a> HEAD {q}\na< 200",
        "a> GET {q}\na< 204",
        "a> GET {q}\na< 200 cut:40 4\na< FIN",
        'a> GET {q}\na< 200 cut:400 42["a"\na! server',
    ],
    ids=["preflight 204", "preflight 200", "HEAD", "204", "cut by the end", "cut by a gap"],
)
def test_an_answer_without_its_body_is_no_broken_payload(script: str) -> None:
    talk = played(POLLING, script.format(q=POST))
    assert not talk.session.anomalies
    assert talk.names() == []


def test_a_preflight_is_no_handshake() -> None:
    talk = played("a> OPTIONS EIO=4&transport=polling\na< 204", POLLING)
    (client,) = talk.sessions.clients.values()
    assert [group.count for group in client.attempts.values()] == [1]


def test_only_the_chosen_path_counts() -> None:
    talk = Talk(path="/chosen/")
    talk.connect("b", path="/chosen")
    talk.play(POLLING).play("b> GET EIO=4&transport=polling\nb< 200 open:T").close()
    assert [session.sid for session in talk.sessions.sessions] == ["T"]


# ---------------------------------------------------------------------- refused requests


@pytest.mark.parametrize(
    ("script", "status", "code", "transport"),
    [
        (f'{POLL}\na< 400 {{"code":1,"message":"Session ID unknown"}}', 400, 1, Transport.POLLING),
        ("w> WS EIO=4&transport=websocket&sid=S\nw< 400", 400, None, Transport.WEBSOCKET),
        ("w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw< HTTP 400 Bad request", 400, None, Transport.WEBSOCKET),
        (f"{POLL}\na< 504 <html>", 504, None, Transport.POLLING),
    ],
)
def test_refused_requests_of_a_session(
    play: Callable[..., Talk], script: str, status: int, code: int | None, transport: Transport
) -> None:
    refusals = play(POLLING, script).session.refusals
    assert refusals.count == 1
    (refusal,) = refusals
    assert (refusal.status, refusal.error and refusal.error.code, refusal.transport) == (status, code, transport)


def test_a_refusal_that_crosses_the_goodbye_is_after_the_close() -> None:
    """The poll was on its way when the client's close packet was: the server is right to refuse it."""
    session = played(POLLING, f"{POLL}\nb> POST {POST} 41~1\nb< 200 ok", 'a< 400 {"code":1,"message":"x"}').session
    assert [refusal.after_close for refusal in session.refusals] == [True]


def test_a_goodbye_after_a_refusal_ends_the_session_all_the_same() -> None:
    session = played(POLLING, f'{POLL}\na< 400 {{"code":1,"message":"x"}}', f"b> POST {POST} 1\nb< 400").session
    assert session.closing is not None
    assert session.closing.side is Side.CLIENT
    assert session.refusals.first[0].after_close is False


# ---------------------------------------------------------------------- handshakes


@pytest.mark.parametrize(
    ("script", "outcome", "status"),
    [
        ("a> GET transport=polling\na< 200 open:S", Outcome.OPENED, 200),
        ('a> GET transport=polling\na< 400 {"code":5,"message":"x"}\na< FIN\na> FIN', Outcome.REFUSED, 400),
        ("a> GET transport=polling\na< 200 <html>", Outcome.FOREIGN, 200),
        ("a> GET transport=polling\na> FIN\na< FIN", Outcome.UNANSWERED, None),
        ("a> GET transport=polling\na< RST", Outcome.UNANSWERED, None),
        ("a> GET transport=polling", Outcome.UNANSWERED, None),
        # a client that sends no more still gets its answer
        ("a> GET transport=polling\na> FIN\n+ 1\na< 400\na< FIN", Outcome.REFUSED, 400),
        ("a> GET transport=polling\na> FIN\n+ 1\na< 200 open:S\na< FIN", Outcome.OPENED, 200),
        ("w> WS transport=websocket\nw< 101\nw< open:S", Outcome.OPENED, 101),
        ("w> WS transport=websocket\nw< 101\nw> 40\nw< open:S", Outcome.OPENED, 101),
        ("w> WS transport=websocket\nw< 400 Bad request", Outcome.REFUSED, 400),
        ("w> WS transport=websocket\nw< 101\nw< HTTP 400 x", Outcome.REFUSED_AFTER_101, 400),
        ("w> WS transport=websocket\nw< 101\nw< HTTP 400 x\nw< FIN\nw> FIN", Outcome.REFUSED_AFTER_101, 400),
        ("w> WS transport=websocket\nw< 101\n+ 20\nw> close\nw> FIN\nw< FIN", Outcome.SILENT_AFTER_101, 101),
        ("w> WS transport=websocket\nw< 101\nw! server\nw> FIN\nw< FIN", Outcome.UNANSWERED, 101),
        ("w> WS transport=websocket\nw< 101\nw< hello\nw< FIN\nw> FIN", Outcome.FOREIGN, 101),
    ],
)
def test_what_becomes_of_a_handshake(
    play: Callable[..., Talk], script: str, outcome: Outcome, status: int | None
) -> None:
    talk = play(script)
    (client,) = talk.sessions.clients.values()
    (group,) = client.attempts.values()
    assert group.count == 1
    assert (group.first[0].outcome, group.first[0].status) == (outcome, status)


def test_what_a_client_says_before_the_open_packet_belongs_to_the_session() -> None:
    assert list(played("w> WS EIO=4&transport=websocket\nw< 101\nw> 40/early,\nw< open:S").session.namespaces) == [
        "/early"
    ]


def test_other_websockets_are_left_alone() -> None:
    talk = Talk()
    talk.connect("w", path="/chat")
    talk.play("w> WS -\nw< 101\nw> hello\nw< 42 users").close()
    assert not talk.sessions.sessions
    assert not talk.sessions.clients


def test_a_websocket_whose_request_says_nothing_of_engineio() -> None:
    talk = Talk()
    talk.connect("w", path="/chat")
    talk.play("w> WS -\nw< 101\nw< open:S\nw> 40").close()
    assert talk.session.path == "/chat"
    assert talk.names() == []


# ---------------------------------------------------------------------- revisions


@pytest.mark.parametrize(
    ("script", "revision", "pinger"),
    [
        (POLLING, 4, Side.SERVER),
        ("a> GET EIO=4&transport=polling\na< 200 open3:S", 3, Side.CLIENT),
        ("w> WS EIO=3&transport=websocket\nw< 101\nw< open:S", 3, Side.CLIENT),
        ("w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 2", 4, Side.SERVER),
        ("w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw< 40", 3, Side.CLIENT),
        ("w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw> 2\nw< 3", 3, Side.CLIENT),
        ("w> WS EIO=7&transport=websocket\nw< 101\nw< open:S", None, Side.SERVER),
        # netty-socketio answers EIO=3 without a length, and keeps the heartbeat of revision 3
        ("a> GET EIO=3&transport=polling\na< 200 open:S\na> POST EIO=3&transport=polling&sid=S 2\na< 200 ok\n"
         "a> GET EIO=3&transport=polling&sid=S\na< 200 3", 3, Side.CLIENT),
        # a server that pings speaks revision 4, whatever it answers to a ping
        (f"{WEBSOCKET}\nw< 2\nw> 3\nw> 2\nw< 3", 4, Side.SERVER),
    ],
)  # fmt: skip
def test_revision_of_the_server(play: Callable[..., Talk], script: str, revision: int | None, pinger: Side) -> None:
    session = play(script).session
    assert session.engineio == revision
    assert session.pinger is pinger


# ---------------------------------------------------------------------- Socket.IO


def _namespaces(session: Session) -> dict[str, NamespaceState]:
    return {name: namespace.state for name, namespace in session.namespaces.items()}


@pytest.mark.parametrize(
    ("script", "states"),
    [
        ("w> 40", {"/": NamespaceState.CONNECTING}),
        ('w> 40\nw< 40{"sid":"x"}', {"/": NamespaceState.CONNECTED}),
        ('w> 40/a,\nw> 40/b,\nw< 40/a,{"sid":"x"}\nw< 44/b,{"message":"no"}',
         {"/a": NamespaceState.CONNECTED, "/b": NamespaceState.REFUSED}),
        ('w> 40/a?token=x,\nw< 40/a,{"sid":"x"}', {"/a": NamespaceState.CONNECTED}),
        ('w> 40\nw< 44{"message":"no"}\nw> 40\nw< 40{"sid":"x"}', {"/": NamespaceState.CONNECTED}),
        ('w> 40\nw< 40{"sid":"x"}\nw> 41', {"/": NamespaceState.DISCONNECTED}),
        # an error that a server tells someone who is in (ERROR of revision 4; a second CONNECT at python-socketio)
        ('w> 40\nw< 40{"sid":"x"}\nw< 44"oops"', {"/": NamespaceState.CONNECTED}),
    ],
)  # fmt: skip
def test_namespaces(script: str, states: dict[str, NamespaceState]) -> None:
    assert _namespaces(played(WEBSOCKET, script).session) == states


def test_refusal_of_a_namespace() -> None:
    session = played(WEBSOCKET, 'w> 40{"token":"t"}\nw< 44{"message":"jwt expired"}').session
    namespace = session.namespaces["/"]
    assert (namespace.refusal, namespace.auth_keys) == ("jwt expired", ("token",))


@pytest.mark.parametrize(
    ("script", "early"),
    [
        ('w> 42["a"]', 1),
        ('w> 40\nw> 42["a"]\nw> 42["b"]\nw< 40{"sid":"x"}\nw> 42["c"]', 2),
        ('w> 40\nw< 40{"sid":"x"}\nw> 42["a"]', 0),
        # connection state recovery replays what was missed before the reply: the server's, and legal
        ('w> 40{"pid":"p","offset":"o"}\nw< 42["missed","o2"]\nw< 40{"sid":"x","pid":"p"}\nw> 42["a"]', 0),
        ('w> 40\nw< 44{"message":"no"}\nw> 42["a"]', 0),
    ],
)
def test_early_events(script: str, early: int) -> None:
    assert played(WEBSOCKET, script).session.namespaces["/"].early_events.count == early


def test_acks_are_timed_by_event() -> None:
    session = played(
        WEBSOCKET, JOINED,
        'w> 421["slow"]\nw> 422["fast"]\nw< 432[]\n+ 2\nw< 431[]\nw< 437[]\nw< 421["asks"]\nw> 431[]',
    ).session  # fmt: skip
    asked_by_client, asked_by_server = session.messages.acks_of(server=False), session.messages.acks_of(server=True)
    medians = [
        {event: figures.delays.median // 1_000_000 for event, figures in acks.items()}
        for acks in (asked_by_client, asked_by_server)
    ]
    assert medians == [{"slow": 2003, "fast": 1}, {"asks": 1}]


# ---------------------------------------------------------------------- what decode streams


def test_the_listener_hears_each_packet_once_in_order() -> None:
    talk = played(WEBSOCKET, 'w> 40\nw< 40{"sid":"x"}\nw> 451-["b",{"_placeholder":true,"num":0}]\nw> hex:ff\nw> zzz')
    assert [(heard.engineio.side, heard.engineio.type, heard.trouble) for heard in talk.heard] == [
        (Side.SERVER, 0, ""), (Side.CLIENT, 4, ""), (Side.SERVER, 4, ""), (Side.CLIENT, 4, ""),
        (Side.CLIENT, -1, "not an Engine.IO packet"),
    ]  # fmt: skip


# ---------------------------------------------------------------------- bounds


@pytest.mark.interpreted
def test_memory_of_one_session_is_bounded() -> None:
    talk = Talk().play(WEBSOCKET).play(JOINED)
    talk.play(repeated('w> 42/n#,#["e#"]\nw< 42/n#,#["s#"]\nw> 43/n#,#[]', range(MAX_PENDING_ACKS + 100)))
    talk.play(repeated("w> odd#\nw< 49#\nw> 2\nw< 2", range(300)))
    session = talk.session
    assert len(session.namespaces) == MAX_NAMESPACES
    assert len(session.anomalies) <= MAX_ANOMALIES
    assert len(session.messages.acks_of(server=False)) == MAX_ACK_EVENTS
    assert len(session.messages.waiting or ()) <= MAX_PENDING_ACKS
    assert session.odd[Side.CLIENT].count == 300
    assert len(session.odd[Side.CLIENT].first) == Tally.KEPT


def test_names_from_the_wire_are_kept_only_in_part() -> None:
    huge = "n" * 30_000
    session = played(
        WEBSOCKET, f'w> 40/{huge},\nw< 40/{huge},{{"sid":"{huge}"}}\nw> 42/{huge},1["{huge}"]\nw< 43/{huge},1[]'
    ).session
    (namespace,) = session.namespaces.values()
    assert len(namespace.name) <= 300
    assert len(namespace.socket_id or "") <= 300
    assert all(len(event) <= 300 for event in session.messages.acks_of(server=False))
    assert namespace.state is NamespaceState.CONNECTED


def test_memory_of_one_connection_is_bounded() -> None:
    """A keep-alive connection, as a proxy holds it for days."""
    talk = Talk().play(repeated("a> GET EIO=4&transport=polling\na< 200 open:S#", range(20)))
    talk.play(repeated("a> GET EIO=4&transport=polling\na< 400", range(50)))
    talk.play(repeated("a> GET EIO=4&transport=polling&sid=unknown#\na< 400", range(50)))
    conversation = talk.wires["a"].conversation
    assert not conversation.attempts
    assert not conversation.unknown


def test_requests_without_answers_are_bounded() -> None:
    talk = Talk().play(POLLING)
    talk.play(repeated("a> GET EIO=4&transport=polling", range(1500)))
    talk.play(repeated("b> GET EIO=4&transport=polling&sid=unknown#", range(1500)))
    talk.play(repeated(f"c#> GET {POST}\nc#> FIN\nc#< FIN", range(100)))
    assert len(talk.wires["a"].conversation.attempts) <= 1024
    assert len(talk.wires["b"].conversation.unknown) <= 1024
    assert all(len(state.polls.under_way) <= 16 for state in talk.sessions._openings.states.values())
    talk.play("a> FIN\na< FIN\nb> FIN\nb< FIN")
    assert not talk.wires["a"].conversation.attempts
    assert not talk.wires["b"].conversation.unknown


def test_kinds_of_handshakes_of_one_client_are_bounded() -> None:
    talk = Talk().play(repeated("a> GET EIO=#&transport=polling\na< 400", range(500))).close()
    (client,) = talk.sessions.clients.values()
    assert len(client.attempts) <= 64


def test_connections_of_a_session_are_counted_once_each() -> None:
    talk = Talk().play(POLLING)
    for _ in range(3):
        talk.play(repeated(f'c#> POST {POST} 42["a"]\nc#< 200 ok', range(10)))
    assert talk.session.connection_count == len(talk.session.connections) == 11
    talk.play(repeated(f'd#> POST {POST} 42["a"]\nd#< 200 ok', range(100)))
    talk.play(repeated(f'd99> POST {POST} 42["a"]\nd99< 200 ok', range(100)))
    assert talk.session.connection_count == 111
    assert len(talk.session.connections) == MAX_CONNECTIONS
    assert talk.session.connections[-1].stream == talk.wires["d99"].conversation.ledger.stream


def test_a_hole_of_one_connection_begins_where_that_connection_was_understood_last() -> None:
    """What was said meanwhile over the WebSocket of the session does not tell that nothing was lost elsewhere."""
    talk = Talk().play(f"{UPGRADED}\nw> 40\nw< 40{{}}\n{POLL}\na! server\nw< 2").close()
    assert (talk.session.gap_starts, talk.session.gaps) == ([2], [11])
