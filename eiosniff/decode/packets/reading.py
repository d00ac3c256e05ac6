"""Reads headers of many packets at once, and counts what became of the packets."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from eiosniff.decode.packets.headers import Layer, gather
from eiosniff.model.batch import Buffer, Int64s


@dataclass(slots=True)
class DecodeCounters:
    """What became of the captured packets; each is counted once in `packets` and once in what follows it.

    `short` packets were cut by the snap length before the end of their TCP header (or, of a fragment, anywhere);
    `malformed` ones have a length field that cannot be true. `other_ip` counts by IP protocol number; `not_ip` by
    EtherType, where 0 stands for frames without one (802.3, other address families); `unknown_link` by link type. All
    of these are 16-bit numbers at most, which bounds them. `encrypted` are frames that the link layer encrypts (Wi-Fi).
    A packet in a tunnel is counted as what it is; one that the tunnel has instead of an IP packet or an Ethernet frame
    counts as the tunnel. `fragments` are packets with a piece of a datagram that may be TCP, or a tunnel: `reassembled`
    counts the datagrams that became a TCP segment, `abandoned` those given up as incomplete.
    """

    packets: int = 0
    tcp: int = 0
    fragments: int = 0
    short: int = 0
    malformed: int = 0
    encrypted: int = 0
    other_ip: Counter[int] = field(default_factory=Counter)
    not_ip: Counter[int] = field(default_factory=Counter)
    unknown_link: Counter[int] = field(default_factory=Counter)
    reassembled: int = 0
    abandoned: int = 0


@final
class Reader:
    """Reads the headers of a batch of packets; what cannot be read is counted and left out."""

    __slots__ = ("_buffer", "_counters")

    def __init__(self, buffer: Buffer, counters: DecodeCounters) -> None:
        self._buffer: Final = buffer
        self._counters: Final = counters

    def captured(self, layer: Layer, size: int) -> Layer:
        """The packets of which `size` bytes from `start` on were captured; counts why the others were not."""
        needed = layer.start + size
        there = needed <= layer.captured_end
        if not there.all():
            short = int(np.count_nonzero(~there & (needed <= layer.wire_end)))
            self._counters.short += short
            self._counters.malformed += int(np.count_nonzero(~there)) - short
        return layer.where(there)

    def gather(self, header: np.dtype[Any], start: Int64s) -> npt.NDArray[Any]:
        """The headers of one type that begin at these places."""
        return gather(self._buffer, header, start)
