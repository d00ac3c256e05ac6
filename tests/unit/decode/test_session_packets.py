"""Packets of a session, into its ledger: parsers, recovery, attachments over gaps, revisions by direction."""

import json

import msgspec
import pytest

from eiosniff.model.provenance import Side
from eiosniff.model.session import Namespace, Session
from eiosniff.model.socketio import Parser
from eiosniff.model.trouble import AnomalyKind
from tests.unit.decode.talk_sessions import OPEN, Talk, played

WEBSOCKET = "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S"
WEBSOCKET_3 = "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40"
JOINED = 'w> 40\nw< 40{"sid":"x"}'
HEADER = '451-["b",{"_placeholder":true,"num":0}]'


def kinds(session: Session) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in session.anomalies]


def packed(**fields: object) -> str:
    return "hex:" + msgspec.msgpack.encode(fields).hex()


# ---------------------------------------------------------------------- parsers


def test_msgpack_of_socketio_4() -> None:
    talk = played(
        WEBSOCKET,
        f"w> {packed(type=0, nsp='/')}",
        f"w< {packed(type=0, data={'sid': 'x'}, nsp='/')}",
        f"w> {packed(type=2, data=['e', b'abc'], id=1, nsp='/')}",
        f"w< {packed(type=3, data=[], id=1, nsp='/')}",
    )
    session = talk.session
    assert session.parsers == [Parser.MSGPACK, Parser.MSGPACK]
    assert session.socketio_counts == [{"CONNECT": 1, "EVENT": 1}, {"CONNECT": 1, "ACK": 1}]
    assert (session.engineio, session.socketio) == (4, 5)
    assert session.namespaces["/"].socket_id == "x"
    assert session.messages.acks_of(server=False)["e"].delays.count == 1
    assert not session.anomalies
    event = talk.heard[3]
    assert event.socketio is not None
    assert event.engineio.binary
    assert event.socketio.attachments == (b"abc",)


def test_msgpack_of_socketio_2() -> None:
    """Control packets are JSON text."""
    session = played(
        "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S",
        'w< 4{"type":0,"nsp":"/"}\nw> 4{"type":0,"nsp":"/a?token=1"}\nw< 4{"type":0,"nsp":"/a"}',
        f"w> hex:04{packed(type=5, data=['e', b'abc'], options={'compress': True}, nsp='/a')[4:]}",
        'w> 4{"type":1,"nsp":"/a"}',
    ).session
    assert session.parsers == [Parser.MSGPACK, Parser.JSON_OR_MSGPACK]
    assert session.socketio_counts == [{"CONNECT": 1, "BINARY_EVENT": 1, "DISCONNECT": 1}, {"CONNECT": 2}]
    assert session.namespaces["/a"].auth_keys == ("token",)
    assert (session.engineio, session.socketio) == (3, 4)


def test_json_parser() -> None:
    session = played(
        "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S",
        'w< 4{"type":0,"nsp":"/"}\nw> 4{"type":2,"nsp":"/","data":["a"]}\nw> 4{"type":1,"nsp":"/"}',
    ).session
    assert session.parsers == [Parser.JSON, Parser.JSON_OR_MSGPACK]


def test_json_parser_of_socketio_4() -> None:
    """There the msgpack parser sends no text at all."""
    assert played(WEBSOCKET, 'w> 4{"type":0,"nsp":"/"}').session.parsers == [Parser.JSON, None]


def test_sides_with_different_parsers_are_both_decoded() -> None:
    session = played(WEBSOCKET, f"w> {packed(type=0, nsp='/')}", 'w< 44{"message":"no"}').session
    assert session.parsers == [Parser.MSGPACK, Parser.DEFAULT]
    assert session.socketio_counts == [{"CONNECT": 1}, {"CONNECT_ERROR": 1}]


