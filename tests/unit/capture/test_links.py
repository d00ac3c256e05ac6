"""Wi-Fi, PPP and NFLOG become IP packets without a link layer; all else of them is told apart, and nothing raises."""

import logging
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dot11 import Dot11, Dot11CCMP, Dot11FCS, Dot11QoS, PrismHeader, RadioTap
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, SNAP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.packet import Raw

from eiosniff.capture import links
from eiosniff.capture.links import plain
from eiosniff.model.batch import LinkType, PacketBatch

V4 = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2) / Raw(b"hello")
V6 = IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=1, dport=2) / Raw(b"hello")
SNAP4, SNAP6 = LLC() / SNAP() / V4, LLC() / SNAP() / V6
MACS = {"addr1": "02:00:00:00:00:01", "addr2": "02:00:00:00:00:02", "addr3": "02:00:00:00:00:03"}


def frame(upper=SNAP4, **fields):
    return Dot11(**{"type": 2, "FCfield": "to_DS", **MACS, **fields}) / upper


def qos(upper, **fields):
    return frame(Dot11QoS(**fields) / upper, subtype=8)


def radiotap(inner, flags="", **fields):
    return bytes(RadioTap(present="TSFT+Flags+Rate", Flags=flags, mac_timestamp=5, Rate=2, **fields) / inner)


def subframe(upper, last=False):
    body = bytes(upper)
    whole = bytes(12) + struct.pack(">H", len(body)) + body
    return whole if last else whole + bytes(-len(whole) % 4)


