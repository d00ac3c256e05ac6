"""WebSocket frames and messages (RFC 6455), on good and bad input, in pieces and with holes."""

import random

import pytest

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.websocket.frame import NUMPY_PAYS, unmask
from eiosniff.decode.websocket.reader import WebSocketReader, WsLimits
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync
from eiosniff.model.websocket import Opcode, WsControl, WsMessage
from tests.unit.decode.websocket_streams import KEY, NEXT, comparable, frame, read, stream


# RFC 6455, section 5.7
def test_a_single_unmasked_text_message():
    (message,) = read(bytes.fromhex("810548656c6c6f")).events
    assert comparable(message) == (
        "WsMessage", Side.SERVER, Opcode.TEXT, b"Hello", False, b"", 0, 1, 5, False, 0, True,
        0, 7, (1,), PacketRef(1, 1000), PacketRef(1, 1000), 1,
    )  # fmt: skip


def test_a_single_masked_text_message():
    (message,) = read(bytes.fromhex("818537fa213d7f9f4d5158"), side=Side.CLIENT).events
    assert (message.payload, message.masked, message.mask_key) == (b"Hello", True, KEY)


def test_a_fragmented_unmasked_text_message():
    (message,) = read(bytes.fromhex("010348656c"), bytes.fromhex("80026c6f")).events
    assert (message.payload, message.opcode, message.fragments, message.wire_length) == (b"Hello", Opcode.TEXT, 2, 5)
    assert (message.start, message.end, message.packets) == (0, 9, (1, 2))
    assert (message.first.number, message.last.number, message.order) == (1, 2, 2)


def test_unmasked_ping_and_masked_pong():
    (ping,) = read(bytes.fromhex("890548656c6c6f")).events
    (pong,) = read(bytes.fromhex("8a8537fa213d7f9f4d5158"), side=Side.CLIENT).events
    assert (ping.opcode, ping.payload) == (Opcode.PING, b"Hello")
    assert (pong.opcode, pong.payload, pong.mask_key) == (Opcode.PONG, b"Hello", KEY)
    assert pong.close_code is None


@pytest.mark.parametrize("head", ["827e0100", "827f0000000000010000"])
def test_binary_messages_with_extended_lengths(head):
    payload = random.Random(1).randbytes(int(head[4:], 16))
    (message,) = stream().packets(bytes.fromhex(head) + payload).end().events
    assert (message.opcode, message.payload) == (Opcode.BINARY, payload)


# Lengths, masks, places
@pytest.mark.parametrize(
    "size", [0, 1, 3, 4, 5, 125, 126, 127, NUMPY_PAYS - 1, NUMPY_PAYS, NUMPY_PAYS + 1, 65535, 65536]
)
@pytest.mark.parametrize("key", [None, KEY, b"\0\0\0\0"])
def test_every_length(size, key):
    payload = random.Random(size).randbytes(size)
    side = Side.SERVER if key is None else Side.CLIENT
    data = frame(payload, Opcode.BINARY, key=key)
    result = stream(side).packets(data, data).end()
    assert [comparable(event)[3:6] for event in result.events] == [(payload, key is not None, key or b"")] * 2


def test_unmask_by_the_definition():
    for size in (0, 1, 2, 3, 4, 5, 11, NUMPY_PAYS, NUMPY_PAYS + 1, NUMPY_PAYS + 2, NUMPY_PAYS + 3):
        payload = random.Random(size).randbytes(size)
        assert unmask(payload, KEY) == bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


def test_places_of_messages_in_and_across_packets():
    messages = [frame(b"%d" % n * (n + 1)) for n in range(9)]
    data = b"".join(messages)
    result = read(data[:7], data[7:8], data[8:20], data[20:])
    numbers = [1] * 7 + [2] + [3] * 12 + [4] * (len(data) - 20)
    for message in result.events:
        brought = numbers[message.start : message.end]
        assert message.packets == tuple(dict.fromkeys(brought))
        ends = [PacketRef(number, number * 1000) for number in (brought[0], brought[-1])]
        assert [message.first, message.last] == ends
        assert message.order == brought[-1]