def test_an_attachment_that_looks_like_a_packet_is_an_attachment() -> None:
    wire = packed(type=2, data=["e"], nsp="/")
    talk = played(WEBSOCKET, JOINED, f"w> {HEADER}\nw> {wire}")
    assert talk.session.parsers == [Parser.DEFAULT, Parser.DEFAULT]
    socketio = talk.heard[-1].socketio
    assert socketio is not None
    assert socketio.attachments == (bytes.fromhex(wire[4:]),)


def test_a_broken_msgpack_packet_is_bad_syntax() -> None:
    talk = played(WEBSOCKET, f"w> {packed(type=0, nsp='/')[:-2]}")
    assert kinds(talk.session) == [AnomalyKind.SIO_BAD_SYNTAX]
    assert talk.heard[-1].trouble == "expected the rest of the message"


def test_messages_of_a_plain_engineio_application_are_no_packets() -> None:
    talk = played(WEBSOCKET, 'w> 4{"type":"chat","text":"hi"}\nw> 4hello\nw> 4[1]')
    assert talk.session.parsers == [None, None]
    assert [packet.trouble for packet in talk.heard[1:]] == ["not Socket.IO"] * 3


def test_binary_messages_of_a_plain_engineio_application_are_no_orphans() -> None:
    talk = played(WEBSOCKET, "w> hex:00\nw< hex:ff")
    assert not talk.session.anomalies
    assert talk.session.unreadable == [0, 0]
    assert [packet.trouble for packet in talk.heard[1:]] == ["not Socket.IO"] * 2


# ---------------------------------------------------------------------- connection state recovery


def root(script: str) -> Namespace:
    return played(WEBSOCKET, script).session.namespaces["/"]


def test_recovery_is_offered() -> None:
    namespace = root('w> 40\nw< 40{"sid":"x","pid":"p"}')
    assert namespace.recovery_offered is not None
    assert (namespace.recovery_asked, namespace.recovered) == (None, None)


@pytest.mark.parametrize(
    ("answer", "recovered"),
    [
        ('40{"sid":"x","pid":"p"}', True),
        ('40{"sid":"y","pid":"q"}', False),
        ('40{"sid":"y"}', False),
        ('44{"message":"no"}', None),
    ],
)
def test_recovered_or_not(answer: str, recovered: bool | None) -> None:
    script = f'w> 40{{"pid":"p","offset":"o"}}\nw< 42["missed","o"]\nw< {answer}'
    talk = played(WEBSOCKET, script)
    namespace = talk.session.namespaces["/"]
    assert namespace.recovered is recovered
    assert namespace.recovery_asked is not None
    assert namespace.recovery_offset
    assert (namespace.recovery_answer is None) == (recovered is None)
    assert talk.heard[-1].recovered is recovered
    assert not talk.session.anomalies
    assert not namespace.early_events


def test_without_an_offset_no_server_can_recover() -> None:
    namespace = root('w> 40{"pid":"p"}\nw< 40{"sid":"y","pid":"q"}')
    assert (namespace.recovery_offset, namespace.recovered) == (False, False)


def test_each_namespace_recovers_by_itself() -> None:
    namespaces = played(
        WEBSOCKET,
        'w> 40{"pid":"p","offset":"o"}\nw> 40/a,{"pid":"q","offset":"o"}',
        'w< 40/a,{"sid":"y","pid":"q"}\nw< 40{"sid":"x","pid":"r"}',
    ).session.namespaces
    assert [namespaces["/"].recovered, namespaces["/a"].recovered] == [False, True]


def test_the_secret_is_not_kept() -> None:
    namespace = root('w> 40{"pid":"SECRET","offset":"o"}\nw< 40{"sid":"x","pid":"SECRET"}')
    assert "SECRET" not in repr(namespace)


# ---------------------------------------------------------------------- attachments and what the capture lacks


