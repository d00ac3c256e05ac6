"""What TLS connections of a capture carry, without the layers above; and captures without their secrets."""

import struct
from pathlib import Path

from eiosniff.capture.secrets import KeySource
from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from tests.streams import Followed, Follower

# Of one connection: who said which bytes, which packets brought them, and which one made them known.
Said = list[tuple[Side, bytes, tuple[int, ...], int]]
_SECRETS = 0x0A  # the type of a Decryption Secrets Block


def apart(path: Path) -> tuple[bytes, bytes]:
    """A pcapng without its secrets, and these as a key log."""
    data, at, kept, keys = path.read_bytes(), 0, b"", b""
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == _SECRETS:
            (size,) = struct.unpack_from("<I", data, at + 12)
            keys += data[at + 16 : at + 16 + size]
        else:
            kept += data[at : at + length]
        at += length
    return kept, keys


def carried(path: Path, *, by_side: bool = False, sorted_by: int = 0) -> list[Said]:
    """By connection, record by record. `by_side`: each connection's sides are read one after the other, that of the
    server first if `sorted_by` is 1."""
    follower, packets = Follower(apart=False), PacketDecoder()
    with KeySource() as keys, open_source(str(path), batch_size=50_000 if by_side else 1) as source:
        for batch in source.batches():
            keys.update(source)
            follower.table.feed(packets.decode(batch))
    follower.table.close()
    keyring = Keyring(keys.secrets)
    return [_read(each, keyring, by_side, sorted_by) for each in follower.connections]


def _read(connection: Followed, keyring: Keyring, by_side: bool, first: int) -> Said:
    streams = TlsStreams(keyring)
    chunks = sorted((chunk for side in connection.chunks for chunk in side), key=lambda chunk: chunk.numbers[0])
    if by_side:
        chunks.sort(key=lambda chunk: chunk.side != first)
    said: Said = []
    for chunk in chunks:
        for record in streams.feed(chunk):
            assert isinstance(record, StreamChunk)
            for piece in record.by_packet():
                order = piece.delivered or piece.numbers[0]
                said.append((piece.side, piece.data, tuple(piece.numbers), order))
    for side in Side:
        assert not any(isinstance(each, Gap) for each in streams.end(StreamEnd(side, EndKind.FIN, PacketRef(0, 0))))
    return said


def text_of(said: Said, side: Side) -> bytes:
    """All that a side said."""
    return b"".join(data for who, data, _, _ in said if who is side)
