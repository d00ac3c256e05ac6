"""Captured packets to TCP segments: every link type, IPv4 and IPv6 with all that may stand before TCP, and nonsense."""

import mmap
import random
import struct
from dataclasses import fields
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q
from scapy.packet import Raw

from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.model.batch import LinkType
from tests.unit.decode.crafted_packets import (
    LONG,
    ONE_SEGMENT,
    PAYLOAD,
    V4,
    V6,
    addresses_of,
    batch_of,
    changed,
    cut,
    decode,
    ether,
    fragments_of,
    ipv4,
    ipv6,
    make_batch,
    null,
    sll,
    sll2,
    table,
    tally,
    tcp,
)


# -- what one packet says ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ONE_SEGMENT)
def test_one_segment(name):
    link_type, packet = ONE_SEGMENT[name]
    (row,), counters = decode([packet], link_type, ts_ns=[5])
    source, destination = addresses_of(packet)
    assert row == {
        "number": 1,
        "ts_ns": 5,
        "source": (source, 50000),
        "destination": (destination, 80),
        "seq": 0xFFFFFFF0,
        "ack": 7,
        "flags": 0x18,
        "window": 501,
        "ttl": 61,
        "payload": PAYLOAD,
        "payload_captured": len(PAYLOAD),
        "payload_wire": len(PAYLOAD),
    }
    assert counters.tcp == 1


@pytest.mark.parametrize("name", ONE_SEGMENT)
def test_every_snap_length(name):
    link_type, packet = ONE_SEGMENT[name]
    cuts = range(len(packet) + 1)
    rows, counters = decode([packet[:end] for end in cuts], link_type, wire=[len(packet)] * len(cuts))
    payload_at = len(packet) - len(PAYLOAD)
    tcp_header_end = payload_at - (12 if name == "tcp-options" else 0)
    assert counters.short == tcp_header_end
    assert [row["number"] - 1 for row in rows] == list(range(tcp_header_end, len(packet) + 1))
    for row in rows:
        assert row["payload"] == packet[payload_at : row["number"] - 1]
        assert row["payload_wire"] == len(PAYLOAD)


@pytest.mark.parametrize("name", ONE_SEGMENT)
def test_a_packet_that_ends_on_the_wire_is_malformed_not_short(name):
    link_type, packet = ONE_SEGMENT[name]
    rows, counters = decode([packet[:end] for end in range(len(packet))], link_type)
    assert (rows, counters.malformed) == ([], len(packet))


def test_all_kinds_in_one_batch_keep_capture_order():
    order = list(ONE_SEGMENT) * 2
    random.Random(1).shuffle(order)
    rows, _ = decode([ONE_SEGMENT[name][1] for name in order], [ONE_SEGMENT[name][0] for name in order])
    assert [row["number"] for row in rows] == list(range(1, len(order) + 1))
    assert all(row["payload"] == PAYLOAD for row in rows)


def test_ethernet_padding_is_not_payload():
    bare, few = ether(ipv4(tcp(b""))), ether(ipv4(tcp(b"2")))
    rows, _ = decode([bare.ljust(60, b"\0"), few.ljust(60, b"P"), few.ljust(60, b"P")[:57]], wire=[60, 60, 60])
    assert [(row["payload"], row["payload_wire"]) for row in rows] == [(b"", 0), (b"2", 1), (b"2", 1)]


def test_length_zero_says_to_the_end_of_the_packet():
    large = bytes(range(256)) * 300  # more than 16 bits can say
    four = changed(ether(ipv4(tcp(large), len=0)), 16, b"\0\0")
    six = changed(ether(ipv6(tcp(large), plen=0)), 18, b"\0\0")
    rows, _ = decode([four, six, four[:100]], wire=[len(four), len(six), len(four)])
    assert [row["payload"] == large for row in rows] == [True, True, False]
    assert [row["payload_wire"] for row in rows] == [len(large)] * 3
    assert rows[2]["payload"] == large[: 100 - 54]


def test_a_wire_length_below_the_captured_one_is_not_believed():
    rows, _ = decode([ether(ipv4())], wire=[0])
    assert rows[0]["payload"] == PAYLOAD


def test_eight_flags():
    rows, _ = decode([ether(ipv4(tcp(flags=flags))) for flags in (0x01, 0x80, 0xFF, 0x1FF)])
    assert [row["flags"] for row in rows] == [0x01, 0x80, 0xFF, 0xFF]


def test_no_packets():
    segments = PacketDecoder().decode(make_batch([]))
    assert (len(segments), segments.plain) == (0, True)
    assert segments.number.dtype == segments.source.dtype == np.int64


