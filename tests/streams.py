"""TCP and the stack as tests look at them: crafted segments, a listener of `FlowTable`, ledgers as plain values."""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from eiosniff.capture.source import open_source
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Record
from eiosniff.decode.packets.decoder import TcpSegments
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp.flow import Flow, StreamReader
from eiosniff.decode.tcp.segments import ACK, FIN, RST, SYN
from eiosniff.decode.tcp.table import FlowListener, FlowTable
from eiosniff.errors import CaptureError
from eiosniff.model.batch import Int64s, LinkType, PacketBatch
from eiosniff.model.http import Fields, HttpResponse
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from tests.records import VALUES, names

RECORDED = Path(__file__).parents[1] / "captures" / "recorded"
RECORDINGS = sorted(path for path in RECORDED.glob("*/*.pcap*"))
BATCH_SIZES = (1, 7, 50_000)

CLIENT, SERVER = 0x0A000001 << 16 | 40_000, 0x0A000002 << 16 | 3000  # 10.0.0.1:40000, 10.0.0.2:3000
MILLISECOND = 1_000_000
FLAGS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": 0x08}


@dataclass
class Sent:
    """One crafted segment; `wire` is its length if it was cut by the snap length."""

    side: Side
    flags: str
    seq: int
    data: bytes = b""
    ack: int = 0
    at_ms: float | None = None
    wire: int | None = None
    client: int = CLIENT
    server: int = SERVER


def segments(
    sent: Sequence[Sent], first: int = 1, every_ms: float = 1, identification: Sequence[int] | None = None
) -> TcpSegments:
    """Segments as `PacketDecoder` yields them; numbers go up from `first`, a millisecond between two."""
    data = [each.data for each in sent]
    lengths = np.array([len(each) for each in data], np.int64)
    ends = [(each.client, each.server)[:: 1 if each.side is Side.CLIENT else -1] for each in sent]
    numbers = np.arange(first, first + len(sent), dtype=np.int64)
    times = [each.at_ms if each.at_ms is not None else (first + at) * every_ms for at, each in enumerate(sent)]
    zeros = np.zeros(len(sent), np.int64)
    return TcpSegments(
        row=np.arange(len(sent), dtype=np.int64),
        number=numbers,
        ts_ns=np.array([int(time * MILLISECOND) for time in times], np.int64),
        source=np.array([source for source, _ in ends], np.int64),
        destination=np.array([destination for _, destination in ends], np.int64),
        seq=np.array([each.seq & 0xFFFFFFFF for each in sent], np.int64),
        ack=np.array([each.ack & 0xFFFFFFFF for each in sent], np.int64),
        flags=np.array([sum(FLAGS[flag] for flag in each.flags) for each in sent], np.int64),
        window=zeros,
        ttl=zeros,
        identification=zeros if identification is None else np.array(identification, np.int64),
        payload_offset=lengths.cumsum() - lengths,
        payload_captured=lengths,
        payload_wire=np.array([len(each.data) if each.wire is None else each.wire for each in sent], np.int64),
        buffer=b"".join(data),
    )


def packets(sent: Sequence[Sent], first: int = 1) -> PacketBatch:
    """The same as captured packets: IPv4 without a link layer."""
    found = segments(sent, first)
    captured = []
    for index, each in enumerate(sent):
        source, destination = int(found.source[index]), int(found.destination[index])
        wire = int(found.payload_wire[index])
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40 + wire, 0, 0, 64, 6, 0, source >> 16, destination >> 16)
        ports = source & 0xFFFF, destination & 0xFFFF
        numbers = int(found.seq[index]), int(found.ack[index])
        tcp = struct.pack(">HHIIBBHHH", *ports, *numbers, 0x50, int(found.flags[index]), 65535, 0, 0)
        captured.append(ip + tcp + each.data)
    return raw_packets(captured, found.number, found.ts_ns, found.payload_wire - found.payload_captured)


def raw_packets(captured: Sequence[bytes], number: Int64s, ts_ns: Int64s, cut: Int64s | int = 0) -> PacketBatch:
    """Captured IPv4 packets, of which the last `cut` bytes are missing."""
    lengths = np.array([len(each) for each in captured], np.int64)
    link_type = np.full(len(captured), LinkType.IPV4, np.int64)
    offset = lengths.cumsum() - lengths
    return PacketBatch(number, ts_ns, offset, lengths, lengths + cut, link_type, b"".join(captured))


