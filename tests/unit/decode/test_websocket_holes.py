"""WebSocket with holes in the capture, and frames that are found again."""

import random

import pytest

from eiosniff.decode.buffer import GAP_FILL_LIMIT
from eiosniff.decode.websocket.deflate import Inflater
from eiosniff.model.provenance import Side
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync
from eiosniff.model.websocket import Opcode, WsMessage
from tests.unit.decode.websocket_streams import KEY, NEXT, TEXTS, deflated, frame, stream


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
