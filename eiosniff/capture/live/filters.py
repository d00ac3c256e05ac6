"""BPF filters, in the language of pcap-filter(7): built from options, checked, and compiled for the kernel.

What a filter by port sees, and what it does not:

- Fragments of an IP datagram after the first have no ports; so do all those of IPv6, as the first one has a header more
  than the filter looks behind. `build` lets fragments of TCP through whatever their port: they are rare.
- On Linux the kernel takes the outer VLAN tag off before filters run, of what comes in and of most that goes out; other
  tags (the inner one of QinQ, or where a card does not insert them) are in the packet. `build` adds a branch for one
  tag, and for two: to capturing programs `vlan` is the outer one wherever it is, for `compiled` it is in the packet.
- What is in a tunnel (VXLAN, GRE, PPPoE, MPLS) is never seen by it: such a capture needs a filter for the tunnel.
"""

import ctypes
import re
import socket
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType

# Longer than any packet, as libpcap has it (bytes): what a filter answers for a packet that it lets through.
_SNAP_LENGTH: Final = 262_144
_UNKNOWN_NETMASK: Final = 0xFFFF_FFFF
# libpcap's own number for packets without a link layer, other than that of the registry.
_DLT_RAW: Final = 12
_MOST_INSTRUCTIONS: Final = 4096  # that the kernel runs (BPF_MAXINSNS)
# So many ports and hosts in all: libpcap takes minutes over thousands, for a program that no kernel runs.
_MOST_NAMED: Final = 100
INSTRUCTION: Final = 8  # bytes

# What the kernel runs, linux/filter.h: instructions; the kinds and modes of those that load from a place in the packet;
# and places that stand for what it knows of a packet.
_INSTRUCTIONS: Final = np.dtype([("code", "=u2"), ("jt", "u1"), ("jf", "u1"), ("k", "=u4")])
_LD, _LDX = 0, 1
_ABS, _IND, _MSH = 0x20, 0x40, 0xA0
_OF_THE_KERNEL: Final = 0xFFFF_F000
_SLL_HEADER: Final = 16  # bytes
_SLL_FIELDS: Final = {0: 4, 14: 0}  # packet type and protocol: where LINUX_SLL and the kernel have them

# An expression that none of these takes is wrong: Ethernet, Wi-Fi in monitor mode, and `any`.
_CHECKED: Final = (LinkType.ETHERNET, 127, LinkType.LINUX_SLL)

_TCP_FRAGMENTS: Final = "(ip[9] = 6 and ip[6:2] & 0x1fff != 0) or (ip6[6] = 44 and ip6[40] = 6)"
# Words after which offsets count from another place, so that no branch can be put around them.
_MOVING: Final = re.compile(r"\b(vlan|mpls|pppoes|pppoed|geneve|vxlan)\b")
_TOKEN: Final = re.compile(r"\s*([\w.:/\\-]+|[<>=!]=|&&|\|\||<<|>>|\S)")
# With one of these behind it, all that begins right becomes a whole expression.
_ENDINGS: Final = ("", " 1", " tcp", " host 192.0.2.1", " 1 = 1", " = 1", " ] = 1", " 1 ] = 1", " 1 ) = 1")

_HELP: Final = "'man pcap-filter' has the language, for example: tcp port 3000 and host 192.0.2.1"


def build(expression: str = "", ports: Sequence[int] = (), hosts: Sequence[str] = (), *, tagged: bool = False) -> str:
    """One expression for all that the user wants: a filter of his own, any of the TCP ports, and any of the hosts.

    Hosts are IPv4 or IPv6 addresses, or names, which are looked up now and once: what a name stands for later is not
    seen. `tagged` adds VLAN-tagged packets; only link types with VLAN tags take that (`devices.has_tags`). Empty when
    there is nothing to filter by. Raises `CaptureError` for a filter, port or host that is none.
    """
    if expression.strip():
        check(expression)  # alone: what is wrong in it must not become right with what is put around it
    for port in ports:
        if not 0 < port < 65_536:
            raise CaptureError(f"there is no TCP port {port}", "ports are from 1 to 65535")
    addresses = list(dict.fromkeys(address for host in hosts for address in _addresses(host)))
    if len(ports) + len(addresses) > _MOST_NAMED:
        raise CaptureError(
            f"{len(ports) + len(addresses)} ports and addresses are too many for a filter, which has room for "
            f"{_MOST_NAMED}",
            "use --filter with 'tcp portrange' and 'net'",
        )
    parts = [f"({expression})"] if expression.strip() else []
    if ports:
        parts.append(f"(tcp port {' or '.join(map(str, dict.fromkeys(ports)))} or {_TCP_FRAGMENTS})")
    if addresses:
        parts.append(f"(host {' or host '.join(addresses)})")
    joined = " and ".join(parts) if len(parts) > 1 else expression.strip() or "".join(parts)
    if tagged and (ports or addresses) and not _MOVING.search(expression):
        return f"({joined}) or (vlan and (({joined}) or (vlan and {joined})))"
    return joined


