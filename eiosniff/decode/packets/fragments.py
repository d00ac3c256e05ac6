"""Reassembly of fragmented IP datagrams (RFC 791, section 3.2; RFC 8200, section 4.5).

Fragments are rare, so this is plain Python, a fragment at a time. A complete datagram comes out as an *unfragmented IP
packet*, which the caller decodes like any other. Which bytes are still missing is kept as a list of holes (RFC 815):
only holes are filled, so where fragments overlap the first wins. RFC 8200 would throw such datagrams away, but a
bystander that does so sees less than a host which does not.
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Final, NamedTuple

from eiosniff.decode.packets.headers import PROTOCOL_UDP
from eiosniff.decode.packets.tunnels import is_tunnel_port

MAX_DATAGRAMS: Final = 1024
MAX_BYTES: Final = 16 << 20
TIMEOUT_NS: Final = 30 * 10**9  # what Linux allows (net.ipv4.ipfrag_time); RFC 791 proposes 15 s, RFC 8200 says 60 s
MAX_LENGTH: Final = 0xFFFF  # both length fields have 16 bits

_BOOKKEEPING: Final = 128  # about what a piece weighs in Python besides its bytes, so that tiny ones count as well

_hole_start = itemgetter(0)
_hole_end = itemgetter(1)


class Fragment(NamedTuple):
    """One fragment: `data` is `[start, start + len(data))` of the datagram's payload, `more` the MF flag.

    `key` tells datagrams apart; `header` is the IP header that the whole datagram has if this is its first fragment;
    `protocol` the number of what it carries.
    """

    key: bytes
    header: bytes
    start: int
    data: bytes
    more: bool
    protocol: int


def ipv4_fragment(packet: bytes, header_length: int) -> Fragment | None:
    """What a captured IPv4 packet is a fragment of; None if its header cannot be true."""
    flags_and_offset = int.from_bytes(packet[6:8])
    # Source, destination, protocol and identification (RFC 791). No total length: zero says "to the packet's end".
    key = packet[12:20] + packet[9:10] + packet[4:6]
    header = packet[:2] + b"\0\0" + packet[4:6] + b"\0\0" + packet[8:header_length]
    start, more = (flags_and_offset & 0x1FFF) * 8, bool(flags_and_offset & 0x2000)
    return _checked(Fragment(key, header, start, packet[header_length:], more, packet[9]))


def ipv6_fragment(packet: bytes, at: int) -> Fragment | None:
    """What a captured IPv6 packet, whose Fragment header begins at `at`, is a fragment of; None if that is nonsense.

    Extension headers before the Fragment header only matter on the way; the whole datagram goes without them.
    """
    flags_and_offset = int.from_bytes(packet[at + 2 : at + 4])
    key = packet[8:40] + packet[at + 4 : at + 8]
    header = packet[:4] + b"\0\0" + packet[at : at + 1] + packet[7:40]
    start, more = flags_and_offset & 0xFFF8, bool(flags_and_offset & 1)
    return _checked(Fragment(key, header, start, packet[at + 8 :], more, packet[at]))


def _checked(fragment: Fragment) -> Fragment | None:
    length = len(fragment.data)
    if length == 0 or fragment.start + length > MAX_LENGTH or (fragment.more and length % 8):
        return None
    return fragment


class _Datagram:
    """What is there of a datagram, and the holes `(start, end)` in it, in order."""

    __slots__ = ("end", "header", "holes", "pieces", "since_ns", "weight")

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.header = b""
        self.pieces: list[tuple[int, bytes]] = []
        self.holes = [(0, MAX_LENGTH)]
        self.end = MAX_LENGTH
        self.weight = _BOOKKEEPING

    def fill(self, fragment: Fragment) -> None:
        start, data = fragment.start, fragment.data
        end = start + len(data)
        if start == 0 and not self.header:
            self.header = fragment.header
        first = bisect_right(self.holes, start, key=_hole_end)
        last = bisect_left(self.holes, end, first, key=_hole_start)
        left: list[tuple[int, int]] = []
        for hole_start, hole_end in self.holes[first:last]:
            piece_start, piece_end = max(hole_start, start), min(hole_end, end)
            self.pieces.append((piece_start, data[piece_start - start : piece_end - start]))
            self.weight += piece_end - piece_start + _BOOKKEEPING
            if hole_start < piece_start:
                left.append((hole_start, piece_start))
            if piece_end < hole_end:
                left.append((piece_end, hole_end))
        self.holes[first:last] = left
        if not fragment.more:  # the datagram ends here: nothing is missing behind it, and what came is not part of it
            self.end = min(self.end, end)
            del self.holes[bisect_left(self.holes, end, key=_hole_start) :]

    def packet(self) -> bytes:
        return self.header + b"".join(data for _, data in sorted(self.pieces))[: self.end]


class Reassembler:
    """Takes fragments in capture order and gives back datagrams; what it keeps is bounded in number, bytes and time.

    `abandoned` counts the datagrams that were given up before they were complete.
    """

    def __init__(self) -> None:
        self.abandoned = 0
        self._pending: dict[bytes, _Datagram] = {}  # the oldest first
        self._weight = 0

    def wants(self, fragment: Fragment) -> bool:
        """Whether its datagram may have TCP in it: UDP does only in tunnels, and its ports are in the first fragment.

        So of a tunnel over UDP whose fragments come out of order, those before the first are lost.
        """
        if fragment.protocol != PROTOCOL_UDP:
            return True
        if fragment.start:
            return fragment.key in self._pending
        return is_tunnel_port(int.from_bytes(fragment.data[2:4]))

    def add(self, fragment: Fragment, ts_ns: int) -> bytes | None:
        """Take the next fragment; the whole datagram as an IP packet, if this completes it."""
        while self._pending and ts_ns - next(iter(self._pending.values())).since_ns > TIMEOUT_NS:
            self._abandon_oldest()
        datagram = self._pending.get(fragment.key)
        if datagram is None:
            datagram = self._pending[fragment.key] = _Datagram(ts_ns)
        else:
            self._weight -= datagram.weight
        datagram.fill(fragment)
        if not datagram.holes:
            del self._pending[fragment.key]
            return datagram.packet()
        self._weight += datagram.weight
        while len(self._pending) > MAX_DATAGRAMS or self._weight > MAX_BYTES:
            self._abandon_oldest()
        return None

    def _abandon_oldest(self) -> None:
        oldest = self._pending.pop(next(iter(self._pending)))
        self._weight -= oldest.weight
        self.abandoned += 1
