"""Integers of variable length, as QUIC and HTTP/3 write them (RFC 9000, section 16)."""


def varint_size(first: int) -> int:
    """How many bytes an integer takes, by its first one."""
    return 1 << (first >> 6)


def varint(data: bytes, pos: int) -> int:
    """The integer that begins at `pos`, all of which must be there."""
    size = varint_size(data[pos])
    value = int.from_bytes(data[pos : pos + size])
    return value & ((1 << (8 * size - 2)) - 1)
