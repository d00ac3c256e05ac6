"""What holds for any bytes in QUIC streams: nothing raises, and each byte of a WebTransport stream has its place."""

from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.http3.frames import FrameReader
from eiosniff.decode.http3.webtransport_frames import WtReader
from eiosniff.model.outside import QuicPiece
from eiosniff.model.provenance import CLIENT, PacketRef
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Desync, Gap, GapReason
from eiosniff.model.webtransport import WtMessage
from tests.unit.decode.http3_talk import AGENT, HOST, START_NS, packet, stack_of
from tests.unit.decode.test_http3_connections import healthy

LAST = PacketRef(99, 99)
PARTS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(["0", '0{"sid":"S"}', "2", "40", "4" * 130]).map(packet),
        st.integers(1, 300),  # a hole
    ),
    max_size=12,
)


@given(PARTS)
def test_every_byte_of_a_webtransport_stream_is_in_a_message_or_a_desync(parts: list[bytes | int]) -> None:
    reader, records, at = WtReader(CLIENT), [], 0
    for number, part in enumerate(parts, 1):
        if isinstance(part, int):
            records += reader.gap(Gap(CLIENT, at, part, GapReason.NOT_CAPTURED, PacketRef(number, number)))
            at += part
        elif part:
            records += reader.feed(StreamChunk(CLIENT, at, part, [0], [number], [number]))
            at += len(part)
    records += reader.end(LAST)
    tiles = sorted((one.start, one.end) for one in records if isinstance(one, WtMessage | Desync))
    assert [start for start, _ in tiles] == [0, *[end for _, end in tiles[:-1]]][: len(tiles)]
    assert (tiles[-1][1] if tiles else 0) == at


@given(st.binary(max_size=200), st.integers(1, 20))
def test_frames_of_any_bytes_do_not_depend_on_how_they_are_cut(data: bytes, size: int) -> None:
    def read(step: int) -> list[object]:
        reader, records = FrameReader(CLIENT), []
        for at in range(0, len(data), step):
            records += reader.feed(StreamChunk(CLIENT, at, data[at : at + step], [0], [1], [1]))
        records += reader.end(LAST)
        return [(type(one).__name__, getattr(one, "payload", None), getattr(one, "start", None)) for one in records
                if type(one).__name__ in ("Frame", "Signal", "Desync", "Anomaly")]  # fmt: skip

    assert read(size) == read(200)


PIECES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 60), st.binary(max_size=40), st.booleans()), max_size=30
)


@given(PIECES, st.integers(0, 18))
def test_no_pieces_raise(made: list[tuple[bool, int, int, bytes, bool]], kept: int) -> None:
    pieces = healthy().pieces[:kept]
    for from_client, stream, offset, data, fin in made:
        number = len(pieces) + 1
        pieces.append(QuicPiece(number, START_NS + number, 0, AGENT, HOST, from_client, stream, offset, data, fin))
    stack_of(pieces)


@given(st.data())
def test_a_byte_that_is_wrong_raises_nothing(data: st.DataObject) -> None:
    pieces = healthy().pieces
    at = data.draw(st.integers(0, len(pieces) - 1))
    piece = pieces[at]
    if piece.data:
        where = data.draw(st.integers(0, len(piece.data) - 1))
        changed = bytearray(piece.data)
        changed[where] ^= data.draw(st.integers(1, 255))
        pieces[at] = QuicPiece(
            piece.number, piece.ts_ns, 0, AGENT, HOST, piece.from_client, piece.stream, piece.offset, bytes(changed),
            piece.fin,
        )  # fmt: skip
    stack_of(pieces)