def attribute(kind, value, order="<"):
    return struct.pack(order + "HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def nflog(packet, family=2, order="<"):
    return (
        bytes([family, 0, 0, 1])
        + attribute(1, bytes(4), order)
        + attribute(10, b"prefix\0", order)
        + attribute(9, bytes(packet), order)
    )


AMSDU = qos(Raw(subframe(SNAP4) + subframe(SNAP6) + subframe(SNAP4, last=True)), A_MSDU_Present=1)
# Link type, frame, and the packets in it.
PACKETS = {
    "802.11": (105, bytes(frame()), [V4]),
    "802.11-ipv6": (105, bytes(frame(SNAP6)), [V6]),
    "802.11-from-ap": (105, bytes(frame(FCfield="from_DS")), [V4]),
    "802.11-ad-hoc": (105, bytes(frame(FCfield=0)), [V4]),
    "802.11-four-addresses": (105, bytes(frame(FCfield="to_DS+from_DS", addr4="02:00:00:00:00:04")), [V4]),
    "802.11-retry": (105, bytes(frame(FCfield="to_DS+retry")), [V4]),
    "802.11-qos": (105, bytes(qos(SNAP4)), [V4]),
    "802.11-qos-four-addresses": (
        105,
        bytes(frame(Dot11QoS() / SNAP4, subtype=8, FCfield="to_DS+from_DS", addr4="02:00:00:00:00:04")),
        [V4],
    ),
    "802.11-ht-control": (105, bytes(frame(Dot11QoS() / Raw(b"HTCF") / SNAP4, subtype=8, FCfield="order")), [V4]),
    "802.11-a-msdu": (105, bytes(AMSDU), [V4, V6, V4]),
    "802.11-old-snap": (105, bytes(frame(LLC() / SNAP(OUI=0xF8) / V4)), [V4]),
    "radiotap": (127, radiotap(frame()), [V4]),
    "radiotap-bare": (127, bytes(RadioTap() / frame()), [V4]),
    "radiotap-fcs": (
        127,
        radiotap(Dot11FCS(type=2, FCfield="to_DS", **MACS) / SNAP4, "FCS"),
        [V4],
    ),
    "radiotap-padded": (127, radiotap(frame(Dot11QoS() / Raw(b"\0\0") / SNAP4, subtype=8), "pad"), [V4]),
    "radiotap-two-words": (
        127,
        struct.pack("<BBHIIQBBBB", 0, 0, 28, 0x80000003, 1, 7, 0, 0, 0, 0) + bytes(4) + bytes(frame()),
        [V4],
    ),
    "prism": (119, bytes(PrismHeader(len=144))[:144].ljust(144, b"\0") + bytes(frame()), [V4]),
    "avs": (163, struct.pack(">II", 0x80211001, 64) + bytes(56) + bytes(qos(SNAP6)), [V6]),
    "avs-as-prism": (119, struct.pack(">II", 0x80211001, 64) + bytes(56) + bytes(frame()), [V4]),
    "ppi": (192, struct.pack("<BBHI", 0, 0, 8, 105) + bytes(frame()), [V4]),
    "ppp": (9, bytes(PPP(proto=0x21) / V4), [V4]),
    "ppp-ipv6": (9, bytes(PPP(proto=0x57) / V6), [V6]),
    "ppp-hdlc": (9, bytes(HDLC() / PPP(proto=0x21) / V4), [V4]),
    "ppp-compressed": (9, b"\x21" + bytes(V4), [V4]),
    "ppp-serial": (50, bytes(HDLC() / PPP(proto=0x57) / V6), [V6]),
    "ppp-serial-cisco": (50, b"\x0f\0\x08\0" + bytes(V4), [V4]),
    "cisco-hdlc": (104, b"\x0f\0\x08\0" + bytes(V4), [V4]),
    "cisco-hdlc-ipv6": (104, b"\x8f\0\x86\xdd" + bytes(V6), [V6]),
    "pppoe": (51, bytes(PPPoE(sessionid=0x1234) / PPP(proto=0x21) / V4), [V4]),
    "nflog": (239, nflog(V4), [V4]),
    "nflog-ipv6": (239, nflog(V6, 10), [V6]),
    "nflog-big-endian": (239, nflog(V4, order=">"), [V4]),
}


def make_batch(packets, wire=None, between=b"\xff\xff"):
    """Packets of (link type, bytes)."""

    def column(values):
        return np.array(list(values), np.int64)

    captured = column(len(data) for _, data in packets)
    return PacketBatch(
        number=column(range(1, len(packets) + 1)),
        ts_ns=column(range(len(packets))),
        offset=np.cumsum(captured + len(between)) - captured,
        captured=captured,
        wire=captured if wire is None else column(wire),
        link_type=column(link for link, _ in packets),
        buffer=b"".join(between + data for _, data in packets) + between,
    )


def rows(batch):
    """(packet number, link type, captured bytes, wire length)."""
    columns = (batch.number, batch.link_type, batch.offset, batch.captured, batch.wire)
    assert all(column.dtype == np.int64 and len(column) == len(batch) for column in (*columns, batch.ts_ns))
    assert (batch.ts_ns == batch.number - 1).all()
    return [
        (number, link, bytes(batch.buffer[offset : offset + captured]), wire)
        for number, link, offset, captured, wire in zip(*[column.tolist() for column in columns], strict=True)
    ]


def kinds(*packets, wire=None):
    return [LinkType(link) for _, link, _, _ in rows(plain(make_batch(packets, wire)))]


@pytest.mark.parametrize("name", PACKETS)
def test_ip_packets(name):
    link, data, inside = PACKETS[name]
    found = rows(plain(make_batch([(link, data)], [len(data) + 7])))
    assert [(number, kind) for number, kind, _, _ in found] == [
        (1, LinkType.IPV4 if packet is V4 else LinkType.IPV6) for packet in inside
    ]
    for (_, _, captured, wire), packet in zip(found, inside, strict=True):
        assert captured.startswith(bytes(packet))
        assert captured[len(bytes(packet)) :] in (b"", data[-4:])  # the frame check sequence
        assert wire in (len(captured), len(captured) + 7)


@pytest.mark.parametrize("name", PACKETS)
def test_every_snap_length(name):
    link, data, inside = PACKETS[name]
    cuts = range(len(data) + 1)
    found = rows(plain(make_batch([(link, data[:end]) for end in cuts], [len(data)] * len(cuts))))
    assert {number for number, *_ in found} == {end + 1 for end in cuts}
    if len(inside) > 1:
        return
    begins = data.index(bytes(inside[0]))
    for number, kind, captured, _ in found:
        if number - 1 < begins:
            assert kind == LinkType.SHORT or not captured
        else:
            size = len(bytes(inside[0]))
            assert captured[:size] == data[begins : number - 1][:size] or number - 1 < 4


def test_what_is_no_ip_is_told_apart():
    assert (
        kinds(
            (105, bytes(Dot11(type=0, subtype=8, **MACS) / Raw(bytes(30)))),  # a beacon
            (105, bytes(Dot11(type=1, subtype=13, addr1=MACS["addr1"]))),  # an acknowledgement, of ten bytes
            (105, bytes(frame(Raw(b""), subtype=4))),  # no data
            (105, bytes(frame(Dot11QoS(), subtype=12))),
            (105, bytes(frame(LLC() / SNAP() / ARP()))),
            (105, bytes(frame(LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(30))))),  # spanning tree
            (105, bytes(frame(FCfield="to_DS+MF"))),  # a fragment, and the next one
            (105, bytes(frame(SC=0x11))),
            (9, bytes(PPP(proto=0xC021) / Raw(b"\1\1\0\4"))),
            (51, bytes(PPPoE(code=9) / Raw(b"\1\1\0\0"))),
            (239, nflog(V4, 7)),
            (104, b"\x8f\0\x80\x35" + bytes(18)),  # Cisco's keep-alive
        )
        == [LinkType.NOT_IP] * 12
    )


