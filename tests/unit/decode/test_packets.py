"""Captured packets to TCP segments: every link type, IPv4 and IPv6 with all that may stand before TCP, and nonsense."""

import mmap
import random
import struct
from dataclasses import fields
from ipaddress import ip_address
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from eiosniff.decode.packets import PacketDecoder
from eiosniff.model.batch import LinkType, PacketBatch

SECOND = 10**9
PAYLOAD = b'42["chat","hello"]'
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
IP4 = {"src": "10.0.0.1", "dst": "192.168.7.254"}
IP6 = {"src": "2001:db8::1", "dst": "2001:db8::"}  # one that ends in zeros: it must not be taken for a shorter string


def tcp(payload=PAYLOAD, **fields):
    return TCP(
        **{"sport": 50000, "dport": 80, "seq": 0xFFFFFFF0, "ack": 7, "flags": "PA", "window": 501, **fields}
    ) / Raw(payload)


def ether(upper, **fields):
    return bytes(Ether(**MACS, **fields) / upper)


def ipv4(upper=None, **fields):
    return IP(**IP4, ttl=61, **fields) / (tcp() if upper is None else upper)


def ipv6(*chain, **fields):
    packet = IPv6(**IP6, hlim=61, **fields)
    for header in chain or (tcp(),):
        packet /= header
    return packet


def sll(ethertype, packet, hardware=1):
    return struct.pack(">HHH8sH", 0, hardware, 6, b"\2\0\0\0\0\1", ethertype) + bytes(packet)


def sll2(ethertype, packet):
    return struct.pack(">HHIHBB8s", ethertype, 0, 3, 1, 0, 6, b"\2\0\0\0\0\1") + bytes(packet)


def null(family, packet, order="<"):
    return struct.pack(order + "I", family) + bytes(packet)


