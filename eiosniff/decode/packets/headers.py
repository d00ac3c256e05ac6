"""What the headers of the link layer, IP and TCP look like, and how to work with one header of many packets at once."""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from eiosniff.model.batch import Buffer, Int64s, LinkType

# Headers as the RFCs draw them. Fields that share an octet with another are named after both.
IPV4: Final = np.dtype(  # RFC 791, section 3.1
    [("version_ihl", "u1"), ("tos", "u1"), ("total_length", ">u2"), ("identification", ">u2"),
     ("flags_fragment_offset", ">u2"), ("time_to_live", "u1"), ("protocol", "u1"), ("checksum", ">u2"),
     ("source", ">u4"), ("destination", ">u4")]
)  # fmt: skip
IPV6: Final = np.dtype(  # RFC 8200, section 3
    [("version_class", "u1"), ("class_flow", "u1"), ("flow", ">u2"), ("payload_length", ">u2"), ("next_header", "u1"),
     ("hop_limit", "u1"), ("source", "S16"), ("destination", "S16")]
)  # fmt: skip
EXTENSION: Final = np.dtype(  # RFC 8200, section 4: what all have in common, and the Fragment header's offset (4.5)
    [("next_header", "u1"), ("length", "u1"), ("fragment_offset_flags", ">u2"), ("rest", ">u4")]
)
TCP: Final = np.dtype(  # RFC 9293, section 3.1
    [("source_port", ">u2"), ("destination_port", ">u2"), ("sequence_number", ">u4"),
     ("acknowledgment_number", ">u4"), ("data_offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("checksum", ">u2"),
     ("urgent_pointer", ">u2")]
)  # fmt: skip
TAG: Final = np.dtype([("control", ">u2"), ("type", ">u2")])  # IEEE 802.1Q, behind the EtherType that announces it
OCTET: Final = np.dtype("u1")
WORD: Final = np.dtype(">u2")
DOUBLE_WORD: Final = np.dtype(">u4")

TYPE_IPV4: Final = 0x0800  # EtherTypes
TYPE_IPV6: Final = 0x86DD
TYPE_TAGS: Final = (0x8100, 0x88A8, 0x9100, 0x9200)  # 802.1Q, 802.1ad, and two that were used before 802.1ad
TYPE_SMALLEST: Final = 0x0600  # smaller values are lengths of 802.3 frames, or Linux's numbers for what is not Ethernet
TYPE_NONE: Final = 0

# Where a link-layer header has its EtherType, and how long it is.
ETHERTYPE_AT: Final[dict[int, tuple[int, int]]] = {
    LinkType.ETHERNET: (12, 14),
    LinkType.LINUX_SLL: (14, 16),
    LinkType.LINUX_SLL2: (0, 20),
}
AF_INET: Final = 2
AF_INET6: Final = (10, 24, 28, 30)  # Linux; NetBSD and OpenBSD, FreeBSD, Darwin
TYPE_OF_VERSION: Final = np.zeros(16, np.int64)
TYPE_OF_VERSION[[4, 6]] = TYPE_IPV4, TYPE_IPV6

PROTOCOL_TCP: Final = 6
PROTOCOL_UDP: Final = 17
UDP_LENGTH: Final = 8  # of its header (RFC 768)
PROTOCOL_FRAGMENT: Final = 44
PROTOCOL_AH: Final = 51
# What may hold TCP: itself, and IPv4, IPv6, GRE and UDP, in which there may be other packets.
MAY_HOLD_TCP: Final = np.isin(np.arange(256), [4, PROTOCOL_TCP, PROTOCOL_UDP, 41, 47])
# Headers that say which header follows: the Authentication Header, which IPv4 has too, and all IPv6 extension headers
# of IANA's registry but ESP, behind which everything is encrypted.
CHAINED_IPV4: Final = np.isin(np.arange(256), [PROTOCOL_AH])
CHAINED_IPV6: Final = np.isin(np.arange(256), [0, 43, PROTOCOL_FRAGMENT, PROTOCOL_AH, 60, 135, 139, 140])


@dataclass(slots=True)
class Layer:
    """One layer of many packets: its header begins at `start` and is of type `protocol`.

    `protocol` is a link type, an EtherType or an IP protocol number, as the layer below has it. Positions are in the
    buffer: of the packet, `captured_end` is where the captured bytes end, `wire_end` where its last byte would be had
    all been captured. Above IP, `ip` is where the IP header begins, and neither end is behind the datagram's.
    """

    row: Int64s
    ip: Int64s
    start: Int64s
    captured_end: Int64s
    wire_end: Int64s
    protocol: Int64s

    def __len__(self) -> int:
        return len(self.row)

    def where(self, mask: npt.NDArray[np.bool_]) -> Self:
        """The packets for which `mask` is true."""
        if mask.all():  # the common case, and worth a shortcut
            return self
        return type(self)(*(getattr(self, column.name)[mask] for column in fields(self)))

    def above(self, start: Int64s, protocol: npt.NDArray[np.integer[Any]]) -> Self:
        """The next layer of the same packets."""
        return replace(self, start=start, protocol=protocol.astype(np.int64, copy=False))


def gather(buffer: Buffer, header: np.dtype[Any], start: Int64s) -> npt.NDArray[Any]:
    """The headers that begin at `start`, as an array of type `header`; all of them must lie in the buffer.

    Every place of the buffer is seen as one of many overlapping strings of the header's size, and the wanted ones are
    picked. (numpy copies strings many times faster than records.)
    """
    if not len(start):
        return np.empty(0, header)
    size = header.itemsize
    strings = np.ndarray((len(buffer) - size + 1,), f"S{size}", buffer, 0, (1,))
    return strings[start].view(header)