def test_all_columns_are_int64():
    segments = PacketDecoder().decode(make_batch([ether(ipv4()), ether(ipv6())]))
    columns = {field.name: getattr(segments, field.name) for field in fields(segments)}
    assert columns.pop("buffer")
    assert columns.pop("extra") == b""
    assert {column.dtype for column in columns.values()} == {np.dtype("i8")}


def test_a_mapped_file_is_a_buffer(tmp_path):
    batch = make_batch([packet for _, packet in ONE_SEGMENT.values()], [link for link, _ in ONE_SEGMENT.values()])
    path = tmp_path / "packets"
    path.write_bytes(batch.buffer)
    decoder = PacketDecoder()
    # Nothing may hold on to the mapping: closing it would raise BufferError.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        batch.buffer = mapped
        assert len(table(decoder, batch)) == len(ONE_SEGMENT)
    assert decoder.counters.tcp == len(ONE_SEGMENT)


# -- what is not TCP ---------------------------------------------------------------------------------------------------
def test_others_are_counted_by_kind():
    rows, counters = decode(
        [
            ether(ipv4(UDP() / Raw(b"x"))),
            ether(ipv6(UDP() / Raw(b"x"))),
            ether(ipv6(IPv6ExtHdrHopByHop(), UDP() / Raw(b"x"))),
            ether(ipv4(Raw(b"encrypted"), proto=50)),
            ether(ipv6(nh=59) / Raw(b"")),
            ether(ARP()),
            ether(Dot1Q(vlan=5) / ARP()),
            bytes(12) + b"\x00\x26" + b"\x42\x42\x03" + bytes(35),  # 802.3 with LLC: spanning tree
            bytes(12) + b"\x05\xff" + bytes(60),
        ]
    )
    assert not rows
    assert counters.other_ip == {17: 3, 50: 1, 59: 1}
    assert counters.not_ip == {0x0806: 2, 0: 2}


def test_link_types_that_are_not_decoded_are_counted():
    rows, counters = decode([b"", b"abc", ether(ipv4()), b"x"], [105, 105, 1, 65535])
    assert len(rows) == 1
    assert counters.unknown_link == {105: 2, 65535: 1}


def test_families_and_versions_that_are_not_ip():
    packets = [null(16, ipv4()), null(16, ipv4(), ">"), b"\x50" + bytes(40), sll(4, bytes(40)), sll2(0, bytes(40))]
    links = [LinkType.NULL, LinkType.LOOP, LinkType.RAW, LinkType.LINUX_SLL, LinkType.LINUX_SLL2]
    rows, counters = decode(packets, links)
    assert (rows, counters.not_ip) == ([], {0: 5})


def test_endless_chains_end():
    tags = b"\x81\x00\x00\x05" * 1000
    headers = b"\0\0" + bytes(6)
    rows, counters = decode(
        [bytes(12) + tags + b"\x08\x00" + bytes(ipv4()), ether(ipv6(Raw(headers * 1000), nh=0))],
    )
    assert (rows, counters.not_ip, counters.other_ip) == ([], {0x8100: 1}, {0: 1})


MALFORMED = {
    "version 6 behind the EtherType of 4": changed(V4, 14, b"\x65"),
    "version 4 behind the EtherType of 6": changed(V6, 14, b"\x45"),
    "header length below 5 words": changed(V4, 14, b"\x44"),
    "header length zero": changed(V4, 14, b"\x40"),
    "header longer than the datagram": changed(V4, 16, b"\x00\x13"),
    "options longer than the datagram": changed(changed(V4, 14, b"\x4f"), 16, b"\x00\x14"),
    "total length beyond the frame": changed(V4, 16, (len(V4) - 14 + 1).to_bytes(2)),
    "payload length beyond the frame": changed(V6, 18, (len(V6) - 54 + 1).to_bytes(2)),
    "no room for TCP": changed(V4, 16, b"\x00\x27"),
    "no room for TCP in IPv6": changed(V6, 18, b"\x00\x13"),
    "data offset zero": changed(V4, 46, b"\x00"),
    "data offset below 5 words": changed(V4, 46, b"\x40"),
    "data offset beyond the datagram": changed(V4, 46, b"\xf0"),
    "extension header beyond the datagram": changed(
        changed(ether(ipv6(IPv6ExtHdrHopByHop(), tcp())), 55, b"\xff"), 54, b"\x06"
    ),
    "extension header missing": ether(ipv6(Raw(b"\6\0"), nh=0)),
    "fragment that is not whole words": ether(ipv4(Raw(bytes(12)), proto=6, flags="MF")),
    "fragment that is empty": ether(ipv4(Raw(b""), proto=6, frag=5)),
    "fragment beyond the longest datagram": ether(ipv4(Raw(bytes(16)), proto=6, frag=8191)),
    "IPv6 fragment that is not whole words": ether(ipv6(IPv6ExtHdrFragment(m=1, nh=6), Raw(bytes(12)))),
    "frame without an EtherType": bytes(13),
    "nothing": b"",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name):
    rows, counters = decode([V4, MALFORMED[name], V6])
    assert [row["number"] for row in rows] == [1, 3]
    assert counters.malformed == 1


