"""Packets in packets: every tunnel that is opened, tunnels in tunnels, fragments of tunnels, nonsense behind each."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.model.batch import LinkType
from tests.unit.decode.crafted_packets import (
    LONG,
    MACS,
    PAYLOAD,
    addresses_of,
    batch_of,
    changed,
    cut,
    decode,
    ether,
    ipv4,
    ipv6,
    table,
    tally,
    tcp,
)

OUTER = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
OUTER4 = {"src": "172.16.0.1", "dst": "172.16.0.2"}
OUTER6 = {"src": "fd00::1", "dst": "fd00::2"}
FRAME, FRAME6 = Ether(**MACS) / ipv4(), Ether(**MACS) / Dot1Q(vlan=7) / ipv6()


def over4(upper, **fields):
    return bytes(OUTER / IP(**OUTER4, **fields) / upper)


def over6(upper):
    return bytes(OUTER / IPv6(**OUTER6) / upper)


def udp(port, upper):
    return UDP(sport=54321, dport=port) / upper


def vxlan(inner, port=4789):
    return udp(port, Raw(bytes(VXLAN(vni=42, flags=8) / inner)))


def geneve(inner, proto, options=()):
    return udp(6081, Raw(bytes(GENEVE(vni=42, proto=proto, options=list(options)) / inner)))


OPTION = GeneveOptions(classid=0x0108, type=1, data=b"8bytes..")  # of the class of AWS's gateway load balancer

# All of it is PAYLOAD in one TCP segment from 50000 to 80.
ONE_SEGMENT = {
    "pppoe": bytes(OUTER / PPPoE(sessionid=5) / PPP() / ipv4()),
    "pppoe-ipv6": bytes(OUTER / PPPoE(sessionid=5) / PPP(proto=0x57) / ipv6()),
    "pppoe-vlan": bytes(OUTER / Dot1Q(vlan=7) / PPPoE(sessionid=5) / PPP() / ipv4()),
    "pppoe-compressed": bytes(OUTER / PPPoE(sessionid=5) / Raw(b"\x21") / ipv4()),
    "mpls": bytes(OUTER / MPLS(label=100, s=1, ttl=9) / ipv4()),
    "mpls-stack": bytes(OUTER / MPLS(label=100, s=0) / MPLS(label=3, s=0) / MPLS(s=1) / ipv6()),
    "mpls-upstream": ether(MPLS(label=100, s=1) / ipv4(), type=0x8848),
    "mpls-pseudowire": bytes(OUTER / MPLS(s=0) / MPLS(s=1) / Raw(b"\0\0\0\1" + bytes(FRAME))),
    "gre": over4(GRE() / ipv4()),
    "gre-ipv6": over4(GRE() / ipv6()),
    "gre-over-ipv6": over6(GRE() / ipv4()),
    "gre-key": over4(GRE(key_present=1, key=9) / ipv4()),
    "gre-all-flags": over4(GRE(chksum_present=1, key_present=1, seqnum_present=1) / ipv4()),
    "gre-bridged": over4(GRE(proto=0x6558) / FRAME),
    "gre-bridged-vlan": over4(GRE(proto=0x6558, key_present=1) / FRAME6),
    "gre-mpls": over4(GRE(proto=0x8847) / MPLS(label=100, s=1) / ipv4()),
    "erspan-1": over4(GRE(proto=0x88BE) / Raw(bytes(FRAME))),
    "erspan-2": over4(GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II(session_id=1) / FRAME),
    "erspan-3": over4(GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(session_id=1) / FRAME),
    "erspan-3-more": over4(
        GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(o=1) / ERSPAN_PlatformSpecific() / Raw(bytes(FRAME))
    ),
    "ipip": over4(ipv4()),
    "6in4": over4(ipv6()),
    "4in6": over6(ipv4()),
    "6in6": over6(ipv6()),
    "vxlan": over4(vxlan(FRAME)),
    "vxlan-ipv6": over4(vxlan(FRAME6)),
    "vxlan-over-ipv6": over6(vxlan(FRAME)),
    "vxlan-of-linux": over4(vxlan(FRAME, 8472)),
    "vxlan-policy": over4(udp(4789, Raw(b"\x88\0\0\7" + bytes(4)) / Raw(bytes(FRAME)))),
    "geneve": over4(geneve(FRAME, 0x6558)),
    "geneve-ipv4": over4(geneve(ipv4(), 0x0800)),
    "geneve-ipv6": over4(geneve(ipv6(), 0x86DD)),
    "geneve-options": over4(geneve(ipv4(), 0x0800, [OPTION, OPTION])),
    "mirrored-overlay": over4(vxlan(OUTER / IP(**OUTER4) / vxlan(FRAME))),
    "four-deep": over4(IP(**OUTER4) / GRE() / IP(**OUTER4) / GRE() / ipv6()),
}


@pytest.mark.parametrize("name", ONE_SEGMENT)
def test_one_segment(name):
    packet = ONE_SEGMENT[name]
    (row,), counters = decode([packet])
    source, destination = addresses_of(packet)
    assert (row["source"], row["destination"]) == ((source, 50000), (destination, 80))
    assert (row["seq"], row["ack"], row["ttl"]) == (0xFFFFFFF0, 7, 61)
    assert row["payload"] == PAYLOAD
    assert counters.tcp == 1


@pytest.mark.parametrize("name", ONE_SEGMENT)
def test_every_snap_length(name):
    packet = ONE_SEGMENT[name]
    cuts = range(len(packet) + 1)
    rows, counters = decode([packet[:end] for end in cuts], wire=[len(packet)] * len(cuts))
    payload_at = len(packet) - len(PAYLOAD)
    # Of a UDP datagram without its ports nobody knows what it carries.
    assert counters.short + counters.other_ip[17] == payload_at
    assert [row["number"] - 1 for row in rows] == list(range(payload_at, len(packet) + 1))
    for row in rows:
        assert row["payload"] == packet[payload_at : row["number"] - 1]
        assert row["payload_wire"] == len(PAYLOAD)


def test_all_in_one_batch_keep_capture_order():
    order = list(ONE_SEGMENT) * 2
    random.Random(1).shuffle(order)
    rows, _ = decode([ONE_SEGMENT[name] for name in order])
    assert [row["number"] for row in rows] == list(range(1, len(order) + 1))
    assert all(row["payload"] == PAYLOAD for row in rows)


def test_padding_behind_the_inner_packet_is_not_payload():
    few = bytes(OUTER / PPPoE(sessionid=5) / PPP() / ipv4(tcp(b"2")))
    rows, _ = decode([few + bytes(6), over4(ipv4(tcp(b"")) / Raw(b""))])
    assert [(row["payload"], row["payload_wire"]) for row in rows] == [(b"2", 1), (b"", 0)]


# -- what tunnels carry besides ----------------------------------------------------------------------------------------


def test_what_is_no_ip_in_a_tunnel_counts_as_the_tunnel():
    rows, counters = decode(
        [
            bytes(OUTER / PPPoE(sessionid=5) / PPP(proto=0xC021) / Raw(b"\1\1\0\4")),  # LCP
            bytes(OUTER / PPPoE(code=9, sessionid=0) / Raw(bytes(8))),  # not the session stage
            bytes(OUTER / MPLS(s=1) / Raw(b"\x10\0\0\0")),  # a pseudowire's own control channel
            over4(GRE(proto=0x880B, version=1, key_present=1) / Raw(bytes(40))),  # PPTP
            over4(GRE(proto=0) / Raw(b"")),  # the keep-alive of some routers
            over4(udp(53, Raw(b"question"))),
            over4(udp(4789, Raw(bytes(40)))),  # no flag I
            over4(udp(6081, Raw(b"\x40" + bytes(40)))),  # version 1
            over4(udp(6081, Raw(b"\x00\x80\x65\x58" + bytes(40)))),  # control
            over4(udp(6081, Raw(b"\x00\x00\x88\xcc" + bytes(40)))),
        ]
    )
    assert not rows
    assert counters.not_ip == {0x8864: 2, 0x8847: 1}
    assert counters.other_ip == {47: 2, 17: 5}


def test_what_an_inner_packet_is_counts():
    rows, counters = decode([over4(vxlan(Ether(**MACS) / ARP())), over4(GRE() / ipv4(UDP() / Raw(b"x")))])
    assert (rows, counters.not_ip, counters.other_ip) == ([], {0x0806: 1}, {17: 1})


def test_tunnels_without_end_are_not_opened_without_end():
    inner = ipv4()
    for _ in range(60):
        inner = IP(**OUTER4) / inner
    labels = bytes(OUTER / MPLS(s=0)) + struct.pack(">I", 0x00010001) * 1000
    rows, counters = decode([bytes(OUTER / inner), labels])
    assert (rows, counters.other_ip, counters.not_ip) == ([], {4: 1}, {0x8847: 1})


def test_a_length_that_leaves_the_outer_datagram_is_malformed():
    packet = over4(ipv4())
    longer = changed(packet, 14 + 20 + 2, struct.pack(">H", len(bytes(ipv4())) + 1))
    rows, counters = decode([longer + bytes(20)])
    assert (rows, counters.malformed) == ([], 1)


# -- fragments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("carried", ["vxlan", "gre", "ipip"])
def test_fragments_of_the_outer_datagram(version, carried):
    inner = Ether(**MACS) / ipv4(tcp(LONG))
    upper = {"vxlan": vxlan(inner), "gre": GRE(proto=0x6558) / inner, "ipip": ipv4(tcp(LONG))}[carried]
    if version == 4:
        parts = fragment(IP(**OUTER4, id=5) / upper, fragsize=1400)
    else:
        parts = fragment6(IPv6(**OUTER6) / IPv6ExtHdrFragment(id=5) / upper, 1460)
    pieces = [bytes(OUTER / part) for part in parts]
    assert len(pieces) == 3
    rows, counters = decode([*pieces, ONE_SEGMENT["vxlan"]])
    assert [(row["number"], row["payload"]) for row in rows] == [(3, LONG), (4, PAYLOAD)]
    assert (counters.fragments, counters.reassembled) == (3, 1)


def test_fragments_of_the_inner_datagram():
    pieces = [over4(vxlan(Ether(**MACS) / part)) for part in fragment(ipv4(tcp(LONG), id=5), fragsize=1400)]
    rows, counters = decode(pieces)
    assert [(row["number"], row["payload"]) for row in rows] == [(len(pieces), LONG)]
    assert counters.fragments == len(pieces)


def test_fragments_of_other_udp_are_counted_as_udp():
    parts = [bytes(OUTER / part) for part in fragment(IP(**OUTER4) / UDP(dport=2049) / Raw(LONG), fragsize=1400)]
    backwards = [bytes(OUTER / part) for part in fragment(IP(**OUTER4, id=9) / vxlan(FRAME / LONG), fragsize=1400)]
    rows, counters = decode([*parts, *reversed(backwards)])
    assert (rows, counters.other_ip, counters.fragments) == ([], {17: len(parts) + len(backwards) - 1}, 1)


# -- properties --------------------------------------------------------------------------------------------------------

HEADERS = [packet[: -len(PAYLOAD) - 40] for packet in ONE_SEGMENT.values()]
SEEDS = [
    *ONE_SEGMENT.values(),
    *(bytes(OUTER / part) for part in fragment(IP(**OUTER4, id=5) / vxlan(FRAME / LONG[:300]), fragsize=104)),
]


@st.composite
def captured_packets(draw):
    """Real packets with bytes changed, or arbitrary bytes behind the headers of a tunnel, cut anywhere."""
    if draw(st.booleans()):
        packet = draw(st.sampled_from(HEADERS)) + draw(st.binary(max_size=120))
    else:
        packet = draw(st.sampled_from(SEEDS))
        for at, value in draw(st.lists(st.tuples(st.integers(12, 120), st.binary(min_size=1, max_size=2)), max_size=3)):
            packet = changed(packet, at, value) if at < len(packet) else packet
    captured = draw(st.one_of(st.just(len(packet)), st.integers(0, len(packet))))
    return LinkType.ETHERNET, packet[:captured], draw(st.sampled_from([len(packet), captured, captured + 1]))


@given(st.lists(captured_packets(), max_size=30), st.data())
def test_each_packet_is_counted_once_whatever_the_batches(packets, data):
    batch = batch_of(packets)
    whole, pieces = PacketDecoder(), PacketDecoder()
    expected = table(whole, batch)
    assert tally(whole.counters) == len(packets)
    bounds = data.draw(st.one_of(st.just(range(len(batch))), st.lists(st.integers(0, len(batch)), max_size=4)))
    assert [row for part in cut(batch, bounds) for row in table(pieces, part)] == expected
    assert pieces.counters == whole.counters
