"""Engine.IO and Socket.IO: no input raises, all of a payload is accounted for, and what is encoded comes back."""

import base64
import json
from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.engineio.packets import decode_message, parse_error_body, parse_open
from eiosniff.decode.engineio.payload import decode_payload, looks_like_payload
from eiosniff.decode.socketio.attachments import AttachmentJoiner, Joined
from eiosniff.decode.socketio.msgpack import MsgpackError, MsgpackReader
from eiosniff.decode.socketio.other_parsers import decode_json, decode_msgpack
from eiosniff.decode.socketio.packets import connect_details, decode_packet, error_message
from eiosniff.model.engineio import EioPacket, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket

PLACE = PacketRef(1, 1)

# Bytes that look enough like the protocols to get far into the decoders.
FRAGMENTS = [
    b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"b", b":", b"-", b"/", b",", b"?", b"\x1e", b"\x00", b"\x01", b"\x04",
    b"\xff", b"\x09", b'"', b"[", b"]", b"{", b"}", b"NaN", b"1e9", b"\\ud800", b"\\", b" ", b"AQL/", b"d=", b"%",
    b'___eio[0]("', b'");', "é".encode(), "한".encode(), "😀".encode(), "Ã©".encode(), b"\xf0\x9f", b"\xed\xa0\x80",
    b"10:", b'2["a"]',
]  # fmt: skip
WIRE = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join))
REVISIONS = st.integers(1, 4)


@dataclass(frozen=True)
class Sent:
    """A packet as an application means it: text of a type, or binary data."""

    type: int
    data: bytes
    binary: bool

    @property
    def text(self) -> str:
        return f"{self.type}{self.data.decode()}"


# The 1e byte would end a packet of revision 4; JSON never holds it as such.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1e"), max_size=20)
SENT_TEXT = st.builds(lambda kind, text: Sent(kind, text.encode(), False), st.integers(0, 6), TEXT)
SENT_BINARY = st.binary(max_size=20).map(lambda data: Sent(4, data, True))
SENT = st.lists(SENT_TEXT | SENT_BINARY, min_size=1, max_size=6)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def encode_separated(sent: list[Sent]) -> bytes:
    return b"\x1e".join(b"b" + base64.b64encode(one.data) if one.binary else one.text.encode() for one in sent)


def encode_length_prefixed(sent: list[Sent]) -> bytes:
    texts = ["b4" + base64.b64encode(one.data).decode() if one.binary else one.text for one in sent]
    return "".join(f"{utf16_length(text)}:{text}" for text in texts).encode()


def encode_xhr2(sent: list[Sent]) -> bytes:
    body = b""
    for one in sent:
        entry = b"\x04" + one.data if one.binary else one.text.encode()
        body += bytes([one.binary, *map(int, str(len(entry))), 0xFF]) + entry
    return body


def encode_twice(sent: list[Sent]) -> bytes:
    entries = [b"b4" + base64.b64encode(one.data) if one.binary else one.text.encode() for one in sent]
    return b"".join(b"%d:%s" % (len(entry), entry) for entry in entries).decode("latin-1").encode()


def received(packets: list[EioPacket]) -> list[Sent]:
    return [Sent(packet.type, packet.data, packet.binary) for packet in packets]


def looks_encoded_twice(body: bytes) -> bool:
    try:
        body.decode().encode("latin-1").decode(errors="surrogatepass")
    except UnicodeError:
        return False
    return not body.isascii()


@given(WIRE, st.booleans(), REVISIONS)
def test_no_message_raises(wire: bytes, binary: bool, revision: int) -> None:
    packet = decode_message(wire, binary, revision, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,))
    assert -1 <= packet.type <= 6
    assert packet.type >= 0 or packet.data == wire


@given(WIRE, st.none() | REVISIONS)
def test_no_body_raises(wire: bytes, hint: int | None) -> None:
    payload = decode_payload(wire, None, hint, Side.CLIENT, PLACE, (1,))
    assert 0 <= payload.consumed <= len(wire)
    assert payload.trouble or payload.consumed == len(wire)
    looks_like_payload(wire)
    parse_open(wire)
    parse_error_body(wire, None)


@given(st.lists(st.tuples(WIRE, st.booleans()), max_size=10))
def test_no_socketio_raises(wires: list[tuple[bytes, bool]]) -> None:
    joiner = AttachmentJoiner(Side.CLIENT)
    for wire, binary in wires:
        message = EioPacket(4, wire, binary, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,))
        decoded = message if binary else decode_packet(message)
        if isinstance(decoded, SioPacket):
            connect_details(decoded.data)
            error_message(decoded.data)
            decoded.namespace.encode()
            (decoded.event or "").encode()
        if isinstance(decoded, SioPacket | EioPacket):
            joiner.feed(decoded)
    joiner.give_up(PLACE)


