"""Tunnels by column: finds the packets that other packets carry.

What a tunnel carries is a packet of some link type, as if it had been captured on the link at the tunnel's end: an
Ethernet frame, or an IP packet without a link layer. Each function here takes the packets of one kind of tunnel, whose
header begins at `start`, and yields what they carry, with the link type as `protocol`; `NOTHING` where that is neither,
or the header is not what it should be, so that the caller counts such packets as what they are.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from eiosniff.decode.packets import headers
from eiosniff.decode.packets.headers import Layer
from eiosniff.decode.packets.reading import Reader
from eiosniff.model.batch import Int64s, LinkType

NOTHING: Final = -1

# Carried by a frame, by EtherType.
_PPPOE: Final = 0x8864  # RFC 2516, the session stage
_MPLS: Final = 0x8847  # RFC 5332: unicast, and multicast or upstream-assigned
_MPLS_UPSTREAM: Final = 0x8848
# Carried by IP, by protocol number.
_IPV4: Final = 4  # RFC 2003
_IPV6: Final = 41  # RFC 4213: "6in4", and any other IPv6 in IP
_GRE: Final = 47
_UDP: Final = headers.PROTOCOL_UDP
# Inside GRE and Geneve, by EtherType.
_BRIDGED: Final = 0x6558  # Transparent Ethernet Bridging (RFC 1701)
_ERSPAN: Final = 0x88BE  # draft-foschiano-erspan: types I and II, and III
_ERSPAN_3: Final = 0x22EB

_PPPOE_HEADER: Final = np.dtype(  # RFC 2516, section 4, and the PPP protocol (RFC 1661, section 2)
    [("version_type", "u1"), ("code", "u1"), ("session", ">u2"), ("length", ">u2"), ("protocol", ">u2")]
)
_GRE_HEADER: Final = np.dtype([("flags_version", ">u2"), ("type", ">u2")])  # RFC 2784, section 2.1
_UDP_HEADER: Final = np.dtype(  # RFC 768
    [("source_port", ">u2"), ("destination_port", ">u2"), ("length", ">u2"), ("checksum", ">u2")]
)
_VXLAN_HEADER: Final = np.dtype(  # behind UDP: RFC 7348, section 5 (reserved octets hold a group policy in Linux)
    [("udp", "V8"), ("flags", "u1"), ("policy", "V3"), ("network", "V3"), ("reserved", "u1")]
)
_GENEVE_HEADER: Final = np.dtype(  # behind UDP: RFC 8926, section 3.4
    [("udp", "V8"), ("version_length", "u1"), ("flags", "u1"), ("type", ">u2"), ("network", "V3"), ("reserved", "u1")]
)

_PPP_IPV4: Final = 0x0021  # RFC 1332
_PPP_IPV6: Final = 0x0057  # RFC 5072
_BOTTOM_OF_STACK: Final = 0x100  # of an MPLS label (RFC 3032, section 2.1)
_CONTROL_WORD: Final = 4  # of an Ethernet pseudowire (RFC 4448, section 4.6), the first nibble of which is 0
# GRE's flags: a checksum, a key, a sequence number (4 bytes each; RFC 2784 and 2890); source routes (RFC 1701).
_CHECKSUM: Final = 0x8000
_ROUTING: Final = 0x4000
_KEY: Final = 0x2000
_SEQUENCE: Final = 0x1000
_VERSION: Final = 0x0007
_ERSPAN_HEADER: Final = 8
_ERSPAN_3_HEADER: Final = 12
_ERSPAN_3_MORE: Final = 8  # the platform's own header, which the last bit announces
_VXLAN_PORTS: Final = (4789, 8472)  # IANA's, and what Linux took before (and flannel takes to this day)
_GENEVE_PORT: Final = 6081
_VXLAN_NETWORK: Final = 0x08  # flag I
_GENEVE_CONTROL: Final = 0x80  # flag O

# Nobody stacks as many (SR-MPLS stays below ten); see packets._MAX_TAGS.
_MAX_LABELS: Final = 16

Opener = Callable[[Reader, Layer], Iterator[Layer]]


def of_ethertype(ethertype: int) -> Opener | None:
    """What opens frames of an EtherType; None if that is no tunnel."""
    if ethertype == _PPPOE:
        return _pppoe
    return _mpls if ethertype in (_MPLS, _MPLS_UPSTREAM) else None


def of_protocol(protocol: int) -> Opener | None:
    """What opens datagrams of an IP protocol; None if that is no tunnel."""
    return _OF_PROTOCOL.get(protocol)


def is_tunnel_port(port: int) -> bool:
    """Whether UDP datagrams to this port are taken for a tunnel."""
    return port in _VXLAN_PORTS or port == _GENEVE_PORT


def _pppoe(reader: Reader, frames: Layer) -> Iterator[Layer]:
    frames = reader.captured(frames, _PPPOE_HEADER.itemsize)
    header = reader.gather(_PPPOE_HEADER, frames.start)
    protocol = header["protocol"].astype(np.int64)
    compressed = protocol & 0x0100 != 0  # one octet, which RFC 2516 (section 7) advises against
    protocol = np.where(compressed, protocol >> 8, protocol)
    link_type = _chosen(protocol, {_PPP_IPV4: LinkType.IPV4, _PPP_IPV6: LinkType.IPV6})
    session = (header["version_type"] == 0x11) & (header["code"] == 0)
    yield frames.above(frames.start + np.where(compressed, 7, 8), np.where(session, link_type, NOTHING))


def _mpls(reader: Reader, frames: Layer) -> Iterator[Layer]:
    """RFC 3032. What is below the labels is not written anywhere: IP tells itself by its version (RFC 4928, section 2),
    and an Ethernet pseudowire by its control word."""
    for _ in range(_MAX_LABELS):
        frames = reader.captured(frames, 4)
        bottom = reader.gather(headers.DOUBLE_WORD, frames.start) & _BOTTOM_OF_STACK != 0
        frames = frames.above(frames.start + 4, frames.protocol)
        carried = reader.captured(frames.where(bottom), 1)
        version = reader.gather(headers.OCTET, carried.start).astype(np.int64) >> 4
        link_type = _chosen(version, {4: LinkType.IPV4, 6: LinkType.IPV6, 0: LinkType.ETHERNET})
        yield carried.above(carried.start + np.where(version == 0, _CONTROL_WORD, 0), link_type)
        frames = frames.where(~bottom)
        if not len(frames):
            return
    yield frames.above(frames.start, np.full(len(frames), NOTHING))


def _ipv4(_reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    yield datagrams.above(datagrams.start, np.full(len(datagrams), LinkType.IPV4.value))


def _ipv6(_reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    yield datagrams.above(datagrams.start, np.full(len(datagrams), LinkType.IPV6.value))


def _gre(reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    """RFC 2784 and 2890. Version 1 is PPTP's and nearly always encrypted."""
    datagrams = reader.captured(datagrams, _GRE_HEADER.itemsize)
    header = reader.gather(_GRE_HEADER, datagrams.start)
    flags, ethertype = header["flags_version"], header["type"].astype(np.int64)
    start = datagrams.start + _GRE_HEADER.itemsize
    for flag in (_CHECKSUM, _KEY, _SEQUENCE):
        start = start + np.where(flags & flag != 0, 4, 0)
    ethertype[flags & (_ROUTING | _VERSION) != 0] = NOTHING
    mirrored = ethertype == _ERSPAN
    start = start + np.where(mirrored & (flags & _SEQUENCE != 0), _ERSPAN_HEADER, 0)  # type I has no header
    mirrored_3, mpls = ethertype == _ERSPAN_3, (ethertype == _MPLS) | (ethertype == _MPLS_UPSTREAM)
    datagrams = datagrams.above(start, np.where(mirrored, LinkType.ETHERNET, _link_of_ethertype(ethertype)))
    yield datagrams.where(~(mirrored_3 | mpls))
    if mirrored_3.any():
        yield from _erspan_3(reader, datagrams.where(mirrored_3))
    if mpls.any():
        yield from _mpls(reader, datagrams.where(mpls))


