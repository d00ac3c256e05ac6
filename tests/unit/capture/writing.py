"""Batches to write, and files that fail."""

from io import FileIO

import numpy as np

from eiosniff.capture.source import open_source
from eiosniff.model.batch import PacketBatch
from tests.unit.capture.reading import Packet, drain

START_NS = 1_700_000_000_123_456_789
SECOND_NS = 1_000_000_000


def batch_of(packets, gap=b"\xee\xee\xee"):
    """A batch of `reading.Packet`s, which lie in its buffer with a gap between them."""
    offsets, buffer = [], bytearray(gap)
    for packet in packets:
        offsets.append(len(buffer))
        buffer += packet.data + gap
    columns = np.array(
        [(each.number, each.ts_ns, each.captured, each.wire, each.link_type) for each in packets], np.int64
    ).reshape(-1, 5)
    number, ts_ns, captured, wire, link_type = columns.T.copy()
    return PacketBatch(number, ts_ns, np.array(offsets, np.int64), captured, wire, link_type, bytes(buffer))


def made(count, *, first=1, size=100, every_ns=1_000_000, start_ns=START_NS, link_type=1):
    """Packets that are all alike, but for their first bytes."""
    return [
        Packet(number, start_ns + (number - 1) * every_ns, size, size + 7, link_type, b"%8d" % number + bytes(size - 8))
        for number in range(first, first + count)
    ]


def numbered(packets):
    """The same packets, numbered from 1 on, as they are in a file of their own."""
    return [packet._replace(number=number) for number, packet in enumerate(packets, 1)]


def read(path):
    """All packets of a file that is in good order."""
    reading = drain(open_source(str(path)))
    assert reading.problems == []
    return reading.packets


def dropped(path):
    with open_source(str(path)) as source:
        for _ in source:
            pass
        return source.dropped


class Failing(FileIO):
    """A file that takes so many bytes, a few at a time, and then fails; once only if `once`."""

    def __init__(self, path, room, error, *, once=False):
        super().__init__(path, "xb")
        self._once = once
        self._room = room
        self._error = error

    def write(self, data):
        if self._room <= 0:
            self._room = 1 << 30 if self._once else 0
            raise self._error
        taken = super().write(memoryview(data)[: min(self._room, 1000)])
        self._room -= taken
        return taken
