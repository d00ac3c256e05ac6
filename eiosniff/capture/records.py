"""Walks the records of a capture file: where one begins is known only from the length in the one before.

This loop runs once for each captured packet, and is all that does: the rest goes by column.
"""

from eiosniff.model.batch import Buffer

# Bytes of the file that are looked at in one piece: a copy of them is faster to read from than a mapping.
_PIECE = 1 << 18


def record_places(
    buffer: Buffer, pos: int, header: int, length_at: int, big_endian: bool, most: int
) -> tuple[list[int], int]:
    """Where the next records begin, from `pos` on, and where the last of them ends, which may be behind the buffer.

    A record is a header of `header` bytes and as many bytes more as its 32-bit number at `length_at` says. There are at
    most `most`, and only those whose header is in the buffer as a whole.
    """
    places: list[int] = []
    size = len(buffer)
    first = pos  # of the piece
    piece = b""
    while len(places) < most and pos + header <= size:
        at = pos - first
        if at + header > len(piece):
            first, at = pos, 0
            piece = buffer[pos : pos + _PIECE]
        at += length_at
        if big_endian:
            length = piece[at] << 24 | piece[at + 1] << 16 | piece[at + 2] << 8 | piece[at + 3]
        else:
            length = piece[at + 3] << 24 | piece[at + 2] << 16 | piece[at + 1] << 8 | piece[at]
        places.append(pos)
        pos += header + length
    return places, pos
