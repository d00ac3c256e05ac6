"""Whatever comes and however it is cut: the reader of TLS does not raise, keeps little, and says the same."""

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.tls.clear import (
    MOST_BYTES,
    MOST_PACKETS,
    ServerHello,
    TlsHandshake,
    read_client_hello,
    read_server_hello,
)
from eiosniff.model.http import TEXT_LIMIT
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from tests.hellos import ANSWER_12, ANSWER_13, HELLO, KEYS, SECRET, UNKNOWN_CA, client_hello, extension, record, records

PIECES = st.one_of(
    st.sampled_from([record(HELLO), record(ANSWER_12), record(ANSWER_13), KEYS, SECRET, UNKNOWN_CA, records(HELLO, 9)]),
    st.binary(max_size=60),
    st.binary(max_size=60).map(record),
    st.binary(max_size=200).map(lambda data: record(client_hello(data))),
    st.tuples(st.sampled_from([0, 16, 43, 0xFE0D]), st.binary(max_size=60)).map(
        lambda each: record(client_hello(extension(*each)))
    ),
)
SAID = st.lists(st.tuples(st.integers(0, 1), PIECES.filter(bool)), max_size=12)
Facts = tuple[object, ...]


def _facts(handshake: TlsHandshake) -> Facts:
    alerts = [handshake.alert(way) for way in (0, 1)]
    return handshake.client_hello, handshake.server_hello, handshake.client, alerts, handshake.first.number


def _read(packets: list[tuple[int, int, bytes]], together: bool) -> tuple[Facts, int]:
    """Read numbered packets, one by one, or all that one side said in a row at once."""
    handshake = TlsHandshake()
    at = 0
    while at < len(packets):
        way, stop = packets[at][0], at + 1
        while together and stop < len(packets) and packets[stop][0] == way:
            stop += 1
        pieces = [data for _, _, data in packets[at:stop]]
        starts = [sum(map(len, pieces[:index])) for index in range(len(pieces))]
        numbers = [number for _, number, _ in packets[at:stop]]
        handshake.take(way, StreamChunk(Side(way), 0, b"".join(pieces), starts, numbers, numbers))
        at = stop
    decided = handshake.decided if handshake.done else 0
    handshake.take(0, StreamEnd(Side.CLIENT, EndKind.FIN, PacketRef(10_000, 0)))
    handshake.close()
    return _facts(handshake), decided


@given(SAID, st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_bytes_of_any_kind_in_pieces_of_any_size(said: list[tuple[int, bytes]], sizes: list[int]) -> None:
    packets: list[tuple[int, int, bytes]] = []
    for way, data in said:
        at = 0
        while at < len(data):
            size = sizes[len(packets) % len(sizes)]
            packets.append((way, len(packets) + 1, data[at : at + size]))
            at += size
    assert _read(packets, together=False) == _read(packets, together=True)


@given(st.lists(st.integers(1, len(record(HELLO)) - 1), max_size=MOST_PACKETS - 2, unique=True))
def test_a_hello_cut_anywhere_says_the_same(cuts: list[int]) -> None:
    whole = record(HELLO)
    edges = [0, *sorted(cuts), len(whole)]
    packets = [(0, number, whole[edges[number - 1] : edges[number]]) for number in range(1, len(edges))]
    (hello, *_), _ = _read(packets, together=False)
    (expected, *_), _ = _read([(0, 1, whole)], together=False)
    assert hello == expected
    assert hello[:3] == ("chat.example", ("h2", "http/1.1"), False)


@given(st.binary(max_size=400))
def test_hellos_of_any_bytes(body: bytes) -> None:
    for data in (body, HELLO[4:] + body, HELLO[4 : 4 + len(body)], client_hello(body)[4:]):
        hello = read_client_hello(data)
        assert len(hello.name or "") <= 4 * TEXT_LIMIT
        assert len(hello.alpn) <= 8
        assert isinstance(read_server_hello(data), ServerHello)


@given(st.binary(min_size=1, max_size=3_000), st.integers(0, 1))
def test_so_much_is_read_and_no_more(data: bytes, way: int) -> None:
    handshake = TlsHandshake()
    opening = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"
    for number in range(1, 2 + max(MOST_PACKETS, MOST_BYTES // len(data))):
        handshake.take(way, StreamChunk(Side(way), 0, opening + data if number == 1 else data, [0], [number], [0]))
    assert handshake.done
