"""Bytes that wait: who brought each, and nothing of what was handed in is changed."""

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk


def _piece(offset: int, number: int, data: bytes = b"x") -> StreamChunk:
    return StreamChunk(Side.CLIENT, offset, data, [0], [number], [number * 1000])


def test_what_came_first_is_not_changed_by_what_comes_after() -> None:
    first = StreamChunk(Side.CLIENT, 0, b"abcd", [0, 2], [1, 2], [1000, 2000])
    buffer = StreamBuffer(Side.CLIENT)
    assert not buffer.need(100)
    buffer.append(first)
    for at in range(4, 20):
        buffer.append(_piece(at, at))
    assert (first.starts, first.numbers, first.times) == ([0, 2], [1, 2], [1000, 2000])
    buffer.flush()
    assert buffer.packets(0, 20) == (1, 2, *range(4, 20))
    assert [buffer.order(at) for at in (1, 3, 19)] == [1, 2, 19]
    assert buffer.ref(7) == PacketRef(7, 7000)


def test_what_was_decoded_is_forgotten_and_the_rest_goes_on() -> None:
    buffer = StreamBuffer(Side.CLIENT)
    for at in range(10):
        assert buffer.append(_piece(at, at + 1))
        if at == 4:
            buffer.pos = len(buffer.data)
    assert (buffer.offset, buffer.data) == (5, b"xxxxx")
    assert buffer.packets(5, 10) == (6, 7, 8, 9, 10)
    buffer.append(_piece(10, 30))
    assert (buffer.end, buffer.ref(10).number) == (11, 30)
