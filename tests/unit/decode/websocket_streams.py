"""Streams of WebSocket frames, made by hand, and read in all ways of cutting them."""

import random
import zlib
from itertools import pairwise

from eiosniff.decode.websocket.frame import unmask
from eiosniff.decode.websocket.reader import WebSocketReader, WsLimits
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap, GapReason
from eiosniff.model.websocket import Opcode, WsControl, WsMessage
from tests.records import names

KEY = bytes.fromhex("37fa213d")  # the mask of the examples in RFC 6455, section 5.7
HELLO_DEFLATED = bytes.fromhex("f248cdc9c90700")  # RFC 7692, section 7.2.3.1


def frame(payload=b"", opcode=Opcode.TEXT, fin=True, rsv=0, key=None, extended=None) -> bytes:
    size = len(payload)
    if extended is None:
        extended = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[extended]
    head = bytes([fin << 7 | rsv << 4 | opcode, (key is not None) << 7 | short]) + size.to_bytes(8)[8 - extended :]
    return head + (payload if key is None else key + unmask(payload, key))


class Stream:
    """One direction as the TCP layer delivers it: packets, holes, the end."""

    def __init__(self, reader: WebSocketReader, side: Side, number: int = 1):
        self.reader, self.side, self.number, self.offset = reader, side, number, 0
        self.events: list[object] = []
        self.gaps: list[Gap] = []

    def packets(self, *packets: bytes) -> "Stream":
        """Deliver packets as one chunk."""
        starts = [sum(map(len, packets[:i])) for i in range(len(packets))]
        numbers = list(range(self.number, self.number + len(packets)))
        self.number += len(packets)
        return self.chunk(b"".join(packets), starts, numbers)

    def chunk(self, data: bytes, starts: list[int], numbers: list[int]) -> "Stream":
        times = [number * 1000 for number in numbers]
        self.events += self.reader.feed(StreamChunk(self.side, self.offset, data, starts, numbers, times))
        self.offset += len(data)
        return self

    def gap(self, length: int) -> "Stream":
        place = PacketRef(self.number, self.number * 1000)
        self.gaps.append(Gap(self.side, self.offset, length, GapReason.NOT_CAPTURED, place))
        self.events += self.reader.gap(self.gaps[-1])
        self.offset += length
        return self

    def end(self, kind: EndKind = EndKind.FIN) -> "Stream":
        self.events += self.reader.end(StreamEnd(self.side, kind, PacketRef(self.number, self.number * 1000)))
        check_tiling(self.events, self.gaps, self.offset)
        return self

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def anomalies(self) -> list[AnomalyKind]:
        return [anomaly.kind for anomaly in self.of(Anomaly)]

    @property
    def payloads(self) -> list[bytes]:
        return [event.payload for event in self.of(WsMessage | WsControl)]


def check_tiling(events, gaps, end):
    """Every byte of the direction is in a record or a gap, and in one record, but for control frames in a message."""
    whole = sorted((e.start, e.end) for e in events if isinstance(e, WsMessage | Desync))
    assert all(start < end for start, end in whole)
    assert all(one[1] <= other[0] for one, other in pairwise(whole)), whole
    covered = 0
    parts = whole + [(e.start, e.end) for e in events if isinstance(e, WsControl)]
    for start, stop in sorted(parts + [(gap.offset, gap.offset + gap.length) for gap in gaps]):
        assert start <= covered, (covered, start)
        covered = max(covered, stop)
    assert covered == end


def stream(side=Side.SERVER, deflate=None, limits=None, midstream=False) -> Stream:
    return Stream(WebSocketReader(side, None, deflate, limits or WsLimits(), midstream), side)


def comparable(event) -> tuple:
    return (type(event).__name__, *(getattr(event, name) for name in names(type(event))))


def read(*packets: bytes, side=Side.SERVER, make_inflater=lambda: None, limits=None) -> Stream:
    """Read a sample whole, packet by packet, and, unless framing is lost, byte by byte and in random pieces; all
    have to tell the same."""
    whole = stream(side, make_inflater(), limits).packets(*packets).end()
    expected = [comparable(event) for event in whole.events]
    single = stream(side, make_inflater(), limits)
    for packet in packets:
        single.packets(packet)
    assert [comparable(event) for event in single.end().events] == expected
    desync = whole.of(Desync)
    if desync and desync[0].end < whole.offset:  # chunks end where packets end, and the search depends on it
        return whole
    for seed in range(4):
        pieces = stream(side, make_inflater(), limits)
        cut = random.Random(seed)
        for number, packet in enumerate(packets, 1):
            at = 0
            while at < len(packet):
                size = cut.randint(1, 9) if seed else 1
                pieces.chunk(packet[at : at + size], [0], [number])
                at += size
        pieces.number = len(packets) + 1
        assert [comparable(event) for event in pieces.end().events] == expected
    return whole


# What the protocol does not allow: a fact, and decoding goes on
NEXT = frame(b"next")


# Compression
def deflated(texts, takeover=True):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    for text in texts:
        if not takeover:
            compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        yield (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


TEXTS = [b'42["move",{"x":%d}]' % n for n in range(6)]