@given(SENT)
def test_payload_of_revision_4(sent: list[Sent]) -> None:
    body = encode_separated(sent)
    payload = decode_payload(body, None, 4, Side.CLIENT, PLACE, (1,))
    if payload.revision_shape == 4:  # else its text happens to be a sound payload of revision 3
        assert (received(payload.packets), payload.trouble, payload.consumed) == (sent, None, len(body))


@given(SENT)
def test_payload_of_revision_3(sent: list[Sent]) -> None:
    body = encode_length_prefixed(sent)
    payload = decode_payload(body, None, 3, Side.CLIENT, PLACE, (1,))
    assert (payload.revision_shape, payload.trouble, payload.consumed) == (3, None, len(body))
    if not looks_encoded_twice(body):
        assert received(payload.packets) == sent


@given(SENT)
def test_payload_of_revision_3_as_binary(sent: list[Sent]) -> None:
    payload = decode_payload(encode_xhr2(sent), None, None, Side.CLIENT, PLACE, (1,))
    assert (received(payload.packets), payload.revision_shape, payload.trouble) == (sent, 3, None)


@given(SENT)
def test_payload_of_a_1x_peer(sent: list[Sent]) -> None:
    payload = decode_payload(encode_twice(sent), None, 3, Side.CLIENT, PLACE, (1,))
    assert (received(payload.packets), payload.trouble) == (sent, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMESPACE = st.just("/") | st.text("abc/한", max_size=5).map(lambda name: "/" + name)


@given(
    kind=st.sampled_from([2, 3, 5, 6]),
    namespace=NAMESPACE,
    ack_id=st.none() | st.integers(0, 10**20),
    event=st.text(max_size=10),
    arguments=st.lists(JSON, max_size=3),
    attachments=st.lists(st.binary(max_size=5), max_size=3),
    ascii_only=st.booleans(),
)
def test_socketio_round_trip(
    kind: int,
    namespace: str,
    ack_id: int | None,
    event: str,
    arguments: list[object],
    attachments: list[bytes],
    ascii_only: bool,
) -> None:
    if kind < 5:
        attachments = []
    data = json.dumps([event, *arguments], ensure_ascii=ascii_only).encode(errors="surrogatepass")
    header = f"{kind}" + (f"{len(attachments)}-" if kind >= 5 else "")
    header += (f"{namespace}," if namespace != "/" else "") + ("" if ack_id is None else f"{ack_id}")
    message = EioPacket(4, header.encode() + data, False, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,))
    decoded = decode_packet(message)
    assert isinstance(decoded, SioPacket)
    assert (decoded.type, decoded.namespace, decoded.id, decoded.data) == (kind, namespace, ack_id, data)
    if kind in (2, 5):
        assert decoded.event == event
    joiner = AttachmentJoiner(Side.CLIENT)
    joined = joiner.feed(decoded)
    for number, attachment in enumerate(attachments, 2):
        assert joined is None
        place = PacketRef(number, number)
        joined = joiner.feed(EioPacket(4, attachment, True, Side.CLIENT, Transport.WEBSOCKET, place, (number,)))
    assert joined is not None
    assert joined.packets[0].attachments == tuple(attachments)
    assert joined.packets[0].packets == tuple(range(1, len(attachments) + 2))


# What looks enough like msgpack, or like a packet as an object, to get far into the readers.
MSGPACK = [
    b"\x80", b"\x83", b"\x84", b"\x92", b"\x9f", b"\xa4type", b"\xa3nsp", b"\xa1/", b"\xa2/a", b"\xa2id", b"\xa4data",
    b"\x00", b"\x02", b"\x05", b"\x7f", b"\xe0", b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xc4\x01", b"\xc5\x00\x01",
    b"\xc7\x01\x00", b"\xc7\x08\x00", b"\xd4\x00\x00", b"\xd7\x00", b"\xd7\xff", b"\xd6\xff", b"\xd9\x02",
    b"\xdc\x00\x02", b"\xdd\xff\xff\xff\xff", b"\xde\x00\x02", b"\xdf\x00\x00\x00\x01", b"\xca", b"\xcb", b"\xcf",
    b"\xd3", b"abcd",
]  # fmt: skip
PACKED = st.one_of(st.binary(max_size=100), st.lists(st.sampled_from(MSGPACK), max_size=30).map(b"".join))
OBJECTS = [
    b"{",
    b"}",
    b'"type":',
    b'"nsp":',
    b'"data":',
    b'"id":',
    b",",
    b"2",
    b"5",
    b'"/"',
    b'["a"]',
    b"null",
    b"-1",
    b"{}",
]
WRITTEN = st.lists(st.sampled_from(OBJECTS), max_size=20).map(b"".join)