def _erspan_3(reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    datagrams = reader.captured(datagrams, _ERSPAN_3_HEADER)
    more = reader.gather(headers.OCTET, datagrams.start + _ERSPAN_3_HEADER - 1) & 1
    start = datagrams.start + _ERSPAN_3_HEADER + np.where(more, _ERSPAN_3_MORE, 0)
    yield datagrams.above(start, np.full(len(datagrams), LinkType.ETHERNET.value))


def _udp(reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    """VXLAN and Geneve tell themselves by their ports only."""
    readable = datagrams.start + _UDP_HEADER.itemsize <= datagrams.captured_end
    port = np.full(len(datagrams), NOTHING, np.int64)
    port[readable] = reader.gather(_UDP_HEADER, datagrams.start[readable])["destination_port"]
    vxlan, geneve = np.isin(port, _VXLAN_PORTS), port == _GENEVE_PORT
    other = datagrams.where(~(vxlan | geneve))
    yield other.above(other.start, np.full(len(other), NOTHING))
    if vxlan.any():
        yield from _vxlan(reader, datagrams.where(vxlan))
    if geneve.any():
        yield from _geneve(reader, datagrams.where(geneve))


def _vxlan(reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    datagrams = reader.captured(datagrams, _VXLAN_HEADER.itemsize)
    header = reader.gather(_VXLAN_HEADER, datagrams.start)
    true = (header["flags"] & _VXLAN_NETWORK != 0) & (header["reserved"] == 0)
    yield datagrams.above(datagrams.start + _VXLAN_HEADER.itemsize, np.where(true, LinkType.ETHERNET, NOTHING))


def _geneve(reader: Reader, datagrams: Layer) -> Iterator[Layer]:
    datagrams = reader.captured(datagrams, _GENEVE_HEADER.itemsize)
    header = reader.gather(_GENEVE_HEADER, datagrams.start)
    version, options = header["version_length"] >> 6, (header["version_length"] & 0x3F).astype(np.int64) * 4
    true = (version == 0) & (header["flags"] & _GENEVE_CONTROL == 0)
    link_type = np.where(true, _link_of_ethertype(header["type"].astype(np.int64)), NOTHING)
    yield datagrams.above(datagrams.start + _GENEVE_HEADER.itemsize + options, link_type)


def _link_of_ethertype(ethertype: Int64s) -> Int64s:
    return _chosen(
        ethertype,
        {
            headers.TYPE_IPV4: LinkType.IPV4,
            headers.TYPE_IPV6: LinkType.IPV6,
            _BRIDGED: LinkType.ETHERNET,
        },
    )


def _chosen(values: npt.NDArray[Any], links: dict[int, LinkType]) -> Int64s:
    """The link type for each value; NOTHING for those that have none."""
    chosen = np.full(len(values), NOTHING, np.int64)
    for value, link_type in links.items():
        chosen[values == value] = link_type.value
    return chosen


_OF_PROTOCOL: Final[dict[int, Opener]] = {_IPV4: _ipv4, _IPV6: _ipv6, _GRE: _gre, _UDP: _udp}
