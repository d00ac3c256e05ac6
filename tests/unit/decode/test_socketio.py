"""Socket.IO packets and the joining of their attachments."""

import json

import pytest

from eiosniff.decode.socketio import packets as socketio
from eiosniff.decode.socketio.packets import (
    RESERVED_EVENTS,
    ConnectDetails,
    SioSyntax,
    connect_details,
    decode_packet,
    error_message,
    placeholders,
)
from eiosniff.model.engineio import EioPacket, EioType, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType

# What `decodeString` of socket.io-parser 4.2.7 makes of a text: type, namespace, ack id, attachments, JSON; None where
# it throws. With its limit on attachments set high.
PARSED_BY_JAVASCRIPT: list[tuple[str, tuple[int, str, int | None, int, str | None] | None]] = [
    ("0", (0, "/", None, 0, None)),
    ("0{}", (0, "/", None, 0, "{}")),
    ("0/", (0, "/", None, 0, None)),
    ("0/chat", (0, "/chat", None, 0, None)),
    ("0/chat,", (0, "/chat", None, 0, None)),
    ('0/chat,{"t":1}', (0, "/chat", None, 0, '{"t":1}')),
    ("0[]", None),
    ('0"a"', None),
    ("0null", None),
    ("1", (1, "/", None, 0, None)),
    ("1/chat,", (1, "/chat", None, 0, None)),
    ("1{}", None),
    ('2["a"]', (2, "/", None, 0, '["a"]')),
    ("2[1]", (2, "/", None, 0, "[1]")),
    ('2[1.5,"a"]', (2, "/", None, 0, '[1.5,"a"]')),
    ("2[]", None),
    ("2[null]", None),
    ("2[true]", None),
    ('2[["a"]]', None),
    ('2{"a":1}', None),
    ('2"a"', None),
    ('212["a"]', (2, "/", 12, 0, '["a"]')),
    ('20["a"]', (2, "/", 0, 0, '["a"]')),
    ('2007["a"]', (2, "/", 7, 0, '["a"]')),
    ('2/chat,12["a"]', (2, "/chat", 12, 0, '["a"]')),
    ('2/chat,["a,b"]', (2, "/chat", None, 0, '["a,b"]')),
    ('2/a/b,["x"]', (2, "/a/b", None, 0, '["x"]')),
    ('2/,["a"]', (2, "/", None, 0, '["a"]')),
    ('2 ["a"]', (2, "/", 0, 0, '["a"]')),
    ('2/chat, ["a"]', (2, "/chat", 0, 0, '["a"]')),
    ('2 12["a"]', (2, "/", 12, 0, '["a"]')),
    ('2["a",]', None),
    ("2['a']", None),
    ('2["a",NaN]', None),
    ('2["a",-Infinity]', None),
    ('2["NaN",1,Infinity]', None),
    ('2["a","\x01"]', None),
    ('2["a"]x', None),
    ('2["a"', None),
    ('2-["a"]', None),
    ('2["a"] ', (2, "/", None, 0, '["a"] ')),
    ('2["\\ud83d\\ude00"]', (2, "/", None, 0, '["\\ud83d\\ude00"]')),
    ('2["\\ud800"]', (2, "/", None, 0, '["\\ud800"]')),
    ("3[]", (3, "/", None, 0, "[]")),
    ('312["ok"]', (3, "/", 12, 0, '["ok"]')),
    ("3/chat,0[]", (3, "/chat", 0, 0, "[]")),
    ("3{}", None),
    ('4"err"', (4, "/", None, 0, '"err"')),
    ('4{"message":"m"}', (4, "/", None, 0, '{"message":"m"}')),
    ('4/chat,{"message":"x"}', (4, "/chat", None, 0, '{"message":"x"}')),
    ("4", (4, "/", None, 0, None)),
    ("41", (4, "/", 1, 0, None)),
    ("4[]", None),
    ('51-["a",{"_placeholder":true,"num":0}]', (5, "/", None, 1, '["a",{"_placeholder":true,"num":0}]')),
    ('52-/chat,7["a"]', (5, "/chat", 7, 2, '["a"]')),
    ('61-12[{"_placeholder":true,"num":0}]', (6, "/", 12, 1, '[{"_placeholder":true,"num":0}]')),
    ("61-/chat,12[]", (6, "/chat", 12, 1, "[]")),
    ('5["a"]', None),
    ('5-["a"]', None),
    ('5a-["a"]', None),
    ('512345678901-["a"]', None),
    ('7["a"]', None),
    ("hello", None),
]  # fmt: skip


