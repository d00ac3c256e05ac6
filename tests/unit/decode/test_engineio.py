"""Engine.IO packets, polling payloads, handshakes and refusals.

Bytes marked as made by a library were written by that library and are data here.
"""

import json
import time

import pytest

from eiosniff.decode.engineio.packets import decode_message, parse_error_body, parse_open
from eiosniff.decode.engineio.payload import NUMPY_PAYS, Payload, decode_payload, looks_like_payload
from eiosniff.model.engineio import EioPacket, EioType, OpenPacket, ServerError, Transport
from eiosniff.model.provenance import PacketRef, Side

PLACE = PacketRef(7, 1_000)
KOREAN = '2["é","한국"]'
EMOJI = '2["😀"]'


def message(payload: bytes, binary: bool = False, revision: int = 4) -> EioPacket:
    return decode_message(payload, binary, revision, Side.CLIENT, Transport.WEBSOCKET, PLACE, (6, 7))


def payload(body: bytes, hint: int | None = None, content_type: bytes | None = None) -> Payload:
    return decode_payload(body, content_type, hint, Side.SERVER, PLACE, (6, 7))


def contents(decoded: Payload) -> list[tuple[int, bytes, bool]]:
    return [(packet.type, packet.data, packet.binary) for packet in decoded.packets]


class TestMessage:
    @pytest.mark.parametrize("revision", [1, 2, 3, 4])
    @pytest.mark.parametrize("kind", EioType)
    def test_text(self, kind: EioType, revision: int) -> None:
        packet = message(b"%dprobe" % kind, revision=revision)
        assert (packet.type, packet.data, packet.binary) == (kind, b"probe", False)

    def test_says_where_it_comes_from(self) -> None:
        packet = message(b"3")
        assert (packet.side, packet.transport, packet.place, packet.packets) == (
            Side.CLIENT, Transport.WEBSOCKET, PLACE, (6, 7),
        )  # fmt: skip

    @pytest.mark.parametrize("text", [b"", b"7x", b"hello", b"\xff", b"/", b":"])
    def test_a_type_that_is_none_keeps_everything(self, text: bytes) -> None:
        packet = message(text)
        assert (packet.type, packet.data) == (-1, text)

    def test_binary_of_revision_4_is_bare(self) -> None:
        packet = message(b"\x04\x01", binary=True, revision=4)
        assert (packet.type, packet.data, packet.binary) == (EioType.MESSAGE, b"\x04\x01", True)

    def test_binary_of_revision_3_begins_with_its_type(self) -> None:
        packet = message(b"\x04\x01", binary=True, revision=3)
        assert (packet.type, packet.data, packet.binary) == (EioType.MESSAGE, b"\x01", True)

    @pytest.mark.parametrize("data", [b"", b"\x07\x01", b"4abc", b"b4AQL/"])
    def test_binary_of_revision_3_without_its_type(self, data: bytes) -> None:
        packet = message(data, binary=True, revision=3)
        assert (packet.type, packet.data, packet.binary) == (-1, data, True)

    @pytest.mark.parametrize(
        ("text", "revision"),
        [
            (b"bAQL/", 4),
            (b"b4AQL/", 3),
            (b"b4AQL/", 4),  # netty-socketio, `EIO=4`
            (b"bAQL/", 3),
            (b"bAQL_", 4),  # the URL-safe alphabet
            (b"bAQ\r\nL/", 4),  # line breaks, as encoders of mail make them
        ],
    )
    def test_base64(self, text: bytes, revision: int) -> None:
        packet = message(text, revision=revision)
        assert (packet.type, packet.data, packet.binary) == (EioType.MESSAGE, b"\x01\x02\xff", True)

    @pytest.mark.parametrize(("text", "revision"), [(b"bAQI", 4), (b"b4AQI", 3), (b"bAQI=", 4)])
    def test_base64_without_its_padding(self, text: bytes, revision: int) -> None:
        assert message(text, revision=revision).data == b"\x01\x02"

    def test_empty_base64(self) -> None:
        assert (message(b"b").data, message(b"b4", revision=3).data) == (b"", b"")

    @pytest.mark.parametrize("text", [b"bad request", b"bA", b"b\x80", b"b=AQL"])
    def test_what_is_no_base64(self, text: bytes) -> None:
        packet = message(text)
        assert (packet.type, packet.data, packet.binary) == (-1, text, False)


