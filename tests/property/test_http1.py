"""What holds for every input: nothing raises, every byte is accounted for, and cutting the input changes nothing."""

import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from eiosniff.decode.http1.connection import HttpConnection, HttpLimits
from eiosniff.model.provenance import Side
from eiosniff.model.tcp import EndKind
from tests.unit.decode.http1_talk import C, End, Hole, S, check_tiling, in_pieces, joined, read_once, told

# So small that random input reaches every limit.
TIGHT = HttpLimits(
    head=120, body=40, unasked_body=20, inflated=60, unanswered=2, packets=3, held=20, patience_ns=9_000_000
)

SIDES = st.sampled_from(Side)
ENDS = st.tuples(*[st.builds(End, st.just(side), st.sampled_from(EndKind)) for side in Side]).flatmap(st.permutations)
DELAYS = st.integers(0, 12)

# Scraps that random messages are put together from: more telling than random bytes.
SCRAPS = [
    b"GET /socket.io/?EIO=4 HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"HEAD / HTTP/1.1\r\n", b"CONNECT a:1 HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 X\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 204\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"Host: a\r\n", b"Upgrade: websocket\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n",
    b"Content-Length: 30\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"bad line\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"5\r\nhello\r\n", b"0\r\n\r\n", b"1a;x=y\r\n",
    b"hello", b"\x81\x85abcd\x01\x02\x03\x04\x05", b"\x16\x03\x01", b"\x00" * 30, b"x" * 70, zlib.compress(b"y" * 90),
]  # fmt: skip

PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.lists(st.sampled_from(SCRAPS), min_size=1, max_size=6).map(b"".join),
)


def packets_of(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[C]:
    return st.builds(lambda kind, data, delay: kind(data, delay), st.sampled_from([C, S]), payloads, DELAYS)


HOLES = st.builds(Hole, SIDES, st.integers(1, 50))


@st.composite
def valid_exchanges(draw: st.DrawFn) -> list[C]:
    """A request and its response, as packets."""
    body = draw(st.binary(max_size=50))
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD"]))
    head = method + b" /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body if method == b"POST" else head + b"\r\n"
    answer = draw(st.binary(max_size=50))
    response = b"HTTP/1.1 200 OK\r\n"
    if draw(st.booleans()):
        response += b"Content-Encoding: deflate\r\n"
        answer = zlib.compress(answer)
    if draw(st.booleans()):
        response += b"Content-Length: %d\r\n\r\n" % len(answer)
        response += b"" if method == b"HEAD" else answer
    else:
        response += b"Transfer-Encoding: chunked\r\n\r\n"
        at = draw(st.integers(0, len(answer)))
        chunks = [chunk for chunk in (answer[:at], answer[at:], b"") if chunk] + [b""]
        if method != b"HEAD":
            response += b"".join(b"%x\r\n" % len(chunk) + chunk + b"\r\n" for chunk in chunks)
    packets: list[C] = []
    for kind, data in ((C, request), (S, response)):
        at = draw(st.integers(1, len(data)))
        packets += [kind(piece) for piece in (data[:at], data[at:]) if piece]
    return packets


def check(items: list, keep: bool, limits: HttpLimits, sizes: list[int]) -> None:
    """Read in all ways, and compare."""
    packets = told(items)
    reading = read_once(joined(packets), HttpConnection(lambda _: keep, limits))
    turns = 0

    def next_size() -> int:
        nonlocal turns
        turns += 1
        return sizes[turns % len(sizes)]

    for said in (iter(packets), in_pieces(packets, lambda: 1), in_pieces(packets, next_size)):
        again = read_once(said, HttpConnection(lambda _: keep, limits))
        assert again.comparable() == reading.comparable()
    check_tiling(packets, reading)


LIMITS = st.sampled_from([TIGHT, HttpLimits()])
SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@given(st.lists(st.one_of(packets_of(PAYLOADS), HOLES), max_size=12), ENDS, st.booleans(), LIMITS, SIZES)
def test_anything_is_read_without_loss_however_it_is_cut(items, ends, keep, limits, sizes):
    check([*items, *ends], keep, limits, sizes)


@given(st.lists(packets_of(PAYLOADS), max_size=4), st.lists(packets_of(PAYLOADS), max_size=4), ENDS, LIMITS, SIZES)
def test_anything_may_follow_an_end_of_the_other_side(before, after, ends, limits, sizes):
    early, late = ends
    after = [packet for packet in after if packet.side is late.side]
    check([*before, early, *after, late], True, limits, sizes)


@given(st.lists(valid_exchanges(), min_size=1, max_size=4), st.data(), ENDS, SIZES)
def test_damage_to_valid_conversations(exchanges, data, ends, sizes):
    items: list = [packet for exchange in exchanges for packet in exchange]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(items) - 1))
        packet = items[at]
        if not isinstance(packet, C):
            continue
        match data.draw(st.sampled_from(["lose", "flip", "insert", "repeat"])):
            case "lose":
                items[at] = Hole(packet.side, len(packet.data))
            case "flip":
                place = data.draw(st.integers(0, len(packet.data) - 1))
                byte = data.draw(st.binary(min_size=1, max_size=1))
                items[at] = type(packet)(packet.data[:place] + byte + packet.data[place + 1 :])
            case "insert":
                place = data.draw(st.integers(0, len(packet.data)))
                items[at] = type(packet)(packet.data[:place] + data.draw(PAYLOADS) + packet.data[place:])
            case "repeat":
                items.insert(at, packet)
    check([*items, *ends], True, data.draw(LIMITS), sizes)


@given(st.lists(valid_exchanges(), min_size=1, max_size=5), ENDS)
@settings(max_examples=50)
def test_valid_conversations_are_read_as_they_were_meant(exchanges, ends):
    items: list = [packet for exchange in exchanges for packet in exchange]
    reading = read_once(joined(told([*items, *ends])), HttpConnection(lambda _: True))
    assert len(reading.events) == 2 * len(exchanges)
    for request, response in zip(reading.requests, reading.responses, strict=True):
        assert request.complete
        assert response.complete
        assert response.request is request
