"""Captured packets of Wi-Fi, PPP and NFLOG as plain IP packets, so that `decode` sees one kind of batch.

Those link layers are not decoded by column: their headers are of many shapes, and captures of them seldom large. What
decides on the shape are a few bytes (the frame control field of 802.11, the first octets of PPP). scapy is shown each
such combination once, with zeros behind it, and says where what it carries begins; so an open Wi-Fi network costs
microseconds a frame, where dissecting each would cost a millisecond. What scapy does not know is done here: how
monitoring drivers prefix frames, aggregates (A-MSDU), the HT control field, and NFLOG.

scapy is imported with the first such packet, and keeps quiet. On its import it asks the kernel for the interfaces; it
sends nothing.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from struct import error as StructError  # noqa: N812  (it is an exception, and named unlike one)
from struct import unpack_from
from typing import Any, Final, NamedTuple

import numpy as np

from eiosniff.errors import CaptureError
from eiosniff.model.batch import Int64s, LinkType, PacketBatch

# Link types of the tcpdump.org registry.
_PPP: Final = 9
_PPP_HDLC: Final = 50
_PPP_ETHER: Final = 51
_C_HDLC: Final = 104
_IEEE802_11: Final = 105
_PRISM: Final = 119
_RADIOTAP: Final = 127
_AVS: Final = 163
_PPI: Final = 192
_NFLOG: Final = 239

# So much of a packet is looked at: more than the longest A-MSDU (11,454 bytes, IEEE 802.11-2020, table 9-25).
_HEAD: Final = 1 << 14
_TYPE_IPV4: Final = 0x0800
_TYPE_IPV6: Final = 0x86DD
_SNAP: Final = (b"\xaa\xaa\x03\0\0\0", b"\xaa\xaa\x03\0\0\xf8")  # RFC 1042; and 802.1H, for a few EtherTypes
_SNAP_HEADER: Final = 8  # with the EtherType

_RADIOTAP_FLAGS: Final = 1 << 1  # in the first word of what is present; TSFT, of 8 bytes, is before it
_RADIOTAP_TSFT: Final = 1 << 0
_RADIOTAP_MORE: Final = 1 << 31
_DATA_PAD: Final = 0x20  # between 802.11 header and body, to a multiple of 4 bytes
_BAD_FCS: Final = 0x40
_A_MSDU: Final = 0x80  # in the first octet of QoS control
_ORDER: Final = 0x80  # in the second octet of frame control: with QoS, an HT control field follows
_HT_CONTROL: Final = 4
_SUBFRAME_HEADER: Final = 14  # of an A-MSDU: two addresses and a length
_NFLOG_PAYLOAD: Final = 9  # NFULA_PAYLOAD
_AF_INET: Final = 2
_AF_INET6: Final = 10


class Part(NamedTuple):
    """What is in a captured packet: bytes `[start, end)` of it (`end` 0: to its end) are a packet of this link type."""

    kind: LinkType
    start: int = 0
    end: int = 0


_NOT_IP: Final = [Part(LinkType.NOT_IP)]
_MALFORMED: Final = [Part(LinkType.MALFORMED)]


def plain(batch: PacketBatch) -> PacketBatch:
    """The same captured packets, those of Wi-Fi, PPP and NFLOG as IP packets without a link layer.

    One that holds no IP packet stays, with a link type that says why (`LinkType.NOT_IP` and those after it); an A-MSDU
    becomes as many rows of one packet number as it holds packets. Raises `CaptureError` if scapy cannot be loaded.
    """
    odd = np.isin(batch.link_type, list(_PARTS))
    if not odd.any():
        return batch
    rows: list[int] = []
    columns: list[tuple[int, int, int, int]] = []
    places = zip(batch.offset[odd].tolist(), batch.captured[odd].tolist(), batch.wire[odd].tolist(), strict=True)
    links = batch.link_type[odd].tolist()
    for row, link, (offset, captured, wire) in zip(np.flatnonzero(odd).tolist(), links, places, strict=True):
        wire = max(wire, captured)
        for part in _parts(_PARTS[link], batch.buffer[offset : offset + min(captured, _HEAD)], wire > captured):
            end = part.end or wire
            start = min(part.start, captured)
            rows.append(row)
            there = max(min(end, captured) - start, 0)
            columns.append((offset + start, there, max(end - part.start, there), part.kind.value))
    found = np.array(columns, np.int64)
    return _merged(batch, ~odd, np.array(rows, np.int64), found)


def _merged(batch: PacketBatch, kept: np.ndarray, rows: Int64s, found: Int64s) -> PacketBatch:
    """The kept rows of a batch, and others made from some of its rows: offset, captured, wire and link type."""
    row = np.concatenate((np.flatnonzero(kept), rows))
    order = np.argsort(row, kind="stable")
    row = row[order]
    old = (batch.offset, batch.captured, batch.wire, batch.link_type)
    offset, captured, wire, link_type = (
        np.concatenate((column[kept], found[:, at]))[order] for at, column in enumerate(old)
    )
    return PacketBatch(batch.number[row], batch.ts_ns[row], offset, captured, wire, link_type, batch.buffer)


def _parts(parse: "Callable[[bytes], list[Part]]", data: bytes, cut: bool) -> list[Part]:
    try:
        return parse(data)
    except (IndexError, StructError):  # the packet ends inside its headers
        return [Part(LinkType.SHORT)] if cut else _MALFORMED


# -- Wi-Fi -------------------------------------------------------------------------------------------------------------


def _radiotap(data: bytes) -> list[Part]:
    """https://www.radiotap.org/: version, length, which fields are present (in one word or more), the fields."""
    length, present = unpack_from("<HI", data, 2)
    at, more = 8, present
    while more & _RADIOTAP_MORE and at < length:
        (more,) = unpack_from("<I", data, at)
        at += 4
    flags = 0
    if present & _RADIOTAP_FLAGS:
        if present & _RADIOTAP_TSFT:
            at = (at + 7 & -8) + 8
        flags = data[at]
    if flags & _BAD_FCS or length < 8:
        return _MALFORMED  # any of its bytes may be wrong
    return _dot11(data, length, flags & _DATA_PAD)