class TestSeparatedPayload:
    def test_packets_of_revision_4(self) -> None:
        # made by engine.io-parser 5.2.3
        body = bytes.fromhex("34325b22c3a9222c22ed959ceab5ad225d1e34325b22f09f9880225d1e321e6241514c2f")
        decoded = payload(body)
        assert contents(decoded) == [
            (4, KOREAN.encode(), False),
            (4, EMOJI.encode(), False),
            (2, b"", False),
            (4, b"\x01\x02\xff", True),
        ]
        assert (decoded.revision_shape, decoded.trouble, decoded.consumed) == (4, None, len(body))
        assert all(packet.transport is Transport.POLLING for packet in decoded.packets)

    @pytest.mark.parametrize("hint", [None, 3, 4])
    def test_one_packet_alone(self, hint: int | None) -> None:
        decoded = payload(b'0{"sid":"a"}', hint)
        assert (decoded.revision_shape, contents(decoded)) == (4, [(0, b'{"sid":"a"}', False)])

    def test_separators_under_revision_3(self) -> None:
        assert payload(b"40\x1e2", hint=3).revision_shape == 4  # netty-socketio, `EIO=3`

    def test_a_separator_in_data_splits_the_packet(self) -> None:
        assert contents(payload(b'42["a\x1eb"]')) == [(4, b'2["a', False), (-1, b'b"]', False)]

    def test_a_separator_too_many(self) -> None:
        assert contents(payload(b"2\x1e")) == [(2, b"", False), (-1, b"", False)]

    @pytest.mark.interpreted
    def test_the_number_of_packets_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("eiosniff.decode.engineio.payload.MAX_PACKETS_IN_PAYLOAD", 3)
        decoded = payload(b"2\x1e2\x1e2\x1e2\x1e2")
        assert (len(decoded.packets), decoded.consumed) == (3, 6)
        assert decoded.trouble is not None


