"""A conversation as bytes to be copied: where its addresses, ports, instants and session ids are.

Copies are made for thousands of clients at once, by column: a copy is a row of bytes, and what differs from copy to
copy is written into columns of those rows.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eiosniff import app
from eiosniff.capture.source import open_source

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]

RECORD_HEADER = 16  # of a packet in a pcap file
ETHERNET = 14
ADDRESSES = ETHERNET + 12  # in a packet: source, then destination, 4 bytes each
MIN_PACKET = ETHERNET + 20 + 20
SYN, ACK = 0x02, 0x10
ID_CHARACTERS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)


@dataclass(slots=True)
class Truth:
    """What eiosniff is to count."""

    packets: int = 0
    connections: int = 0
    sessions: int = 0
    socketio_packets: int = 0

    def add(self, other: "Truth", times: int) -> None:
        """Count so many copies of another."""
        self.packets += other.packets * times
        self.connections += other.connections * times
        self.sessions += other.sessions * times
        self.socketio_packets += other.socketio_packets * times


@dataclass(slots=True)
class Ids:
    """Where characters of session ids are: `at` which byte, `which` id, `index` in it, and the `mask` on that byte."""

    known: list[bytes] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    which: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)

    def find(self, text: bytes, masks: bytes, positions: Int64s, places: Int64s) -> None:
        """Note all ids in the text of one direction, whose bytes `positions` are at `places` of the template."""
        for which, known in enumerate(self.known):
            start = text.find(known)
            while start >= 0:
                inside = np.flatnonzero((positions >= start) & (positions < start + len(known)))
                for position, place in zip(positions[inside].tolist(), places[inside].tolist(), strict=True):
                    self.at.append(place)
                    self.which.append(which)
                    self.index.append(position - start)
                    self.mask.append(masks[position])
                start = text.find(known, start + 1)


class Template:
    """Captured packets of one client and one server (Ethernet, IPv4, TCP), with their record headers."""

    def __init__(self, packets: list[bytes], times_ns: list[int], truth: Truth, ids: list[bytes]) -> None:
        """Raises `ValueError` for packets that cannot be copied."""
        self.truth = truth
        self.times_ns = np.array(times_ns, np.int64) - times_ns[0]
        self.data, self.starts, self.lengths = records(packets)
        self._segments = [_Segment(packet, int(start)) for packet, start in zip(packets, self.starts, strict=True)]
        clients = {segment.ends[0][:4] for segment in self._segments if segment.flags & (SYN | ACK) == SYN}
        if len(clients) != 1:
            raise ValueError(f"there must be one client, not {len(clients)}")
        self._client = clients.pop()
        self.ids = Ids(ids)
        self._find_ids()

    def _find_ids(self) -> None:
        """Session ids in all streams; those in WebSocket frames of the client are masked."""
        flows: dict[tuple[bytes, bytes], list[_Segment]] = {}
        for segment in self._segments:
            if segment.size:
                flows.setdefault(segment.ends, []).append(segment)
        for segments in flows.values():
            positions, places = _bytes_of(segments)
            text = self._text(positions, places)
            masks = bytes(len(text))
            if segments[0].ends[0][:4] == self._client:
                masks = _masks(text)
                text = bytes(np.frombuffer(text, np.uint8) ^ np.frombuffer(masks, np.uint8))
            self.ids.find(text, masks, positions, places)

    def _text(self, positions: Int64s, places: Int64s) -> bytes:
        """What was said in one direction."""
        text = np.zeros(positions.max() + 1, np.uint8)
        known = np.zeros(len(text), np.bool_)
        text[positions[::-1]] = self.data[places[::-1]]  # of what was sent twice, the first counts
        known[positions] = True
        if not known.all():
            raise ValueError("a recording with gaps cannot be copied")
        return text.tobytes()

    def fill(
        self,
        rows: Bytes,
        starts_ns: Int64s,
        first_client: int,
        server: int,
        rng: np.random.Generator,
        *,
        one_client: bool = False,
        before: int = 0,
    ) -> Int64s:
        """Write a copy into each row, and give the instants of all packets, row by row.

        The copies begin at `starts_ns`; their clients have addresses from `first_client` on, or all have that one.
        Ports go on from those of the copies that were made `before`.
        """
        copies = len(rows)
        rows[:] = self.data
        times = starts_ns[:, None] + self.times_ns
        rows[:, (self.starts[:, None] + np.arange(8)).ravel()] = stamps(times).reshape(copies, -1)
        addresses = first_client + np.arange(copies) * (not one_client)
        clients = addresses.astype(">u4")[:, None].view(np.uint8)
        server_address = np.array([server], ">u4").view(np.uint8)
        for segment in self._segments:
            way = 0 if segment.ends[0][:4] == self._client else 1
            address, port = segment.addresses_at + 4 * way, segment.ports_at + 2 * way
            rows[:, address : address + 4] = clients
            other = segment.addresses_at + 4 * (1 - way)
            rows[:, other : other + 4] = server_address
            known = int.from_bytes(segment.ends[way][4:])
            ports = (1024 + (known - 1024 + 61 * np.arange(before, before + copies)) % 64512).astype(">u2")
            rows[:, port : port + 2] = ports[:, None].view(np.uint8)
        if self.ids.at:
            self._fill_ids(rows, rng)
        return times

    def _fill_ids(self, rows: Bytes, rng: np.random.Generator) -> None:
        """Each id of each copy gets random characters, of which the last six are the number of the copy."""
        copies, longest = len(rows), max(map(len, self.ids.known))
        new = ID_CHARACTERS[rng.integers(len(ID_CHARACTERS), size=(copies, len(self.ids.known), longest))]
        for which, known in enumerate(self.ids.known):
            number = np.arange(copies) + copies * which
            for place in range(6):
                new[:, which, len(known) - 1 - place] = ID_CHARACTERS[number % len(ID_CHARACTERS)]
                number = number // len(ID_CHARACTERS)
        rows[:, self.ids.at] = new[:, self.ids.which, self.ids.index] ^ np.array(self.ids.mask, np.uint8)


class _Segment:
    """Where the parts of one captured packet are in the template. `ends` are address and port of both."""

    def __init__(self, packet: bytes, start: int) -> None:
        if len(packet) < MIN_PACKET or packet[12:14] != b"\x08\x00" or packet[23] != 6:
            raise ValueError("only TCP over IPv4 over Ethernet can be copied")
        tcp = ETHERNET + 4 * (packet[ETHERNET] & 15)
        payload = tcp + 4 * (packet[tcp + 12] >> 4)
        self.size = ETHERNET + int.from_bytes(packet[ETHERNET + 2 : ETHERNET + 4]) - payload
        self.flags = packet[tcp + 13]
        self.sequence = int.from_bytes(packet[tcp + 4 : tcp + 8])
        self.ends = (
            packet[ADDRESSES : ADDRESSES + 4] + packet[tcp : tcp + 2],
            packet[ADDRESSES + 4 : ADDRESSES + 8] + packet[tcp + 2 : tcp + 4],
        )
        start += RECORD_HEADER
        self.addresses_at, self.ports_at, self.payload_at = start + ADDRESSES, start + tcp, start + payload


def records(packets: list[bytes]) -> tuple[Bytes, Int64s, Int64s]:
    """Packets as they are in a pcap file, with headers that lack the instants; where each record is, and its length."""
    lengths = np.array([len(packet) for packet in packets], np.int64) + RECORD_HEADER
    header = np.zeros((len(packets), 4), "<u4")
    header[:, 2] = header[:, 3] = lengths - RECORD_HEADER
    data = b"".join(part for pair in zip(map(bytes, header), packets, strict=True) for part in pair)
    return np.frombuffer(data, np.uint8), np.cumsum(lengths) - lengths, lengths


def stamps(times_ns: Int64s) -> Bytes:
    """Instants as the first eight bytes of a record's header."""
    seconds, rest = np.divmod(times_ns, 1_000_000_000)
    return np.stack([seconds, rest // 1000], axis=-1).astype("<u4").view(np.uint8)


def _bytes_of(segments: list[_Segment]) -> tuple[Int64s, Int64s]:
    """All bytes of one direction: their positions in the stream, and their places in the template."""
    first = segments[0].sequence
    begins = [(segment.sequence - first + 2**31) % 2**32 - 2**31 for segment in segments]
    lowest = min(begins)
    positions = [np.arange(at - lowest, at - lowest + each.size) for at, each in zip(begins, segments, strict=True)]
    places = [np.arange(segment.payload_at, segment.payload_at + segment.size) for segment in segments]
    return np.concatenate(positions), np.concatenate(places)


def _masks(text: bytes) -> bytes:
    """The mask on each byte that a client sent: 0, but for the payload of WebSocket frames."""
    masks = bytearray(len(text))
    pos = text.find(b"\r\n\r\n") + 4
    if b"\r\nupgrade: websocket\r\n" not in text[:pos].lower():
        return bytes(masks)
    while pos + 2 <= len(text):
        size, head = text[pos + 1] & 127, 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(text[pos + 2 : pos + head])
        if not text[pos + 1] & 128:
            raise ValueError("a client sent a frame without a mask")
        key = text[pos + head : pos + head + 4]
        pos += head + 4
        masks[pos : pos + size] = (key * (size // 4 + 1))[:size]
        pos += size
    return bytes(masks[: len(text)])


def recorded(path: Path) -> Template:
    """The template of a recording. The truth is the peers' own log where there is one, else what eiosniff counts."""
    report = app.analyze([str(path)], app.Options())
    ids = [session.sid.encode() for session in report.sessions if session.sid]
    for session in report.sessions:
        ids += [namespace.socket_id.encode() for namespace in session.namespaces.values() if namespace.socket_id]
    packets: list[bytes] = []
    times_ns: list[int] = []
    with open_source(str(path)) as source:
        for batch in source.batches():
            view = memoryview(batch.buffer)
            for offset, size in zip(batch.offset.tolist(), batch.captured.tolist(), strict=True):
                packets.append(bytes(view[offset : offset + size]))
            times_ns += batch.ts_ns.tolist()
    truth = Truth(len(packets), report.connections, report.sessions_total)
    log = path.with_name(path.name.partition(".pcap")[0] + ".truth.jsonl")
    if log.exists():
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        truth.socketio_packets = sum("type" in line for line in lines)
    else:
        counts: Counter[str] = Counter()
        for session in report.sessions:
            for side in session.socketio_counts:
                counts.update(side)
        truth.socketio_packets = counts.total()
    return Template(packets, times_ns, truth, list(dict.fromkeys(ids)))
