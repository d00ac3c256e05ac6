"""Blocks of a packet ring of Linux (TPACKET_V3) as columns; the layout is that of linux/if_packet.h.

A block is a header and packets. Each packet has a header of 48 bytes, the address of its link layer (`sockaddr_ll`),
some room, and the captured bytes. Numbers are in the byte order of this machine. A packet's header says where the next
one begins, so they are walked one by one, as those of a file are; every column is then taken from all of them at once.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eiosniff.capture.window import gather
from eiosniff.model.batch import Int64s, LinkType, PacketBatch

# What a block says of itself: its status, how many packets it has, where the first one is, and how long it is.
BLOCK_STATUS_AT: Final = 8
BLOCK: Final = struct.Struct("=4I")
STATUS_KERNEL: Final = 0
STATUS_USER: Final = 1

_HEADER: Final = np.dtype(
    {
        "names": ["second", "nanosecond", "captured", "wire", "status", "mac", "net", "vlan_tci", "vlan_tpid"],
        "formats": ["=u4", "=u4", "=u4", "=u4", "=u4", "=u2", "=u2", "=u4", "=u2"],
        "offsets": [4, 8, 12, 16, 20, 24, 26, 32, 36],
        "itemsize": 48,
    }
)
_ADDRESS_AT: Final = 48
_ADDRESS: Final = np.dtype(
    [("family", "=u2"), ("protocol", ">u2"), ("interface", "=u4"), ("hardware", "=u2"), ("kind", "u1"),
     ("length", "u1"), ("address", "V8")]
)  # fmt: skip
_VLAN_VALID: Final = 1 << 4  # in the status: a tag was taken off
_VLAN_TPID_VALID: Final = 1 << 6
_TYPE_VLAN: Final = 0x8100
_TAG: Final = 4  # bytes
_MAC_ADDRESSES: Final = 12  # bytes, which a tag comes after

_OUTGOING: Final = 4  # PACKET_OUTGOING
ARPHRD_LOOPBACK: Final = 772

# LINKTYPE_LINUX_SLL2 of the tcpdump.org registry.
_COOKED: Final = np.dtype(
    [("protocol", ">u2"), ("reserved", "u2"), ("interface", ">u4"), ("hardware", ">u2"), ("kind", "u1"),
     ("length", "u1"), ("address", "V8")]
)  # fmt: skip

# How much room there must be in front of each packet (bytes, PACKET_RESERVE), for what is put back there. (Before a
# packet without its link layer the kernel leaves 28 bytes anyway.)
RESERVE: Final = _TAG


class Block(NamedTuple):
    """Where a block is in a buffer, how many packets it has, and where in it the first one begins."""

    start: int
    packets: int
    first: int


def packet_batch(data: bytes, blocks: Sequence[Block], link_type: int, first_number: int) -> PacketBatch:
    """The packets of some blocks that lie in `data`, whose length is a multiple of 4 bytes.

    `link_type` is Ethernet, or LINUX_SLL2 where packets come without a link layer: they then get such a header. VLAN
    tags that the kernel took off Ethernet are put back. Of loopback there are only the packets that come in, as each
    one goes out as well.
    """
    places = _places(data, blocks)
    addresses = gather(data, places + _ADDRESS_AT, _ADDRESS)
    twice = (addresses["kind"] == _OUTGOING) & (addresses["hardware"] == ARPHRD_LOOPBACK)
    if twice.any():
        places, addresses = places[~twice], addresses[~twice]
    headers = gather(data, places, _HEADER)
    offset = places + headers["mac"]
    captured, wire = headers["captured"].astype(np.int64), headers["wire"].astype(np.int64)
    ts_ns = headers["second"].astype(np.int64) * 1_000_000_000 + headers["nanosecond"]
    grown = np.zeros(len(places), np.int64)
    if link_type == LinkType.LINUX_SLL2:
        grown += _COOKED.itemsize
        data = _with_cooked_headers(data, offset - grown, addresses)
    elif link_type == LinkType.ETHERNET:
        tagged = (headers["status"] & _VLAN_VALID != 0) & (captured >= _MAC_ADDRESSES)
        if tagged.any():
            grown[tagged] = _TAG
            data = _with_tags(data, offset[tagged], headers[tagged])
    return PacketBatch(
        number=np.arange(first_number, first_number + len(places), dtype=np.int64),
        ts_ns=ts_ns,
        offset=offset - grown,
        captured=captured + grown,
        wire=wire + grown,
        link_type=np.full(len(places), link_type, np.int64),
        buffer=data,
    )


def _places(data: bytes, blocks: Sequence[Block]) -> Int64s:
    """Where the packets of the blocks begin. This loop is all that runs once for each packet."""
    places: list[int] = []
    words = memoryview(data).cast("I")
    for block in blocks:
        at = block.start + block.first
        for _ in range(block.packets):
            places.append(at)
            at += words[at >> 2]
    return np.array(places, dtype=np.int64)


def _with_cooked_headers(data: bytes, places: Int64s, addresses: npt.NDArray[np.void]) -> bytes:
    """The same bytes with headers of LINUX_SLL2 at these places, which say what the addresses do."""
    headers = np.zeros(len(places), _COOKED)
    for name in ("protocol", "interface", "hardware", "kind", "length", "address"):
        headers[name] = addresses[name]
    return _with(data, places, headers)


def _with_tags(data: bytes, offset: Int64s, headers: npt.NDArray[np.void]) -> bytes:
    """The same bytes, in which the Ethernet packets at `offset` begin 4 bytes earlier, and have their VLAN tags."""
    starts = np.zeros(len(offset), [("mac", f"V{_MAC_ADDRESSES}"), ("type", ">u2"), ("tci", ">u2")])
    starts["mac"] = gather(data, offset, np.dtype([("mac", f"V{_MAC_ADDRESSES}")]))["mac"]
    said = headers["status"] & _VLAN_TPID_VALID != 0
    starts["type"] = np.where(said, headers["vlan_tpid"], _TYPE_VLAN)
    starts["tci"] = headers["vlan_tci"]
    return _with(data, offset - _TAG, starts)


def _with(data: bytes, places: Int64s, records: npt.NDArray[np.void]) -> bytes:
    """The same bytes with a record at each of the places."""
    changed = bytearray(data)
    size = records.dtype.itemsize
    overlapping = np.ndarray((len(changed) - size + 1,), f"V{size}", changed, strides=(1,))
    overlapping[places] = records.view(f"V{size}")
    return bytes(changed)