class TestLengthPrefixedPayload:
    def test_packets_of_revision_3(self) -> None:
        # made by engine.io-parser 2.2.1
        body = bytes.fromhex("31323a34325b22c3a9222c22ed959ceab5ad225d383a34325b22f09f9880225d313a32363a623441514c2f")
        decoded = payload(body)
        assert contents(decoded) == [
            (4, KOREAN.encode(), False),
            (4, EMOJI.encode(), False),
            (2, b"", False),
            (4, b"\x01\x02\xff", True),
        ]
        assert (decoded.revision_shape, decoded.trouble, decoded.consumed) == (3, None, len(body))
        assert not decoded.double_encoded

    def test_utf8_encoded_twice(self) -> None:
        # made by engine.io-parser 1.3.1
        body = bytes.fromhex(
            "31373a34325b22c383c2a9222c22c3adc295c29cc3aac2b5c2ad225d31303a34325b22c3b0c29fc298c280225d313a32"
        )
        decoded = payload(body)
        assert contents(decoded) == [(4, KOREAN.encode(), False), (4, EMOJI.encode(), False), (2, b"", False)]
        assert (decoded.revision_shape, decoded.trouble, decoded.consumed) == (3, None, len(body))
        assert decoded.double_encoded

    def test_utf8_encoded_twice_and_truncated(self) -> None:
        decoded = payload('1:29:42["Ã©'.encode())
        assert (contents(decoded), decoded.consumed, decoded.double_encoded) == ([(2, b"", False)], 3, False)

    def test_latin_1_text_is_not_taken_for_encoded_twice(self) -> None:
        decoded = payload('7:42["é"]1:2'.encode())
        assert contents(decoded) == [(4, '2["é"]'.encode(), False), (2, b"", False)]
        assert not decoded.double_encoded

    def test_handshake_and_connect(self) -> None:
        decoded = payload(b'13:0{"sid":"ab"}2:40', hint=4)
        assert contents(decoded) == [(0, b'{"sid":"ab"}', False), (4, b"0", False)]
        assert decoded.revision_shape == 3

    def test_an_empty_payload(self) -> None:
        decoded = payload(b"0:")
        assert (contents(decoded), decoded.revision_shape, decoded.trouble, decoded.consumed) == ([], 3, None, 2)

    def test_lengths_in_bytes(self) -> None:
        # made by python-engineio 3.14.2
        body = bytes.fromhex("31373a34325b22ed959ceab5ad20f09f9880225d313a32363a623441514c2f")
        decoded = payload(body)
        assert contents(decoded) == [(4, '2["한국 😀"]'.encode(), False), (2, b"", False), (4, b"\x01\x02\xff", True)]
        assert decoded.trouble == "lengths count bytes, not UTF-16 code units"
        assert decoded.consumed == len(body)

    def test_lengths_in_code_points(self) -> None:
        decoded = payload('7:42["😀"]1:2'.encode())
        assert contents(decoded) == [(4, EMOJI.encode(), False), (2, b"", False)]
        assert decoded.trouble == "lengths count code points, not UTF-16 code units"

    @pytest.mark.parametrize("size", [10, NUMPY_PAYS, 3 * NUMPY_PAYS])
    def test_bytes_that_begin_no_character_count_as_one(self, size: int) -> None:
        text = b"x\xf8\xff" * size
        decoded = payload(b"%d:4" % (len(text) + 1) + text + b"1:2")
        assert (contents(decoded), decoded.trouble) == ([(4, text, False), (2, b"", False)], None)

    def test_no_counting_fits(self) -> None:
        body = '1:210:42["한국"]'.encode()
        decoded = payload(body)
        assert contents(decoded) == [(2, b"", False)]
        assert decoded.trouble == "length 10 at byte 3 does not fit: 8 UTF-16 code units follow"
        assert decoded.consumed == 3

    def test_a_length_that_ends_between_surrogates(self) -> None:
        assert payload('5:42["😀"]'.encode()).consumed == 0

    def test_truncated(self) -> None:
        decoded = payload(b'1:211:42["hel')
        assert (contents(decoded), decoded.consumed) == ([(2, b"", False)], 3)
        assert decoded.trouble == "length 11 at byte 3 does not fit: 7 characters follow"

    def test_something_between_the_packets(self) -> None:
        decoded = payload(b"1:2\n1:3")
        assert (contents(decoded), decoded.trouble) == ([(2, b"", False)], "no length at byte 3")

    @pytest.mark.parametrize(
        ("body", "packets"),
        [
            (b"1:3", [(3, b"", False)]),
            (b"2:40", [(4, b"0", False)]),
            (b'7:42["x"]', [(4, b'2["x"]', False)]),
            (b"4:4abc", [(4, b"abc", False)]),
        ],
    )
    @pytest.mark.parametrize("hint", [None, 3, 4])
    def test_sent_to_a_server_of_revision_4(
        self, body: bytes, packets: list[tuple[int, bytes, bool]], hint: int | None
    ) -> None:
        decoded = payload(body, hint)
        assert (decoded.revision_shape, contents(decoded), decoded.trouble) == (3, packets, None)

    @pytest.mark.parametrize(
        ("body", "hint", "shape"),
        [
            (b"4:hello", 4, 4),
            (b"4:hello", 3, 3),
            (b"4:hello", None, 4),
            (b"4:abcd", None, 4),
            (b"42:foo", 4, 4),
            (b"45:42[", None, 3),
            (b'6:42["long"]', 4, 3),  # no other packet than a message can begin so
            (b"4:a\x1e2", 4, 4),
        ],
    )
    def test_a_message_that_looks_like_a_length(self, body: bytes, hint: int | None, shape: int) -> None:
        decoded = payload(body, hint)
        assert decoded.revision_shape == shape
        if shape == 4:
            assert contents(decoded)[0] == (4, body[1:].partition(b"\x1e")[0], False)

    @pytest.mark.interpreted
    def test_the_number_of_packets_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("eiosniff.decode.engineio.payload.MAX_PACKETS_IN_PAYLOAD", 3)
        decoded = payload(b"1:2" * 5)
        assert (len(decoded.packets), decoded.consumed) == (3, 9)
        assert decoded.trouble is not None

    def test_much_text_that_is_not_ascii(self) -> None:
        text = '42["' + "한국😀é" * 250_000 + '"]'
        length = len(text.encode("utf-16-le")) // 2
        started = time.perf_counter()
        decoded = payload(f"{length}:{text}".encode() * 2)
        assert time.perf_counter() - started < 2
        assert contents(decoded) == [(4, text[1:].encode(), False)] * 2


