"""What is left to another program, and how it comes back: in order, by packet, and however batches are cut."""

from eiosniff.decode.outside.pieces import INCOMPLETE, NO_PIECES, Outside
from eiosniff.decode.outside.quic import MAX_HELD, QuicChoice
from eiosniff.decode.packets.quic import Datagram, QuicCounter
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.outside import QuicPiece, TlsPiece
from eiosniff.model.provenance import CLIENT, SERVER, Endpoint, PacketRef
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from tests.unit.decode.test_quic_initial import HELLO, RANDOM, crypto, initial

ONE, TWO = Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 443)
HOLE = Gap(CLIENT, 4, 10, GapReason.NOT_CAPTURED, PacketRef(5, 5))


def flow(number=1):
    return Flow((1 << 16 | 443, 2 << 16 | 50_000), PacketRef(number, number), PacketRef(number, number))


def chunk(side, offset, data, *numbers, delivered=0):
    """As many bytes of each packet as of the others."""
    each = len(data) // len(numbers)
    starts = [each * at for at in range(len(numbers))]
    return StreamChunk(side, offset, data, starts, list(numbers), [n * 10 for n in numbers], delivered)


def first_pass(*records, number=1):
    outside = Outside()
    decryption = outside.decryption(flow(number), ONE, TWO)
    for record in records:
        assert (decryption.feed(record) if isinstance(record, StreamChunk) else decryption.gap(record)) == []
    return outside


def second_pass(first, *pieces):
    outside = Outside(first, iter(pieces))
    return outside, outside.decryption(flow(), ONE, TWO)


def piece(of, number, data, from_client=True):
    return TlsPiece(number, number * 10, of.connections[0], from_client, data)


def test_what_is_collected_is_in_the_order_of_the_capture():
    outside = first_pass(
        chunk(CLIENT, 0, b"aabb", 1, 3), chunk(SERVER, 0, b"cc", 2), chunk(CLIENT, 4, b"ddee", 5, 4, delivered=6)
    )
    found = [(p.number, p.ts_ns, p.from_client, p.offset, p.data) for p in outside.take()]
    assert found == [
        (1, 10, True, 0, b"aa"), (2, 20, False, 0, b"cc"), (3, 30, True, 2, b"bb"), (6, 40, True, 4, b"ddee"),
    ]  # fmt: skip
    assert outside.take() == []
    assert [(each.client, each.server, each.quic) for each in outside.connections] == [(ONE, TWO, False)]


def test_behind_a_hole_nothing_is_collected():
    outside = first_pass(chunk(CLIENT, 0, b"aa", 1), HOLE, chunk(CLIENT, 14, b"bb", 6))
    assert [packet.data for packet in outside.take()] == [b"aa"]


def test_plain_bytes_come_with_the_packet_that_completed_their_record():
    first = first_pass(chunk(CLIENT, 0, b"aabbcc", 1, 2, 3))
    outside, decryption = second_pass(
        first, piece(first, 2, b"one"), piece(first, 3, b"two!"), piece(first, 9, b"later")
    )
    plain = decryption.feed(chunk(CLIENT, 0, b"aabbcc", 1, 2, 3))
    assert [(p.side, p.offset, p.data, p.numbers, p.times) for p in plain] == [
        (CLIENT, 0, b"one", [2], [20]), (CLIENT, 3, b"two!", [3], [30]),
    ]  # fmt: skip
    assert [decryption.outer(CLIENT, offset) for offset in (3, 4, 7)] == [4, 6, 6]
    assert [p.data for p in decryption.feed(chunk(CLIENT, 6, b"dd", 9))] == [b"later"]
    assert outside.read == set(first.connections)
    assert decryption.end(StreamEnd(CLIENT, EndKind.FIN, PacketRef(10, 10))) == []


def test_packet_by_packet_is_the_same():
    first = first_pass(chunk(CLIENT, 0, b"aabbcc", 1, 2, 3))
    pieces = [piece(first, 1, b"x"), piece(first, 2, b"yy", False), piece(first, 3, b"z")]
    whole, cut = (second_pass(first, *pieces)[1] for _ in range(2))
    at_once = whole.feed(chunk(CLIENT, 0, b"aabbcc", 1, 2, 3))
    one_by_one = [each for n in range(3) for each in cut.feed(chunk(CLIENT, 2 * n, b"aa", n + 1))]
    assert [(p.offset, p.data) for p in at_once] == [(p.offset, p.data) for p in one_by_one] == [(0, b"x"), (1, b"z")]
    assert [p.data for p in whole.feed(chunk(SERVER, 0, b"s", 2))] == [b"yy"]


def test_no_more_is_asked_for_than_is_needed():
    first = first_pass(chunk(CLIENT, 0, b"aa", 1))
    asked = []

    def pieces():
        for number in range(1, 100):
            asked.append(number)
            yield piece(first, number, b"x")

    outside = Outside(first, pieces())
    outside.decryption(flow(), ONE, TWO).feed(chunk(CLIENT, 0, b"aa", 3))
    assert asked == [1, 2, 3, 4]


