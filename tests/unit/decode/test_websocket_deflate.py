"""Compressed messages of WebSocket (RFC 7692)."""

import random

import pytest

from eiosniff.decode.websocket.deflate import Inflater
from eiosniff.decode.websocket.reader import WsLimits
from eiosniff.model.provenance import Side
from eiosniff.model.trouble import AnomalyKind
from eiosniff.model.websocket import Opcode, WsMessage
from tests.unit.decode.websocket_streams import HELLO_DEFLATED, KEY, TEXTS, deflated, frame, read, stream


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


def test_compression_that_nobody_agreed_to_is_undone():
    packets = [frame(data, rsv=4) for data in deflated(TEXTS)]
    result = read(*packets)
    assert result.payloads == TEXTS
    assert all(message.compressed for message in result.of(WsMessage))
    assert result.anomalies == [AnomalyKind.WS_RESERVED_BITS] * len(TEXTS)


@pytest.mark.parametrize("payload", [b"", b"x", b"2probe", b'42["hello"]'])
def test_a_reserved_bit_of_what_is_not_compressed(payload):
    result = read(frame(payload, rsv=4))
    (message,) = result.of(WsMessage)
    assert (message.payload, message.readable) == (payload, True)
    assert result.anomalies == [AnomalyKind.WS_RESERVED_BITS]


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