class TestBinaryPayload:
    @pytest.mark.parametrize(
        "body",
        [
            # made by engine.io-parser 1.3.1 and 2.2.1, which agree
            "000102ff34325b22c3a9f09f9880225d0104ff040102ff",
            # made by python-engineio 3.14.2, with a ping between
            "000102ff34325b22c3a9f09f9880225d0001ff320104ff040102ff",
        ],
    )
    def test_text_and_binary(self, body: str) -> None:
        decoded = payload(bytes.fromhex(body))
        assert contents(decoded)[0] == (4, '2["é😀"]'.encode(), False)
        assert contents(decoded)[-1] == (4, b"\x01\x02\xff", True)
        assert (decoded.revision_shape, decoded.trouble, decoded.consumed) == (3, None, len(body) // 2)

    def test_an_empty_entry(self) -> None:
        assert payload(b"\x00\xff\x00\x01\xff2").packets[0].type == EioType.PING

    @pytest.mark.parametrize(
        ("body", "trouble"),
        [
            (b"\x00\x01\xff2\x01\x09\xff\x04abc", "length 9 at byte 4 does not fit: 4 bytes follow"),
            (b"\x00\x01\xff2hello", "no length at byte 4"),
            (b"\x00\x01\xff2\x01\x01", "no length at byte 4"),
            (b"\x00\x01\xff2\x01" + b"\x09" * 11 + b"\xff", "no length at byte 4"),
        ],
    )
    def test_damaged(self, body: bytes, trouble: str) -> None:
        decoded = payload(body)
        assert (contents(decoded), decoded.consumed) == ([(2, b"", False)], 4)
        assert decoded.trouble == trouble


class TestJsonp:
    def test_answer(self) -> None:
        body = rb'___eio[3]("12:42[\"a\",\"\\n\"]1:6");'
        assert contents(payload(body)) == [(4, rb'2["a","\n"]', False), (6, b"", False)]
        assert payload(body).consumed == len(body)

    def test_answer_that_is_no_string(self) -> None:
        assert payload(rb'___eio[3]("\x");').trouble is not None

    @pytest.mark.parametrize("content_type", [None, b"application/x-www-form-urlencoded"])
    def test_form(self, content_type: bytes | None) -> None:
        # What the client's form sends for `42["a","\n"]`, whose backslash it doubles.
        body = b"d=12%3A42%5B%22a%22%2C%22%5C%5Cn%22%5D"
        decoded = payload(body, content_type=content_type)
        assert contents(decoded) == [(4, rb'2["a","\n"]', False)]
        assert decoded.consumed == len(body)

    def test_form_with_a_line_end(self) -> None:
        assert contents(payload(rb"d=4%5Cn+a&x=1")) == [(4, b"\n a", False)]

    @pytest.mark.parametrize("body", [b"d=", b'___eio[0]("");'])
    def test_empty(self, body: bytes) -> None:
        assert payload(body).trouble == "no packet"

    def test_wrapped_again_and_again(self) -> None:
        assert payload(b"d=" * 100_000).trouble is not None


class TestOtherBodies:
    @pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"code":1}', b"\x80", b"hello", b"d=4"])
    def test_no_payload(self, body: bytes) -> None:
        decoded = payload(body, content_type=b"text/plain")
        assert (decoded.packets, decoded.revision_shape, decoded.consumed) == ([], None, 0)
        assert decoded.trouble

    @pytest.mark.parametrize(
        "body",
        [
            b'97:0{"sid"', b"2:40", b"1:6", b"0:", b'0{"sid"', b"1", b"2", b"2probe", b"3", b"40", b'42["a"]',
            b"4hello",
            b"6\x1e1", b"bAQL/", b"\x00\x09\x07\xff0{", b"\x01\x04\xff\x04", b"___eio[0](",
        ],
    )  # fmt: skip
    def test_looks_like_a_payload(self, body: bytes) -> None:
        assert looks_like_payload(body)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"ok", b"<!DOCTYPE html>", b'{"code":0}', b"404 page not found\n", b"502 Bad Gateway", b"200 OK",
            b"bad request", b"Session ID unknown", b'"Invalid session"', b"\x00\x00\x00\x18ftyp",
            b"12:99",
        ],
    )  # fmt: skip
    def test_looks_like_something_else(self, body: bytes) -> None:
        assert not looks_like_payload(body)


