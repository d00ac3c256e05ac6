"""Socket.IO 0.9 on the wire: addresses, handshake, packets, polling."""

import json
from urllib.parse import quote_plus

import pytest

from eiosniff.decode.facts import parse_target as split_target
from eiosniff.decode.socketio.packets09 import (
    decode_packet,
    looks_like_packet,
    parse_handshake,
    parse_target,
    split_payload,
)
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType

PLACE = PacketRef(7, 7)


def decoded(text: str | bytes) -> SioPacket:
    raw = text.encode() if isinstance(text, str) else text
    packet = decode_packet(raw, Side.CLIENT, PLACE, (6, 7))
    assert isinstance(packet, SioPacket), packet
    assert (packet.side, packet.place, packet.packets) == (Side.CLIENT, PLACE, (6, 7))
    return packet


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/socket.io/1/?t=1795640434025", ("/socket.io", "", "")),
        (b"/socket.io/1/", ("/socket.io", "", "")),
        (b"/socket.io/1/?t=1795640434025&jsonp=0", ("/socket.io", "", "")),
        (b"/live/feed/1/?token=x&t=1795640434025", ("/live/feed", "", "")),
        (b"/socket.io/1/websocket/abc-_1", ("/socket.io", "websocket", "abc-_1")),
        (b"/socket.io/1/xhr-polling/abc?t=1", ("/socket.io", "xhr-polling", "abc")),
        (b"/socket.io/1/jsonp-polling/abc/?t=1&i=0", ("/socket.io", "jsonp-polling", "abc")),
        (b"http://host:3000/socket.io/1/htmlfile/abc", ("/socket.io", "htmlfile", "abc")),
        (b"/1/flashsocket/abc", ("", "flashsocket", "abc")),
        (b"/socket.io/1//abc/?disconnect=1", ("/socket.io", "", "abc")),
        (b"/a/1/b/1/websocket/abc", ("/a/1/b", "websocket", "abc")),
    ],
)
def test_targets(target: bytes, expected: tuple[str, str, str]) -> None:
    found = parse_target(split_target(target))
    assert found is not None
    assert (found.resource, found.transport, found.sid) == expected


@pytest.mark.parametrize(
    "target",
    [
        b"/rooms/1/?EIO=4&transport=polling&t=lyltxp3n",  # a later client under a path that looks like it
        b"/socket.io/1/?transport=websocket",
        b"/socket.io/1",
        b"/socket.io/2/?t=1795640434025",
        b"/socket.io/?t=1795640434025",
        b"/socket.io/1/websocket/abc/more",
        b"/socket.io/1/websocket/",
        b"/api/1/users/7",
        b"/echo/1/abc/websocket",  # SockJS
        b"/socket.io/?next=/1/",
    ],
)
def test_targets_of_others(target: bytes) -> None:
    assert parse_target(split_target(target)) is None


def test_handshakes() -> None:
    opening = parse_handshake(b"JJR8sqIE-7sHKcUmgpx-:60:60:websocket,htmlfile,xhr-polling,jsonp-polling")
    assert opening is not None
    assert opening.sid == "JJR8sqIE-7sHKcUmgpx-"
    assert opening.upgrades == ("websocket", "htmlfile", "xhr-polling", "jsonp-polling")
    assert (opening.ping_interval_ms, opening.ping_timeout_ms, opening.max_payload) == (None, 60_000, None)
    without_heartbeat = parse_handshake(b"4d4f185e::25:xhr-polling\n")
    assert without_heartbeat is not None
    assert without_heartbeat.ping_timeout_ms is None
    jsonp = parse_handshake(b'io.j[2]("4d4f185e:60:60:xhr-polling");')
    assert jsonp is not None
    assert jsonp.sid == "4d4f185e"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"1", b"Welcome to socket.io.", b'io.j[0](new Error("handshake unauthorized"));', b'{"code":0}',
        b"a:1:2:3", b"a:1:2:polling", b"a:1:2:websocket:", b"two words:1:2:websocket", b"a:" + b"9" * 600,
        b"12:30:45:noon", b"a:1:2:" + b"websocket," * 100, b'io.j[0](17);',
    ],
)  # fmt: skip
def test_answers_that_are_no_handshake(body: bytes) -> None:
    assert parse_handshake(body) is None


