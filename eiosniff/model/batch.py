"""Captured packets as columns: many at once, because an object for each is the dear part in Python."""

from dataclasses import dataclass
from enum import IntEnum
from mmap import mmap
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
# What captured packets lie in: a slice of either is a copy, as bytes.
Buffer: TypeAlias = bytes | mmap


class LinkType(IntEnum):
    """Link-layer header types that are decoded by column (the numbers of the tcpdump.org registry).

    The last four are none of the registry, which has 16-bit numbers: `capture.links` says with them what it found in
    packets of other link types that hold no IP packet which could be decoded.
    """

    NULL = 0
    ETHERNET = 1
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276
    RAW_BSD = 12
    RAW_OPENBSD = 14
    NOT_IP = 0x1_0000
    ENCRYPTED = 0x1_0001
    MALFORMED = 0x1_0002
    SHORT = 0x1_0003  # cut by the snap length


@dataclass(slots=True)
class PacketBatch:
    """Up to some ten thousand captured packets, in file order. (What Wi-Fi sends several of in one has one number.)

    Columns of one length `n`, all `int64`: `number` (1 is the first packet of the file), `ts_ns` (nanoseconds since
    1970 UTC), `offset` (of the captured bytes in `buffer`), `captured` and `wire` (lengths in bytes), `link_type`.
    `buffer` must stay alive and unchanged as long as the batch is used.
    """

    number: Int64s
    ts_ns: Int64s
    offset: Int64s
    captured: Int64s
    wire: Int64s
    link_type: Int64s
    buffer: Buffer

    def __len__(self) -> int:
        return len(self.number)

    def first(self, count: int) -> "PacketBatch":
        """The first so many packets of it."""
        if count >= len(self):
            return self
        count = max(count, 0)
        return PacketBatch(
            self.number[:count],
            self.ts_ns[:count],
            self.offset[:count],
            self.captured[:count],
            self.wire[:count],
            self.link_type[:count],
            self.buffer,
        )