def _prism_or_avs(data: bytes) -> list[Part]:
    """Both have a magic number and their length; drivers that said Prism wrote AVS as well."""
    big, little = unpack_from(">I", data, 4)[0], unpack_from("<I", data, 4)[0]
    return _dot11(data, min(big, little), 0)


def _ppi(data: bytes) -> list[Part]:
    """Per-Packet Information: version, flags, length, link type of what follows."""
    length, link_type = unpack_from("<HI", data, 2)
    return _dot11(data, length, 0) if link_type == _IEEE802_11 and length >= 8 else _NOT_IP


def _dot11(data: bytes, at: int, padded: int = 0) -> list[Part]:
    """A frame of IEEE 802.11 that begins at `at`."""
    kind, length, with_qos = _dot11_header(bytes((data[at], data[at + 1])))
    if kind is not LinkType.RAW:
        return [Part(kind)]
    if data[at + 22] & 0x0F:  # the fragment number: not the beginning of a packet
        return _NOT_IP
    aggregate = with_qos and data[at + length - 2] & _A_MSDU
    body = at + length + (_HT_CONTROL if with_qos and data[at + 1] & _ORDER else 0)
    if padded:
        body = at + ((body - at + 3) & -4)
    return list(_subframes(data, body)) or _NOT_IP if aggregate else [_behind_snap(data, body, 0)]


def _subframes(data: bytes, at: int) -> Iterator[Part]:
    """Those of an A-MSDU (IEEE 802.11-2020, section 9.3.2.2): all but the last are padded to a multiple of 4 bytes."""
    while at + _SUBFRAME_HEADER + _SNAP_HEADER <= len(data):
        (length,) = unpack_from(">H", data, at + 12)
        start = at + _SUBFRAME_HEADER
        if length < _SNAP_HEADER:
            return
        yield _behind_snap(data, start, start + length)
        at += (_SUBFRAME_HEADER + length + 3) & -4


def _behind_snap(data: bytes, at: int, end: int) -> Part:
    """What LLC and SNAP carry, by EtherType."""
    (ethertype,) = unpack_from(">H", data, at + 6)
    if data[at : at + 6] not in _SNAP:
        return _NOT_IP[0]
    return _of_ethertype(ethertype, at + _SNAP_HEADER, end)


def _of_ethertype(ethertype: int, start: int, end: int = 0) -> Part:
    if ethertype == _TYPE_IPV4:
        return Part(LinkType.IPV4, start, end)
    return Part(LinkType.IPV6, start, end) if ethertype == _TYPE_IPV6 else _NOT_IP[0]


