"""Reads a capture in every way that must give the same result."""

import gzip
import io
from typing import NamedTuple

import zstandard

from eiosniff.capture.source import open_source


class Packet(NamedTuple):
    """A row of a batch; `data` are the captured bytes."""

    number: int
    ts_ns: int
    captured: int
    wire: int
    link_type: int
    data: bytes


class Reading(NamedTuple):
    packets: list[Packet]
    problems: list
    link_types: list[int]


class Trickle(io.RawIOBase):
    """A pipe that gives a few bytes at a time, never more than it has."""

    def __init__(self, data, step):
        self._rest = io.BytesIO(data)
        self._step = step

    def readable(self):
        return True

    def read(self, size=-1):
        return self._rest.read(min(size, self._step))


def drain(source):
    packets = []
    with source:
        for batch in source:
            assert len(batch) > 0
            columns = (batch.number, batch.ts_ns, batch.captured, batch.wire, batch.link_type, batch.offset)
            assert all(column.dtype == "int64" for column in columns)
            for number, ts_ns, captured, wire, link_type, offset in zip(*map(list, columns), strict=True):
                data = bytes(batch.buffer[offset : offset + captured])
                assert len(data) == captured
                packets.append(Packet(int(number), int(ts_ns), int(captured), int(wire), int(link_type), data))
        assert source.packets == len(packets)
        assert source.captured_bytes == sum(packet.captured for packet in packets)
        assert source.wire_bytes == sum(packet.wire for packet in packets)
        assert source.first_ns == min((packet.ts_ns for packet in packets), default=None)
        assert source.last_ns == max((packet.ts_ns for packet in packets), default=None)
        return Reading(packets, source.problems, source.link_types)


def read_stream(data, *, step=1 << 20, batch_size=50_000):
    return drain(open_source("-", stdin=Trickle(data, step), batch_size=batch_size))


def read_file(path, data, *, batch_size=50_000):
    path.write_bytes(data)
    return drain(open_source(str(path), batch_size=batch_size))


def read_all_ways(tmp_path, data):
    """The one result of mapping, streaming in small pieces and unpacking, with small and large batches."""
    path = tmp_path / "capture"
    reading = read_file(path, data)
    assert read_file(path, data, batch_size=1) == reading
    assert read_file(path, data, batch_size=3) == reading
    assert read_stream(data, step=7, batch_size=2) == reading
    assert read_stream(gzip.compress(data, mtime=0), step=5) == reading
    assert read_file(path, gzip.compress(data, mtime=0), batch_size=4) == reading
    assert read_stream(zstandard.compress(data), step=5) == reading
    assert read_file(path, zstandard.compress(data), batch_size=4) == reading
    return reading
