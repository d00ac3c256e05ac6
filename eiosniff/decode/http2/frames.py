"""HTTP/2 frames of one direction of a connection, as a bystander (RFC 9113, section 4).

Each frame says how long it is, so that a hole inside one costs that frame alone. What DATA carries is handed on as it
comes; all else is small and waits until it is whole. Framing is lost where a hole took (part of) a frame header, or
where there is none. It is found again at a captured packet that begins with a frame header: nine bytes of which most
are told by the others, and senders begin a frame where they begin to write.
"""

from typing import Final, TypeAlias, final

from mypy_extensions import mypyc_attr

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.model.provenance import CLIENT, PacketRef, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap

# RFC 9113, section 6.
DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
WITH_PRIORITY: Final = 0x20

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # of the client: section 3.4

_HEADER: Final = 9
# Frames other than DATA that are kept: Chrome takes header lists of 256 KiB, and nobody sends them in one frame.
FRAME_LIMIT: Final = 256 << 10
# Section 4.2: no frame is larger unless the receiver said that it may be. Some receivers do, for DATA.
_USUAL: Final = 16_384
# By type, where the length is always the same, and which types belong to a stream, to none, or to either.
_LENGTHS: Final = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_OF_STREAMS: Final = (DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION)
_OF_CONNECTIONS: Final = (SETTINGS, PING, GOAWAY)
# By type, the flags that mean something (a sender leaves the others unset).
_FLAGS: Final = {DATA: 0x09, HEADERS: 0x2D, SETTINGS: 0x01, PUSH_PROMISE: 0x0C, PING: 0x01, CONTINUATION: 0x04}
# Extensions that are in use: ALTSVC, ORIGIN (RFC 7838, 8336), PRIORITY_UPDATE (RFC 9218).
_EXTENSIONS: Final = (0x0A, 0x0C, 0x10)
# Stream numbers of one connection, in practice: they are given out in order.
_HIGHEST: Final = 1 << 24


