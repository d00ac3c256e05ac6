"""What a connection is, by its first bytes."""

import pytest

from eiosniff.decode.tcp.sniff import MIDSTREAM_TRIES, Protocol, Sniffer, sniff
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason

PLACE = PacketRef(1, 1)


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"GET /socket.io/?EIO=4 HTTP/1.1\r\n", Protocol.HTTP_REQUEST),
        (b"POST /", Protocol.HTTP_REQUEST),
        (b"OPTIONS * HTTP/1.1", Protocol.HTTP_REQUEST),
        (b"HTTP/1.1 200 OK\r\n", Protocol.HTTP_RESPONSE),
        (b"HTTP/2 200", Protocol.OTHER),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12", Protocol.HTTP2),
        (b"PRI * HTTP/2.0\r\n\r\n", Protocol.UNKNOWN_YET),
        (b"PRI", Protocol.UNKNOWN_YET),
        (b"PRI * HTTP/2.0\r\nHost: x", Protocol.OTHER),
        (b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", Protocol.HTTP2),  # SETTINGS of a server that speaks first
        (b"\0\0\x06\x04\0\0\0\0\0", Protocol.UNKNOWN_YET),
        (b"\0\0\x06\x04\0\0\0\0\0\0\xf3", Protocol.OTHER),
        (b"\0\0\x07\x04", Protocol.OTHER),  # no number of settings has this length
        (b"\0\0\x06\x04\x01", Protocol.OTHER),  # an acknowledgement is never first
        (b"\x16\x03\x01\x02\x00", Protocol.TLS),
        (b"\x17\x03\x03", Protocol.TLS),
        (b"\x16", Protocol.UNKNOWN_YET),
        (b"\x16\x04", Protocol.OTHER),
        (b"SSH-2.0-OpenSSH", Protocol.OTHER),
        (b"G", Protocol.UNKNOWN_YET),
        (b"GET", Protocol.UNKNOWN_YET),
        (b"OPTIONS", Protocol.UNKNOWN_YET),
        (b"HTTP/1", Protocol.UNKNOWN_YET),
        (b"get /", Protocol.OTHER),
        (b"GETTING", Protocol.OTHER),
        (b"\x81\x012", Protocol.OTHER),  # a frame can only be where the beginning was not captured
    ],
)
def test_from_the_beginning(data: bytes, protocol: Protocol) -> None:
    assert sniff(data, midstream=False) is protocol


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"\x81\x012", Protocol.WEBSOCKET_SERVER),
        (b"\x81\x81\x01\x02\x03\x043", Protocol.WEBSOCKET_CLIENT),  # 3 ^ 1 is 2, a ping
        (b"\x81\x81\x01\x02\x03\x04Z", Protocol.OTHER),  # text that is not Engine.IO
        (b"\x81\x7e\x01\x0042[", Protocol.WEBSOCKET_SERVER),
        (b"\x81\x7f\0\0\0\0\0\x01\0\x0042[", Protocol.WEBSOCKET_SERVER),
        (b"\xc1\x05\xff\xff", Protocol.WEBSOCKET_SERVER),  # compressed: nothing of it can be checked
        (b"\x82\x03abc", Protocol.WEBSOCKET_SERVER),
        (b"\x82\x00", Protocol.OTHER),
        (b"\x88\x02\x03\xe8", Protocol.WEBSOCKET_SERVER),
        (b"\x89\x80abcd", Protocol.WEBSOCKET_CLIENT),
        (b"\x8a\x05abc", Protocol.OTHER),  # shorter than it says
        (b"\x01\x012", Protocol.OTHER),  # a fragment: too weak
        (b"\xf1\x012", Protocol.OTHER),  # reserved bits
        (b"\x83\x012", Protocol.OTHER),  # an opcode that does not exist
        (b"GET / HTTP/1.1", Protocol.HTTP_REQUEST),
    ],
)
def test_midstream(data: bytes, protocol: Protocol) -> None:
    assert sniff(data, midstream=True) is protocol


