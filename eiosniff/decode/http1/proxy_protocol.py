"""The header by which a proxy tells a server for whom it connects, before the first byte of the client: the PROXY
protocol, version 1 (a line) and 2 (binary), as the specification of haproxy has it (doc/proxy-protocol.txt)."""

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import CLIENT, NO_PACKET, Endpoint

# Section 2.1: a line ended by CRLF, of at most 107 characters with it. What follows UNKNOWN is to be ignored.
_V1: Final = b"PROXY "
_V1_LIMIT: Final = 107
_V1_LINE: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) ([0-9A-Fa-f:.]+) [0-9A-Fa-f:.]+ ([0-9]{1,5}) [0-9]{1,5})\r\n"
)
# Section 2.2: a signature, version and command, family and protocol, the length of what follows.
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED: Final = 16
_LOCAL: Final = 0  # the proxy itself connects, such as for a health check
_PROXY: Final = 1
_INET: Final = 1
_INET6: Final = 2
_ADDRESSES: Final = {0: 0, _INET: 12, _INET6: 36, 3: 216}  # bytes, by family; extensions (TLVs) follow them


@final
@mypyc_attr(acyclic=True)
class ProxyHeader:
    """A header in bytes `[start, end)` of the client's direction; `place` is the packet with the first of them.

    `source` is the address of the real client, None where the header names none (the proxy connects for itself, or does
    not know). `wrong` is what departs from the specification, empty if nothing does.
    """

    __slots__ = ("end", "place", "side", "source", "start", "wrong")

    def __init__(self, length: int, source: Endpoint | None, wrong: str) -> None:
        self.side = CLIENT
        self.start = 0
        self.end = length
        self.place = NO_PACKET
        self.source = source
        self.wrong = wrong


class NoProxyHeader(Enum):
    """Why there is no header."""

    YET = "it may become one when more bytes come"
    HERE = "something else"


def proxy_header(data: bytes) -> ProxyHeader | NoProxyHeader:
    """The header with which the bytes begin (there is at least one), as far as its end can be told."""
    if data.startswith(_V1):
        return _version_1(data)
    if data.startswith(_V2):
        return _version_2(data)
    return NoProxyHeader.YET if _V1.startswith(data) or _V2.startswith(data) else NoProxyHeader.HERE


def _version_1(data: bytes) -> ProxyHeader | NoProxyHeader:
    end = data.find(b"\n", 0, _V1_LIMIT) + 1
    if not end:
        return NoProxyHeader.YET if len(data) < _V1_LIMIT else NoProxyHeader.HERE
    match = _V1_LINE.fullmatch(data, 0, end)
    if match is None:
        return ProxyHeader(end, None, "PROXY TCP4, TCP6 or UNKNOWN, two addresses, two ports, CRLF")
    if match[1] is None:
        return ProxyHeader(end, None, "")
    address, port = match[2].decode(), int(match[3])
    try:
        shown = str(IPv4Address(address)) if match[1] == b"4" else str(IPv6Address(address))
    except ValueError:
        return ProxyHeader(end, None, f"an address of TCP{match[1].decode()}")
    if port > 0xFFFF:
        return ProxyHeader(end, None, "a port up to 65535")
    return ProxyHeader(end, Endpoint(shown, port), "")


def _version_2(data: bytes) -> ProxyHeader | NoProxyHeader:
    if len(data) < _V2_FIXED:
        return NoProxyHeader.YET
    length = int.from_bytes(data[14:16], "big")
    end = _V2_FIXED + length
    if len(data) < end:
        return NoProxyHeader.YET
    version, command, family = data[12] >> 4, data[12] & 0x0F, data[13] >> 4
    if version != 2 or command > _PROXY:
        return ProxyHeader(end, None, "version 2, LOCAL or PROXY")
    if command == _LOCAL:
        return ProxyHeader(end, None, "")
    if family not in _ADDRESSES or length < _ADDRESSES[family]:
        return ProxyHeader(end, None, "the addresses of a known family")
    if family == _INET:
        return ProxyHeader(end, Endpoint(str(IPv4Address(data[16:20])), int.from_bytes(data[24:26], "big")), "")
    if family == _INET6:
        return ProxyHeader(end, Endpoint(str(IPv6Address(data[16:32])), int.from_bytes(data[48:50], "big")), "")
    return ProxyHeader(end, None, "")