# Everything here is PAYLOAD in one TCP segment from 50000 to 80.
ONE_SEGMENT = {
    "ethernet": (LinkType.ETHERNET, ether(ipv4())),
    "ethernet-ipv6": (LinkType.ETHERNET, ether(ipv6())),
    "vlan": (LinkType.ETHERNET, ether(Dot1Q(vlan=5) / ipv4())),
    "vlan-ipv6": (LinkType.ETHERNET, ether(Dot1Q(vlan=5) / ipv6())),
    "qinq": (LinkType.ETHERNET, ether(Dot1AD(vlan=9) / Dot1Q(vlan=5) / ipv4())),
    "vlan-of-old": (LinkType.ETHERNET, ether(Dot1Q(type=0x9200) / Dot1Q(vlan=3) / Dot1Q() / ipv4(), type=0x9100)),
    "sll": (LinkType.LINUX_SLL, sll(0x0800, ipv4())),
    "sll-ipv6": (LinkType.LINUX_SLL, sll(0x86DD, ipv6())),
    "sll-vlan": (LinkType.LINUX_SLL, sll(0x8100, Dot1Q(vlan=5) / ipv4())),
    "sll2": (LinkType.LINUX_SLL2, sll2(0x0800, ipv4())),
    "sll2-ipv6": (LinkType.LINUX_SLL2, sll2(0x86DD, ipv6())),
    "null-little-endian": (LinkType.NULL, null(2, ipv4(), "<")),
    "null-big-endian": (LinkType.NULL, null(2, ipv4(), ">")),
    **{f"null-af-{family}": (LinkType.NULL, null(family, ipv6())) for family in (10, 24, 28, 30)},
    "null-af-30-big-endian": (LinkType.NULL, null(30, ipv6(), ">")),
    "loop": (LinkType.LOOP, null(2, ipv4(), ">")),
    "loop-ipv6": (LinkType.LOOP, null(24, ipv6(), ">")),
    "raw": (LinkType.RAW, bytes(ipv4())),
    "raw-ipv6": (LinkType.RAW, bytes(ipv6())),
    "raw-bsd": (LinkType.RAW_BSD, bytes(ipv4())),
    "raw-openbsd-ipv6": (LinkType.RAW_OPENBSD, bytes(ipv6())),
    "ipv4": (LinkType.IPV4, bytes(ipv4())),
    "ipv6": (LinkType.IPV6, bytes(ipv6())),
    "ipv4-options": (LinkType.ETHERNET, ether(ipv4(options=[IPOption_Router_Alert()]))),
    "ipv4-ah": (LinkType.RAW, bytes(ipv4(AH(nh=6, payloadlen=4, icv=bytes(12)) / tcp(), proto=51))),
    "tcp-options": (LinkType.ETHERNET, ether(ipv4(tcp(options=[("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)])))),
    "hop-by-hop": (LinkType.RAW, bytes(ipv6(IPv6ExtHdrHopByHop(), tcp()))),
    "routing": (LinkType.RAW, bytes(ipv6(IPv6ExtHdrRouting(addresses=["2001:db8::9"]), tcp()))),
    "destination-options": (LinkType.RAW, bytes(ipv6(IPv6ExtHdrDestOpt(), tcp()))),
    "ah": (LinkType.RAW, bytes(ipv6(AH(nh=6, payloadlen=5, icv=bytes(16)), tcp(), nh=51))),
    "atomic-fragment": (LinkType.RAW, bytes(ipv6(IPv6ExtHdrFragment(id=5), tcp()))),
    "all-of-them": (
        LinkType.ETHERNET,
        ether(
            Dot1Q(vlan=5)
            / ipv6(IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(), IPv6ExtHdrFragment(), tcp())
        ),
    ),
}


def make_batch(packets, link_type=LinkType.ETHERNET, *, wire=None, ts_ns=None, between=b"\xff" * 3):
    """Packets, with something between them that must not be read. `link_type`, `wire`, `ts_ns`: one or one for each."""

    def column(values):
        return np.array(list(values), dtype=np.int64)

    count = len(packets)
    captured = column(len(packet) for packet in packets)
    return PacketBatch(
        number=column(range(1, count + 1)),
        ts_ns=column(range(count) if ts_ns is None else ts_ns),
        offset=np.cumsum(captured + len(between)) - captured,
        captured=captured,
        wire=captured if wire is None else column(wire),
        link_type=column([link_type] * count if isinstance(link_type, int) else link_type),
        buffer=b"".join(between + packet for packet in packets) + between,
    )


def cut(batch, bounds):
    """The same packets in several batches."""
    edges = [0, *sorted(bounds), len(batch)]
    names = ("number", "ts_ns", "offset", "captured", "wire", "link_type")
    for start, end in pairwise(edges):
        yield PacketBatch(*(getattr(batch, name)[start:end] for name in names), buffer=batch.buffer)


def table(decoder, batch):
    """The segments as rows that can be compared, whatever buffer and place they are in."""
    segments = decoder.decode(batch)
    assert (np.diff(segments.row) > 0).all()
    assert (batch.number[segments.row] == segments.number).all()
    assert (batch.ts_ns[segments.row] == segments.ts_ns).all()
    assert segments.plain == bool((segments.payload_offset >= 0).all())
    rows = []
    for index in range(len(segments)):
        source, destination = int(segments.source[index]), int(segments.destination[index])
        payload = segments.payload(index)
        row = {
            name: int(getattr(segments, name)[index])
            for name in ("number", "ts_ns", "seq", "ack", "flags", "window", "ttl", "payload_captured", "payload_wire")
        }
        row |= {
            "source": (decoder.address(source >> 16), source & 0xFFFF),
            "destination": (decoder.address(destination >> 16), destination & 0xFFFF),
            "payload": payload,
        }
        assert type(payload) is bytes
        assert len(payload) == row["payload_captured"] <= row["payload_wire"]
        rows.append(row)
    return rows


def decode(packets, *args, **named):
    """Decode packets as one batch: rows and counters."""
    decoder = PacketDecoder()
    rows = table(decoder, make_batch(packets, *args, **named))
    assert tally(decoder.counters) == len(packets) == decoder.counters.packets
    return rows, decoder.counters


def tally(counters):
    """How many packets the counters account for."""
    single = counters.tcp + counters.fragments + counters.short + counters.malformed + counters.encrypted
    return single + counters.other_ip.total() + counters.not_ip.total() + counters.unknown_link.total()


def changed(packet, at, new):
    return packet[:at] + new + packet[at + len(new) :]


def addresses_of(packet):
    return (IP6 if b"\x20\x01\x0d\xb8" in packet else IP4).values()


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


# -- what cannot be true -----------------------------------------------------------------------------------------------

V4, V6 = ether(ipv4()), ether(ipv6())
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


# -- fragments ---------------------------------------------------------------------------------------------------------

LONG = bytes(random.Random(2).randbytes(3000))


def fragments_of(version, identification=77, payload=LONG, size=600, **fields):
    if version == 4:
        return [ether(part) for part in fragment(ipv4(tcp(payload, **fields), id=identification), fragsize=size)]
    whole = ipv6(IPv6ExtHdrFragment(id=identification), tcp(payload, **fields))
    return [ether(part) for part in fragment6(whole, size + 60)]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", ["in order", "reversed", "shuffled", "each twice"])
def test_fragments_become_one_segment(version, order):
    pieces = fragments_of(version)
    assert len(pieces) > 4
    if order == "reversed":
        pieces.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(pieces)
    elif order == "each twice":
        pieces = [piece for piece in pieces for _ in range(2)][:-1]
    plain = V4 if version == 4 else V6
    rows, counters = decode([plain, *pieces, plain])
    completed = len(pieces) + 1
    assert [row["number"] for row in rows] == [1, completed, completed + 1]
    assert [row["payload"] for row in rows] == [PAYLOAD, LONG, PAYLOAD]
    assert rows[1]["ts_ns"] == completed - 1
    for name in ("source", "destination", "seq", "ack", "flags", "window", "ttl"):
        assert rows[1][name] == rows[0][name]
    assert rows[1]["payload_wire"] == len(LONG)
    assert (counters.fragments, counters.reassembled, counters.tcp) == (len(pieces), 1, 2)


def test_datagrams_in_each_other():
    pieces = [
        fragments_of(4, 1),
        fragments_of(4, 2, LONG[::-1]),
        fragments_of(6, 1, LONG[1:]),
        fragments_of(6, 2, LONG[2:]),
    ]
    woven = [piece for group in zip(*pieces, strict=False) for piece in group]
    left = [piece for group in pieces for piece in group[min(map(len, pieces)) :]]
    rows, counters = decode(woven + left)
    assert sorted(row["payload"] for row in rows) == sorted([LONG, LONG[::-1], LONG[1:], LONG[2:]])
    assert counters.reassembled == 4


def test_fragments_behind_other_extension_headers():
    datagram = bytes(IPv6ExtHdrDestOpt(nh=6) / tcp(LONG[:992]))
    pieces = [
        bytes(
            ipv6(
                IPv6ExtHdrHopByHop(),
                IPv6ExtHdrFragment(nh=60, id=5, offset=at // 8, m=int(at + 400 < len(datagram))),
                Raw(datagram[at : at + 400]),
            )
        )
        for at in range(0, len(datagram), 400)
    ]
    rows, counters = decode(pieces, LinkType.RAW)
    assert [row["payload"] for row in rows] == [LONG[:992]]
    assert counters.reassembled == 1


def test_fragments_keep_ipv4_options():
    whole = ipv4(tcp(LONG), options=[IPOption_Router_Alert()])
    rows, _ = decode([bytes(part) for part in fragment(whole, fragsize=800)], LinkType.IPV4)
    assert [row["payload"] for row in rows] == [LONG]


def test_a_lost_fragment_loses_its_datagram_only():
    pieces = fragments_of(4, 1)
    rows, counters = decode([*pieces[:2], *pieces[3:], *fragments_of(4, 2)])
    assert [row["payload"] for row in rows] == [LONG]
    assert (counters.reassembled, counters.abandoned) == (1, 0)


def test_a_fragment_cut_by_the_snap_length_is_short():
    pieces = fragments_of(4)
    wire = [len(piece) for piece in pieces]
    pieces[1] = pieces[1][:-1]
    rows, counters = decode(pieces, wire=wire)
    assert (rows, counters.short, counters.fragments) == ([], 1, len(pieces) - 1)


def test_fragments_are_given_up_after_30_seconds_of_capture():
    first, *others = fragments_of(4)
    times = [0, *[30 * SECOND] * len(others)]
    rows, counters = decode([first, *others], ts_ns=times)
    assert (len(rows), counters.abandoned) == (1, 0)
    times[-1] += 1
    rows, counters = decode([first, *others], ts_ns=times)
    assert (len(rows), counters.abandoned) == (0, 1)


def test_fragments_of_other_protocols_are_not_kept():
    four = [ether(part) for part in fragment(ipv4(UDP() / Raw(LONG)), fragsize=600)]
    six = [ether(part) for part in fragment6(ipv6(IPv6ExtHdrFragment(), UDP() / Raw(LONG)), 660)]
    rows, counters = decode(four + six)
    assert (rows, counters.fragments, counters.other_ip) == ([], 0, {17: len(four + six)})


def test_a_reassembled_datagram_may_be_nonsense():
    pieces = fragments_of(4)
    pieces[0] = changed(pieces[0], 46, b"\x00")  # its TCP header says that it is no words long
    rows, counters = decode([V4, *pieces])
    assert len(rows) == 1
    assert (counters.fragments, counters.reassembled, counters.abandoned) == (len(pieces), 0, 0)


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


def batch_of(packets, between=b"\xff" * 3):
    links, captured, wire = zip(*packets, strict=True) if packets else ((), (), ())
    times = [index * 3 * SECOND for index in range(len(packets))]
    return make_batch(list(captured), list(links), wire=wire, ts_ns=times, between=between)


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
    assert (again.source >> 48 == 1).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_an_ipv4_address_is_its_own_id(address, port):
    packet = struct.pack(">BBHHHBBHII", 0x45, 0, 40, 0, 0, 64, 6, 0, address, 1) + bytes(tcp(b"", sport=port))
    decoder = PacketDecoder()
    segments = decoder.decode(make_batch([packet], LinkType.RAW))
    assert segments.source.tolist() == [address << 16 | port]
    assert decoder.address(address) == str(ip_address(address))
