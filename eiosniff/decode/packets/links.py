"""Names of link-layer header types, as the tcpdump.org registry spells them (LINKTYPE_...)."""

from typing import Final

_NAMES: Final = {
    0: "NULL", 1: "ETHERNET", 9: "PPP", 12: "RAW", 14: "RAW", 50: "PPP_HDLC", 51: "PPP_ETHER", 101: "RAW",
    104: "C_HDLC", 105: "IEEE802_11", 108: "LOOP", 113: "LINUX_SLL", 119: "IEEE802_11_PRISM",
    127: "IEEE802_11_RADIOTAP", 147: "USER0", 163: "IEEE802_11_AVS", 192: "PPI", 195: "IEEE802_15_4",
    220: "USB_LINUX_MMAPPED", 228: "IPV4", 229: "IPV6", 239: "NFLOG", 252: "WIRESHARK_UPPER_PDU", 276: "LINUX_SLL2",
}  # fmt: skip


def link_name(link_type: int) -> str:
    """The name of a link type, or its number."""
    return _NAMES.get(link_type, str(link_type))