def _addresses(host: str) -> Iterator[str]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CaptureError(
            f"the host {host!r} is not known: {getattr(error, 'strerror', None) or error}",
            "give its address, or correct the name",
        ) from None
    for family, *_, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            yield str(address[0]).partition("%")[0]  # without the interface of a link-local address


def check(expression: str) -> None:
    """Raises `CaptureError` for an expression that fits no link type, saying where the mistake is.

    Where libpcap is not installed nothing is checked: the capturing program will then say what it thinks.
    """
    try:
        _library()
    except CaptureError:
        return
    wrong: list[CaptureError] = []
    for link_type in _CHECKED:
        try:
            compiled(expression, link_type)
        except CaptureError as error:
            wrong.append(error)
        else:
            return
    raise wrong[0]


@lru_cache(16)  # a socket that is opened again gets the same, without the names in it being looked up again
def compiled(expression: str, link_type: int) -> bytes:
    """The program of an expression, as `struct sock_filter`s (8 bytes each) for packets of a link type.

    As libpcap has it for reading files: a `vlan` in it means tags that are in the packet. Raises `CaptureError` for an
    expression that is none or too long, and where libpcap is not installed.
    """
    program, error = _compile(_library(), expression, link_type)
    if error:
        raise CaptureError(f"the filter {expression!r} {_complaint(expression, link_type, error)}", _HELP)
    if len(program) > _MOST_INSTRUCTIONS * INSTRUCTION:
        raise CaptureError(
            f"the filter takes {len(program) // INSTRUCTION} instructions, and a kernel runs {_MOST_INSTRUCTIONS}",
            "name fewer hosts and ports",
        )
    return program


def cooked(expression: str) -> bytes:
    """As `compiled`, for packets that a kernel hands over without their link layer (packet(7), SOCK_DGRAM).

    libpcap compiles it for packets with a header of LINUX_SLL, which the kernel puts before none. What asks for a field
    of it asks the kernel instead, and all places behind it are nearer.
    """
    program = np.frombuffer(compiled(expression, LinkType.LINUX_SLL), _INSTRUCTIONS).copy()
    kind, mode, place = program["code"] & 7, program["code"] & 0xE0, program["k"]
    loads = ((kind == _LD) & np.isin(mode, (_ABS, _IND))) | ((kind == _LDX) & (mode == _MSH))
    loads &= place < _OF_THE_KERNEL
    behind, before = loads & (place >= _SLL_HEADER), loads & (place < _SLL_HEADER)
    if not np.isin(place[before], list(_SLL_FIELDS)).all():
        raise CaptureError(
            f"the filter {expression!r} looks into the link layer, and packets of this interface come without",
            "filter by IP, TCP or port",
        )
    place[behind] -= _SLL_HEADER
    for field, of_the_kernel in _SLL_FIELDS.items():
        place[before & (place == field)] = _OF_THE_KERNEL + of_the_kernel
    return program.tobytes()


def _library() -> Any:  # scapy's bindings of libpcap have no types
    try:
        from scapy.libs import winpcapy  # noqa: PLC0415  (it looks for libpcap, and need not find it)
    except (ImportError, OSError) as error:
        raise CaptureError(
            f"libpcap, which compiles filters, cannot be loaded: {error}",
            "install it (Debian: apt install libpcap0.8), or capture without --filter, --port and --host",
        ) from None
    return winpcapy


def _compile(library: Any, expression: str, link_type: int) -> tuple[bytes, str]:
    """The program, or what libpcap has against the expression."""
    if "\0" in expression:
        return b"", "holds a zero byte"
    dead = library.pcap_open_dead(_DLT_RAW if link_type == LinkType.RAW else int(link_type), _SNAP_LENGTH)
    program = library.bpf_program()
    try:
        text = ctypes.create_string_buffer(expression.encode("utf-8", "surrogatepass"))
        if library.pcap_compile(dead, ctypes.byref(program), text, 1, _UNKNOWN_NETMASK) != 0:
            return b"", bytes(library.pcap_geterr(dead)).decode("utf-8", "replace")
        instructions = ctypes.string_at(program.bf_insns, program.bf_len * INSTRUCTION)
        library.pcap_freecode(ctypes.byref(program))
        return instructions, ""
    finally:
        library.pcap_close(dead)


def _complaint(expression: str, link_type: int, error: str) -> str:
    if "syntax error" not in error:
        return f"cannot be used: {error}"
    ends = [0, *(token.end() for token in _TOKEN.finditer(expression))]
    # What begins wrong goes on wrong, so that the last right beginning can be searched for by halves.
    wrong = bisect_left(ends, True, key=lambda end: not _begins_right(expression[:end], link_type))
    good = ends[max(wrong - 1, 0)]
    rest = expression[good:].strip()
    if not rest:
        return "is not complete: something is missing at its end"
    return f"is not understood from {rest!r} on"


def _begins_right(start: str, link_type: int) -> bool:
    """Whether an expression may begin so: what libpcap complains of is then never its syntax."""
    library = _library()
    closing = ")" * max(start.count("(") - start.count(")"), 0)
    return any(
        "syntax error" not in _compile(library, f"{start}{ending} {closing}", link_type)[1] for ending in _ENDINGS
    )