def test_an_attachment_that_never_comes() -> None:
    talk = played(WEBSOCKET, JOINED, f'w> {HEADER}\nw> 42["c"]')
    assert kinds(talk.session) == [AnomalyKind.SIO_BINARY_INCOMPLETE]
    assert talk.session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "EVENT": 1}
    header, event = talk.heard[-2:]
    assert (header.trouble, header.engineio.place.number) == ("sio-binary-incomplete", 6)
    assert event.socketio is not None


def test_text_that_is_no_packet_ends_the_waiting_too() -> None:
    session = played(WEBSOCKET, JOINED, f"w> {HEADER}\nw> 4hello\nw> hex:00").session
    assert kinds(session) == [
        AnomalyKind.SIO_BINARY_INCOMPLETE,
        AnomalyKind.SIO_BAD_SYNTAX,
        AnomalyKind.SIO_BINARY_ORPHAN,
    ]


def test_heartbeats_between_attachments_are_legal() -> None:
    session = played(WEBSOCKET, JOINED, f"w> {HEADER}\nw< 2\nw> 3\nw> hex:00").session
    assert not session.anomalies
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "BINARY_EVENT": 1}


def test_the_sender_hangs_up_before_the_attachment() -> None:
    assert kinds(played(WEBSOCKET, JOINED, f"w> {HEADER}\nw> FIN").session) == [AnomalyKind.SIO_BINARY_INCOMPLETE]


def test_a_close_packet_ends_the_waiting() -> None:
    assert kinds(played(WEBSOCKET, JOINED, f"w> {HEADER}\nw> 1").session) == [AnomalyKind.SIO_BINARY_INCOMPLETE]


def test_a_probe_that_failed_ends_nothing() -> None:
    """The session goes on over polling, where the attachment comes."""
    session = played(
        f"a> GET EIO=4&transport=polling\na< 200 open:S\na> POST EIO=4&transport=polling&sid=S 40~{HEADER}\na< 200 ok",
        "w> WS EIO=4&transport=websocket&sid=S\nw< 101\nw> 2probe\nw> FIN\nw< FIN",
        "a> POST EIO=4&transport=polling&sid=S b/w==\na< 200 ok",
    ).session
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "BINARY_EVENT": 1}
    assert not session.anomalies


def test_a_capture_that_ends_while_polling() -> None:
    talk = played(f"a> GET EIO=4&transport=polling\na< 200 open:S\na> POST EIO=4&transport=polling&sid=S 40~{HEADER}")
    assert talk.session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "BINARY_EVENT": 1}
    assert not talk.session.anomalies


@pytest.mark.parametrize("end", ["w< RST", "w< FIN", "w! client\nw> FIN", ""])
def test_an_end_that_is_not_the_senders_fault(end: str) -> None:
    talk = played(WEBSOCKET, JOINED, f"w> {HEADER}\n{end}")
    assert not talk.session.anomalies
    assert talk.session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "BINARY_EVENT": 1}
    assert talk.heard[-1].trouble == "attachments are missing from the capture"


def test_a_gap_swallowed_the_attachment() -> None:
    talk = played(WEBSOCKET, JOINED, f'w> {HEADER}\nw! client\nw> 42["c"]\nw> 42["d"]\nw> 42["e"]')
    session = talk.session
    assert not session.anomalies
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "BINARY_EVENT": 1, "EVENT": 3}
    cut = next(packet for packet in talk.heard if packet.trouble)
    assert cut.socketio is not None
    assert (cut.socketio.event, cut.socketio.attachments_expected, cut.socketio.attachments) == ("b", 1, ())


def test_a_gap_swallowed_the_header() -> None:
    after = f'w> hex:00\nw> hex:0102\nw> 42["c"]\nw> {HEADER}\nw> hex:03'
    talk = played(WEBSOCKET, JOINED, f"w! client\n{after}")
    session = talk.session
    assert not session.anomalies
    assert session.unreadable == [2, 0]
    assert session.socketio_counts[Side.CLIENT] == {"CONNECT": 1, "EVENT": 1, "BINARY_EVENT": 1}
    assert [packet.trouble for packet in talk.heard if packet.trouble] == ["its header is missing from the capture"] * 2