@lru_cache(1 << 16)  # all values that there are
def _dot11_header(control: bytes) -> tuple[LinkType, int, bool]:
    """What a frame with this frame control field is (`RAW`: data), how long its header is, and whether it has QoS."""
    with _scapy() as layers:
        try:
            frame = layers.dot11.Dot11(control + bytes(60))
        except Exception:  # whatever scapy stumbles over
            return LinkType.MALFORMED, 0, False
        if frame.type != 2 or frame.subtype & 4:  # not data, or no data in it ("null function")
            return LinkType.NOT_IP, 0, False
        if frame.FCfield.protected:
            return LinkType.ENCRYPTED, 0, False
        if frame.FCfield.MF:  # a fragment
            return LinkType.NOT_IP, 0, False
        with_qos = isinstance(frame.payload, layers.dot11.Dot11QoS)
        body = frame.payload.payload if with_qos else frame.payload
        return LinkType.RAW, 2 + 60 - len(body.original), with_qos


# -- PPP ---------------------------------------------------------------------------------------------------------------


def _ppp(data: bytes) -> list[Part]:
    """RFC 1661, or as in HDLC-like framing (RFC 1662); or Cisco's HDLC, which says EtherTypes."""
    if data[0] in (0x0F, 0x8F) and data[1] == 0:
        return [_of_ethertype(unpack_from(">H", data, 2)[0], 4)]
    return [_ppp_header("PPP", data[:4])] if len(data) >= 4 else _too_short(data)


def _ppp_ether(data: bytes) -> list[Part]:
    """PPPoE without Ethernet before it."""
    if len(data) < 8:
        return _too_short(data)
    return [_ppp_header("PPPoE", data[:2] + bytes(4) + data[6:8])]  # without session and length


def _too_short(data: bytes) -> list[Part]:
    raise IndexError(f"a header of {len(data)} bytes")


@lru_cache(1 << 12)
def _ppp_header(layer: str, start: bytes) -> Part:
    """What is behind a header that begins so."""
    filling = b"\x45" + bytes(59)
    with _scapy() as layers:
        try:
            frame = getattr(layers.ppp, layer)(start + filling)
        except Exception:  # whatever scapy stumbles over
            return _MALFORMED[0]
        links = {layers.inet.IP: LinkType.IPV4, layers.inet6.IPv6: LinkType.IPV6}
        while frame and isinstance(frame, (layers.ppp.HDLC, layers.ppp.PPP, layers.ppp.PPPoE)):
            kind = links.get(frame.guess_payload_class(filling))
            frame = frame.payload
            if kind is not None:
                return Part(kind, len(start) + len(filling) - len(frame.original))
        return _NOT_IP[0]


# -- NFLOG -------------------------------------------------------------------------------------------------------------


def _nflog(data: bytes) -> list[Part]:
    """The registry's LINKTYPE_NFLOG: address family, version, resource; then attributes in the byte order of the host.

    Hosts are little-endian nearly always; the first length tells.
    """
    family, at = data[0], 4
    order = "<" if unpack_from("<H", data, at)[0] <= unpack_from(">H", data, at)[0] else ">"
    kind = {_AF_INET: LinkType.IPV4, _AF_INET6: LinkType.IPV6}.get(family)
    while kind is not None:  # what ends without a payload is cut, or malformed
        length, attribute = unpack_from(order + "HH", data, at)
        if length < 4:
            return _MALFORMED
        if attribute & 0x7FFF == _NFLOG_PAYLOAD:
            return [Part(kind, at + 4, at + length)]
        at += (length + 3) & -4
    return _NOT_IP


_PARTS: Final[dict[int, Callable[[bytes], list[Part]]]] = {
    _PPP: _ppp,
    _PPP_HDLC: _ppp,
    _PPP_ETHER: _ppp_ether,
    _C_HDLC: _ppp,
    _IEEE802_11: lambda data: _dot11(data, 0),
    _PRISM: _prism_or_avs,
    _RADIOTAP: _radiotap,
    _AVS: _prism_or_avs,
    _PPI: _ppi,
    _NFLOG: _nflog,
}
LINK_TYPES: Final = frozenset(_PARTS)


@contextmanager
def _scapy() -> Iterator[Any]:
    """The layers of scapy, with its logging and warnings off: what it has to say is not for users of eiosniff."""
    logger = logging.getLogger("scapy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import scapy.error  # noqa: PLC0415  # it sets the level of its logger

            level = logger.level
            logger.setLevel(logging.CRITICAL + 1)
            import scapy.layers.dot11  # noqa: PLC0415  # only for captures that need it
            import scapy.layers.inet6  # noqa: PLC0415  # only for captures that need it
            import scapy.layers.ppp  # noqa: PLC0415  # only for captures that need it
        except (ImportError, OSError) as error:  # OSError: it may not ask for the interfaces
            raise CaptureError(
                f"packets of this link type are read by scapy, and it cannot be loaded: {error}", "pip install scapy"
            ) from None
        try:
            yield scapy.layers
        finally:
            logger.setLevel(level)