def test_order_is_the_packet_that_filled_the_hole():
    result = stream()
    data = frame(b"late")
    chunk = StreamChunk(Side.SERVER, 0, data, [0], [3], [3000], delivered=8)
    (message,) = result.reader.feed(chunk)
    assert (message.packets, message.last.number, message.order) == ((3,), 3, 8)


def test_bytes_behind_the_handshake():
    buffer = StreamBuffer(Side.SERVER)
    buffer.append(
        StreamChunk(Side.SERVER, 100, b"HTTP/1.1 101\r\n\r\n" + frame(b"a") + frame(b"b")[:2], [0], [5], [50])
    )
    buffer.pos = 16
    reader = WebSocketReader(Side.SERVER, buffer)
    (one,) = reader.start()
    assert (one.payload, one.start, one.packets) == (b"a", 116, (5,))
    (two,) = reader.feed(StreamChunk(Side.SERVER, 121, b"b", [0], [6], [60]))
    assert (two.payload, two.start, two.packets) == (b"b", 119, (5, 6))


# Fragments and control frames
def test_control_frames_between_fragments():
    result = read(
        frame(b"a", fin=False) + frame(b"!", Opcode.PING),
        frame(b"b", 0, fin=False),
        frame(b"?", Opcode.PONG) + frame(b"c", 0),
    )
    ping, pong, message = result.events
    assert (ping.payload, pong.payload, message.payload, message.fragments) == (b"!", b"?", b"abc", 3)
    assert (message.start, message.end, message.packets) == (0, 15, (1, 2, 3))


def test_frames_after_close():
    result = read(frame(b"\x03\xe8", Opcode.CLOSE) + frame(b"41") + frame(b"1"))
    assert result.payloads == [b"\x03\xe8", b"41", b"1"]
    assert result.anomalies == []


@pytest.mark.parametrize(
    ("payload", "code", "reason", "anomalies"),
    [
        (b"", None, b"", []),
        (b"\x03\xe8", 1000, b"", []),
        (b"\x0b\xb8bye", 3000, b"bye", []),
        (b"\x13\x87", 4999, b"", []),
        (b"\x03", None, b"\x03", [AnomalyKind.WS_BAD_CLOSE]),
        (b"\x00\x00", 0, b"", [AnomalyKind.WS_BAD_CLOSE]),
        (b"\x03\xed", 1005, b"", [AnomalyKind.WS_BAD_CLOSE]),
        (b"\x03\xee", 1006, b"", [AnomalyKind.WS_BAD_CLOSE]),
        (b"\x13\x88", 5000, b"", [AnomalyKind.WS_BAD_CLOSE]),
        (b"\x03\xe8\xff", 1000, b"\xff", [AnomalyKind.WS_BAD_UTF8]),
    ],
)
def test_close_frames(payload, code, reason, anomalies):
    result = read(frame(payload, Opcode.CLOSE))
    (close,) = result.of(WsControl)
    assert (close.close_code, close.close_reason, close.payload) == (code, reason, payload)
    assert result.anomalies == anomalies