def test_a_gap_on_the_other_side_excuses_nothing() -> None:
    session = played(WEBSOCKET, JOINED, 'w! server\nw> hex:00\nw> 42["c"]').session
    assert kinds(session) == [AnomalyKind.SIO_BINARY_ORPHAN]


def test_after_the_next_packet_a_gap_is_no_excuse() -> None:
    session = played(WEBSOCKET, JOINED, 'w! client\nw> 42["c"]\nw> 42["d"]\nw> 42["e"]\nw> hex:00').session
    assert kinds(session) == [AnomalyKind.SIO_BINARY_ORPHAN]
    assert session.unreadable == [0, 0]


@pytest.mark.parametrize("late", [False, True])
def test_a_capture_that_begins_between_header_and_attachment(late: bool) -> None:
    talk = Talk(late=late)
    talk.connect("w", midstream=True)
    talk.play('w< 2\nw> hex:00\nw> 3\nw> 42["c"]\nw> hex:00').close()
    assert talk.session.unreadable == [1, 0]
    assert kinds(talk.session) == [AnomalyKind.SIO_BINARY_ORPHAN]


# ---------------------------------------------------------------------- revisions


def event_of(talk: Talk) -> tuple[int | None, tuple[bytes, ...]]:
    packet = next(packet for packet in talk.heard if packet.socketio and packet.socketio.type == 5)
    assert packet.socketio is not None
    return packet.revision, packet.socketio.attachments


def test_each_side_is_read_in_its_own_revision() -> None:
    """A client of revision 4 at a server of revision 3: each writes binary data in its own way."""
    talk = played(
        "w> WS EIO=4&transport=websocket\nw< 101\nw< open:S\nw< 40",
        f"w> {HEADER}\nw> hex:04ff",
        f"w< {HEADER}\nw< hex:04ff",
    )
    sent = [packet for packet in talk.heard if packet.socketio and packet.socketio.attachments]
    assert [
        (packet.engineio.side, packet.revision, packet.socketio.attachments) for packet in sent if packet.socketio
    ] == [
        (Side.CLIENT, 4, (b"\x04\xff",)),
        (Side.SERVER, 3, (b"\xff",)),
    ]
    assert talk.session.engineio == 3


def test_binary_data_without_its_type_shows_revision_4() -> None:
    """socket.io 3.0 answers a client of revision 3 in revision 4."""
    talk = played(
        "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S",
        'w> 40\nw< 40{"sid":"x"}',
        f"w< {HEADER}\nw< hex:ff04\nw< {HEADER}\nw< hex:04ff",
    )
    assert event_of(talk) == (4, (b"\xff\x04",))
    assert talk.session.revisions == [None, 4]
    assert talk.heard[-1].socketio is not None
    assert talk.heard[-1].socketio.attachments == (b"\x04\xff",)


@pytest.mark.parametrize(("binary", "attachment", "engineio"), [("04ff", b"\xff", None), ("ff04", b"\xff\x04", 4)])
def test_binary_data_in_the_middle_of_a_session(binary: str, attachment: bytes, engineio: int | None) -> None:
    talk = Talk()
    talk.connect("w", midstream=True)
    talk.play(f'w> 42["a"]\nw> {HEADER}\nw> hex:{binary}').close()
    assert event_of(talk)[1] == (attachment,)
    assert talk.session.engineio == engineio


def test_binary_data_of_revision_3() -> None:
    assert event_of(played(WEBSOCKET_3, f"w> {HEADER}\nw> hex:04ff04")) == (3, (b"\xff\x04",))


@pytest.mark.parametrize(
    ("socket_id", "attachment"), [("S", b"\xff"), ("other", b"\x04\xff")], ids=["netty-socketio", "others"]
)
def test_a_server_of_revision_4_that_writes_the_type(socket_id: str, attachment: bytes) -> None:
    talk = played(WEBSOCKET, f'w> 40\nw< 40{{"sid":"{socket_id}"}}\nw< {HEADER}\nw< hex:04ff')
    assert event_of(talk) == (4, (attachment,))


