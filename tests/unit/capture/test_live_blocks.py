"""Blocks of packet rings, made as Linux makes them, as columns."""

import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.capture.live.blocks import Block, packet_batch
from eiosniff.model.batch import LinkType

ADDRESSES = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
FRAME = ADDRESSES + b"\x08\0" + b"payload of a packet"
VLAN, TPID = 1 << 4, 1 << 6
OUTGOING, LOOPBACK, ETHER = 4, 772, 1


class Packet(NamedTuple):
    """One that the kernel puts into a block."""

    data: bytes = FRAME
    ts_ns: int = 1_700_000_000_123_456_789
    wire: int = 0
    status: int = 1
    tci: int = 0
    tpid: int = 0
    protocol: int = 0x0800
    hardware: int = ETHER
    kind: int = 0


def block(packets, cooked=False):
    """The bytes of a block, and what its header says: how many packets, and where the first is."""
    pieces = [bytes(48)]
    for packet in packets:
        # 48 bytes of header, the address, and room, so that what IP is begins at a multiple of 16 (and the reserve).
        start = 100 if cooked else 100 - 14
        address = struct.pack(
            "=H2sIHBB8s", 17, struct.pack(">H", packet.protocol), 3, packet.hardware, packet.kind, 6, b"\xaa" * 6
        )
        body = address.ljust(start - 48, b"\xee") + packet.data
        body += bytes(-len(body) % 16)
        seconds, nanoseconds = divmod(packet.ts_ns, 10**9)
        wire = packet.wire or len(packet.data)
        header = struct.pack("=6I2H", 48 + len(body), seconds, nanoseconds, len(packet.data), wire, packet.status,
                             start, 100)  # fmt: skip
        pieces.append((header + struct.pack("=2IHH8x", 0, packet.tci, packet.tpid, 0) + body).ljust(48 + len(body)))
    return b"".join(pieces), len(packets), 48


def batch_of(*groups, link_type=LinkType.ETHERNET, first=1):
    data, blocks = b"", []
    for group in groups:
        text, count, at = block(group, link_type == LinkType.LINUX_SLL2)
        blocks.append(Block(len(data), count, at))
        data += text
    return packet_batch(data, blocks, link_type, first)


def frames(batch):
    places = zip(batch.offset.tolist(), batch.captured.tolist(), strict=True)
    return [batch.buffer[offset : offset + length] for offset, length in places]


def test_packets_of_several_blocks_are_in_order():
    batch = batch_of(
        [Packet(b"a" * 60, 5), Packet(b"b" * 61, 6, 1500)], [], [Packet(b"c" * 70, 2_000_000_007)], first=9
    )
    assert frames(batch) == [b"a" * 60, b"b" * 61, b"c" * 70]
    assert batch.number.tolist() == [9, 10, 11]
    assert batch.ts_ns.tolist() == [5, 6, 2_000_000_007]
    assert batch.wire.tolist() == [60, 1500, 70]
    assert batch.link_type.tolist() == [LinkType.ETHERNET] * 3
    assert isinstance(batch.buffer, bytes)


@given(st.lists(st.lists(st.binary(max_size=200), max_size=5), max_size=4))
def test_nothing_is_lost_however_packets_lie_in_blocks(groups):
    batch = batch_of(*[[Packet(data) for data in group] for group in groups])
    assert frames(batch) == [data for group in groups for data in group]


@pytest.mark.parametrize(
    ("status", "tpid", "tag"),
    [
        (VLAN | TPID, 0x88A8, b"\x88\xa8\xe0\x05"),
        (VLAN | TPID, 0x8100, b"\x81\0\xe0\x05"),
        (VLAN, 0, b"\x81\0\xe0\x05"),
    ],
)
def test_a_tag_that_was_taken_off_is_put_back(status, tpid, tag):
    batch = batch_of([Packet(), Packet(status=status, tci=0xE005, tpid=tpid, wire=1000), Packet()])
    assert frames(batch) == [FRAME, ADDRESSES + tag + FRAME[12:], FRAME]
    assert batch.wire.tolist() == [len(FRAME), 1004, len(FRAME)]


def test_a_tag_without_a_number_is_one():
    assert frames(batch_of([Packet(status=VLAN)])) == [ADDRESSES + b"\x81\0\0\0" + FRAME[12:]]


def test_a_packet_that_is_too_short_for_a_tag_stays_as_it_is():
    assert frames(batch_of([Packet(b"short", status=VLAN, tci=5)])) == [b"short"]


def test_packets_without_link_layer_get_a_header():
    batch = batch_of([Packet(b"E..", wire=900, kind=2), Packet(b"", protocol=0x86DD)], link_type=LinkType.LINUX_SLL2)
    head = b"\0\0\0\0\0\x03\0\x01%c\x06" + b"\xaa" * 6 + bytes(2)
    assert frames(batch) == [b"\x08\0" + head % 2 + b"E..", b"\x86\xdd" + head % 0]
    assert batch.wire.tolist() == [920, 20]


@pytest.mark.parametrize("link_type", [LinkType.ETHERNET, LinkType.LINUX_SLL2])
def test_of_loopback_each_packet_comes_once(link_type):
    batch = batch_of(
        [
            Packet(b"out", hardware=LOOPBACK, kind=OUTGOING),
            Packet(b"in", hardware=LOOPBACK),
            Packet(b"sent", hardware=ETHER, kind=OUTGOING),
        ],
        link_type=link_type,
    )
    header = 20 if link_type == LinkType.LINUX_SLL2 else 0
    assert [frame[header:] for frame in frames(batch)] == [b"in", b"sent"]
    assert batch.number.tolist() == [1, 2]


def test_a_batch_may_be_empty():
    assert len(batch_of([Packet(hardware=LOOPBACK, kind=OUTGOING)])) == 0
