"""Socket.IO packets of the msgpack and JSON parsers."""

import json

import msgspec
import pytest

from eiosniff.decode.socketio.other_parsers import decode_json, decode_msgpack
from eiosniff.model.engineio import EioPacket, EioType, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket
from eiosniff.model.trouble import AnomalyKind


def message(data: bytes, binary: bool) -> EioPacket:
    return EioPacket(EioType.MESSAGE, data, binary, Side.CLIENT, Transport.WEBSOCKET, PacketRef(1, 1), (1,))


def packed(fields: object) -> SioPacket:
    joined = decode_msgpack(message(msgspec.msgpack.encode(fields), binary=True))
    assert joined is not None
    assert joined.anomalies == ()
    (packet,) = joined.packets
    return packet


def written(fields: object) -> SioPacket:
    joined = decode_json(message(json.dumps(fields).encode(), binary=False))
    assert joined is not None
    assert joined.anomalies == ()
    (packet,) = joined.packets
    return packet


READERS = pytest.mark.parametrize("read", [packed, written])


@READERS
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": 0, "nsp": "/"}, (0, "/", "", None, b"", None)),
        ({"type": 0, "nsp": "/a?t=1", "query": "t=1"}, (0, "/a", "t=1", None, b"", None)),
        ({"type": 0, "data": {"sid": "x"}, "nsp": "/a"}, (0, "/a", "", None, b'{"sid":"x"}', None)),
        ({"type": 0, "data": None, "nsp": "/"}, (0, "/", "", None, b"", None)),
        ({"type": 1, "nsp": "/"}, (1, "/", "", None, b"", None)),
        ({"type": 2, "data": ["e", 1], "nsp": "/"}, (2, "/", "", None, b'["e",1]', "e")),
        (
            {"type": 2, "data": ["한", []], "options": {"compress": True}, "id": 0, "nsp": "/b"},
            (2, "/b", "", 0, '["한",[]]'.encode(), "한"),
        ),
        ({"type": 3, "data": [], "id": 7, "nsp": "/"}, (3, "/", "", 7, b"[]", None)),
        ({"type": 4, "data": "no", "nsp": "/"}, (4, "/", "", None, b'"no"', None)),
        ({"type": 4, "data": {"message": "no"}, "nsp": "/"}, (4, "/", "", None, b'{"message":"no"}', None)),
    ],
)
def test_packets(read: object, fields: dict[str, object], expected: tuple[object, ...]) -> None:
    assert callable(read)
    packet = read(fields)
    data = packet.data and msgspec.json.encode(json.loads(packet.data))  # of JSON it is as sent, white space and all
    assert (packet.type, packet.namespace, packet.query, packet.id, data, packet.event) == expected
    assert packet.attachments_expected == 0


@pytest.mark.parametrize("kind", [2, 5])
def test_binary_data_becomes_attachments(kind: int) -> None:
    """Version 2 of the parser calls it a BINARY_EVENT, version 3 an EVENT: the type is as sent."""
    packet = packed({"type": kind, "data": ["e", b"\x01", {"b": b"\x02\x03"}], "nsp": "/"})
    assert packet.type == kind
    assert packet.attachments == (b"\x01", b"\x02\x03")
    assert packet.attachments_expected == 2
    assert json.loads(packet.data) == ["e", {"_placeholder": True, "num": 0}, {"b": {"_placeholder": True, "num": 1}}]


def test_undefined_is_no_data() -> None:
    """Node writes it for the auth object that there is not."""
    wire = b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/"
    joined = decode_msgpack(message(wire, binary=True))
    assert joined is not None
    assert joined.packets[0].data == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x02\x03",
        b"\x89PNG\r\n\x1a\n",
        b"\x80",
        b"\x93\x01\x02\x03",
        msgspec.msgpack.encode({"type": 2, "data": ["a"]}),
        msgspec.msgpack.encode({"nsp": "/", "data": ["a"]}),
        msgspec.msgpack.encode({"type": "message", "nsp": "/"}),
        msgspec.msgpack.encode({"a": 1, "b": [b"x"]}),
        b"\x82\xa1a\x01",
    ],
)
def test_other_binary_data_is_no_packet(data: bytes) -> None:
    assert decode_msgpack(message(data, binary=True)) is None


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"type":2}', b'{"nsp":"/"}', b'{"type":"a","nsp":"/"}', b'{"type":2,"nsp":3}', b"[]", b'{"a":1}'],
)
def test_other_json_is_no_packet(data: bytes) -> None:
    assert decode_json(message(data, binary=False)) is None


@READERS
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": 7, "nsp": "/"}, "a packet type, 0 to 6"),
        ({"type": 2, "nsp": "/"}, "an array that begins with a string or a number"),
        ({"type": 2, "nsp": "/", "data": {}}, "an array that begins with a string or a number"),
        ({"type": 1, "nsp": "/", "data": [1]}, "nothing after a DISCONNECT"),
        ({"type": 0, "nsp": "/", "data": [1]}, "an object"),
        ({"type": 2, "nsp": "/", "data": ["a"], "id": -1}, "an ack id"),
    ],
)
def test_a_packet_that_is_wrong(read: object, fields: object, expected: str) -> None:
    if read is packed:
        joined = decode_msgpack(message(msgspec.msgpack.encode(fields), binary=True))
    else:
        joined = decode_json(message(json.dumps(fields).encode(), binary=False))
    assert joined is not None
    assert joined.packets == ()
    (anomaly,) = joined.anomalies
    assert (anomaly.kind, anomaly.expected) == (AnomalyKind.SIO_BAD_SYNTAX, expected)


@pytest.mark.parametrize("cut", [1, 3, 10])
def test_a_packet_that_is_cut(cut: int) -> None:
    wire = msgspec.msgpack.encode({"type": 2, "data": ["event", 1], "nsp": "/"})
    joined = decode_msgpack(message(wire[: len(wire) - cut], binary=True))
    assert joined is not None
    assert [anomaly.kind for anomaly in joined.anomalies] == [AnomalyKind.SIO_BAD_SYNTAX]


def test_a_packet_with_something_behind_it() -> None:
    wire = msgspec.msgpack.encode({"type": 1, "nsp": "/"}) + b"\xc0"
    joined = decode_msgpack(message(wire, binary=True))
    assert joined is not None
    assert [anomaly.expected for anomaly in joined.anomalies] == ["nothing after the map"]


def test_a_packet_with_too_many_attachments() -> None:
    """It is known what it is, but not what it holds."""
    joined = decode_msgpack(
        message(msgspec.msgpack.encode({"type": 2, "data": ["e", *[b""] * 2000], "nsp": "/a"}), True)
    )
    assert joined is not None
    (packet,) = joined.packets
    assert (packet.type, packet.namespace, packet.data, packet.attachments) == (2, "/a", b"", ())
    assert [anomaly.kind for anomaly in joined.anomalies] == [AnomalyKind.SIO_TOO_LARGE]
