# SPDX-License-Identifier: GPL-2.0-or-later
"""Other recordings as a careless recorder, or a bad place to record at, would have kept them.

Reads and writes classic pcap files of Ethernet and IPv4 with microseconds, as tcpdump writes them
here. Packets that stay are kept to the byte, but for those of a smaller snap length.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from peers.healthy_wire import read

from variant_peers.stage import PORT, Made, Scenario

VARIANTS = Path(__file__).resolve().parents[1]
FILE_HEADER = 24
RECORD_HEADER = struct.Struct("=IIII")  # seconds, microseconds, captured and original length
SYN, RST = 0x02, 0x04
WINDOW_S = 0.005  # how far apart what is reordered was sent


@dataclass(frozen=True)
class Record:
    time: float
    head: tuple[int, int, int, int]
    data: bytes

    @property
    def tcp_at(self) -> int:
        return 14 + (self.data[14] & 15) * 4

    @property
    def ports(self) -> tuple[int, int]:
        source, target = struct.unpack_from(">HH", self.data, self.tcp_at)
        return source, target

    @property
    def flags(self) -> int:
        return self.data[self.tcp_at + 13]

    @property
    def payload(self) -> bytes:
        end = 14 + int.from_bytes(self.data[16:18], "big")
        return self.data[self.tcp_at + (self.data[self.tcp_at + 12] >> 4) * 4 : end]

    @property
    def from_server(self) -> bool:
        return self.ports[0] == PORT

    def packed(self) -> bytes:
        return RECORD_HEADER.pack(*self.head) + self.data


def split(pcap: bytes) -> tuple[bytes, list[Record]]:
    records, at = [], FILE_HEADER
    while at < len(pcap):
        head = RECORD_HEADER.unpack_from(pcap, at)
        at += RECORD_HEADER.size
        records.append(Record(head[0] + head[1] / 1e6, head, pcap[at : at + head[2]]))
        at += head[2]
    return pcap[:FILE_HEADER], records


def join(header: bytes, records: list[Record]) -> bytes:
    return header + b"".join(record.packed() for record in records)


def lost(pcap: bytes, dice: random.Random) -> bytes:
    """6 % of the segments with data were not recorded; the first exchange is there."""
    header, records = split(pcap)
    kept = [r for i, r in enumerate(records) if i < 8 or not r.payload or dice.random() >= 0.06]
    return join(header, kept)


def runs(records: list[Record]) -> Iterator[list[int]]:
    """Numbers of segments with data of one direction, close together and without an answer."""
    under_way: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        if not record.payload:
            continue
        connection = tuple(sorted(record.ports))
        run = under_way[connection]
        first = records[run[0]] if run else record
        if first.ports != record.ports or record.time - first.time > WINDOW_S:
            yield run
            under_way[connection] = run = []
        run.append(number)
    yield from under_way.values()


def reordered(pcap: bytes, dice: random.Random) -> bytes:
    """Segments that were sent within 5 ms arrived in another order."""
    header, records = split(pcap)
    arrived = list(records)
    changed = 0
    for run in runs(records):
        order = list(run)
        dice.shuffle(order)
        changed += order != run
        for place, number in zip(run, order, strict=True):
            seconds, microseconds = records[place].head[:2]
            came = records[number]
            head = (seconds, microseconds, *came.head[2:])
            arrived[place] = Record(records[place].time, head, came.data)
    if not changed:
        raise ValueError("nothing to reorder")
    return join(header, arrived)


def duplicated(pcap: bytes, dice: random.Random) -> bytes:
    """A third of the packets is there twice, as where two interfaces are recorded."""
    header, records = split(pcap)
    return join(header, [r for each in records for r in [each] * (1 + (dice.random() < 0.33))])


def snapped(length: int) -> Callable[[bytes, random.Random], bytes]:
    def snap(pcap: bytes, _: random.Random) -> bytes:
        header, records = split(pcap)
        header = header[:16] + struct.pack("=I", length) + header[20:]
        short = [Record(r.time, (*r.head[:2], min(length, r.head[2]), r.head[3]), r.data[:length]) for r in records]
        return join(header, short)

    return snap


def one_way(from_server: bool) -> Callable[[bytes, random.Random], bytes]:
    def keep(pcap: bytes, _: random.Random) -> bytes:
        header, records = split(pcap)
        return join(header, [r for r in records if r.from_server is from_server])

    return keep


def stopped(pcap: bytes, _: random.Random) -> bytes:
    """The file ends in the middle of a record."""
    header, records = split(pcap)
    kept = len(records) * 2 // 3
    whole = join(header, records[:kept])
    return whole + records[kept].packed()[: RECORD_HEADER.size + len(records[kept].data) // 2]


DAMAGES: dict[str, tuple[Callable[[bytes, random.Random], bytes], str]] = {
    "lost": (lost, "atmost_truth"),
    "reordered": (reordered, "truth"),
    "duplicated": (duplicated, "truth"),
    "snaplen-96": (snapped(96), "atmost_truth"),
    "snaplen-300": (snapped(300), "atmost_truth"),
    "client-only": (one_way(False), "atmost_truth"),
    "server-only": (one_way(True), "atmost_truth"),
    "stopped": (stopped, "atmost_truth"),
}


def captured(source: Path) -> bytes:
    content = source.read_bytes()
    return gzip.decompress(content) if source.suffix == ".gz" else content


def truth_of(source: Path) -> Path:
    return source.with_name(source.name.partition(".pcap")[0] + ".truth.jsonl")


def damage(scenario: Scenario, folder: Path) -> Made:
    """The source that `more` names, damaged; the truth is that of the source."""
    source = VARIANTS / scenario.more["source"]
    change, kind = DAMAGES[scenario.variant]
    capture = folder / f"{scenario.name}.pcap"
    capture.write_bytes(change(captured(source), random.Random(scenario.name)))
    truth = folder / f"{scenario.name}.{kind.replace('_', '-')}.jsonl"
    truth.write_bytes(truth_of(source).read_bytes())
    return Made(capture, {kind: truth})


def at_frames(records: list[Record]) -> bool:
    """Whether both directions of the one connection, WebSocket, end with a whole frame."""
    for from_server in (False, True):
        data = b"".join(r.payload for r in records if r.from_server is from_server)
        at = data.find(b"\r\n\r\n") + 4
        if at < 4:
            return False
        while at + 2 <= len(data):
            length, masked = data[at + 1] & 0x7F, data[at + 1] >> 7
            width = {126: 2, 127: 8}.get(length, 0)
            if width:
                length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
            at += 2 + width + 4 * masked + length
        if at != len(data):
            return False
    return True


def first_after(records: list[Record], place: str, whole: Callable[[list[Record]], bool]) -> int:
    """The number of the first record that is kept.

    `quiet`: behind the longest silence. `half`, `late`: between frames of WebSocket, with a half or a
    quarter of the data to come. `poll`: behind the longest silence, when the poll that waited was
    answered and before the next connection. `frame`: behind the last full segment of the server, in
    the middle of a frame. `whole` says whether a head ends between Socket.IO packets.
    """
    gaps = [(b.time - a.time, i + 1) for i, (a, b) in enumerate(itertools.pairwise(records))]
    behind = max(gaps)[1]
    if place == "quiet":
        return behind
    if place == "poll":
        return next(i for i in range(behind, len(records)) if records[i].flags & SYN)
    if place == "frame":
        full = [i for i in range(behind) if records[i].from_server and len(records[i].payload) >= 1448]
        return next(i for i in range(full[-1] + 1, len(records)) if records[i].payload)
    total = sum(len(record.payload) for record in records[:behind])
    wanted = total * {"half": 2, "late": 3}[place] // 4
    seen = 0
    for number, record in enumerate(records):
        head = records[:number]
        if seen >= wanted and record.payload and at_frames(head) and whole(head):
            return number
        seen += len(record.payload)
    raise ValueError("nowhere to cut")


def begin_late(scenario: Scenario, folder: Path) -> Made:
    """The source without its beginning, and the truth without what began before the cut."""
    source = VARIANTS / scenario.more["source"]
    header, records = split(captured(source))
    kind = scenario.truth

    def sent(head: list[Record]) -> dict[str, int]:
        (folder / "head.pcap").write_bytes(join(header, head))
        packets = read(folder / "head.pcap", PORT).packets
        return {side: len(packets[side]) for side in ("client", "server")}

    def whole(head: list[Record]) -> bool:
        try:
            return kind != "truth" or bool(sent(head))
        except (RuntimeError, ValueError):  # between a packet and its attachments
            return False

    cut = first_after(records, scenario.more["place"], whole)
    keep = records[cut:]
    if "from_server" in scenario.more:
        keep = [r for r in keep if r.from_server is scenario.more["from_server"]]
    capture = folder / f"{scenario.name}.pcap"
    capture.write_bytes(join(header, keep))
    lines = truth_of(source).read_text().splitlines()
    if kind == "truth":
        if scenario.more["place"] == "frame":
            before = next(i for i in range(cut, 0, -1) if at_frames(records[:i]))
            gone = sent(records[:before])
            gone["server"] += 1  # the packet that is cut
        else:
            gone = sent(records[:cut])
        left = []
        for line in lines:
            side = json.loads(line)["side"]
            gone[side] -= 1
            if gone[side] < 0:
                left.append(line)
        if "from_server" in scenario.more:
            wanted = "server" if scenario.more["from_server"] else "client"
            left = [line for line in left if json.loads(line)["side"] == wanted]
        lines = left
    truth = folder / f"{scenario.name}.{kind.replace('_', '-')}.jsonl"
    truth.write_text("".join(line + "\n" for line in lines))
    return Made(capture, {kind: truth})