# -- properties --------------------------------------------------------------------------------------------------------
LINKS = [*LinkType, 105]
SEEDS = [
    *ONE_SEGMENT.values(),
    *((LinkType.ETHERNET, packet) for packet in MALFORMED.values()),
    *((LinkType.ETHERNET, packet) for version in (4, 6) for packet in fragments_of(version, 1, LONG[:300], 104)),
    *((LinkType.ETHERNET, packet) for version in (4, 6) for packet in fragments_of(version, 1, LONG[:200], 80)),
]


@st.composite
def captured_packets(draw):
    """Link type, captured bytes, wire length: real packets with some bytes changed and an end cut off, or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        link_type, packet = draw(st.sampled_from(LINKS)), draw(st.binary(max_size=100))
    else:
        link_type, packet = draw(st.sampled_from(SEEDS))
        for at, value in draw(st.lists(st.tuples(st.integers(0, 80), st.binary(min_size=1, max_size=2)), max_size=2)):
            packet = changed(packet, at, value) if at < len(packet) else packet
    captured = draw(st.one_of(st.just(len(packet)), st.integers(0, len(packet))))
    return link_type, packet[:captured], draw(st.sampled_from([len(packet), captured, captured + 1]))


many_packets = st.lists(captured_packets(), max_size=30)


@given(st.sampled_from(LINKS), st.lists(st.binary(max_size=120), max_size=20), st.integers(0, 1500))
def test_any_bytes_of_any_link_type_are_accounted_for(link_type, packets, more):
    decode(packets, link_type)
    decode(packets, link_type, wire=[len(packet) + more for packet in packets])


@given(many_packets, st.data())
def test_batch_size_does_not_matter(packets, data):
    batch = batch_of(packets)
    whole, pieces = PacketDecoder(), PacketDecoder()
    expected = table(whole, batch)
    assert tally(whole.counters) == len(packets)
    bounds = data.draw(st.one_of(st.just(range(len(batch))), st.lists(st.integers(0, len(batch)), max_size=4)))
    assert [row for part in cut(batch, bounds) for row in table(pieces, part)] == expected
    assert pieces.counters == whole.counters


@given(many_packets, st.binary(min_size=1, max_size=64))
def test_nothing_outside_the_captured_bytes_is_read(packets, between):
    """The same rows whatever lies around the packets, even nothing: then reading on would leave the buffer."""
    alone = PacketDecoder()
    rows = []
    for index, batch in enumerate(cut(batch_of(packets), range(1, len(packets)))):
        if len(batch):
            exact = make_batch([packets[index][1]], packets[index][0], wire=[packets[index][2]], between=b"")
            exact.number, exact.ts_ns = batch.number, batch.ts_ns
            rows += table(alone, exact)
    assert table(PacketDecoder(), batch_of(packets, between)) == rows


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=40))
def test_ipv6_addresses(addresses):
    packets = [
        struct.pack(">IHBB16s16s", 6 << 28, 20, 6, 64, one, bytes(15) + b"\1") + bytes(tcp(b"")) for one in addresses
    ]
    decoder = PacketDecoder()
    batch = make_batch(packets, LinkType.RAW)
    assert [row["source"][0] for row in table(decoder, batch)] == [str(ip_address(one)) for one in addresses]
    again = decoder.decode(batch)
    assert (again.source == PacketDecoder().decode(batch).source).all()
    assert ((again.source >> 16 >= 1 << 32) & (again.source < 1 << 63 - 1)).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_an_ipv4_address_is_its_own_id(address, port):
    packet = struct.pack(">BBHHHBBHII", 0x45, 0, 40, 0, 0, 64, 6, 0, address, 1) + bytes(tcp(b"", sport=port))
    decoder = PacketDecoder()
    segments = decoder.decode(make_batch([packet], LinkType.RAW))
    assert segments.source.tolist() == [address << 16 | port]
    assert decoder.address(address) == str(ip_address(address))
