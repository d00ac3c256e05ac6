"""Streams of QUIC: pieces in any order, bytes in order."""

from itertools import permutations

import pytest

from eiosniff.decode.quic import streams
from eiosniff.decode.quic.streams import Held, Ordered, QuicStream
from eiosniff.model.outside import QuicPiece
from eiosniff.model.provenance import CLIENT, PacketRef
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from tests.unit.decode.http3_talk import AGENT, HOST

TEXT = b"abcdefghij"
LAST = PacketRef(90, 90)


def piece(number: int, start: int, end: int, *, fin: bool = False) -> QuicPiece:
    return QuicPiece(number, number, 0, AGENT, HOST, True, 0, start, TEXT[start:end], fin)


def deliver(stream: QuicStream, pieces: list[QuicPiece]) -> list[Ordered]:
    return [record for each in pieces for record in stream.take(each)]


def bytes_of(records: list[Ordered]) -> bytes:
    return b"".join(record.data for record in records if isinstance(record, StreamChunk))


@pytest.mark.parametrize("cuts", [*permutations([(0, 3), (2, 6), (6, 10), (1, 9)])])
def test_order_overlap_and_repeats_make_no_difference(cuts: tuple[tuple[int, int], ...]) -> None:
    held = Held()
    stream = QuicStream(CLIENT, held)
    pieces = [piece(number, start, end, fin=end == 10) for number, (start, end) in enumerate(cuts, 1)]
    records = deliver(stream, pieces + pieces)
    assert bytes_of(records) == TEXT
    assert isinstance(records[-1], StreamEnd)
    assert records[-1].kind is EndKind.FIN
    assert held.bytes == 0
    assert not list(stream.close(LAST))


def test_bytes_name_the_packet_that_brought_them_and_the_one_that_made_them_deliverable() -> None:
    first, second = deliver(QuicStream(CLIENT, Held()), [piece(1, 4, 6), piece(2, 0, 4)])
    assert isinstance(first, StreamChunk)
    assert isinstance(second, StreamChunk)
    assert (first.offset, first.numbers, first.delivered) == (0, [2], 0)
    assert (second.offset, second.numbers, second.delivered) == (4, [1], 2)


def test_what_never_came_is_a_gap_at_the_end() -> None:
    held = Held()
    stream = QuicStream(CLIENT, held)
    assert bytes_of(deliver(stream, [piece(1, 0, 2), piece(2, 5, 7)])) == b"ab"
    gap, rest, end = stream.close(LAST)
    assert gap == Gap(CLIENT, 2, 3, GapReason.NOT_CAPTURED, LAST)
    assert isinstance(rest, StreamChunk)
    assert (rest.data, rest.offset) == (b"fg", 5)
    assert isinstance(end, StreamEnd)
    assert end.kind is EndKind.CAPTURE_ENDED
    assert held.bytes == 0


def test_an_end_before_the_last_bytes_waits_for_them() -> None:
    stream = QuicStream(CLIENT, Held())
    assert not stream.take(QuicPiece(1, 1, 0, AGENT, HOST, True, 0, 10, b"", True))
    records = stream.take(piece(2, 0, 10))
    assert [type(record) for record in records] == [StreamChunk, StreamEnd]


def test_nothing_comes_after_the_end() -> None:
    stream = QuicStream(CLIENT, Held())
    assert bytes_of(deliver(stream, [piece(1, 8, 10), piece(2, 0, 5, fin=True), piece(3, 5, 8)])) == b"abcde"


@pytest.mark.interpreted
def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_HELD_OF_STREAM", 1000)
    held = Held()
    stream = QuicStream(CLIENT, held)
    records: list[Ordered] = []
    for number in range(1, 50):
        records += stream.take(QuicPiece(number, number, 0, AGENT, HOST, True, 0, 10 * number, b"x", False))
        assert held.bytes <= 1000 + 300
    assert any(isinstance(record, Gap) and record.reason is GapReason.LIMIT for record in records)
