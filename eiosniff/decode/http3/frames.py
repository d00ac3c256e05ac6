"""Frames of HTTP/3, of one direction of a stream (RFC 9114, section 7; draft-ietf-webtrans-http3 for its own signal).

A frame is a type, a length, and a payload; types and lengths are integers of 1, 2, 4 or 8 bytes, by the first two bits
(RFC 9000, section 16). What is of an unknown type is passed over. After a gap in what is no payload nothing tells where
a frame begins: the rest of that direction is not understood.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.quic.varint import varint, varint_size
from eiosniff.model.provenance import NO_PACKET, PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap

DATA: Final = 0x00
HEADERS: Final = 0x01
SETTINGS: Final = 0x04
# Of drafts 02 (ENABLE_WEBTRANSPORT), 07 and 13 (WEBTRANSPORT_MAX_SESSIONS), and 14 (WT_ENABLED).
_WEBTRANSPORT_SETTINGS: Final = (0x2B603742, 0xC671706A, 0x14E9CD29, 0x2C7CF000)
WT_STREAM: Final = 0x41  # no frame: it has no length, and everything after it is the WebTransport stream's
# Of frames that are read as a whole. Chromium takes header sections up to 256 KiB and sends far smaller ones.
FRAME_LIMIT: Final = 64 << 10
_WHOLE: Final = (HEADERS, SETTINGS)
_VARINT_BYTES: Final = 8


def offers_webtransport(found: dict[int, int]) -> bool:
    """Whether the parameters of a side say that it takes WebTransport, in any of the drafts."""
    return any(found.get(number, 0) > 0 for number in _WEBTRANSPORT_SETTINGS)


def settings(payload: bytes) -> dict[int, int]:
    """The parameters of a SETTINGS frame; what is cut off is left out (RFC 9114, section 7.2.4)."""
    values: list[int] = []
    pos = 0
    while pos < len(payload) and pos + varint_size(payload[pos]) <= len(payload):
        values.append(varint(payload, pos))
        pos += varint_size(payload[pos])
    return dict(zip(values[::2], values[1::2], strict=False))


@final
@mypyc_attr(acyclic=True)
class Frame:
    """A frame that was read whole (HEADERS, SETTINGS). Places are as in `HttpMessage`."""

    __slots__ = ("end", "first", "last", "order", "packets", "payload", "start", "type")

    def __init__(
        self,
        type: int,
        payload: bytes,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
    ) -> None:
        self.type = type
        self.payload = payload
        self.start = start
        self.end = end
        self.packets = packets
        self.first = first
        self.last = last
        self.order = order


@final
@mypyc_attr(acyclic=True)
class Payload:
    """A part of a DATA frame, in one chunk; or, if `raw`, bytes after a WebTransport signal, whose offsets count from
    the signal on."""

    __slots__ = ("chunk", "raw")

    def __init__(self, chunk: StreamChunk, raw: bool) -> None:
        self.chunk = chunk
        self.raw = raw


@final
@mypyc_attr(acyclic=True)
class Signal:
    """The stream belongs to the WebTransport session whose CONNECT stream has this id."""

    __slots__ = ("session",)

    def __init__(self, session: int) -> None:
        self.session = session


Http3Record = Frame | Payload | Signal | Gap | Anomaly | Desync


@final
class FrameReader:
    """One direction of a stream of frames; see the module. `lossy` says that bytes of it are missing."""

    __slots__ = (
        "_began", "_buffer", "_end", "_left", "_lost", "_lost_from", "_raw_from", "_side", "_type", "_why", "lossy",
        "passed",
    )  # fmt: skip

    def __init__(self, side: Side, buffer: StreamBuffer | None = None) -> None:
        """`buffer` holds what was not read yet of a stream whose beginning was."""
        self.lossy = False
        self.passed = 0  # bytes of frames that nobody asked for
        self._side = side
        self._buffer = StreamBuffer(side) if buffer is None else buffer
        self._end = self._buffer.end
        self._began = False  # the first frame has begun
        self._type = -1  # of the frame whose payload is being read,
        self._left = 0  # and what is left of it
        self._raw_from = -1  # where the bytes after a WebTransport signal begin
        self._why = ""
        self._lost_from = 0
        self._lost = NO_PACKET

    @classmethod
    def raw(cls, side: Side) -> "FrameReader":
        """The other direction of a WebTransport stream: there are no frames in it, and no signal."""
        self = cls(side)
        self._raw_from = 0
        return self

    def feed(self, chunk: StreamChunk) -> Sequence[Http3Record]:
        """Take the next bytes."""
        self._end = chunk.offset + len(chunk.data)
        records: list[Http3Record] = []
        if self._why:
            return records
        if self._raw_from >= 0:
            records.append(Payload(self._moved(chunk, self._raw_from), True))
        elif self._buffer.append(chunk):
            self._read(records)
        return records

    def start(self) -> Sequence[Http3Record]:
        """What the buffer holds that it was made with."""
        records: list[Http3Record] = []
        self._read(records)
        return records

    def gap(self, gap: Gap) -> Sequence[Http3Record]:
        """Take a hole: a payload that spans it keeps its length."""
        self.lossy = True
        self._end = gap.offset + gap.length
        records: list[Http3Record] = []
        if self._why:
            return records
        if self._raw_from >= 0:
            records.append(Gap(gap.side, gap.offset - self._raw_from, gap.length, gap.reason, gap.place))
            return records
        if self._type in _WHOLE or gap.length > self._left:
            self._lose("a gap in the framing", self._buffer.offset, gap.place)
            return records
        self._left -= gap.length
        if self._type == DATA:
            records.append(gap)
        self._buffer = StreamBuffer(self._side)
        return records

    def end(self, place: PacketRef) -> Sequence[Http3Record]:
        """Nothing follows."""
        records: list[Http3Record] = []
        buffer = self._buffer
        if not self._why and self._raw_from < 0 and (self._left or len(buffer)):
            buffer.flush()
            what = "the rest of a frame"
            records.append(Anomaly(AnomalyKind.H3_INCOMPLETE, self._side, place, what, "the end of the stream"))
            self._lose("the stream ended inside a frame", buffer.offset, place)
        if self._why and self._end > self._lost_from:
            records.append(Desync(self._side, self._lost_from, self._end, self._why, self._lost))
        return records

    def _read(self, records: list[Http3Record]) -> None:
        buffer = self._buffer
        while not self._why and self._raw_from < 0:
            if self._type < 0 and not self._begin(records):
                return
            if self._why or self._raw_from >= 0:
                break
            if self._type in _WHOLE:
                if not buffer.need(self._left):
                    return
                self._take_frame(records)
            else:
                self._take_payload(records)
                if self._left:
                    return
                self._type = -1
        if self._raw_from >= 0:
            records.extend([Payload(self._moved(chunk, self._raw_from), True) for chunk in buffer.rest()])
            self._buffer = StreamBuffer(self._side)

    def _begin(self, records: list[Http3Record]) -> bool:
        """Read type and length of the next frame; False if they are not there yet."""
        buffer = self._buffer
        if not buffer.need(1):
            return False
        size = varint_size(buffer.data[buffer.pos])
        if not buffer.need(size + 1):
            return False
        kind = varint(buffer.data, buffer.pos)
        whole = size + varint_size(buffer.data[buffer.pos + size])
        if not buffer.need(whole):
            return False
        start = buffer.offset
        value = varint(buffer.data, buffer.pos + size)
        if kind == WT_STREAM and not self._began:
            buffer.pos += whole
            self._raw_from = buffer.offset
            records.append(Signal(value))
            return True
        self._began = True
        if kind in _WHOLE and value > FRAME_LIMIT:
            place = buffer.ref(start)
            expected = f"a frame of at most {FRAME_LIMIT} bytes"
            records.append(Anomaly(AnomalyKind.H3_TOO_LARGE, self._side, place, expected, f"one of {value}"))
            kind = -2  # passed over
        buffer.pos += whole
        self._type, self._left = kind, value
        return True

    def _take_frame(self, records: list[Http3Record]) -> None:
        buffer, length = self._buffer, self._left
        start, pos = buffer.offset, buffer.pos
        end = start + length
        last = end - 1 if length else start - 1  # an empty one ends with its header
        records.append(
            Frame(
                self._type,
                buffer.data[pos : pos + length],
                start,
                end,
                buffer.packets(start, end) if length else (buffer.ref(last).number,),
                buffer.ref(start if length else last),
                buffer.ref(last),
                buffer.order(last),
            )
        )
        buffer.pos = pos + length
        self._type, self._left = -1, 0

    def _take_payload(self, records: list[Http3Record]) -> None:
        """Take what has come of a payload that is read piece by piece, or passed over."""
        buffer = self._buffer
        if not self._left:
            return
        count = min(self._left, len(buffer.data) - buffer.pos)
        if count and self._type == DATA:
            data, at = buffer.data[buffer.pos : buffer.pos + count], buffer.offset
            self._cut(data, at, records)
        elif count:
            self.passed += count
        buffer.pos += count
        self._left -= count

    def _cut(self, data: bytes, at: int, records: list[Http3Record]) -> None:
        """Bytes of a DATA frame, a record for each captured packet."""
        buffer = self._buffer
        end = at + len(data)
        cuts = [at, *[cut for cut in buffer.boundaries(at) if cut < end], end]
        for start, stop in pairwise(cuts):
            place, order = buffer.ref(start), buffer.order(start)
            delivered = order if order != place.number else 0
            piece = data[start - at : stop - at]
            chunk = StreamChunk(self._side, start, piece, [0], [place.number], [place.ts_ns], delivered)
            records.append(Payload(chunk, False))

    @staticmethod
    def _moved(chunk: StreamChunk, base: int) -> StreamChunk:
        """A chunk with offsets that count from `base` on."""
        return StreamChunk(
            chunk.side, chunk.offset - base, chunk.data, chunk.starts, chunk.numbers, chunk.times, chunk.delivered
        )

    def _lose(self, why: str, offset: int, place: PacketRef) -> None:
        self._why, self._lost_from, self._lost = why, offset, place
        self._buffer = StreamBuffer(self._side)