@pytest.mark.parametrize(
    ("data", "anomalies", "payloads"),
    [
        (frame(b"x", key=KEY), [AnomalyKind.WS_WRONG_MASK], [b"x"]),
        (frame(b"x", rsv=4), [AnomalyKind.WS_RESERVED_BITS], [b"x"]),
        (frame(b"x", rsv=3), [AnomalyKind.WS_RESERVED_BITS], [b"x"]),
        (frame(b"x", Opcode.PING, rsv=1), [AnomalyKind.WS_RESERVED_BITS], [b"x"]),
        (frame(b"x", 3), [AnomalyKind.WS_RESERVED_OPCODE], [b"x"]),
        (frame(b"x", 15), [AnomalyKind.WS_RESERVED_OPCODE], [b"x"]),
        (frame(b"x", extended=2), [AnomalyKind.WS_BAD_LENGTH], [b"x"]),
        (frame(b"x" * 65535, extended=8), [AnomalyKind.WS_BAD_LENGTH], [b"x" * 65535]),
        (frame(b"x", Opcode.PING, fin=False), [AnomalyKind.WS_BAD_CONTROL], [b"x"]),
        (frame(b"x" * 126, Opcode.PONG), [AnomalyKind.WS_BAD_CONTROL], [b"x" * 126]),
        (frame(b"x", 0), [AnomalyKind.WS_BAD_CONTINUATION], [b"x"]),
        (frame(b"x", 0, fin=False) + frame(b"y", 0), [AnomalyKind.WS_BAD_CONTINUATION], [b"xy"]),
        (frame(b"x", fin=False), [AnomalyKind.WS_BAD_CONTINUATION], [b"x"]),
        (frame(b"\xc3", fin=False) + frame(b"\xa4", 0), [], [b"\xc3\xa4"]),
        (frame("ä".encode()), [], ["ä".encode()]),
        (frame(b"\xc3"), [AnomalyKind.WS_BAD_UTF8], [b"\xc3"]),
        (frame(b"\xc3", Opcode.BINARY), [], [b"\xc3"]),
    ],
)  # fmt: skip
def test_violations(data, anomalies, payloads):
    result = read(data, NEXT, NEXT)
    assert result.anomalies == anomalies
    assert result.payloads == [*payloads, b"next", b"next"]


def test_http_in_disguise():
    # An engine that refuses the revision after the 101, or another handler of the same server: not frames of a close.
    text = b"HTTP/1.1 400 Bad Request\r\n".ljust(86)
    result = stream(Side.SERVER, None, None).packets(NEXT, text, NEXT)
    assert result.payloads == [b"next"]
    assert not result.anomalies
    assert result.reader.at_http
    assert result.reader.buffer.data[result.reader.buffer.pos :].startswith(text)


@pytest.mark.parametrize("cut", range(1, 8))
def test_http_in_disguise_in_two_packets(cut):
    text = b"HTTP/1.1 101 Switching Protocols"
    reader = stream(Side.SERVER, None, None).packets(NEXT + text[:cut]).packets(text[cut:]).reader
    assert reader.at_http
    assert reader.buffer.data[reader.buffer.pos :] == text


def test_a_client_frame_is_no_http():
    result = read(b"HTTP/1.1 400 Bad Request\r\n".ljust(86), NEXT, side=Side.CLIENT)
    assert AnomalyKind.WS_RESERVED_BITS in result.anomalies


def test_an_unmasked_client():
    result = read(frame(b"x"), frame(b"y", key=KEY), side=Side.CLIENT)
    assert [(message.payload, message.masked) for message in result.of(WsMessage)] == [(b"x", False), (b"y", True)]
    (anomaly,) = result.of(Anomaly)
    assert (anomaly.kind, anomaly.expected, anomaly.found) == (AnomalyKind.WS_WRONG_MASK, "masked", "not masked")


def test_an_anomaly_each_time():
    assert read(frame(b"x", rsv=1) * 3).anomalies == [AnomalyKind.WS_RESERVED_BITS] * 3


@pytest.mark.parametrize("length", [1 << 63, (1 << 32) + 1])
def test_an_absurd_length(length):
    bad = b"\x82\x7f" + length.to_bytes(8) + bytes(30)
    result = read(frame(b"a"), bad, NEXT, NEXT)
    assert result.payloads == [b"a", b"next", b"next"]
    assert result.anomalies == [AnomalyKind.WS_BAD_LENGTH]
    assert [(desync.start, desync.end, desync.place.number) for desync in result.of(Desync)] == [(3, 43, 2)]