def test_encrypted_frames():
    protected = frame(Dot11CCMP(data=b"secret" * 9), FCfield="to_DS+protected")
    assert kinds((105, bytes(protected)), (127, radiotap(protected))) == [LinkType.ENCRYPTED] * 2
    assert kinds((105, bytes(qos(SNAP4).__class__(bytes(frame(Raw(bytes(40)), subtype=8, FCfield="protected")))))) == [
        LinkType.ENCRYPTED
    ]


def test_damaged_frames():
    assert (
        kinds((127, radiotap(frame(), "badFCS")), (105, b""), (105, b"\x08"), (127, bytes(8)), (239, b"\2" + bytes(7)))
        == [LinkType.MALFORMED] * 5
    )


def test_other_link_types_stay_and_all_keep_their_order():
    packets = [(1, b"ethernet"), *[(link, data) for link, data, _ in PACKETS.values()], (147, b"user")]
    mixed = [packets[0], packets[10], packets[-1], packets[1], packets[0]]
    found = rows(plain(make_batch(mixed)))
    assert [(number, link) for number, link, _, _ in found] == [
        (1, 1), (2, 228), (2, 229), (2, 228), (3, 147), (4, 228), (5, 1),
    ]  # fmt: skip
    untouched = make_batch([packets[0], packets[-1]])
    assert plain(untouched) is untouched


def test_what_scapy_stumbles_over_is_malformed(monkeypatch):
    links._dot11_header.cache_clear()
    links._ppp_header.cache_clear()

    def broken(*_):
        raise RuntimeError

    monkeypatch.setattr("scapy.layers.dot11.Dot11", broken)
    monkeypatch.setattr("scapy.layers.ppp.PPP", broken)
    try:
        assert kinds((105, bytes(frame())), (9, bytes(PPP() / V4))) == [LinkType.MALFORMED] * 2
    finally:
        links._dot11_header.cache_clear()
        links._ppp_header.cache_clear()


def test_scapy_is_quiet_and_its_logging_as_before(capfd):
    links._dot11_header.cache_clear()
    level = logging.getLogger("scapy").level
    kinds((105, bytes(frame())))
    assert logging.getLogger("scapy").level == level
    assert capfd.readouterr() == ("", "")


def test_scapy_is_loaded_only_for_such_link_types():
    code = (
        "import sys, numpy as np\n"
        "from eiosniff.capture.links import plain\n"
        "from eiosniff.model.batch import PacketBatch\n"
        "def batch(link):\n"
        "    column = lambda value: np.array([value], np.int64)\n"
        "    return PacketBatch(column(1), column(0), column(0), column(60), column(60), column(link), bytes(60))\n"
        "plain(batch(1)); print('scapy' in sys.modules)\n"
        "plain(batch(105)); print('scapy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "")


LINKS = sorted(links.LINK_TYPES)


@st.composite
def captured_packets(draw):
    if draw(st.booleans()):
        return draw(st.sampled_from(LINKS)), draw(st.binary(max_size=120))
    link, data, _ = PACKETS[draw(st.sampled_from(sorted(PACKETS)))]
    data = bytearray(data)
    for at, value in draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=3)):
        data[min(at, len(data) - 1)] = value
    return link, bytes(data[: draw(st.integers(0, len(data)))])


@given(st.lists(captured_packets(), max_size=20), st.integers(0, 50))
def test_any_bytes(packets, more):
    """Nothing raises, no packet is lost, and nothing outside of the captured bytes is said to be captured."""
    batch = make_batch(packets, [len(data) + more for _, data in packets])
    found = plain(batch)
    assert sorted(set(found.number.tolist())) == batch.number.tolist()
    assert (np.diff(found.number) >= 0).all()
    assert (found.captured >= 0).all()
    assert (found.captured <= found.wire).all()
    at = found.number - 1
    assert (found.offset >= batch.offset[at]).all()
    assert (found.offset + found.captured <= batch.offset[at] + batch.captured[at]).all()
