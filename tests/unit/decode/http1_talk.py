"""Conversations as a list of captured packets, read by `HttpConnection` in every way in which a capture may be cut."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eiosniff.decode.http1.connection import HttpConnection, HttpEvent, HttpLimits, Upgrade
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap, GapReason
from tests.records import flat

MS = 1_000_000


@dataclass
class C:
    """A captured packet of the client: its payload, and how long after the one before it."""

    data: bytes
    after_ms: int = 1
    side = Side.CLIENT


@dataclass
class S(C):
    """A captured packet of the server."""

    side = Side.SERVER


@dataclass
class Hole:
    """Bytes of one side that were not captured."""

    side: Side
    length: int


@dataclass
class End:
    """The end of one side."""

    side: Side
    kind: EndKind = EndKind.FIN


Item = C | Hole | End
Told = StreamChunk | Gap | StreamEnd


def client(text: str) -> C:
    """A packet of the client, its lines ended by CRLF."""
    return C(crlf(text))


def server(text: str) -> S:
    """A packet of the server, its lines ended by CRLF."""
    return S(crlf(text))


def crlf(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


@dataclass
class Reading:
    """What a conversation was read as, and what was left for the next protocol (by side: offset and bytes)."""

    events: list[HttpEvent]
    rest: list[tuple[int, bytes]] | None

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def requests(self) -> list[HttpRequest]:
        return self.of(HttpRequest)

    @property
    def responses(self) -> list[HttpResponse]:
        return self.of(HttpResponse)

    def comparable(self) -> object:
        return [flat(event) for event in self.events], self.rest


def told(items: Sequence[Item]) -> list[Told]:
    """What TCP reassembly says of a conversation if it says each packet by itself."""
    offsets = [0, 0]
    now = 1_700_000_000_000 * MS
    told: list[Told] = []
    for number, item in enumerate(items, 1):
        now += (item.after_ms if isinstance(item, C) else 1) * MS
        offset = offsets[item.side]
        if isinstance(item, C):
            told.append(StreamChunk(item.side, offset, item.data, [0], [number], [now]))
            offsets[item.side] += len(item.data)
        elif isinstance(item, Hole):
            told.append(Gap(item.side, offset, item.length, GapReason.NOT_CAPTURED, PacketRef(number, now)))
            offsets[item.side] += item.length
        else:
            told.append(StreamEnd(item.side, item.kind, PacketRef(number, now)))
    return told


def joined(packets: list[Told]) -> Iterator[Told]:
    """Runs of packets of one side as one chunk each: the usual way."""
    run: StreamChunk | None = None
    for packet in packets:
        if isinstance(packet, StreamChunk) and run is not None and run.side is packet.side:
            run = StreamChunk(
                run.side, run.offset, run.data + packet.data, [*run.starts, len(run.data)],
                run.numbers + packet.numbers, run.times + packet.times,
            )  # fmt: skip
            continue
        if run is not None:
            yield run
        run = packet if isinstance(packet, StreamChunk) else None
        if run is None:
            yield packet
    if run is not None:
        yield run


def in_pieces(packets: list[Told], size: Callable[[], int]) -> Iterator[Told]:
    """Every packet in pieces of so many bytes."""
    for packet in packets:
        if not isinstance(packet, StreamChunk):
            yield packet
            continue
        at = 0
        while at < len(packet.data):
            piece = packet.data[at : at + size()]
            yield StreamChunk(packet.side, packet.offset + at, piece, [0], packet.numbers, packet.times)
            at += len(piece)


def read_once(said: Iterator[Told], connection: HttpConnection) -> Reading:
    events: list[HttpEvent] = []
    upgraded = False
    for item in said:
        if isinstance(item, StreamChunk):
            events += connection.feed(item)
        elif upgraded:
            continue
        elif isinstance(item, Gap):
            events += connection.gap(item)
        else:
            events += connection.end(item)
        upgraded = any(isinstance(event, Upgrade) for event in events)
    if not upgraded:
        return Reading(events, None)
    buffers = [connection.take(side) for side in Side]
    return Reading(events, [(buffer.offset, buffer.data[buffer.pos :]) for buffer in buffers])


def read(
    *items: Item,
    keep: Callable[[HttpRequest], bool] = lambda _: True,
    limits: HttpLimits = HttpLimits(),  # noqa: B008
) -> Reading:
    """Read a conversation in runs, by packet, byte by byte and in odd pieces: always the same, with no byte lost."""
    packets = told([item for item in items if not (isinstance(item, C) and not item.data)])
    reading = read_once(joined(packets), HttpConnection(keep, limits))
    for said in (iter(packets), in_pieces(packets, lambda: 1), in_pieces(packets, lambda: 7)):
        again = read_once(said, HttpConnection(keep, limits))
        assert again.comparable() == reading.comparable()
    check_tiling(packets, reading)
    return reading


def check_tiling(packets: list[Told], reading: Reading) -> None:
    """Messages, desyncs, gaps and what is left for the next protocol tile each side, if it was told its end."""
    for side in Side:
        mine = [packet for packet in packets if packet.side is side]
        gaps = [(gap.offset, gap.offset + gap.length) for gap in mine if isinstance(gap, Gap)]
        size = sum(len(packet.data) if isinstance(packet, StreamChunk) else 0 for packet in mine)
        size += sum(end - start for start, end in gaps)
        spans = [
            (event.start, event.end)
            for event in reading.events
            if isinstance(event, HttpRequest | HttpResponse | Desync) and event.side is side
        ]
        if reading.rest is not None:
            spans.append((reading.rest[side][0], size))
        elif not any(isinstance(packet, StreamEnd) for packet in mine):
            continue
        at = 0
        for start, end in sorted(spans):
            assert at <= start <= end, f"{side.label}: {start} after {at}"
            assert covered(at, start, gaps), f"{side.label}: [{at}, {start}) is not accounted for"
            at = end
        assert covered(at, size, gaps), f"{side.label}: [{at}, {size}) is not accounted for"


def covered(start: int, end: int, gaps: list[tuple[int, int]]) -> bool:
    """Whether `[start, end)` lies in gaps (which are in order, and may touch)."""
    for gap_start, gap_end in gaps:
        if gap_start <= start < gap_end:
            start = gap_end
    return start >= end


GET = client("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: a\n\n")
UPGRADE = client("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n\n")
CONNECT = client("CONNECT a:80 HTTP/1.1\nHost: a:80\n\n")
OK = server("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
SWITCHING = server("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n\n")
FRAME = b"\x81\x86\x00\x00\x00\x002probe"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDS = (End(Side.CLIENT), End(Side.SERVER))


def anomalies(reading: Reading) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in reading.of(Anomaly)]


def reasons(reading: Reading) -> list[str]:
    return [desync.reason for desync in reading.of(Desync)]


def body_of(answer: bytes, **more: Any) -> tuple[bytes, list[AnomalyKind]]:
    """The body of one response to a GET, and what was odd."""
    reading = read(GET, S(answer), *ENDS, **more)
    assert reading.responses[0].request is reading.requests[0]
    return reading.responses[0].body, anomalies(reading)
