"""Where netty-socketio (to 2.0.x) departs from the protocol: crafted after its PacketEncoder.java, not recorded."""

import pytest

from eiosniff.decode.engineio.payload import Payload, decode_payload
from eiosniff.model.provenance import PacketRef, Side

HEADER = b'451-["a",{"_placeholder":true,"num":0}]'
BINARY = b"\x01\x03\xff\x04\x1e\xff"  # 1e in the data separates nothing


def decoded(body: bytes, hint: int) -> Payload:
    return decode_payload(body, b"application/octet-stream", hint, Side.SERVER, PacketRef(1, 1), (1,))


def entries(payload: Payload) -> list[tuple[int, bytes, bool]]:
    return [(packet.type, packet.data, packet.binary) for packet in payload.packets]


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        (HEADER + BINARY, [HEADER[1:], b"\x1e\xff"]),
        (HEADER + BINARY + b'\x1e42["b"]', [HEADER[1:], b"\x1e\xff", b'2["b"]']),
        (b'42["b"]\x1e' + HEADER + BINARY + BINARY, [b'2["b"]', HEADER[1:], b"\x1e\xff", b"\x1e\xff"]),
        (HEADER + b"\x01\x01\x02\xff\x04" + b"\x00" * 11, [HEADER[1:], b"\x00" * 11]),
    ],
)
def test_binary_data_behind_its_packet(body: bytes, packets: list[bytes]) -> None:
    payload = decoded(body, 4)
    assert [data for _, data, _ in entries(payload)] == packets
    assert [kind for kind, _, _ in entries(payload)] == [4] * len(packets)
    assert (payload.revision_shape, payload.trouble, payload.consumed) == (4, None, len(body))


def test_binary_data_that_is_cut() -> None:
    payload = decoded(HEADER + b"\x01\x09\xff\x04abc", 4)
    assert [data for _, data, _ in entries(payload)] == [HEADER[1:]]
    assert payload.trouble == f"length 9 at byte {len(HEADER)} does not fit: 4 bytes follow"
    assert payload.consumed == len(HEADER)


def test_separators_between_entries_of_revision_3() -> None:
    one, two = b'42["a"]', b'42["b"]'
    body = b"\x00\x07\xff" + one + b"\x1e\x00\x07\xff" + two + BINARY
    payload = decoded(body, 3)
    assert entries(payload) == [(4, b'2["a"]', False), (4, b'2["b"]', False), (4, b"\x1e\xff", True)]
    assert (payload.revision_shape, payload.trouble, payload.consumed) == (3, None, len(body))


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (b'11:42["a","b"]', b'2["a","b"]'),
        (rb'11:42["a","\'"]', b'2["a","\'"]'),
        (rb'12:42["a","\\n"]', rb'2["a","\n"]'),
        # Each byte of the UTF-8 is taken for a character and encoded once more; lengths count the bytes.
        (b'12:42["a","\xc3\x83\xc2\xa9"]', '2["a","é"]'.encode()),
    ],
)
def test_jsonp_in_single_quotes(literal: bytes, text: bytes) -> None:
    body = b"___eio[3]('" + literal + b"');"
    payload = decoded(body, 3)
    assert payload.trouble is None
    assert entries(payload) == [(4, text, False)]
    assert payload.consumed == len(body)
