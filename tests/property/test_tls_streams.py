"""Whatever comes and however it is cut: decryption does not raise, and says the same."""

import ssl
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap, GapReason
from tests.tls_peers import Wire, talk

# A large one among them: with packets of one byte alone, an example takes seconds.
CUTS = st.lists(st.integers(1, 3_000), max_size=30).map(lambda sizes: [*sizes, 3_000])


@cache
def wire(new: bool) -> Wire:
    return talk(ssl.TLSVersion.TLSv1_3 if new else ssl.TLSVersion.TLSv1_2)


def packets(of: Wire, sizes: list[int]) -> list[StreamChunk]:
    """What was said in packets of these sizes in turn."""
    chunks: list[StreamChunk] = []
    offsets = [0, 0]
    for side, data in of.flights:
        at = 0
        while at < len(data):
            size = sizes[len(chunks) % len(sizes)]
            piece, number = data[at : at + size], len(chunks) + 1
            chunks.append(StreamChunk(side, offsets[side], piece, [0], [number], [number]))
            offsets[side] += len(piece)
            at += size
    return chunks


def joined(chunks: list[StreamChunk]) -> list[StreamChunk]:
    """All that one side said in a row at once."""
    made: list[StreamChunk] = []
    for chunk in chunks:
        last = made[-1] if made else None
        if last is not None and last.side is chunk.side:
            last.starts.append(len(last.data))
            last.data += chunk.data
            last.numbers.extend(chunk.numbers)
            last.times.extend(chunk.times)
        else:
            made.append(StreamChunk(chunk.side, chunk.offset, chunk.data, [0], [*chunk.numbers], [*chunk.times]))
    return made


def by_byte(of: Wire, chunks: list[StreamChunk]) -> list[list[tuple[int, int, int]]]:
    """Each byte that was decrypted, by side: itself, the packet that brought it, and the one that delivered it."""
    streams = TlsStreams(Keyring(of.secrets()))
    told: list[list[tuple[int, int, int]]] = [[], []]
    for chunk in chunks:
        for record in streams.feed(chunk):
            assert isinstance(record, StreamChunk)
            ends = [*record.starts[1:], len(record.data)]
            for start, end, number in zip(record.starts, ends, record.numbers, strict=True):
                order = record.delivered or number
                told[record.side] += [(byte, number, order) for byte in record.data[start:end]]
    return told


@given(st.booleans(), CUTS)
def test_packets_of_any_size_one_by_one_or_together(new: bool, sizes: list[int]) -> None:
    of = wire(new)
    chunks = packets(of, sizes)
    told = by_byte(of, chunks)
    assert told == by_byte(of, joined(chunks))
    assert [bytes(byte for byte, _, _ in side) for side in told] == [bytes(said) for said in of.said]


@given(st.booleans(), CUTS, st.lists(st.integers(0, 200), max_size=6), st.lists(st.binary(max_size=40), max_size=3))
def test_holes_and_noise_anywhere(new: bool, sizes: list[int], lost: list[int], noise: list[bytes]) -> None:
    of = wire(new)
    streams = TlsStreams(Keyring(of.secrets()))
    offsets = [0, 0]
    for chunk in packets(of, sizes):
        number, place = chunk.numbers[0], PacketRef(chunk.numbers[0], 0)
        if number in lost:
            records = streams.gap(Gap(chunk.side, chunk.offset, len(chunk.data), GapReason.NOT_CAPTURED, place))
        else:
            data = bytes(noise[number % len(noise)]) if noise and number % 7 == 0 else b""
            changed = data + chunk.data[len(data) :] if len(data) < len(chunk.data) else chunk.data
            records = streams.feed(StreamChunk(chunk.side, chunk.offset, changed, [0], [number], [0]))
        for record in records:
            assert record.offset == offsets[record.side]
            length = record.length if isinstance(record, Gap) else len(record.data)
            assert length > 0
            offsets[record.side] += length
    for side in Side:
        streams.end(StreamEnd(side, EndKind.FIN, PacketRef(9_999, 0)))
        assert offsets[side] <= len(of.said[side]) + 2_000


@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.binary(min_size=1, max_size=80)), max_size=20))
def test_bytes_of_any_kind(said: list[tuple[Side, bytes]]) -> None:
    streams = TlsStreams(Keyring(wire(True).secrets()))
    offsets = [0, 0]
    hello = wire(True).flights[0][1]
    for number, (side, data) in enumerate([(Side.CLIENT, hello), *said], 1):
        streams.feed(StreamChunk(side, offsets[side], data, [0], [number], [0]))
        offsets[side] += len(data)
    for side in Side:
        streams.end(StreamEnd(side, EndKind.FIN, PacketRef(9_999, 0)))
    streams.outcome()