class TestOpen:
    def test_of_node(self) -> None:
        data = (
            b'{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],'
            b'"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
        )
        assert parse_open(data) == OpenPacket(
            sid="lv_VI97HAXpY6yYWAAAC",
            upgrades=("websocket",),
            ping_interval_ms=25000,
            ping_timeout_ms=20000,
            max_payload=1000000,
            keys=("sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"),
        )

    def test_order_of_the_keys_and_what_is_absent(self) -> None:
        opened = parse_open(b'{"sid":"a","upgrades":[],"pingTimeout":60000,"pingInterval":25000}')
        assert opened is not None
        assert opened.keys == ("sid", "upgrades", "pingTimeout", "pingInterval")
        assert opened.max_payload is None

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"25000", 25000), (b"25000.0", 25000), (b"-1", None), (b"0.5", None), (b'"25000"', None), (b"true", None),
            (b"null", None), (b"1e300", None), (b"9" * 400, None), (b"[1]", None),
        ],
    )  # fmt: skip
    def test_numbers(self, value: bytes, expected: int | None) -> None:
        opened = parse_open(b'{"sid":"a","upgrades":7,"pingInterval":%s}' % value)
        assert opened is not None
        assert (opened.ping_interval_ms, opened.upgrades) == (expected, ())

    def test_odd_upgrades(self) -> None:
        opened = parse_open(b'{"sid":"a","upgrades":["websocket",1,null]}')
        assert opened is not None
        assert opened.upgrades == ("websocket",)

    @pytest.mark.parametrize(
        "data",
        [
            b"", b"{}", b"[]", b'"sid"', b'{"sid":1}', b'{"sid":null}', b'{"sid":"a"', b'{"sid":"\xff"}', b"{" * 5000,
            b'{"a":' * 5000, b'{"sid":"a"' + b" " * 70_000 + b"}",
        ],
    )  # fmt: skip
    def test_no_handshake(self, data: bytes) -> None:
        assert parse_open(data) is None

    def test_is_bounded(self) -> None:
        fields = {"sid": "a", "upgrades": ["websocket"] * 100} | {f"key{n}": n for n in range(100)}
        opened = parse_open(json.dumps(fields).encode())
        assert opened is not None
        assert (len(opened.upgrades), len(opened.keys)) == (16, 32)


class TestErrorBody:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b'{"code":1,"message":"Session ID unknown"}', ServerError(1, "Session ID unknown", "node")),
            (b'{"message":"Transport unknown","code":0}', ServerError(0, "Transport unknown", "node")),
            (b'{"code":"5","message":"Unsupported protocol version"}',
             ServerError(5, "Unsupported protocol version", "socketioxide")),
            (b'"Invalid session abc"', ServerError(None, "Invalid session abc", "python")),
            (b"Unsupported protocol version", ServerError(None, "Unsupported protocol version", "text")),
            (b"invalid transport: x\n", ServerError(None, "invalid transport: x", "text")),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("content_type", [None, b"text/plain", b"text/html", b"application/json"])
    def test_refusal(self, body: bytes, error: ServerError, content_type: bytes | None) -> None:
        assert parse_error_body(body, content_type) == error

    def test_text_of_the_application(self) -> None:
        # Node answers a refused upgrade with the message that `allowRequest` gave, as HTML.
        assert parse_error_body(b"token expired", b"text/html") == ServerError(None, "token expired", "text")
        assert parse_error_body(b"no healthy upstream", b"text/plain") is None

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"  ", b"<html><center>nginx</center></html>", b"{}", b'{"code":1}', b'{"code":true,"message":"x"}',
            b'{"code":"x","message":"x"}', b'{"message":"x"}', b"[1]", b"12", b"{broken", b"two\nlines",
            b"x" * 600, b'"' + b"x" * 70_000 + b'"', b'{"code":1,"message":2}', b'{"error":' * 3000,
        ],
    )  # fmt: skip
    def test_no_refusal(self, body: bytes) -> None:
        assert parse_error_body(body, b"text/html") is None