def is_consistent(joined: Joined | None) -> bool:
    for packet in joined.packets if joined else ():
        assert 0 <= packet.type <= 6
        assert packet.namespace
        assert len(packet.attachments) == packet.attachments_expected
        if packet.data:
            assert packet.data.count(b'"_placeholder":true') >= packet.attachments_expected
            msgspec.json.decode(packet.data)
    return joined is None or bool(joined.packets or joined.anomalies)


@given(PACKED)
def test_no_msgpack_raises(wire: bytes) -> None:
    assert is_consistent(decode_msgpack(EioPacket(4, wire, True, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,))))


@given(PACKED)
def test_msgpack_is_skipped_as_far_as_it_is_read(wire: bytes) -> None:
    read, skipped = MsgpackReader(wire, 1000), MsgpackReader(wire, 1000)
    try:
        text = read.json()
    except MsgpackError:
        return
    skipped.skip()
    assert read.at == skipped.at
    assert len(text) <= 40 * len(wire)


@given(WRITTEN | WIRE)
def test_no_json_packet_raises(wire: bytes) -> None:
    assert is_consistent(decode_json(EioPacket(4, wire, False, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,))))


def taken_out(value: object, attachments: list[bytes]) -> object:
    """As JSON has it: with placeholders."""
    if isinstance(value, bytes):
        attachments.append(value)
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, list):
        return [taken_out(each, attachments) for each in value]
    if isinstance(value, dict):
        return {key: taken_out(each, attachments) for key, each in value.items()}
    return value


NUMBERS = st.integers(-(2**63), 2**64 - 1)
PACKABLE = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.sampled_from([2, 5]), NAMESPACE, st.none() | st.integers(0, 2**40), st.text(), st.lists(PACKABLE))
def test_msgpack_round_trip(kind: int, namespace: str, ack_id: int | None, event: str, arguments: list[object]) -> None:
    fields = {"type": kind, "data": [event, *arguments], "options": {"compress": True}, "nsp": namespace}
    wire = msgspec.msgpack.encode(fields if ack_id is None else fields | {"id": ack_id})
    joined = decode_msgpack(EioPacket(4, wire, True, Side.CLIENT, Transport.WEBSOCKET, PLACE, (1,)))
    assert joined is not None
    (packet,) = joined.packets
    attachments: list[bytes] = []
    assert json.loads(packet.data) == taken_out(fields["data"], attachments)
    assert list(packet.attachments) == attachments
    assert (packet.type, packet.namespace, packet.id, packet.event) == (kind, namespace, ack_id, event)


LOSSES = st.sampled_from(["lose", "lose message", "give up"])


@given(st.lists(st.integers(0, 3) | st.binary(max_size=3) | LOSSES, max_size=30))
def test_every_packet_comes_once(steps: list[int | bytes | str]) -> None:
    """Whatever is lost: each header comes out as a packet or an anomaly, each attachment once at most."""
    joiner = AttachmentJoiner(Side.CLIENT)
    results: list[Joined | None] = []
    for number, step in enumerate(steps, 1):
        place = PacketRef(number, number)
        if isinstance(step, int):
            data = f'5{step}-["a"]'.encode()
            header = decode_packet(EioPacket(4, data, False, Side.CLIENT, Transport.WEBSOCKET, place, (number,)))
            assert isinstance(header, SioPacket)
            results.append(joiner.feed(header))
        elif isinstance(step, bytes):
            results.append(joiner.feed(EioPacket(4, step, True, Side.CLIENT, Transport.WEBSOCKET, place, (number,))))
        elif step == "lose":
            joiner.lose()
        elif step == "lose message":
            results.append(joiner.lose_message(place, (number,)))
        else:
            results.append(joiner.give_up(place))
    results.append(joiner.give_up(PacketRef(99, 99)))
    joined = [result for result in results if result is not None]
    packets = [packet for each in joined for packet in each.packets]
    incomplete = [anomaly for each in joined for anomaly in each.anomalies if anomaly.found.isdigit()]
    assert len(packets) + len(incomplete) == sum(isinstance(step, int) for step in steps)
    assert all(len(packet.attachments) <= packet.attachments_expected for packet in packets)
    if "lose" not in steps and "lose message" not in steps:
        assert all(len(packet.attachments) == packet.attachments_expected for packet in packets)
        assert not any(each.unreadable for each in joined)
