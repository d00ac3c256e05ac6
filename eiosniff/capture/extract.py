"""A capture of only what another program is to decrypt.

Captured packets are not copied: what TCP reassembly made of them is written as packets of IPv4 with no link layer, so
that tunnels, fragments, repeats and disorder are settled once and in one way, and tshark numbers what it reads as we
do. Addresses are made up, one client for each connection: real ones would not fit (IPv6), and nobody needs them.
"""

import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eiosniff.capture.writer import PcapngWriter
from eiosniff.errors import EiosniffError
from eiosniff.model.batch import LinkType, PacketBatch
from eiosniff.model.outside import OutsideConnection, OutsidePacket

# tshark reads some thousand packets a second: with these a report is late, with more nobody would wait for it.
MAX_PACKETS = 500_000
MAX_BYTES = 1 << 30

_HTTPS = 443  # makes tshark look for TLS, and QUIC, in the first packet
_TCP, _UDP = 6, 17
_IPV4_HEADER, _TCP_HEADER, _UDP_HEADER = 20, 20, 8
_LARGEST = 0xFFFF
_MOST_TCP = _LARGEST - _IPV4_HEADER - _TCP_HEADER
_MOST_UDP = _LARGEST - _IPV4_HEADER - _UDP_HEADER
_SEQUENCE_NUMBERS = 1 << 32
_FIRST_PORT, _PORTS = 1024, 60_000
_PSH_ACK = 0x18
_CLIENTS, _SERVERS = 10 << 24, 11 << 24  # 10.0.0.0 and 11.0.0.0
_MOST_ADDRESSES = 1 << 24


class Origin(NamedTuple):
    """What a packet of the extract was made from."""

    number: int
    ts_ns: int
    connection: OutsideConnection
    from_client: bool


class Extract:
    """Writes such a capture. `full` says that there was more than is written; `connections` are in it."""

    def __init__(self, path: Path) -> None:
        """`path` is made now, readable by its owner alone. Raises `EiosniffError` where that is not possible."""
        self.full = False
        self.connections: list[OutsideConnection] = []
        self._writer = PcapngWriter(str(path), "eiosniff")
        self._numbers = array("q")
        self._times = array("q")
        self._whose = array("q")  # index of the connection times 2, plus 1 from the client
        self._index: dict[OutsideConnection, int] = {}
        self._servers: dict[object, int] = {}
        self._said: dict[tuple[int, bool], int] = {}  # how far each direction of TCP is
        self._size = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def write(self, packets: Sequence[OutsidePacket]) -> None:
        """Add these packets. Raises `EiosniffError` when there is no room for them on the disk."""
        frames: list[bytes] = []
        begun = len(self._numbers)
        for packet in packets:
            if len(self._numbers) >= MAX_PACKETS or self._size >= MAX_BYTES:
                self.full = True
                break
            frames += self._frames(packet)
        if frames:
            self._writer.write(_batch(frames, begun + 1, self._times[begun:]))
        if self._writer.problem:
            raise EiosniffError(
                f"what is to be decrypted does not fit into the temporary folder: {self._writer.problem}",
                "make room there, or name another one in TMPDIR",
            )

    def close(self) -> None:
        """No more packets come."""
        self._writer.close()

    def origin(self, frame: int) -> Origin | None:
        """What a packet of the extract (1 is the first) was made from; None if there is no such packet."""
        at = frame - 1
        if not 0 <= at < len(self._numbers):
            return None
        whose = self._whose[at]
        return Origin(self._numbers[at], self._times[at], self.connections[whose >> 1], bool(whose & 1))

    def _frames(self, packet: OutsidePacket) -> list[bytes]:
        connection = packet.connection
        index = self._index.get(connection)
        if index is None:
            index = self._index[connection] = len(self.connections)
            self.connections.append(connection)
        client = _CLIENTS + index // _PORTS % _MOST_ADDRESSES, _FIRST_PORT + index % _PORTS
        servers = self._servers
        server = _SERVERS + servers.setdefault(connection.server, len(servers)) % _MOST_ADDRESSES, _HTTPS
        source, destination = (client, server) if packet.from_client else (server, client)
        data = packet.data
        if connection.quic:
            if len(data) > _MOST_UDP:
                return []
            frames = [_udp(source, destination, data)]
        else:
            acknowledged = self._said.get((index, not packet.from_client), 0)
            frames = [
                _tcp(source, destination, packet.offset + start, acknowledged, data[start : start + _MOST_TCP])
                for start in range(0, len(data), _MOST_TCP)
            ]
            self._said[index, packet.from_client] = packet.offset + len(data)
        for frame in frames:
            self._numbers.append(packet.number)
            self._times.append(packet.ts_ns)
            self._whose.append(index << 1 | packet.from_client)
            self._size += len(frame)
        return frames


_End = tuple[int, int]


def _ipv4(source: _End, destination: _End, protocol: int, size: int) -> bytes:
    return struct.pack(
        ">BBHHHBBHII", 0x45, 0, _IPV4_HEADER + size, 0, 0x4000, 64, protocol, 0, source[0], destination[0]
    )


def _tcp(source: _End, destination: _End, offset: int, acknowledged: int, data: bytes) -> bytes:
    seq, ack = (1 + offset) % _SEQUENCE_NUMBERS, (1 + acknowledged) % _SEQUENCE_NUMBERS
    ports = source[1], destination[1]
    header = struct.pack(">HHIIBBHHH", *ports, seq, ack, _TCP_HEADER // 4 << 4, _PSH_ACK, _LARGEST, 0, 0)
    return _ipv4(source, destination, _TCP, _TCP_HEADER + len(data)) + header + data


def _udp(source: _End, destination: _End, data: bytes) -> bytes:
    size = _UDP_HEADER + len(data)
    return _ipv4(source, destination, _UDP, size) + struct.pack(">HHHH", source[1], destination[1], size, 0) + data


def _batch(frames: Sequence[bytes], first: int, times_ns: "array[int]") -> PacketBatch:
    lengths = np.array([len(frame) for frame in frames], np.int64)
    numbers = np.arange(first, first + len(frames), dtype=np.int64)
    link_type = np.full(len(frames), LinkType.RAW, np.int64)
    offset = lengths.cumsum() - lengths
    return PacketBatch(numbers, np.array(times_ns, np.int64), offset, lengths, lengths, link_type, b"".join(frames))
