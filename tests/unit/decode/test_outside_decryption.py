"""Who decrypts a connection is told by its ServerHello: we do, or another program has all of it from the beginning."""

import ssl

import pytest

from eiosniff.decode.outside.decryption import MAX_KEPT, EitherDecryption
from eiosniff.decode.outside.pieces import Outside
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tls.clear import TlsHandshake
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.outside import TlsPiece
from eiosniff.model.provenance import CLIENT, SERVER, Endpoint, PacketRef
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from eiosniff.model.unread import Undecrypted
from tests.tls_peers import Wire, talk

ONE, TWO = Endpoint("192.0.2.1", 50_000), Endpoint("192.0.2.2", 443)
FLOW = Flow((1 << 16 | 443, 2 << 16 | 50_000), PacketRef(1, 1), PacketRef(1, 1))
CBC, GCM = "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256"


def conversation(ciphers):
    return talk(ssl.TLSVersion.TLSv1_2, ciphers)


def decryption(wire: Wire, outside: Outside | None) -> EitherDecryption:
    streams = TlsStreams(Keyring(wire.secrets()), TlsHandshake())
    return EitherDecryption(streams, outside, FLOW, ONE, TWO)


def feed(made, records):
    plain = []
    for record in records:
        plain += made.gap(record) if isinstance(record, Gap) else made.feed(record)
    return plain


@pytest.mark.parametrize("size", [1, 50, 1448])
def test_all_of_it_is_handed_out_if_the_cipher_is_not_ours(size):
    wire, outside = conversation(CBC), Outside()
    chunks = wire.chunks(size)
    made = decryption(wire, outside)
    assert feed(made, chunks) == []
    assert [(p.number, p.from_client, p.offset, p.data) for p in outside.take()] == [
        (c.numbers[0], c.side is CLIENT, c.offset, c.data) for c in chunks
    ]
    assert not made.useless
    assert made.streams.outcome() is Undecrypted.CIPHER
    assert size == 1 or made.streams.witness.server_hello is not None  # it gives up on such small segments


def test_what_comes_back_is_its_plain_text():
    wire, first = conversation(CBC), Outside()
    chunks = wire.chunks(1448)
    feed(decryption(wire, first), chunks)
    last = chunks[-1]
    piece = TlsPiece(last.numbers[0], 7, first.connections[0], last.side is CLIENT, b"plain")
    made = decryption(wire, Outside(first, iter([piece])))
    (plain,) = feed(made, chunks)
    assert (plain.side, plain.data, plain.numbers) == (last.side, b"plain", last.numbers)
    assert made.outer(last.side, 5) == last.offset + len(last.data)
    assert made.streams.opened
    assert made.streams.outcome() is None
    assert made.end(StreamEnd(CLIENT, EndKind.FIN, PacketRef(9_999, 1))) == []
    hole = Gap(SERVER, 9_999, 1, GapReason.NOT_CAPTURED, PacketRef(9_999, 1))
    assert made.gap(hole) == []
    assert made.useless


def test_what_comes_back_is_of_that_connection_alone():
    """Also what was known before the ServerHello told who decrypts it, as of packets in another order."""
    wire, first = conversation(CBC), Outside()
    chunks = wire.chunks(1448)
    feed(decryption(wire, first), chunks)
    begin = chunks[0]
    piece = TlsPiece(begin.numbers[0], 7, first.connections[0], begin.side is CLIENT, b"plain")
    made = decryption(wire, Outside(first, iter([piece])))
    assert [plain.data for plain in feed(made, chunks)] == [b"plain"]
    assert feed(decryption(wire, None), chunks) == []


@pytest.mark.parametrize("outside", [None, Outside()])
def test_a_cipher_of_ours_is_decrypted_here(outside):
    wire = conversation(GCM)
    made = decryption(wire, outside)
    plain = feed(made, wire.chunks(100))
    for side in (CLIENT, SERVER):
        assert b"".join(p.data for p in plain if p.side is side) == bytes(wire.said[side])
    assert made.outer(CLIENT, 1) > 1
    assert outside is None or outside.connections == []


def test_without_anybody_else_the_other_ones_are_useless():
    wire = conversation(CBC)
    made = decryption(wire, None)
    assert feed(made, wire.chunks(100)) == []
    assert (made.useless, made.why) == (True, made.streams.why)


def test_a_hole_before_the_server_hello():
    wire, outside = conversation(CBC), Outside()
    first, *rest = wire.chunks(1448)
    hole = Gap(first.side, 0, len(first.data), GapReason.NOT_CAPTURED, PacketRef(1, 1))
    made = decryption(wire, outside)
    assert feed(made, [hole, *rest]) == []
    assert made.useless
    assert outside.take() == []


def test_what_never_says_hello_is_not_kept():
    wire, outside = conversation(CBC), Outside()
    made = decryption(wire, outside)
    step = 1 << 16
    for at in range(0, MAX_KEPT + 4 * step, step):
        made.feed(StreamChunk(CLIENT, at, b"\x16\x03\x01\xff\xff" + bytes(step - 5), [0], [at + 1], [1]))
    assert made._kept is None