@dataclass(eq=False)
class Followed(StreamReader):
    """All that a `FlowTable` said of one connection; lists have one entry a side. Packets are numbers."""

    flow: Flow
    chunks: list[list[StreamChunk]] = field(default_factory=lambda: [[], []])
    gaps: list[list[Gap]] = field(default_factory=lambda: [[], []])
    ends: list[StreamEnd | None] = field(default_factory=lambda: [None, None])
    resets: list[StreamEnd] = field(default_factory=list)
    closed: int | None = None  # the packet that showed it
    retransmissions: list[int] = field(default_factory=lambda: [0, 0])
    dropped: bool = False
    sides_are_apart: bool = True

    def chunk(self, chunk: StreamChunk) -> None:
        assert self.ends[chunk.side] is None, "bytes after the end"
        assert chunk.offset == self.length(chunk.side), "chunks and gaps tile the stream"
        assert chunk.data
        assert chunk.starts[0] == 0
        assert len(chunk.starts) == len(chunk.numbers) == len(chunk.times)
        self.chunks[chunk.side].append(chunk)

    def gap(self, gap: Gap) -> None:
        assert self.ends[gap.side] is None, "a gap after the end"
        assert gap.offset == self.length(gap.side), "chunks and gaps tile the stream"
        assert gap.length > 0
        self.gaps[gap.side].append(gap)

    def end(self, end: StreamEnd) -> None:
        assert self.ends[end.side] is None, "two ends"
        self.ends[end.side] = end

    def reset(self, end: StreamEnd) -> None:
        self.resets.append(end)

    def length(self, side: Side) -> int:
        chunks = sum(len(chunk.data) for chunk in self.chunks[side])
        return chunks + sum(gap.length for gap in self.gaps[side])

    def data(self, side: Side, hole: Callable[[Gap], bytes] = lambda gap: b"?" * gap.length) -> bytes:
        """The stream, gaps filled."""
        pieces = [(chunk.offset, chunk.data) for chunk in self.chunks[side]]
        pieces += [(gap.offset, hole(gap)) for gap in self.gaps[side]]
        return b"".join(data for _, data in sorted(pieces))

    def packets(self, side: Side) -> list[tuple[int, int, int, int]]:
        """(packet, its stream offset, how many bytes, the packet that delivered it) in order of the stream."""
        found = []
        for chunk in self.chunks[side]:
            stops = [*chunk.starts[1:], len(chunk.data)]
            for number, start, stop in zip(chunk.numbers, chunk.starts, stops, strict=True):
                found.append((number, chunk.offset + start, stop - start, chunk.delivered or number))
        return found


