import struct

import numpy as np

from eiosniff.decode.stack import Stack
from eiosniff.model.batch import PacketBatch
from eiosniff.model.summary import CaptureSummary
from tests.streams import raw_packets


def test_what_else_was_there() -> None:
    def ip(protocol: int, length: int = 28) -> bytes:
        return struct.pack(">BBHHHBBHII", 0x45, 0, 28, 0, 0, 64, protocol, 0, 1, 2) + bytes(length - 20)

    captured = [ip(17), ip(17), ip(1)]
    numbers = np.arange(1, 4, dtype=np.int64)
    stack = Stack(CaptureSummary("made"))
    stack.feed(raw_packets(captured, numbers, numbers))
    stack.close()
    assert stack.summary.other == {"UDP packets": 2, "other IP protocols": 1}


def test_link_types_that_are_not_known() -> None:
    stack = Stack(CaptureSummary("made"))
    one = np.ones(1, np.int64)
    stack.feed(PacketBatch(one, one, one - 1, one, one, one * 250, b"x"))
    assert stack.unknown_links == [250]
    stack.close()
    assert stack.summary.other == {"packets of link type 250": 1}
    assert Stack(CaptureSummary("made")).unknown_links == []
