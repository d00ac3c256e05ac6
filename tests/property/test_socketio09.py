"""Socket.IO 0.9: no input raises, what is encoded comes back, and it does not matter how the bytes are cut."""

import json
from urllib.parse import quote_plus

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.facts import parse_target as split_target
from eiosniff.decode.socketio.packets09 import (
    TRANSPORTS,
    decode_packet,
    looks_like_packet,
    parse_handshake,
    parse_target,
    split_payload,
)
from eiosniff.decode.stack import Stack
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.model.summary import CaptureSummary
from tests.streams import Sent, batches, ledgers, packets

PLACE = PacketRef(1, 1)
FRAGMENTS = [
    b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b":", b"::", b"+", b"/a", b"?", b"\xef\xbf\xbd", b"12", b'"',
    b'{"name":', b'"args":', b"[", b"]", b"}", b",", b"null", b"\\ud800", b"io.j[0](", b");", b"d=", b"%22",
    b"<script>_(", b"</script>", "한".encode(), "😀".encode(), b"\xf0\x9f", b"\x00", b":60:60:", b"websocket",
]  # fmt: skip
WIRE = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIDES = st.sampled_from(list(Side))


@given(WIRE, SIDES, st.sampled_from([*sorted(TRANSPORTS), ""]))
def test_nothing_raises(data: bytes, side: Side, transport: str) -> None:
    parse_handshake(data)
    parse_target(split_target(b"/socket.io/1/" + data))
    looks_like_packet(data)
    decode_packet(data, side, PLACE, (1,))
    payload = split_payload(data, transport, side)
    assert sum(map(len, payload.texts)) <= 3 * len(data)
    for text in payload.texts:
        decode_packet(text, side, PLACE, (1,))


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@given(st.lists(TEXT.map("3:::{}".format), min_size=2, max_size=6))
def test_payloads_come_back(sent: list[str]) -> None:
    texts = [packet.encode() for packet in sent]
    body = "".join(f"\ufffd{utf16_length(packet)}\ufffd{packet}" for packet in sent)
    literal = json.dumps(body)
    for data, transport, side in (
        (body, "xhr-polling", Side.CLIENT),
        (f"io.j[0]({literal});", "jsonp-polling", Side.SERVER),
        (f"d={quote_plus(literal)}", "jsonp-polling", Side.CLIENT),
        (f"<script>_({literal});</script>", "htmlfile", Side.SERVER),
    ):
        payload = split_payload(data.encode(), transport, side)
        assert (payload.texts, payload.trouble) == (texts, None)


@given(TEXT, st.lists(st.recursive(st.none() | st.integers(-9, 9) | TEXT, st.lists, max_leaves=5), max_size=4))
def test_events_come_back(name: str, arguments: list[object]) -> None:
    text = "5:7+:/a:" + json.dumps({"name": name, "args": arguments}, ensure_ascii=False)
    packet = decode_packet(text.encode(), Side.SERVER, PLACE, (1,))
    assert isinstance(packet, SioPacket)
    assert (packet.type, packet.namespace, packet.id, packet.event) == (SioType.EVENT, "/a", 7, name)
    assert json.loads(packet.data) == [name, *arguments]


HANDSHAKE = b"GET /socket.io/1/?t=1795640434025 HTTP/1.1\r\nHost: a\r\n\r\n"
SESSION = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\nabcdef:60:60:websoc"
OPENED = SESSION.replace(b"Length: 20", b"Length: 22") + b"ket"
UPGRADE = b"GET /socket.io/1/websocket/abcdef HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def frame(payload: bytes, side: Side) -> bytes:
    mask = 0x80 if side is Side.CLIENT else 0
    return bytes([0x81, mask | len(payload)]) + (bytes(4) if mask else b"") + payload


@given(
    st.lists(st.tuples(SIDES, st.one_of(WIRE.filter(lambda data: len(data) < 126), st.just(b"2::"))), max_size=8),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_sessions_do_not_depend_on_batches(said: list[tuple[Side, bytes]], cuts: list[int]) -> None:
    talk = [(Side.CLIENT, HANDSHAKE), (Side.SERVER, OPENED), (Side.CLIENT, UPGRADE), (Side.SERVER, SWITCHED)]
    talk += [(side, frame(payload, side)) for side, payload in said]
    seq = [1000, 5000]
    sent = [Sent(Side.CLIENT, "S", 999), Sent(Side.SERVER, "SA", 4999, ack=1000)]
    for side, data in talk:
        sent.append(Sent(side, "PA", seq[side], data, ack=seq[side.other]))
        seq[side] += len(data)
    results = []
    for places in ([], cuts):
        stack = Stack(CaptureSummary("a"))
        for start, end in batches(places, len(sent)):
            stack.feed(packets(sent[start:end], start + 1))
        stack.close()
        assert stack.crashes == []
        (session,) = stack.sessions.sessions
        assert session.socketio09
        counted = sum(sum(side.values()) for side in session.socketio_counts) + sum(odd.count for odd in session.odd)
        assert counted == len(said)
        results.append(ledgers(stack))
    assert results[0] == results[1]
