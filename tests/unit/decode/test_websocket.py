"""WebSocket frames and messages (RFC 6455), on good and bad input, in pieces and with holes."""

import random
import zlib
from itertools import pairwise

import pytest

from eiosniff.decode.buffer import GAP_FILL_LIMIT, StreamBuffer
from eiosniff.decode.deflate import Inflater
from eiosniff.decode.websocket import WebSocketReader, WsLimits
from eiosniff.decode.websocket_frame import NUMPY_PAYS, unmask
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap, GapReason
from eiosniff.model.websocket import Opcode, WsControl, WsMessage
from tests.records import names

KEY = bytes.fromhex("37fa213d")  # the mask of the examples in RFC 6455, section 5.7
HELLO_DEFLATED = bytes.fromhex("f248cdc9c90700")  # RFC 7692, section 7.2.3.1


def frame(payload=b"", opcode=Opcode.TEXT, fin=True, rsv=0, key=None, extended=None) -> bytes:
    size = len(payload)
    if extended is None:
        extended = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[extended]
    head = bytes([fin << 7 | rsv << 4 | opcode, (key is not None) << 7 | short]) + size.to_bytes(8)[8 - extended :]
    return head + (payload if key is None else key + unmask(payload, key))


class Stream:
    """One direction as the TCP layer delivers it: packets, holes, the end."""

    def __init__(self, reader: WebSocketReader, side: Side, number: int = 1):
        self.reader, self.side, self.number, self.offset = reader, side, number, 0
        self.events: list[object] = []
        self.gaps: list[Gap] = []

    def packets(self, *packets: bytes) -> "Stream":
        """Deliver packets as one chunk."""
        starts = [sum(map(len, packets[:i])) for i in range(len(packets))]
        numbers = list(range(self.number, self.number + len(packets)))
        self.number += len(packets)
        return self.chunk(b"".join(packets), starts, numbers)

    def chunk(self, data: bytes, starts: list[int], numbers: list[int]) -> "Stream":
        times = [number * 1000 for number in numbers]
        self.events += self.reader.feed(StreamChunk(self.side, self.offset, data, starts, numbers, times))
        self.offset += len(data)
        return self

    def gap(self, length: int) -> "Stream":
        place = PacketRef(self.number, self.number * 1000)
        self.gaps.append(Gap(self.side, self.offset, length, GapReason.NOT_CAPTURED, place))
        self.events += self.reader.gap(self.gaps[-1])
        self.offset += length
        return self

    def end(self, kind: EndKind = EndKind.FIN) -> "Stream":
        self.events += self.reader.end(StreamEnd(self.side, kind, PacketRef(self.number, self.number * 1000)))
        check_tiling(self.events, self.gaps, self.offset)
        return self

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def anomalies(self) -> list[AnomalyKind]:
        return [anomaly.kind for anomaly in self.of(Anomaly)]

    @property
    def payloads(self) -> list[bytes]:
        return [event.payload for event in self.of(WsMessage | WsControl)]


def check_tiling(events, gaps, end):
    """Every byte of the direction is in a record or a gap, and in one record, but for control frames in a message."""
    whole = sorted((e.start, e.end) for e in events if isinstance(e, WsMessage | Desync))
    assert all(start < end for start, end in whole)
    assert all(one[1] <= other[0] for one, other in pairwise(whole)), whole
    covered = 0
    parts = whole + [(e.start, e.end) for e in events if isinstance(e, WsControl)]
    for start, stop in sorted(parts + [(gap.offset, gap.offset + gap.length) for gap in gaps]):
        assert start <= covered, (covered, start)
        covered = max(covered, stop)
    assert covered == end


def stream(side=Side.SERVER, deflate=None, limits=None, midstream=False) -> Stream:
    return Stream(WebSocketReader(side, None, deflate, limits or WsLimits(), midstream), side)


def comparable(event) -> tuple:
    return (type(event).__name__, *(getattr(event, name) for name in names(type(event))))