@pytest.mark.parametrize("kind", list(EndKind))
@pytest.mark.parametrize(
    ("tail", "expected", "found"),
    [
        (b"\x81", "a frame header", "1 bytes"),
        (b"\x82\x7e\x01", "a frame header", "3 bytes"),
        (b"\x81\x05abc", "a frame of 7 bytes", "5 bytes"),
        (frame(b"a", fin=False), "a fragment with FIN", "1 without"),
        (frame(b"a", fin=False) + frame(b"p", Opcode.PING), "a fragment with FIN", "1 without"),
        (frame(b"a", fin=False) + b"\x00\x04bcd", "a frame of 6 bytes", "5 bytes"),
    ],
)
def test_an_incomplete_message(tail, expected, found, kind):
    result = stream().packets(NEXT, tail).end(kind)
    (anomaly,) = result.of(Anomaly)
    assert anomaly.kind is AnomalyKind.WS_INCOMPLETE
    assert (anomaly.expected, anomaly.found) == (expected, f"{found}, then {kind.value}")
    (desync,) = result.of(Desync)
    assert (desync.start, desync.end, desync.place.number) == (6, 6 + len(tail), 2)
    read(NEXT, tail)


# Limits
SMALL = WsLimits(message=10, fragments=4)


@pytest.mark.parametrize("kept", [True, False])
def test_a_message_over_the_limit(kept):
    data = frame(b"x" * (10 if kept else 11))
    result = read(NEXT, data[:5], data[5:6], data[6:] + NEXT, limits=SMALL)
    message = result.of(WsMessage)[1]
    assert (message.readable, message.payload) == (kept, b"x" * 10 if kept else b"")
    assert (message.wire_length, message.start, message.end) == (10 + (not kept), 6, 6 + len(data))
    assert message.packets == (2, 3, 4) if kept else (2, 4)
    assert (message.first.number, message.last.number, message.order) == (2, 4, 4)
    assert result.of(WsMessage)[2].payload == b"next"
    assert result.anomalies == ([] if kept else [AnomalyKind.WS_TOO_LARGE])


def test_fragments_over_the_limit():
    parts = [frame(b"x" * 6, fin=False), frame(b"x" * 5, 0, fin=False), frame(b"y", Opcode.PING), frame(b"x", 0)]
    result = read(*parts, NEXT, limits=SMALL)
    message = result.of(WsMessage)[0]
    assert (message.readable, message.payload, message.wire_length, message.fragments) == (False, b"", 12, 3)
    assert (message.packets, result.anomalies) == ((1, 4), [AnomalyKind.WS_TOO_LARGE])
    assert result.of(WsMessage)[1].payload == b"next"


def test_too_many_fragments():
    result = read(frame(fin=False), *[frame(b"", 0, fin=False)] * 20, frame(b"", 0), NEXT, limits=SMALL)
    message = result.of(WsMessage)[0]
    assert (message.readable, message.fragments, message.packets) == (False, 22, (1, 2, 3, 4, 22))
    assert result.anomalies == [AnomalyKind.WS_TOO_LARGE]


def test_a_control_frame_over_the_limit():
    result = read(frame(b"x" * 200, Opcode.CLOSE), NEXT, limits=SMALL)
    assert result.anomalies == [AnomalyKind.WS_BAD_CONTROL, AnomalyKind.WS_TOO_LARGE]
    assert result.payloads == [b"", b"next"]


def test_a_message_over_the_limit_that_does_not_end():
    result = read(b"\x82\x7f" + (1 << 30).to_bytes(8) + bytes(50), bytes(50))
    (anomaly,) = result.of(Anomaly)
    assert (anomaly.expected, anomaly.found) == ("a frame of 1073741834 bytes", "110 bytes, then FIN")


def test_a_hole_in_a_message_over_the_limit():
    data = frame(b"x" * 100)
    for at in range(2, len(data)):
        for size in (1, 5, len(data) - at, len(data) - at + 3):
            rest = (data + NEXT)[at + size :]
            result = stream(limits=SMALL).packets(data[:at]).gap(size).packets(rest, NEXT, NEXT).end()
            (message, *others) = result.of(WsMessage)
            assert (message.readable, message.wire_length) == (False, 100)
            assert message.missing == min(size, len(data) - at)
            assert [other.payload for other in others][-2:] == [b"next", b"next"]
