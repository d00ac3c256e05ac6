"""Engine.IO and Socket.IO: no input raises, all of a payload is accounted for, and what is encoded comes back."""

import base64
import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.attachments import AttachmentJoiner
from eiosniff.decode.engineio import decode_message, parse_error_body, parse_open
from eiosniff.decode.payload import decode_payload, looks_like_payload
from eiosniff.decode.socketio import connect_details, decode_packet, error_message
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