@pytest.mark.parametrize(
    ("query", "engineio", "socketio"),
    [("EIO=2&", 2, 4), ("EIO=3&", 3, 4), ("EIO=1&", 1, 4), ("", 3, 4), ("EIO=9&", 3, 4)],
)
def test_a_revision_up_to_3_is_the_one_that_is_claimed(query: str, engineio: int, socketio: int) -> None:
    session = played(f"a> GET {query}transport=polling\na< 200 open3:S").session
    assert session.revisions[Side.SERVER] == 3
    assert (session.engineio, session.socketio) == (engineio, socketio)


def test_an_application_of_engineio_that_claims_nothing_may_speak_1_to_3() -> None:
    opening = OPEN % "S"
    session = played(f"a> GET transport=polling\na< 200 {len(opening)}:{opening}7:4hello!").session
    assert session.revisions[Side.SERVER] == 3
    assert session.engineio is None
    assert session.pinger is Side.CLIENT


def test_revision_2_leaves_open_which_socketio_it_is() -> None:
    talk = Talk()
    talk.play('a> GET EIO=2&transport=polling&sid=S\na< 200 8:42["a",1]').close()
    assert (talk.session.engineio, talk.session.socketio) == (2, None)


def test_text_that_socketio_1_0_encodes_twice() -> None:
    twice = "한국 👋".encode().decode("latin-1")
    talk = played("w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40", f'w> 42["{twice}"]\nw> 42["é"]')
    assert [packet.socketio.event for packet in talk.heard[-2:] if packet.socketio] == ["한국 👋", "é"]


def test_acks_of_socketio_3() -> None:
    """There is no BINARY_ACK: each ACK has the number of its attachments (socket.io 1.0.0 to 1.0.2)."""
    talk = played(
        "w> WS EIO=3&transport=websocket\nw< 101\nw< open:S\nw< 40",
        'w> 427["a"]\nw< 430-7["b"]\nw> 42/x,8["a"]\nw< 431-/x,8[{"_placeholder":true,"num":0}]\nw< hex:04ff',
    )
    assert talk.session.socketio_counts[Side.SERVER] == {"CONNECT": 1, "ACK": 2}
    assert talk.session.socketio == 3
    assert not talk.session.anomalies
    last = talk.heard[-1].socketio
    assert last is not None
    assert (last.type, last.namespace, last.id, last.attachments) == (3, "/x", 8, (b"\xff",))
    assert talk.session.messages.acks_of(server=False)["a"].delays.count == 2


def test_socketio_4_over_engineio_4() -> None:
    """netty-socketio 1.7.22 to 1.7.25: the server answers without an id."""
    assert played(WEBSOCKET, "w> 40\nw< 40").session.socketio == 4


def test_servers_before_ping_intervals_send_the_pings() -> None:
    """engine.io up to 0.2 (revision 1): no pingInterval, and the server pings."""
    opening = json.dumps({"sid": "S", "upgrades": [], "pingTimeout": 60000}, separators=(",", ":"))
    talk = played(f"w> WS transport=websocket\nw< 101\nw< 0{opening}\n+ 25\nw< 2\nw> 3\n+ 25\nw< 2\nw> 3")
    session = talk.session
    assert (session.engineio, session.heartbeats.pings, session.heartbeats.pongs) == (1, 2, 2)
    assert not session.heartbeats.reversed


@pytest.mark.parametrize("text", ["40/admin?token=x,", "40/admin?token=x", "40/admin?token=x&b=,"])
def test_query_in_the_namespace(text: str) -> None:
    session = played(WEBSOCKET_3, f"w> {text}\nw< 40/admin").session
    assert session.namespaces["/admin"].auth_keys[0] == "token"
    assert session.namespaces["/admin"].connected is not None