@pytest.mark.parametrize(
    ("text", "kind", "namespace", "ack_id", "event", "data"),
    [
        ("0::", SioType.DISCONNECT, "/", None, None, ""),
        ("0", None, "", None, None, ""),
        ("0::/chat", SioType.DISCONNECT, "/chat", None, None, ""),
        ("1::", SioType.CONNECT, "/", None, None, ""),
        ("2::", SioType.HEARTBEAT, "/", None, None, ""),
        ("2:::", SioType.HEARTBEAT, "/", None, None, ""),
        ("3:1::blabla: more", SioType.MESSAGE, "/", 1, None, "blabla: more"),
        ("3:::", SioType.MESSAGE, "/", None, None, ""),
        ('4:1+:/a:{"a":"b"}', SioType.JSON, "/a", 1, None, '{"a":"b"}'),
        ('5:::{"name":"bare"}', SioType.EVENT, "/", None, "bare", '["bare"]'),
        ('5:::{"name":"bare","args":[]}', SioType.EVENT, "/", None, "bare", '["bare"]'),
        ('5:::{"name":"bare","args":null}', SioType.EVENT, "/", None, "bare", '["bare"]'),
        ('5:2+::{"args": [1, {"a": "]"}],"name":"say"}', SioType.EVENT, "/", 2, "say", '["say",1, {"a": "]"}]'),
        ('5::/룸:{"name":"한\\"","args":["둘"]}', SioType.EVENT, "/룸", None, '한"', '["한\\"","둘"]'),
        ("6:::4", SioType.ACK, "/", 4, None, ""),
        ('6::/a:4+["A","B"]', SioType.ACK, "/a", 4, None, '["A","B"]'),
        ("7:::1+0", SioType.ERROR, "/", None, None, "1+0"),
        ("7::/secret:2", SioType.ERROR, "/secret", None, None, "2"),
        ("8::", SioType.NOOP, "/", None, None, ""),
        ("5:::[]", None, "", None, None, ""),
        ('5:::{"args":[1]}', None, "", None, None, ""),
        ('5:::{"name":"a","args":{"0":1}}', None, "", None, None, ""),
        ('5:::{"name":7}', None, "", None, None, ""),
        ("6:::", None, "", None, None, ""),
        ("6:::x", None, "", None, None, ""),
        ("9::", None, "", None, None, ""),
        ("12::", None, "", None, None, ""),
        ("hello", None, "", None, None, ""),
        ("", None, "", None, None, ""),
    ],
)
def test_packets(
    text: str, kind: SioType | None, namespace: str, ack_id: int | None, event: str | None, data: str
) -> None:
    packet = decode_packet(text.encode(), Side.CLIENT, PLACE, (6, 7))
    if kind is None:
        assert isinstance(packet, str)
        return
    packet = decoded(text)
    assert SioType(packet.type) is kind
    assert (packet.namespace, packet.id, packet.event, packet.data.decode()) == (namespace, ack_id, event, data)


def test_the_query_of_a_connect_is_no_part_of_the_namespace() -> None:
    for text in ("1::/test:?my=param", "1::/test?my=param"):
        packet = decoded(text)
        assert (packet.namespace, packet.query, packet.data) == ("/test", "my=param", b"")


def test_an_event_that_only_javascript_reads() -> None:
    packet = decoded(r'5:::{"name":"a\ud83d\ude00","args":["\ud800",1e999]}')
    assert packet.event == "a😀"
    assert json.loads(packet.data)[:2] == ["a😀", "\ud800"]
    deep = b'5:::{"name":"deep","args":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    assert isinstance(decode_packet(deep, Side.CLIENT, PLACE, (1,)), str)


def test_what_looks_like_a_packet() -> None:
    for text in (b"1::", b"2::", b'5:::{"name":"a"}', b"3:12+:/chat:text", b"0::/a", b"7:::1+0", b"6:::1"):
        assert looks_like_packet(text)
    # Engine.IO, a time, and other texts with colons.
    for text in (b"2", b"2probe", b'42["a"]', b"4:::x"[:2], b"0{", b"4:1:abc", b"12:30:45", b"5:30", b"1:2:3", b""):
        assert not looks_like_packet(text)


def framed(*packets: str) -> bytes:
    return "".join(f"\ufffd{len(packet.encode('utf-16-le')) // 2}\ufffd{packet}" for packet in packets).encode()


def test_payloads() -> None:
    packets = ['5:::{"name":"말","args":["👋🏽"]}', "3:::�3�in a text", "2::"]
    texts = [packet.encode() for packet in packets]
    for body, expected in ((framed(*packets), texts), (texts[0], texts[:1]), (b"", [])):
        payload = split_payload(body, "xhr-polling", Side.SERVER)
        assert (payload.texts, payload.trouble) == (expected, None)


def test_a_payload_whose_lengths_count_something_else() -> None:
    packet = "3:::👋"
    payload = split_payload(f"\ufffd{len(packet)}\ufffd{packet}".encode() * 2, "xhr-polling", Side.CLIENT)
    assert payload.texts == [packet.encode()] * 2
    assert payload.trouble == "lengths count code points, not UTF-16 code units"
    cut = split_payload(framed("3:::hello", "2::")[:-2], "xhr-polling", Side.CLIENT)
    assert cut.texts == [b"3:::hello"]
    assert cut.trouble is not None


def test_jsonp_both_ways() -> None:
    packets = ['5:::{"name":"a","args":["line\\nnext & 50% + \\"quoted\\" 🥇"]}', "2::"]
    literal = json.dumps(framed(*packets).decode())
    answer = split_payload(f"io.j[3]({literal});".encode(), "jsonp-polling", Side.SERVER)
    form = split_payload(f"d={quote_plus(literal)}".encode(), "jsonp-polling", Side.CLIENT)
    for payload in (answer, form):
        assert (payload.texts, payload.trouble) == ([packet.encode() for packet in packets], None)
    for body, side in ((b"io.j[0](2);", Side.SERVER), (b"d=2::", Side.CLIENT), (b"", Side.SERVER)):
        assert split_payload(body, "jsonp-polling", side).texts == []


def test_a_page_that_streams() -> None:
    page = b"<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>" + b" " * 174
    texts = ["1::", '5:::{"name":"a","args":["</div> \\" );"]}']
    for text in texts:
        literal = json.dumps(text).replace("/", "\\/")  # as 0.9.19 writes it
        page += f"<script>_({literal});</script>".encode()
    page += b'<script>_("5:::cut'
    assert split_payload(page, "htmlfile", Side.SERVER).texts == [text.encode() for text in texts]