@final
@mypyc_attr(acyclic=True)
class Frame:
    """A whole frame other than DATA. `payload` has zeros for the `missing` bytes of it, and is empty if it is too large
    to be kept (all of it is missing then). `start` and `end` are offsets in the connection; `first` and `last` the
    packets with its first and last byte, `packets` the numbers of all, `order` that of the packet that completed it."""

    __slots__ = ("end", "first", "flags", "kind", "last", "missing", "order", "packets", "payload", "start", "stream")

    def __init__(
        self, kind: int, flags: int, stream: int, payload: bytes, missing: int, start: int, end: int,
        first: PacketRef, last: PacketRef, packets: tuple[int, ...], order: int,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.payload = payload
        self.missing = missing
        self.start = start
        self.end = end
        self.first = first
        self.last = last
        self.packets = packets
        self.order = order

    @property
    def ends_stream(self) -> bool:
        """Whether its sender says nothing more on this stream."""
        return self.kind == HEADERS and self.flags & END_STREAM > 0


@final
@mypyc_attr(acyclic=True)
class Data:
    """Some of what a DATA frame carries, as it came: `chunk` and `gap` have offsets of the connection, and one of them
    is None (both are for a frame that ends without more). `last` says that this ends the stream in its direction."""

    __slots__ = ("chunk", "gap", "last", "order", "place", "stream")

    def __init__(
        self, stream: int, chunk: StreamChunk | None, gap: Gap | None, last: bool, place: PacketRef, order: int
    ) -> None:
        self.stream = stream
        self.chunk = chunk
        self.gap = gap
        self.last = last
        self.place = place
        self.order = order


@final
@mypyc_attr(acyclic=True)
class Lost:
    """Frames may be missing here, of any stream."""

    __slots__ = ("order",)

    def __init__(self, order: int) -> None:
        self.order = order


FrameEvent: TypeAlias = Frame | Data | Lost | Anomaly | Desync


@final
class FrameReader:
    """Reads one direction. Tell it bytes packet by packet, and holes; it returns what they complete, in order.

    Frames, `Desync`s and holes tile the stream: `start` is the offset up to which all is accounted for.
    """

    __slots__ = ("_begun", "_buffer", "_flags", "_left", "_lost", "_padding", "_preface", "_stream", "side", "start")

    def __init__(self, side: Side, start: int = 0) -> None:
        self.side = side
        self.start = start
        self._buffer = StreamBuffer(side)
        self._preface = side is CLIENT  # and it has not come yet
        self._lost: PacketRef | None = None  # the packet with the first byte that is not understood
        # Of the frame whose payload is passing by: DATA, or (stream -1) one that is too large.
        self._begun: Frame | None = None
        self._stream = 0
        self._flags = 0
        self._left = -1
        self._padding = 0

    def feed(self, chunk: StreamChunk) -> list[FrameEvent]:
        """Take the next bytes: those of one packet, or those that one packet delivered."""
        events: list[FrameEvent] = []
        rest: StreamChunk | None = chunk
        if self._lost is not None:
            rest = self._find(chunk, events)
        if rest is not None and self._buffer.append(rest):
            self._read(events)
        return events

    def gap(self, gap: Gap) -> list[FrameEvent]:
        """Take missing bytes."""
        events: list[FrameEvent] = []
        end = gap.offset + gap.length
        if self._lost is not None:
            self._desync(gap.offset, events)
            self._lost = gap.place
            self.start = end
            return events
        if self._left >= 0:
            self._pass_gap(gap, events)
            return events
        if end <= self.start + self._size() and self._buffer.append_gap(gap):
            self._read(events)
            return events
        self._lose(gap.offset, end, gap.place, events)
        return events

    def end(self, end: StreamEnd) -> list[FrameEvent]:
        """Nothing follows."""
        events: list[FrameEvent] = []
        buffer = self._buffer
        buffer.flush()
        if self._lost is None and self.start < buffer.end:
            expected = "the rest of a frame"
            events.append(Anomaly(AnomalyKind.HTTP2_INCOMPLETE, self.side, end.place, expected, end.kind.value))
            self._lost = buffer.ref(self.start)
        self._desync(buffer.end if buffer.end > self.start else self.start, events)
        return events

    # ------------------------------------------------------------------ frames

    def _read(self, events: list[FrameEvent]) -> None:
        """Read as far as the bytes go."""
        buffer = self._buffer
        while True:
            if self._left >= 0:
                if not self._pass(events):
                    return
                continue
            if self._preface and not self._pass_preface():
                return
            if len(buffer.data) - buffer.pos < _HEADER:
                buffer.need(_HEADER)
                return
            if not self._read_frame(events):
                return

    def _pass_preface(self) -> bool:
        """Pass over what a client begins with; False when more bytes are needed."""
        buffer = self._buffer
        begins = buffer.data[buffer.pos : buffer.pos + len(PREFACE)]
        if begins != PREFACE and PREFACE.startswith(begins):
            buffer.need(len(begins) + 1)
            return False
        self._preface = False
        if begins == PREFACE:
            buffer.pos += len(PREFACE)
            self.start = buffer.offset
        return True

    def _read_frame(self, events: list[FrameEvent]) -> bool:
        """Read the frame that begins here; False when more bytes are needed, or there is no frame."""
        buffer = self._buffer
        data, pos = buffer.data, buffer.pos
        length = int.from_bytes(data[pos : pos + 3], "big")
        kind, flags = data[pos + 3], data[pos + 4]
        stream = int.from_bytes(data[pos + 5 : pos + 9], "big") & 0x7FFFFFFF
        if length > _USUAL and kind > CONTINUATION and kind not in _EXTENSIONS:
            expected, found = "a frame", f"type {kind} with {length} bytes"
            place = buffer.ref(buffer.offset)
            events.append(Anomaly(AnomalyKind.HTTP2_BAD_FRAME, self.side, place, expected, found))
            self._lose(buffer.end, buffer.end, place, events)
            return False
        if kind == DATA:
            return self._begin_data(length, flags, stream)
        whole = length <= FRAME_LIMIT
        if whole and not buffer.need(_HEADER + length):
            return False
        start = buffer.offset
        end = start + _HEADER + length
        if not whole:  # only its header is looked at
            frame = Frame(kind, flags, stream, b"", length, start, end, buffer.ref(start), buffer.ref(start),
                          buffer.packets(start, start + _HEADER), 0)  # fmt: skip
            buffer.pos += _HEADER
            self._begun, self._stream, self._left, self._padding = frame, -1, length, 0
            return True
        pos = buffer.pos
        payload = buffer.data[pos + _HEADER : pos + _HEADER + length]
        packets = buffer.packets(start, end)
        first = buffer.ref(start)
        last = first if len(packets) == 1 else buffer.ref(end - 1)
        missing = buffer.missing(start, end)
        events.append(
            Frame(kind, flags, stream, payload, missing, start, end, first, last, packets, buffer.order(end - 1))
        )
        buffer.pos = pos + _HEADER + length
        self.start = end
        self._check(kind, length, stream, first, events)
        return True

    def _check(self, kind: int, length: int, stream: int, place: PacketRef, events: list[FrameEvent]) -> None:
        """Whether a frame has the length and the stream that its type wants (RFC 9113, section 6)."""
        wrong = ""
        if _LENGTHS.get(kind, length) != length or (kind == SETTINGS and length % 6):
            wrong = f"type {kind} with {length} bytes"
        elif (kind in _OF_STREAMS and stream == 0) or (kind in _OF_CONNECTIONS and stream != 0):
            wrong = f"type {kind} on stream {stream}"
        if wrong:
            events.append(Anomaly(AnomalyKind.HTTP2_BAD_FRAME, self.side, place, "a frame as RFC 9113 has it", wrong))

    def _size(self) -> int:
        """The size of the frame of which the first bytes are there; 0 if that is not known, or a hole in it would tell
        where what it carries begins."""
        buffer = self._buffer
        buffer.flush()
        if len(buffer.data) - buffer.pos < _HEADER or self._preface or buffer.data[buffer.pos + 3] == DATA:
            return 0
        return _HEADER + int.from_bytes(buffer.data[buffer.pos : buffer.pos + 3], "big")

    # ------------------------------------------------------------------ payloads that pass by

    def _begin_data(self, length: int, flags: int, stream: int) -> bool:
        """A DATA frame begins (section 6.1); False when more bytes are needed."""
        buffer = self._buffer
        padded = flags & PADDED > 0 and length > 0
        if padded and not buffer.need(_HEADER + 1):
            return False
        padding = buffer.data[buffer.pos + _HEADER] if padded else 0
        size = _HEADER + padded
        self._left = max(0, length - padded - padding)
        self._padding = length - padded - self._left
        self._stream, self._flags = stream, flags
        buffer.pos += size
        self.start = buffer.offset
        return True

    def _pass(self, events: list[FrameEvent]) -> bool:
        """Hand on what has come of the payload; False when more is to come."""
        buffer = self._buffer
        here = len(buffer.data) - buffer.pos
        count = min(here, self._left)
        self._left -= count
        if count and self._begun is None:
            chunks = buffer.chunks(buffer.offset, buffer.offset + count)
            for at, chunk in enumerate(chunks):
                ends = self._ends() and at == len(chunks) - 1
                brought = PacketRef(chunk.numbers[0], chunk.times[0])
                events.append(Data(self._stream, chunk, None, ends, brought, chunk.delivered or brought.number))
        padding = 0
        if self._left == 0:
            padding = min(here - count, self._padding)
            self._padding -= padding
        over = self._left == 0 and self._padding == 0
        buffer.pos += count + padding
        self.start = buffer.offset
        if not over:
            return False
        last = buffer.offset - 1
        self._finish(count == 0 or padding > 0, buffer.ref(last), buffer.order(last), events)
        return True

    def _ends(self) -> bool:
        """Whether the frame is over with the piece at hand, and its stream with it."""
        return self._left == 0 and self._padding == 0 and self._flags & END_STREAM > 0

    def _finish(self, apart: bool, place: PacketRef, order: int, events: list[FrameEvent]) -> None:
        """The payload is over; `apart` says that its last piece did not say so."""
        begun = self._begun
        self._left = -1
        if begun is not None:
            self._begun = None
            begun.last, begun.order = place, order
            if begun.packets[-1] != place.number:
                begun.packets = (*begun.packets, place.number)
            events.append(begun)
        elif apart and self._flags & END_STREAM:
            events.append(Data(self._stream, None, None, True, place, order))

    def _pass_gap(self, gap: Gap, events: list[FrameEvent]) -> None:
        """Take missing bytes of a payload that passes by."""
        count = min(self._left, gap.length)
        padding = min(gap.length - count, self._padding) if count == self._left else 0
        self._left -= count
        self._padding -= padding
        over = self._left == 0 and self._padding == 0
        if count and self._begun is None:
            part = Gap(gap.side, gap.offset, count, gap.reason, gap.place)
            events.append(Data(self._stream, None, part, self._ends(), gap.place, gap.place.number))
        self.start = gap.offset + count + padding
        if over:
            self._finish(count == 0, gap.place, gap.place.number, events)
        if count + padding < gap.length:
            self._lose(self.start, gap.offset + gap.length, gap.place, events)

    # ------------------------------------------------------------------ what is not understood

    def _lose(self, end: int, after: int, place: PacketRef, events: list[FrameEvent]) -> None:
        """The bytes up to an offset are not understood; framing goes on somewhere `after`."""
        buffer = self._buffer
        buffer.flush()
        self._lost = buffer.ref(self.start) if self.start < end else place
        self._desync(end, events)
        self._buffer = StreamBuffer(self.side)
        self._preface = False
        self._lost = place
        self.start = after
        events.append(Lost(place.number))

    def _find(self, chunk: StreamChunk, events: list[FrameEvent]) -> StreamChunk | None:
        """The part of a chunk from where frames begin again; None if they do not."""
        for at, start in enumerate(chunk.starts):
            if not begins_frame(chunk.data[start : start + _HEADER]):
                continue
            if start == 0:
                self._desync(chunk.offset, events)
                return chunk
            self._desync(chunk.offset + start, events)
            return StreamChunk(
                chunk.side,
                chunk.offset + start,
                chunk.data[start:],
                [other - start for other in chunk.starts[at:]],
                chunk.numbers[at:],
                chunk.times[at:],
                chunk.delivered,
            )
        self._buffer.append(chunk)
        self._buffer.pos = len(self._buffer.data)
        return None

    def _desync(self, end: int, events: list[FrameEvent]) -> None:
        """Account for the bytes up to an offset, if there are any, as not understood."""
        if end > self.start and self._lost is not None:
            events.append(Desync(self.side, self.start, end, "no HTTP/2 frame", self._lost))
        self.start = max(self.start, end)
        self._lost = None


def begins_frame(data: bytes) -> bool:
    """Whether nine bytes are the header of a frame as it is usual."""
    if len(data) < _HEADER or data[5] & 0x80:
        return False
    length, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
    stream = int.from_bytes(data[5:9], "big")
    if length > _USUAL or stream > _HIGHEST:
        return False
    if kind in _EXTENSIONS:
        return flags == 0
    if kind > CONTINUATION or flags & ~_FLAGS.get(kind, 0):
        return False
    if _LENGTHS.get(kind, length) != length or (kind == SETTINGS and length % 6):
        return False
    if kind in _OF_STREAMS and stream == 0:
        return False
    return not (kind in _OF_CONNECTIONS and stream)


def fragment(frame: Frame) -> bytes | None:
    """The piece of a header block in HEADERS, PUSH_PROMISE or CONTINUATION, without what stands around it; None if the
    frame is not made as it must be (RFC 9113, sections 6.2, 6.6, 6.10)."""
    payload, start, end = frame.payload, 0, len(frame.payload)
    if frame.kind != CONTINUATION and frame.flags & PADDED:
        if not payload:
            return None
        start = 1
        end -= payload[0]
    if frame.kind == HEADERS and frame.flags & WITH_PRIORITY:
        start += 5
    elif frame.kind == PUSH_PROMISE:
        start += 4
    return payload[start:end] if start <= end else None