def chunk(*pieces: bytes, first: int = 1, side: Side = Side.CLIENT, delivered: int = 0) -> StreamChunk:
    """Bytes of so many packets."""
    starts = [sum(map(len, pieces[:at])) for at in range(len(pieces))]
    numbers = list(range(first, first + len(pieces)))
    return StreamChunk(side, 0, b"".join(pieces), starts, numbers, numbers, delivered)


def decided(midstream: bool, way_and_pieces: list[tuple[int, bytes]], together: bool) -> tuple[Protocol, int]:
    """What a connection is, and the packet that told."""
    sniffer = Sniffer(midstream)
    if together:
        ways = {way for way, _ in way_and_pieces}
        assert len(ways) == 1
        return sniffer.take(ways.pop(), chunk(*(piece for _, piece in way_and_pieces))), sniffer.decided
    for number, (way, piece) in enumerate(way_and_pieces, 1):
        protocol = sniffer.take(way, chunk(piece, first=number))
        if protocol is not Protocol.UNKNOWN_YET:
            return protocol, sniffer.decided
    return protocol, sniffer.decided


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize(
    ("midstream", "pieces", "protocol", "number"),
    [
        (False, [b"GET / HTTP/1.1"], Protocol.HTTP_REQUEST, 1),
        (False, [b"G", b"ET", b" /"], Protocol.HTTP_REQUEST, 3),
        (False, [b"G", b"O", b"GET /"], Protocol.OTHER, 2),
        (False, [b"rest of a body", b"GET /"], Protocol.OTHER, 1),
        (True, [b"rest of a body", b"GET /"], Protocol.HTTP_REQUEST, 2),
        (True, [b"rest", b"of a message", b"\x81\x012"], Protocol.WEBSOCKET_SERVER, 3),
        (True, [b"no"] * MIDSTREAM_TRIES + [b"GET /"], Protocol.OTHER, MIDSTREAM_TRIES),
        (True, [b"no"] * (MIDSTREAM_TRIES - 1), Protocol.UNKNOWN_YET, 0),
    ],
)
def test_packet_by_packet(
    midstream: bool, pieces: list[bytes], protocol: Protocol, number: int, together: bool
) -> None:
    found = decided(midstream, [(0, piece) for piece in pieces], together)
    assert found == (protocol, number)


def test_both_directions_count() -> None:
    talk = [(at % 2, b"no") for at in range(MIDSTREAM_TRIES - 1)]
    assert decided(True, talk, together=False)[0] is Protocol.UNKNOWN_YET
    assert decided(True, [*talk, (1, b"no")], together=False)[0] is Protocol.OTHER
    assert decided(True, [*talk, (1, b"HTTP/1.1 200")], together=False)[0] is Protocol.HTTP_RESPONSE


def test_after_a_gap_anything_may_come() -> None:
    sniffer = Sniffer(midstream=False)
    gap = Gap(Side.CLIENT, 0, 10, GapReason.NOT_CAPTURED, PLACE)
    assert sniffer.take(0, gap) is Protocol.UNKNOWN_YET
    assert sniffer.take(0, chunk(b"the rest")) is Protocol.UNKNOWN_YET
    assert sniffer.take(0, chunk(b"GET /")) is Protocol.HTTP_REQUEST
    assert [type(record) for _, record in sniffer.records] == [Gap, StreamChunk, StreamChunk]


def test_an_end_tells_nothing_but_is_remembered() -> None:
    sniffer = Sniffer(midstream=False)
    end = StreamEnd(Side.CLIENT, EndKind.FIN, PLACE)
    assert sniffer.take(1, end) is Protocol.UNKNOWN_YET
    assert sniffer.records == [(1, end)]


def test_bytes_that_waited_are_known_with_the_packet_that_delivered_them() -> None:
    sniffer = Sniffer(midstream=False)
    sniffer.take(0, chunk(b"GET /", first=3, delivered=9))
    assert sniffer.decided == 9
