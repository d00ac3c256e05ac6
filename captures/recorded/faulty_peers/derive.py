# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of poor quality, made from a whole one: what a careless recorder would have kept.

Each function takes and returns a classic pcap file of Ethernet and IPv4, as tcpdump writes it on
this machine's byte order; the packets that stay are kept to the byte.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

_FILE_HEADER = 24
_RECORD_HEADER = struct.Struct("=IIII")  # seconds, microseconds, captured and original length
_SNAPLEN_AT = 16  # in the file header
_SERVER_PORT = 3000


@dataclass(frozen=True)
class _Record:
    seconds: int
    microseconds: int
    original_length: int
    data: bytes

    def packed(self) -> bytes:
        head = (self.seconds, self.microseconds, len(self.data), self.original_length)
        return _RECORD_HEADER.pack(*head) + self.data

    @property
    def from_server(self) -> bool:
        return self._word_at(self._tcp_at) == _SERVER_PORT

    @property
    def payload(self) -> bytes:
        end = 14 + self._word_at(16)  # the total length of IP: behind it is Ethernet's padding
        return self.data[self._tcp_at + (self.data[self._tcp_at + 12] >> 4) * 4 : end]

    @property
    def _tcp_at(self) -> int:
        return 14 + (self.data[14] & 15) * 4

    def _word_at(self, offset: int) -> int:
        return int.from_bytes(self.data[offset : offset + 2], "big")


def _split(pcap: bytes) -> tuple[bytes, list[_Record]]:
    records, at = [], _FILE_HEADER
    while at < len(pcap):
        seconds, microseconds, length, original = _RECORD_HEADER.unpack_from(pcap, at)
        at += _RECORD_HEADER.size
        records.append(_Record(seconds, microseconds, original, pcap[at : at + length]))
        at += length
    return pcap[:_FILE_HEADER], records


def _join(header: bytes, records: Iterable[_Record]) -> bytes:
    return header + b"".join(record.packed() for record in records)


def cut_short(pcap: bytes) -> bytes:
    """The file ends in the middle of a record, as after a full disk or a killed tcpdump."""
    header, records = _split(pcap)
    kept = len(records) * 2 // 3
    whole = _join(header, records[:kept])
    return whole + records[kept].packed()[: _RECORD_HEADER.size + len(records[kept].data) // 2]


def with_gap(pcap: bytes) -> bytes:
    """Two segments with data of the server were not captured, in the middle of the session."""
    header, records = _split(pcap)
    data = [i for i, record in enumerate(records) if record.from_server and record.payload]
    lost = data[len(data) // 2 :][:2]
    return _join(header, (record for i, record in enumerate(records) if i not in lost))


def reordered(pcap: bytes) -> bytes:
    """The first two segments with data that the server sent in a row changed places on the way."""
    header, records = _split(pcap)
    full = [record.from_server and bool(record.payload) for record in records]
    i = next(i for i in range(len(records) - 1) if full[i] and full[i + 1])
    one, two = records[i : i + 2]
    records[i : i + 2] = [
        replace(one, data=two.data, original_length=two.original_length),
        replace(two, data=one.data, original_length=one.original_length),
    ]
    return _join(header, records)


def after_handshake(pcap: bytes) -> bytes:
    """The capture began when the WebSocket was open already."""
    header, records = _split(pcap)
    upgraded = next(i for i, r in enumerate(records) if r.payload.startswith(b"HTTP/1.1 101"))
    return _join(header, records[upgraded + 1 :])


def second_half(pcap: bytes) -> bytes:
    """The capture began in the middle of the session: no open packet, no CONNECT."""
    header, records = _split(pcap)
    return _join(header, records[len(records) // 2 :])


def snapped(pcap: bytes, length: int) -> bytes:
    """Of each packet only so many bytes; 96 was tcpdump's default of old."""
    header, records = _split(pcap)
    snaplen = length.to_bytes(4, sys.byteorder)
    header = header[:_SNAPLEN_AT] + snaplen + header[_SNAPLEN_AT + 4 :]
    return _join(header, (replace(record, data=record.data[:length]) for record in records))


def server_only(pcap: bytes) -> bytes:
    """Only what the server sent, as behind an asymmetric route or half of a tap."""
    header, records = _split(pcap)
    return _join(header, (record for record in records if record.from_server))


def client_only(pcap: bytes) -> bytes:
    header, records = _split(pcap)
    return _join(header, (record for record in records if not record.from_server))


def with_statistics(pcap: bytes, dropped: int) -> bytes:
    """The same as pcapng, whose last block says how many packets the operating system dropped."""
    _, records = _split(pcap)
    blocks = [
        _block(0x0A0D0D0A, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(1, struct.pack("=HHI", 1, 0, 262144)),
    ]
    at = (0, 0)
    for record in records:
        at = divmod(record.seconds * 1_000_000 + record.microseconds, 1 << 32)
        head = struct.pack("=IIIII", 0, *at, len(record.data), record.original_length)
        blocks.append(_block(6, head + record.data))
    counters = struct.pack("=HHQ", 4, 8, len(records) + dropped) + struct.pack("=HHQ", 7, 8, dropped)
    blocks.append(_block(5, struct.pack("=III", 0, *at) + counters + bytes(4)))
    return b"".join(blocks)


def dropped(pcap: bytes) -> bytes:
    """Two segments are missing, and the file says that they were dropped."""
    return with_statistics(with_gap(pcap), 2)


def others_dropped(pcap: bytes) -> bytes:
    """Nothing is missing of what is there; what the file says was dropped was something else."""
    return with_statistics(pcap, 2)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + length + body + length