def test_a_connection_that_is_decoded_later_in_the_batch_misses_nothing():
    first = first_pass(chunk(CLIENT, 0, b"aa", 1))
    first.decryption(flow(2), ONE, TWO)
    one, two = first.connections
    outside = Outside(first, iter([TlsPiece(5, 5, two, True, b"two"), TlsPiece(6, 6, one, True, b"one")]))
    assert [p.data for p in outside.decryption(flow(), ONE, TWO).feed(chunk(CLIENT, 0, b"a", 9))] == [b"one"]
    assert [p.data for p in outside.decryption(flow(2), ONE, TWO).feed(chunk(CLIENT, 0, b"a", 8))] == [b"two"]


def test_a_hole_ends_it_and_so_does_what_was_never_handed_out():
    first = first_pass(chunk(CLIENT, 0, b"aa", 1))
    outside, decryption = second_pass(first, piece(first, 7, b"x"))
    assert decryption.gap(HOLE) == []
    assert (decryption.useless, decryption.why) == (True, INCOMPLETE)
    assert decryption.feed(chunk(CLIENT, 14, b"aa", 8)) == []
    other = outside.decryption(flow(99), ONE, TWO)
    assert (other.useless, other.why) == (True, NO_PIECES)


def test_too_many_are_counted(monkeypatch):
    outside = Outside()
    for number in range(10_001):
        outside.decryption(flow(number), ONE, TWO).feed(chunk(CLIENT, 0, b"a", number + 1))
    assert (len(outside.connections), outside.refused, len(outside.take())) == (10_000, 1, 10_000)


def test_quic_pieces_come_up_to_a_packet():
    pieces = [QuicPiece(n, n, 0, ONE, TWO, True, 0, n, b"x", False) for n in (1, 2, 2, 5)]
    outside = Outside(Outside(), iter(pieces))
    assert [p.number for p in outside.quic(3)] == [1, 2, 2]
    assert outside.quic(4) == []
    assert [p.number for p in outside.quic(100)] == [5]


# ------------------------------------------------------------------ QUIC


def choose(*datagrams, secrets=None):
    """What is chosen of (data, from the client, port of the client)."""
    known = Secrets()
    known.add(b"CLIENT_TRAFFIC_SECRET_0 " + RANDOM.hex().encode() + b" " + b"ab" * 32)
    quic, choice, chosen = QuicCounter(), QuicChoice(), []
    quic.datagrams = []
    for number, (data, from_client, port) in enumerate(datagrams, 1):
        ends = 0xC0000201 << 16 | port, 0xC0000202 << 16 | 443
        quic.datagrams.append(Datagram(number, number, *ends, from_client, data))
        chosen += choice.take(quic, frozenset(), secrets or known)
        assert quic.datagrams == []
    return [packet.number for packet in chosen], choice


SHORT = b"\x40" + bytes(50)
MINE = initial(crypto(0, len(HELLO)))
OTHERS = initial(crypto(0, len(HELLO), HELLO.replace(RANDOM, bytes(32))), connection_id=b"other")


def test_only_connections_with_a_secret_are_handed_out():
    chosen, choice = choose((MINE, True, 1), (OTHERS, True, 2), (SHORT, False, 1), (SHORT, False, 2), (SHORT, True, 1))
    assert chosen == [1, 3, 5]
    assert [str(each.client) for each in choice.connections] == ["192.0.2.1:1"]


def test_what_came_before_the_hello_was_whole_comes_too():
    first, second = initial(crypto(0, 10)), initial(crypto(10, 98), number=3)
    assert choose((first, True, 1), (SHORT, True, 1), (second, True, 1), (SHORT, False, 1))[0] == [1, 2, 3, 4]


def test_a_client_that_moves_to_another_port_is_followed():
    assert choose((MINE, True, 1), (SHORT, True, 7), (SHORT, False, 7), (OTHERS, True, 8))[0] == [1, 2, 3]


def test_another_connection_of_the_same_ports_may_have_one():
    assert choose((OTHERS, True, 1), (SHORT, True, 1), (MINE, True, 1), (SHORT, False, 1))[0] == [3, 4]


def test_what_never_has_a_hello_is_not_kept():
    chosen, choice = choose(*[(SHORT, True, 1)] * (MAX_HELD + 5), (MINE, True, 1))
    assert chosen == [MAX_HELD + 6]
    assert choice._held == 0


def test_ports_that_were_not_chosen():
    quic, choice, known = QuicCounter(), QuicChoice(), Secrets()
    known.add(b"CLIENT_TRAFFIC_SECRET_0 " + RANDOM.hex().encode() + b" " + b"ab" * 32)
    quic.datagrams = [Datagram(1, 1, 1 << 16 | 5, 2 << 16 | 443, True, MINE)]
    assert choice.take(quic, frozenset([3000]), known) == []
    quic.datagrams = [Datagram(1, 1, 1 << 16 | 5, 2 << 16 | 443, True, MINE)]
    assert len(choice.take(quic, frozenset([443]), known)) == 1
