"""Packets made with scapy, in batches, and what the decoder makes of them."""

import random
import struct
from itertools import pairwise

import numpy as np
from scapy.layers.inet import IP, TCP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from eiosniff.decode.packets.decoder import PacketDecoder
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


# -- what cannot be true -----------------------------------------------------------------------------------------------
V4, V6 = ether(ipv4()), ether(ipv6())


# -- fragments ---------------------------------------------------------------------------------------------------------
LONG = bytes(random.Random(2).randbytes(3000))


def fragments_of(version, identification=77, payload=LONG, size=600, **fields):
    if version == 4:
        return [ether(part) for part in fragment(ipv4(tcp(payload, **fields), id=identification), fragsize=size)]
    whole = ipv6(IPv6ExtHdrFragment(id=identification), tcp(payload, **fields))
    return [ether(part) for part in fragment6(whole, size + 60)]


def batch_of(packets, between=b"\xff" * 3):
    links, captured, wire = zip(*packets, strict=True) if packets else ((), (), ())
    times = [index * 3 * SECOND for index in range(len(packets))]
    return make_batch(list(captured), list(links), wire=wire, ts_ns=times, between=between)