class Follower(FlowListener):
    """Listens to a `FlowTable`: follows each connection that `choose` does not drop, from its first bytes on.

    `apart` says that the order of bytes of one side among those of the other is not asked for.
    """

    def __init__(self, choose: Callable[[bytes], bool] = lambda _: True, apart: bool = True) -> None:
        self.followed: dict[Flow, Followed] = {}
        self.set_aside_packets = 0
        self.set_aside_bytes = 0
        self.table = FlowTable(self)
        self._choose = choose
        self._apart = apart

    def begin(self, flow: Flow, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        if isinstance(record, StreamChunk) and not self._choose(record.data):
            flow.dropped = True
            return
        if flow.client is None:
            flow.client = way
        flow.conversation = self.followed[flow] = Followed(flow, sides_are_apart=self._apart)
        if isinstance(record, StreamChunk):
            record.side = flow.side(way)
            flow.conversation.chunk(record)
        elif isinstance(record, Gap):
            flow.conversation.gap(Gap(flow.side(way), record.offset, record.length, record.reason, record.place))
        else:
            flow.conversation.end(StreamEnd(flow.side(way), record.kind, record.place))

    def set_aside(self, packets: int, payload: int) -> None:
        self.set_aside_packets += packets
        self.set_aside_bytes += payload

    def closed(self, flow: Flow, order: int, shown: PacketRef | None) -> None:
        if flow not in self.followed:
            self.followed[flow] = Followed(flow)
        followed = self.followed[flow]
        assert followed.closed is None, "closed twice"
        followed.closed = order
        followed.retransmissions = [flow.direction(side).retransmissions for side in Side]

    @property
    def connections(self) -> list[Followed]:
        """By number."""
        return sorted(self.followed.values(), key=lambda followed: followed.flow.stream)


def follow(
    sent: Sequence[Sent],
    batch: int = 50_000,
    choose: Callable[[bytes], bool] = lambda _: True,
    close: bool = True,
    apart: bool = True,
) -> Follower:
    """Feed crafted segments in batches of so many."""
    follower = Follower(choose, apart)
    for at in range(0, len(sent), batch):
        follower.table.feed(segments(sent[at : at + batch], at + 1))
        follower.table.resolve_watches()
    if close:
        follower.table.close()
    return follower


# ---------------------------------------------------------------------- the whole stack


@dataclass
class Decoded:
    """What became of a capture, as plain values."""

    events: list[Any]
    ledgers: Any
    summary: CaptureSummary


def decode(path: Path, batch_size: int) -> Decoded:
    """Decode a capture; what cannot be opened has nothing in it."""
    stack = Stack(CaptureSummary(path.name))
    events = record_events(stack)
    try:
        with open_source(str(path), batch_size=batch_size) as source:
            for batch in source.batches():
                stack.feed(batch)
            stack.summary.last_ns = source.last_ns
    except CaptureError:
        pass
    stack.close()
    return Decoded(events, ledgers(stack), stack.summary)


def record_events(stack: Stack) -> list[Any]:
    """The list to which all events are appended, in the order in which the session layer gets them."""
    events: list[Any] = []
    handle = stack.sessions.handle

    def recorded(conversation: Conversation, record: Record) -> None:
        events.append((conversation.ledger.stream, plain(record)))
        handle(conversation, record)

    stack.sessions.handle = recorded  # type: ignore[method-assign]
    return events


def ledgers(stack: Stack) -> Any:
    """All ledgers of a stack, as plain values."""
    sessions = stack.sessions
    return plain([stack.summary, sessions.sessions, list(sessions.clients.values()), list(sessions.servers.values())])


def as_let_go(ledger: Any) -> Any:
    """A ledger that was let go, as plain values, without the peers that it refers to: they go on."""
    return [(name, plain(getattr(ledger, name))) for name in names(type(ledger)) if name not in ("client", "server")]


def plain(value: Any, seen: dict[int, int] | None = None) -> Any:
    """A record or ledger with all that it holds, as values that can be compared; what comes again is a number."""
    seen = {} if seen is None else seen
    if isinstance(value, Enum):
        return str(value)
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    if isinstance(value, dict):
        return [(plain(key, seen), plain(entry, seen)) for key, entry in value.items()]
    if isinstance(value, list | tuple | deque | frozenset):
        return [plain(entry, seen) for entry in value]
    if isinstance(value, VALUES):  # whether two are one object says nothing
        return [getattr(value, name) for name in names(type(value))]
    if isinstance(value, Fields):  # as above: messages share them
        return type(value).__name__, [(name, getattr(value, name)) for name in names(Fields)]
    if id(value) in seen:
        return f"#{seen[id(value)]}"
    seen[id(value)] = len(seen)
    return type(value).__name__, [(name, plain(_entry(value, name), seen)) for name in names(type(value))]


def _entry(value: Any, name: str) -> Any:
    if isinstance(value, HttpResponse) and name == "request":  # which may be answered before it has come as a whole
        return value.request and [value.request.method, value.request.target, value.request.start]
    return getattr(value, name)


def batches(cuts: Iterable[int], count: int) -> Iterator[tuple[int, int]]:
    """The ranges into which `cuts` (any order, any value) divide so many packets."""
    places = sorted({0, count, *(cut % (count + 1) for cut in cuts)})
    yield from pairwise(places)


def split(capture: bytes) -> tuple[bytes, list[bytes]]:
    """The header of a pcap file (little-endian, as tcpdump wrote it here), and its records."""
    records, at = [], 24
    while at < len(capture):
        end = at + 16 + struct.unpack_from("<I", capture, at + 8)[0]
        records.append(capture[at:end])
        at = end
    return capture[:24], records