def read(*packets: bytes, side=Side.SERVER, make_inflater=lambda: None, limits=None) -> Stream:
    """Read a sample whole, packet by packet, and, unless framing is lost, byte by byte and in random pieces; all
    have to tell the same."""
    whole = stream(side, make_inflater(), limits).packets(*packets).end()
    expected = [comparable(event) for event in whole.events]
    single = stream(side, make_inflater(), limits)
    for packet in packets:
        single.packets(packet)
    assert [comparable(event) for event in single.end().events] == expected
    desync = whole.of(Desync)
    if desync and desync[0].end < whole.offset:  # chunks end where packets end, and the search depends on it
        return whole
    for seed in range(4):
        pieces = stream(side, make_inflater(), limits)
        cut = random.Random(seed)
        for number, packet in enumerate(packets, 1):
            at = 0
            while at < len(packet):
                size = cut.randint(1, 9) if seed else 1
                pieces.chunk(packet[at : at + size], [0], [number])
                at += size
        pieces.number = len(packets) + 1
        assert [comparable(event) for event in pieces.end().events] == expected
    return whole


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


# What the protocol does not allow: a fact, and decoding goes on

NEXT = frame(b"next")


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


# Compression


def deflated(texts, takeover=True):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    for text in texts:
        if not takeover:
            compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        yield (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


TEXTS = [b'42["move",{"x":%d}]' % n for n in range(6)]


def test_compressed_messages():
    # RFC 7692, section 7.2.3.1, one frame, and two fragments of which only the first has RSV1
    whole, first, second = "c107f248cdc9c90700", "4103f248cd", "8004c9c90700"
    result = read(*map(bytes.fromhex, (whole, first, second)), make_inflater=Inflater)
    assert result.payloads == [b"Hello", b"Hello"]
    assert [(m.compressed, m.rsv, m.wire_length) for m in result.of(WsMessage)] == [(True, 4, 7)] * 2
    assert result.anomalies == []


@pytest.mark.parametrize("takeover", [True, False])
def test_compressed_and_other_messages(takeover):
    packets = [frame(data, rsv=4, key=KEY) for data in deflated(TEXTS, takeover)]
    packets.insert(3, frame(b"2", key=KEY))
    result = read(*packets, side=Side.CLIENT, make_inflater=lambda: Inflater(takeover))
    assert result.payloads == [*TEXTS[:3], b"2", *TEXTS[3:]]
    assert result.anomalies == []


@pytest.mark.parametrize(
    "data",
    [
        frame(HELLO_DEFLATED[:3], rsv=4, fin=False) + frame(HELLO_DEFLATED[3:], 0, rsv=4),
        frame(HELLO_DEFLATED, rsv=6),
        frame(b"", Opcode.PING, rsv=4) + frame(HELLO_DEFLATED, rsv=4),
    ],
)  # fmt: skip
def test_reserved_bits_with_compression(data):
    result = read(data, make_inflater=Inflater)
    assert (result.payloads[-1], result.anomalies) == (b"Hello", [AnomalyKind.WS_RESERVED_BITS])


def test_a_corrupt_message():
    texts = [b"", *TEXTS]
    packets = [frame(data, rsv=4) for data in deflated(texts)]
    packets[2] = frame(b"\x07\xff", rsv=4)
    result = read(*packets, make_inflater=Inflater)
    messages = result.of(WsMessage)
    assert [message.readable for message in messages[:3]] == [True, True, False]
    assert result.anomalies == [AnomalyKind.WS_BAD_DEFLATE], "once, though the following refer to it"
    assert all(
        message.payload == (text if message.readable else b"") for message, text in zip(messages, texts, strict=True)
    )


def test_inflated_text_is_checked():
    (data,) = deflated([b"\xff\xfe"])
    assert read(frame(data, rsv=4), make_inflater=Inflater).anomalies == [AnomalyKind.WS_BAD_UTF8]
    assert read(frame(data, Opcode.BINARY, rsv=4), make_inflater=Inflater).anomalies == []


@pytest.mark.parametrize("takeover", [True, False])
def test_a_compressed_message_with_a_hole(takeover):
    packets = [frame(data, rsv=4) for data in deflated(TEXTS, takeover)]
    result = stream(deflate=Inflater(takeover)).packets(packets[0], packets[1][:5]).gap(2)
    result.packets(packets[1][7:], *packets[2:]).end()
    messages = result.of(WsMessage)
    assert len(messages) == 6
    assert (messages[1].readable, messages[1].missing, messages[1].payload) == (False, 2, b"")
    assert [message.readable for message in messages[2:]] == [not takeover] * 4
    assert result.anomalies == [AnomalyKind.WS_BAD_DEFLATE] * takeover


def test_a_compressed_message_over_the_limit_loses_the_context():
    texts = [TEXTS[0] * 2 + random.Random(1).randbytes(60), *TEXTS]
    packets = [frame(data, Opcode.BINARY, rsv=4) for data in deflated(texts)]
    result = read(*packets, make_inflater=Inflater, limits=WsLimits(message=50))
    assert result.anomalies == [AnomalyKind.WS_TOO_LARGE, AnomalyKind.WS_BAD_DEFLATE]
    assert [message.readable for message in result.of(WsMessage)][:2] == [False, False]


# Holes


def sample(side: Side, compressed: bool) -> tuple[list[bytes], list[bytes]]:
    """Packets with a frame or two, or a part of one, and the payloads of what the last three packets bring."""
    key = KEY if side is Side.CLIENT else None
    texts = [b"2probe", b'42["a",%s]' % (b"x" * 200), b"3", b'42["b",1]', b'42["c",2]', b'42["d",3]']
    datas = list(deflated(texts, takeover=False)) if compressed else texts
    one, two, three, *rest = [frame(data, rsv=4 * compressed, key=key) for data in datas]
    ping = frame(b"p", Opcode.PING, key=key)
    begun, ended = frame(b"42[", fin=False, key=key), frame(b'"f"]', 0, key=key)
    return [one + ping, two[:20], two[20:] + three + begun, ping + ended, *rest], texts[3:]


@pytest.mark.parametrize("size", [1, 2, 7, 60, 300, None])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_a_hole_at_every_byte(side, compressed, size):
    packets, expected = sample(side, compressed)
    data = b"".join(packets)
    starts = [sum(map(len, packets[:i])) for i in range(len(packets))]
    for at in range(starts[4]):
        # A real hole ends where a packet begins (None); one that does not shows the beginning of a frame by chance.
        stop = min(at + size, len(data)) if size else next(start for start in starts if start > at)
        result = stream(side, Inflater(context_takeover=False) if compressed else None)
        before, behind = [start for start in starts if start < at], [start for start in starts if start > stop]
        if before:
            result.chunk(data[:at], before, list(range(1, len(before) + 1)))
        result.number = len(starts) - len(behind)
        result.gap(stop - at)
        if stop < len(data):
            numbers = list(range(result.number, len(starts) + 1))
            result.chunk(data[stop:], [0, *(start - stop for start in behind)], numbers)
        result.end()
        assert set(result.anomalies) <= {AnomalyKind.WS_INCOMPLETE}
        if not (compressed and size):
            whole = [text for text, start in zip(expected, starts[4:], strict=True) if start >= stop]
            payloads = [message.payload for message in result.of(WsMessage)]
            assert payloads[len(payloads) - len(whole) :] == whole


def test_a_hole_in_a_payload():
    data = frame(b'42["abcdef"]', key=KEY)
    result = stream(Side.CLIENT).packets(data[:10]).gap(3).packets(data[13:], frame(b"3", key=KEY)).end()
    damaged, following = result.events
    assert (damaged.payload, damaged.missing, damaged.readable) == (b'42["\0\0\0def"]', 3, True)
    assert (damaged.packets, damaged.start, damaged.end) == ((1, 2), 0, len(data))
    assert following.payload == b"3"


def test_many_holes_in_a_payload():
    text = bytes(range(1, 127)) * 80
    data = frame(text, Opcode.BINARY, key=KEY)
    result = stream(Side.CLIENT).packets(data[:8])
    for _ in range(len(text) // 2):
        result.gap(1).packets(data[result.offset : result.offset + 1])
    (message,) = result.end().events
    assert (message.missing, message.payload[::2], message.payload[1::2]) == (5040, bytes(5040), text[1::2])


def test_a_hole_in_text_is_no_bad_utf8():
    data = frame("äöü".encode())
    result = stream().packets(data[:3]).gap(2).packets(data[5:]).end()
    assert (result.anomalies, result.payloads) == ([], [b"\xc3\0\0\xb6\xc3\xbc"])


def test_a_hole_in_a_close_frame():
    data = frame(b"\x03\xe8bye", Opcode.CLOSE)
    result = stream().packets(data[:2]).gap(2).packets(data[4:]).end()
    (close,) = result.events
    assert (close.close_code, close.payload) == (None, b"\0\0bye")


def test_a_hole_between_frames():
    result = stream().packets(NEXT).gap(50).packets(NEXT, NEXT).end()
    assert result.payloads == [b"next"] * 3
    assert result.of(Desync) == [], "no captured byte was left out"


def test_a_hole_up_to_the_end():
    assert stream().packets(NEXT).gap(5).end().payloads == [b"next"]
    result = stream().packets(NEXT, b"\x81\x7e").gap(5).end()
    assert [(desync.start, desync.end) for desync in result.of(Desync)] == [(6, 13)]
    result = stream().packets(b"\x81\x10ab").gap(5).end()
    assert result.of(Anomaly)[0].found == "9 bytes, then FIN"
    assert stream().gap(5).end().events == []
    assert stream(midstream=True).gap(5).end().events == []


def test_a_fragmented_message_with_lost_frames():
    begun, middle, ended = frame(b"a", fin=False), frame(b"b", 0, fin=False), frame(b"c", 0)
    result = stream().packets(begun).gap(len(middle)).packets(middle, ended, NEXT).end()
    assert result.payloads == [b"next"]
    assert result.anomalies == [], "what is missing is not wrong"
    reasons = [desync.reason for desync in result.of(Desync)]
    assert reasons == ["a gap", "the beginning of the message was lost", "the beginning of the message was lost"]


@pytest.mark.parametrize("large", [GAP_FILL_LIMIT + 1, 100 * GAP_FILL_LIMIT])
def test_a_large_hole(large):
    result = stream().packets(NEXT, NEXT[:1]).gap(large).packets(b"rest", NEXT).end()
    assert result.payloads == [b"next", b"next"]
    assert [(desync.start, desync.end) for desync in result.of(Desync)] == [(6, 7 + large + 4)]


def test_a_large_hole_in_a_larger_message():
    size = 2 * GAP_FILL_LIMIT
    data = frame(bytes(size))
    result = stream().packets(data[:100]).gap(GAP_FILL_LIMIT + 1).packets(data[GAP_FILL_LIMIT + 101 :] + NEXT).end()
    message, following = result.events
    assert (message.readable, message.missing, message.wire_length) == (False, GAP_FILL_LIMIT + 1, size)
    assert following.payload == b"next"


def test_lost_frames_lose_the_deflate_context():
    packets = [frame(data, rsv=4) for data in deflated(TEXTS)]
    result = stream(deflate=Inflater()).packets(packets[0]).gap(len(packets[1])).packets(*packets[2:]).end()
    assert [message.readable for message in result.of(WsMessage)] == [True, False, False, False, False]
    assert result.anomalies == [AnomalyKind.WS_BAD_DEFLATE]


# Finding frames again


def test_midstream_at_a_frame():
    result = stream(midstream=True).packets(NEXT, NEXT).end()
    assert result.payloads == [b"next", b"next"]
    assert result.of(Desync) == []


def test_midstream_inside_a_message():
    result = stream(midstream=True).packets(b'ing":"text"}]', b'more text"}]', NEXT, NEXT).end()
    assert result.payloads == [b"next", b"next"]
    (desync,) = result.of(Desync)
    assert (desync.start, desync.end, desync.reason) == (0, 25, "the connection began before the capture")


def test_midstream_compressed():
    texts = [random.Random(1).randbytes(40), *TEXTS]
    packets = [frame(data, Opcode.BINARY, rsv=4) for data in deflated([b"42[", *texts])][1:]
    result = stream(midstream=True).packets(*packets).end()
    messages = result.of(WsMessage)
    assert len(messages) == len(texts)
    assert all(message.compressed and message.rsv == 4 for message in messages)
    assert all(
        message.payload == (text if message.readable else b"") for message, text in zip(messages, texts, strict=True)
    )
    assert AnomalyKind.WS_RESERVED_BITS not in result.anomalies


def test_the_search_waits_for_the_rest_of_a_frame():
    result = stream(midstream=True).packets(b"junk", frame(b"x" * 300)[:50])
    assert result.events == []
    result.packets(frame(b"x" * 300)[50:] + NEXT[:3])
    assert result.events == [], "its end is not the end of a packet"
    result.packets(NEXT[3:], NEXT)
    assert result.payloads == [b"x" * 300, b"next", b"next"]
    assert [message.order for message in result.of(WsMessage)] == [4, 4, 5], "nothing was known before packet 4"


def test_the_search_believes_three_headers():
    result = stream(midstream=True).packets(b"junk", NEXT * 3 + NEXT[:3])
    assert result.payloads == [b"next"] * 3
    assert [message.order for message in result.of(WsMessage)] == [2, 2, 2]


def test_the_search_goes_on_behind_a_hole():
    result = stream(midstream=True).packets(b"junk").gap(9).packets(b"junk").gap(2 << 20).packets(b"junk", NEXT).end()
    assert result.payloads == [b"next"]
    assert [(desync.start, desync.end) for desync in result.of(Desync)] == [(0, 21 + (2 << 20))]


def test_the_search_does_not_believe_one_header():
    junk = b"\x81\x05abcde" + b"\xff" * 10  # what could be a frame, and cannot go on
    result = stream(midstream=True).packets(junk, junk, NEXT, NEXT).end()
    assert result.payloads == [b"next", b"next"]
    assert [(desync.start, desync.end) for desync in result.of(Desync)] == [(0, 34)]


@pytest.mark.parametrize("kind", ["end", "gap"])
def test_the_search_decides_when_nothing_follows(kind):
    result = stream(midstream=True).packets(b"junk", NEXT + NEXT[:3])
    assert result.events == []
    if kind == "gap":
        result.gap(3).end()
        assert (result.payloads, result.of(WsMessage)[1].missing) == ([b"next", b"n\0\0\0"], 3)
    else:
        assert result.end().payloads == [b"next"]
    assert result.of(Desync)[0].end == 4


def test_a_64_bit_length_is_believed_at_once():
    size = 1 << 20
    result = stream(Side.CLIENT, midstream=True).packets(b"junk", frame(bytes(size), 2, key=KEY)[:1000])
    assert [desync.end for desync in result.of(Desync)] == [4]


@pytest.mark.parametrize("side", list(Side))
def test_zeros_are_no_frames(side):
    key = KEY if side is Side.CLIENT else None
    result = stream(side, midstream=True).packets(*[bytes(1400)] * 5, frame(b"a", key=key), frame(b"b", key=key)).end()
    assert result.payloads == [b"a", b"b"]


def test_random_bytes_are_seldom_frames():
    noise = random.Random(1)
    found = 0
    for _ in range(20):
        packets = [noise.randbytes(1400) for _ in range(100)]
        found += bool(stream(Side.CLIENT, midstream=True).packets(*packets, frame(b"a", key=KEY)).events[1:-1])
    assert found <= 1


def test_memory_is_bounded_while_framing_is_lost():
    result = stream(Side.CLIENT, midstream=True)
    for _ in range(200):
        result.packets(random.Random(2).randbytes(1400))
        assert len(result.reader.buffer) < 1 << 17