def text(data: str | bytes, number: int = 1, side: Side = Side.CLIENT) -> EioPacket:
    raw = data.encode() if isinstance(data, str) else data
    return EioPacket(EioType.MESSAGE, raw, False, side, Transport.WEBSOCKET, PacketRef(number, number), (number,))


def packet(data: str | bytes, number: int = 1) -> SioPacket:
    decoded = decode_packet(text(data, number))
    assert isinstance(decoded, SioPacket), decoded
    return decoded


def syntax(data: str | bytes) -> SioSyntax:
    decoded = decode_packet(text(data))
    assert isinstance(decoded, SioSyntax), decoded
    return decoded


@pytest.mark.parametrize(("data", "expected"), PARSED_BY_JAVASCRIPT, ids=[data for data, _ in PARSED_BY_JAVASCRIPT])
def test_agrees_with_socketio_parser(data: str, expected: tuple[int, str, int | None, int, str | None] | None) -> None:
    decoded = decode_packet(text(data))
    if expected is None:
        assert isinstance(decoded, SioSyntax)
    else:
        assert isinstance(decoded, SioPacket)
        json_text = decoded.data.decode() or None
        found = (decoded.type, decoded.namespace, decoded.id, decoded.attachments_expected, json_text)
        assert found == expected


class TestPacket:
    def test_says_where_it_comes_from(self) -> None:
        decoded = decode_packet(text('2["a"]', 9, Side.SERVER))
        assert isinstance(decoded, SioPacket)
        assert (decoded.side, decoded.place, decoded.packets) == (Side.SERVER, PacketRef(9, 9), (9,))

    @pytest.mark.parametrize(
        ("data", "event"),
        [
            ('2["chat message",{"a":1}]', "chat message"),
            ('2["한국 😀"]', "한국 😀"),
            ('2["a\\n\\u00e9"]', "a\né"),
            ('2["\\ud83d\\ude00","\\ud800"]', "😀"),
            ('2["\\ud800"]', "\ufffd"),
            ('2[ "a" , 1 ]', "a"),
            ("2[1]", None),
            ('51-["a",{"_placeholder":true,"num":0}]', "a"),
            ('31["a"]', None),
            ("2[%s]" % ("9" * 5000), None),
            ('2["a",%s]' % ("9" * 5000), "a"),
            ('2["a",1e999]', "a"),
            ('2["connect"]', "connect"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_event(self, data: str, event: str | None) -> None:
        assert packet(data).event == event

    def test_bytes_that_are_no_utf8(self) -> None:
        assert packet(b'2["\xff"]').event == "\ufffd"
        assert packet(b'2["a","\xff"]').data == b'["a","\xff"]'
        assert packet(b'2/\xff,["a"]').namespace == "/\ufffd"

    @pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
    def test_reserved_events_are_decoded(self, name: str) -> None:
        assert packet(f'2["{name}"]').event in RESERVED_EVENTS

    @pytest.mark.parametrize(
        ("data", "namespace", "query"),
        [
            ("0/chat?token=a&b=c", "/chat", "token=a&b=c"),
            ("0/chat?token=a,", "/chat", "token=a"),
            ('0/?token=a,{"b":1}', "/", "token=a"),
            ("1/chat?", "/chat", ""),
        ],
    )
    def test_query(self, data: str, namespace: str, query: str) -> None:
        assert (packet(data).namespace, packet(data).query) == (namespace, query)

    def test_no_attachments_after_all(self) -> None:
        decoded = packet('50-["a"]')  # socket.io-parser refuses it since 4.2.6
        assert (decoded.attachments_expected, decoded.event) == (0, "a")

    @pytest.mark.parametrize("nested", ["[", '{"a":'])
    def test_nesting_that_cannot_be_followed(self, nested: str) -> None:
        deep = '"a",' + nested * 100_000
        assert packet(f"2[{deep}").event == "a"
        assert packet(f"3[{deep}").event is None
        assert packet('0{"a":' + nested * 100_000).type == SioType.CONNECT
        assert syntax(f"2[{nested * 100_000}").expected == "an array that begins with a string or a number"
        assert syntax(f"4[{deep}").expected == "a string or an object"
        assert syntax(f"0[{deep}").expected == "an object"

    def test_length_that_cannot_be_followed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socketio, "MAX_JSON_READ", 2000)
        long = "x" * 2000
        assert packet(f'2["a","\\ud800","{long}"]').event == "a"
        assert syntax(f'2[{{"a":"{long}\\ud800"}}]').expected == "an array that begins with a string or a number"
        assert syntax(f"2{long}").position == 1


class TestSyntax:
    @pytest.mark.parametrize(
        ("data", "position", "expected"),
        [
            ("", 0, "a packet type, 0 to 6"),
            ("9", 0, "a packet type, 0 to 6"),
            ("2", 1, "an array that begins with a string or a number"),
            ("3/chat,", 7, "an array"),
            ('2/chat["a"]', 11, "',' after the namespace and an array that begins with a string or a number"),
            ('21 2["a"]', 1, "an ack id"),
            (f'2{"1" * 101}["a"]', 1, "an ack id"),
            ('5["a"]', 1, "the number of attachments and '-'"),
            ("1/chat,[]", 7, "nothing after a DISCONNECT"),
            ("2/chat,[]", 7, "an array that begins with a string or a number"),
            ('2["한국",]', 11, "JSON (Expecting value)"),
            ("2['a']", 2, "JSON (Expecting value)"),
            ('2/chat,["a",{"b":"c""d"}]', 20, "JSON (Expecting ',' delimiter)"),
            ('2["\\"NaN","é",NaN]', 15, "JSON (it has no such number)"),
            ('2["\\ud800",}', 11, "JSON (Expecting value)"),
            (b'2["\xff",}', 6, "JSON (Expecting value)"),
        ],
    )
    def test_position(self, data: str | bytes, position: int, expected: str) -> None:
        found = syntax(data)
        assert (found.position, found.expected) == (position, expected)
        assert found.found.endswith(f" at byte {position}")

    def test_quotes_what_is_there(self) -> None:
        assert syntax("2['a']").found == "`'a']` at byte 2"
        assert syntax('2["a"').found == "the end at byte 5"
        assert len(syntax("2" + "x" * 1000).found) < 80

    @pytest.mark.parametrize("data", ["2['a']", '2["a"', "2", '2/chat["a"]', '5["a"]', "1{}", '20 7["x"]', "0/chat,[]"])
    def test_looks_like_socketio(self, data: str) -> None:
        assert syntax(data).looks_like_socketio

    @pytest.mark.parametrize(
        "data", ["hello", "2hello", "3.14", "5 apples", "2024-01-01", '{"type":0}', "", "[1]", "9"]
    )
    def test_looks_like_something_else(self, data: str) -> None:
        assert not syntax(data).looks_like_socketio

    def test_binary_is_none(self) -> None:
        as_binary = EioPacket(EioType.MESSAGE, b'2["a"]', True, Side.CLIENT, Transport.WEBSOCKET, PacketRef(1, 1), (1,))
        assert isinstance(decode_packet(as_binary), SioSyntax)


class TestConnect:
    def test_auth(self) -> None:
        data = packet('0/admin,{"token":"t","pid":"p","offset":"o"}').data
        assert connect_details(data) == ConnectDetails(("token", "pid", "offset"), None, "p", "o")

    def test_answer(self) -> None:
        assert connect_details(b'{"sid":"s","pid":1}') == ConnectDetails(("sid", "pid"), "s", None, None)

    @pytest.mark.parametrize("data", [b"", b"[]", b'"sid"', b"{", b'{"a":' * 5000])
    def test_nothing(self, data: bytes) -> None:
        assert connect_details(data) == ConnectDetails()

    def test_is_bounded(self) -> None:
        assert len(connect_details(json.dumps({f"key{n}": n for n in range(100)}).encode()).keys) == 32

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b'"Invalid namespace"', "Invalid namespace"),
            (b'{"message":"Invalid namespace","data":1}', "Invalid namespace"),
            (b'{"message":1}', ""), (b"{}", ""), (b"", ""), (b"[]", ""), (b"{", ""),
        ],
    )  # fmt: skip
    def test_error_message(self, data: bytes, message: str) -> None:
        assert error_message(data) == message


def test_placeholders() -> None:
    assert placeholders(b'["a",{"_placeholder":true,"num":0},{"_placeholder": true,"num":1}]') == 2
    assert placeholders(b'["a"]') == 0
