"""WebSocket frames and messages of one direction of a connection, as a bystander (RFC 6455, RFC 7692).

An endpoint stops at the first violation; here it is a fact and decoding goes on with the most plausible reading.
Two loops share the work. `_read_plain` takes what nearly all of the traffic is, whole unfragmented data frames that
obey the protocol, and stops before anything else. `_read_next` takes one thing of any kind, so it alone would do.

Framing is lost when a gap swallows (part of) a frame header, or a length cannot be true. There is no mark to look for
in the bytes; but senders nearly always begin a frame at the beginning of a captured packet, so decoding resumes at
the next packet where frames seem to begin. What lies between is a `Desync`.
"""

from dataclasses import replace
from typing import Final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.websocket.deflate import Inflater
from eiosniff.decode.websocket.frame import ABSURD_LENGTH, RSV1, Frame, Header, plausible, read_header, unmask
from eiosniff.decode.websocket.message import DEFAULT_LIMITS, Assembler, WsEvent, WsLimits
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap
from eiosniff.model.websocket import FRAGMENT_MISSING, WsMessage

__all__ = ["WebSocketReader", "WsEvent", "WsLimits"]

TEXT_WITH_FIN: Final = 0x81
BINARY_WITH_FIN: Final = 0x82

# Frames in a row that must look right before decoding resumes among bytes that were not understood. One header of
# random bytes in fifty looks right, so three in a row are wrong once in some hundred thousand packets.
PLAUSIBLE_FRAMES: Final = 3
_HTTP: Final = b"HTTP/1."


class WebSocketReader:
    """Reads what one side sends after the 101.

    `buffer` holds what came behind the head of the handshake (`start` decodes it), `deflate` undoes the negotiated
    compression. `midstream` says that the handshake was not captured: frames may begin anywhere, and be compressed.

    `at_http` becomes True where HTTP begins in the place of a server's frame: no frame begins with these letters (it
    would be a close frame in fragments). The reader is done then, and `buffer` goes on with them.
    """

    # fmt: off
    __slots__ = (
        "_assembler", "_floor", "_limits", "_lost", "_passing", "_search_from", "_seen", "_side", "_unplaced",
        "at_http", "buffer",
    )
    # fmt: on

    def __init__(
        self,
        side: Side,
        buffer: StreamBuffer | None = None,
        deflate: Inflater | None = None,
        limits: WsLimits = DEFAULT_LIMITS,
        midstream: bool = False,
    ) -> None:
        self._side = side
        self.buffer = StreamBuffer(side) if buffer is None else buffer
        self.at_http = False
        self._limits = limits
        self._assembler = Assembler(side, deflate, limits, midstream)
        self._unplaced = midstream  # the first byte is still to come, and may be in the middle of a frame
        self._passing: Frame | None = None  # its payload goes by without being buffered
        self._lost: Desync | None = None  # its end is not known yet
        self._search_from = 0  # when lost: frames may begin again here
        self._floor = 0  # the packet that showed where frames begin again: nothing behind it was known before
        self._seen = 0  # the end of the last gap

    def start(self) -> list[WsEvent]:
        """Decode what the buffer held from the beginning."""
        return self._decode()

    def feed(self, chunk: StreamChunk) -> list[WsEvent]:
        """Take the next bytes."""
        return self._decode() if self.buffer.append(chunk) else []

    def gap(self, gap: Gap) -> list[WsEvent]:
        """Take a hole: a frame that is known to span it keeps its place, else the framing is lost."""
        buffer = self.buffer
        events: list[WsEvent] = []
        if self._lost is not None:
            buffer.flush()
            events = self._decode(gap.place)  # what follows is not known to join: decide with what there is
        if self._passing is None and len(buffer) and buffer.append_gap(gap):
            return events if buffer.waiting else events + self._decode()
        end = self._seen = gap.offset + gap.length
        if self._lost is not None:
            return events
        buffer.flush()
        header = read_header(buffer.data, buffer.pos)
        if self._passing is None and header is not None:  # too large a hole to be filled, but inside a known frame
            self._passing = self._frame(header, buffer.offset)
        frame = self._passing
        if frame is None:
            place = buffer.ref(buffer.offset) if len(buffer) else gap.place
            self._lose(buffer.offset if len(buffer) else end, end, "a gap", place)
        else:
            frame.missing += min(end, frame.end) - gap.offset
            if frame.end <= end:
                self._passing = None
                self._finish_frame(frame, gap.place, gap.place.number, events)
            if frame.end < end:
                self._lose(end, end, "a gap", gap.place)
        buffer.pos = len(buffer.data)
        return events

    def end(self, end: StreamEnd) -> list[WsEvent]:
        """Account for what was not complete: nothing follows."""
        buffer = self.buffer
        buffer.flush()
        events = self._decode(end.place)
        seen = max(buffer.end, self._seen)
        if self._lost is not None:
            if self._lost.start < seen:
                events.append(replace(self._lost, end=seen))
            return events
        message, frame = self._assembler.message, self._passing
        if message is None and frame is None and not len(buffer):
            return events
        header = frame.header if frame else read_header(buffer.data, buffer.pos)
        start = frame.start if frame else buffer.offset
        place = frame.first if frame else buffer.ref(start)
        if frame is None and message is not None and not len(buffer):
            expected, found = FRAGMENT_MISSING, f"{message.fragments} without"
        else:
            expected = f"a frame of {header.size + header.length} bytes" if header else "a frame header"
            found = f"{seen - start} bytes"
        found = f"{found}, then {end.kind.value}"
        events.append(Anomaly(AnomalyKind.WS_INCOMPLETE, self._side, place, expected, found))
        announced, compressed = 0, False
        if header is not None and not header.control:
            announced, compressed = header.length, header.rsv & RSV1 > 0
        if message is not None:
            start, place = message.first.start, message.first.first
            announced, compressed = announced + message.wire_length, message.compressed
        if announced > ABSURD_LENGTH:
            announced = 0
        reason = "the stream ends inside a message"
        events.append(Desync(self._side, start, seen, reason, place, announced, compressed))
        return events

    def _decode(self, last: PacketRef | None = None) -> list[WsEvent]:
        """Decode as far as the bytes go; `last` is the packet that showed that no byte follows them."""
        buffer = self.buffer
        events: list[WsEvent] = []
        while buffer.pos < len(buffer.data):
            if self._unplaced:
                start = buffer.offset
                self._lose(start, start, "the connection began before the capture", buffer.ref(start))
            busy = self._lost or self._passing or self._assembler.busy
            if not busy and not buffer.missing(buffer.offset, buffer.end):
                self._read_plain(events)
            if not busy and self._side is SERVER and self._begins_http():
                break
            if buffer.pos == len(buffer.data) or not self._read_next(events, last):
                break
        return events

    def _begins_http(self) -> bool:
        """Whether the next bytes are the beginning of an HTTP answer; where they may be, more are needed."""
        buffer = self.buffer
        begins = buffer.data[buffer.pos : buffer.pos + len(_HTTP)]
        if len(begins) < 2 or not _HTTP.startswith(begins) or buffer.missing(buffer.offset, buffer.end):
            return False
        if len(begins) < len(_HTTP):
            return not buffer.need(len(_HTTP)) or self._begins_http()
        self.at_http = True
        return True

    def _read_plain(self, events: list[WsEvent]) -> None:
        """Decode whole, unfragmented, uncompressed data frames; stop before anything else."""
        buffer, side, floor, limit = self.buffer, self._side, self._floor, self._limits.message
        data, base, pos = buffer.data, buffer.base, buffer.pos
        last = len(data) - 2
        mask_bit = 0x80 if side is CLIENT else 0
        mask_key = b""
        places = buffer.places_from(base + pos)
        place, packet_end, order = places.place, places.end, places.order
        packets: tuple[int, ...] = (place.number,)
        while pos <= last:
            head = data[pos]
            if head not in (TEXT_WITH_FIN, BINARY_WITH_FIN):  # compiled, a set is made each time
                break
            length = data[pos + 1] ^ mask_bit  # 128 or more if the bit is wrong
            payload_at = pos + 2
            if length > 125:
                if length != 126 or pos + 2 > last:
                    break
                length = data[pos + 2] << 8 | data[pos + 3]
                if length < 126:
                    break
                payload_at = pos + 4
            if mask_bit:
                mask_key = data[payload_at : payload_at + 4]
                payload_at += 4
            payload_end = payload_at + length
            if payload_end > last + 2 or length > limit:
                break
            if mask_bit == 0:
                payload = data[payload_at:payload_end]
            elif length < 126:  # `unmask`, but a call is dear here
                masked = int.from_bytes(data[payload_at:payload_end], "little")
                mask = int.from_bytes((mask_key * 32)[:length], "little")
                payload = (masked ^ mask).to_bytes(length, "little")
            else:
                payload = unmask(data[payload_at:payload_end], mask_key)
            start, end = base + pos, base + payload_end
            if start >= packet_end:
                places.advance_to(start)
                place, packet_end, order = places.place, places.end, places.order
                packets = (place.number,)
            message = WsMessage(
                side, head & 0x0F, payload, mask_bit > 0, mask_key, 0, 1, length, False, 0, True,
                start, end, packets, place, place, order if order > floor else floor,
            )  # fmt: skip
            if end > packet_end:
                message.packets = buffer.packets(start, end)
                places.advance_to(end - 1)
                place, packet_end, order = places.place, places.end, places.order
                packets = (place.number,)
                message.last, message.order = place, max(order, floor)
            if head == TEXT_WITH_FIN and not payload.isascii():
                self._assembler.order = message.order
                self._assembler.check_utf8(payload, message.last, events)
            events.append(message)
            pos = payload_end
        buffer.pos = pos

    def _read_next(self, events: list[WsEvent], last: PacketRef | None) -> bool:
        """Decode the next frame, or lose or find the framing; False when that takes more bytes."""
        buffer = self.buffer
        if self._passing is not None:
            return self._pass_by(self._passing, events)
        if self._lost is not None and not self._search(self._lost, events, last):
            return False
        start = buffer.offset
        header = read_header(buffer.data, buffer.pos)
        if header is None:
            buffer.need(len(buffer) + 1)
            return False
        payload_start = start + header.size
        if buffer.missing(start, payload_start):
            after = buffer.after_holes(start)
            self._lose(after, buffer.after_holes(payload_start), "a gap in a frame header", buffer.ref(after))
        elif header.length > ABSURD_LENGTH:
            place = buffer.ref(payload_start - 1)
            expected = f"a length up to {ABSURD_LENGTH}"
            order = max(buffer.order(payload_start - 1), self._floor)
            found = str(header.length)
            events.append(Anomaly(AnomalyKind.WS_BAD_LENGTH, self._side, place, expected, found, order))
            self._lose(start, start + 1, "a frame length that cannot be true", place)
        elif header.length > self._assembler.room(header):
            buffer.pos += header.size
            self._passing = self._frame(header, start)
        elif buffer.need(header.size + header.length):
            frame = self._frame(header, start, kept=True)
            buffer.pos += header.size + header.length
            self._assembler.take(frame, events)
        else:
            return False
        return True

    def _frame(self, header: Header, start: int, kept: bool = False) -> Frame:
        """The frame that begins at this stream offset; its last byte is here if its payload is to be kept."""
        buffer = self.buffer
        payload_start = start + header.size
        end = payload_start + header.length
        here = end if kept else payload_start
        holes = buffer.holes(payload_start, min(end, buffer.end))
        payload = buffer.data[payload_start - buffer.base : end - buffer.base] if kept else b""
        if kept and header.masked:
            payload = unmask(payload, header.mask_key)
            if holes:  # what is missing are zeros, also where there was a mask
                blanked = bytearray(payload)
                for hole_start, hole_end in holes:
                    blanked[hole_start - payload_start : hole_end - payload_start] = bytes(hole_end - hole_start)
                payload = bytes(blanked)
        missing = sum(hole_end - hole_start for hole_start, hole_end in holes)
        packets = buffer.packets(start, here)
        order = max(buffer.order(here - 1), self._floor)
        return Frame(
            header, start, end, payload, kept, missing, packets, buffer.ref(start), buffer.ref(here - 1), order
        )

    def _pass_by(self, frame: Frame, events: list[WsEvent]) -> bool:
        """Let the payload of this frame go by; False while its end has not come."""
        buffer = self.buffer
        if frame.end > buffer.end:
            buffer.pos = len(buffer.data)
            return False
        buffer.pos = frame.end - buffer.base
        self._passing = None
        self._finish_frame(frame, buffer.ref(frame.end - 1), buffer.order(frame.end - 1), events)
        return True

    def _finish_frame(self, frame: Frame, last: PacketRef, order: int, events: list[WsEvent]) -> None:
        """Take a frame that went by; of its packets those of the header and the last are known."""
        frame.last, frame.order = last, max(order, self._floor)
        if last.number != frame.packets[-1]:
            frame.packets += (last.number,)
        self._assembler.take(frame, events)

    def _lose(self, start: int, search_from: int, reason: str, place: PacketRef) -> None:
        """From `start` on nothing is understood; frames may begin again at `search_from` or later."""
        message = self._assembler.message
        if message is not None:
            start, place = message.first.start, message.first.first
        self._assembler.lose()
        self._lost = Desync(self._side, start, start, reason, place)
        self._search_from = search_from
        self._unplaced = False

    def _search(self, lost: Desync, events: list[WsEvent], last: PacketRef | None) -> bool:
        """Find the next packet at which frames begin; False when there is none yet, or it takes more bytes to know."""
        buffer = self.buffer
        for offset in buffer.boundaries(self._search_from - 1):
            found, known = self._frames_begin(offset, ended=last is not None)
            if found is None:
                self._search_from = offset
                buffer.pos = offset - buffer.base
                buffer.need(len(buffer) + 1)
                return False
            self._floor = max(self._floor, buffer.order(known - 1) if last is None else last.number)
            if found:
                self._lost = None
                buffer.pos = offset - buffer.base
                if lost.start < offset:
                    events.append(replace(lost, end=offset, order=self._floor))
                return True
        self._search_from = buffer.end
        buffer.pos = len(buffer.data)
        return False

    def _frames_begin(self, offset: int, ended: bool) -> tuple[bool | None, int]:
        """Whether frames begin at this stream offset, None if it takes more bytes, and the offset up to which was read.

        They do if the next few follow one another, or one ends with its packet, or has a length of 64 bits with the
        upper half zero, which is proof enough. Where nothing follows (`ended`), one whole frame has to do.
        """
        buffer = self.buffer
        for follows in range(PLAUSIBLE_FRAMES):
            header = read_header(buffer.data, offset - buffer.base)
            if header is not None:
                if not plausible(header, self._side, self._assembler.compression):
                    return False, offset + header.size
                if header.extended == 8:
                    return True, offset + header.size
                offset += header.size + header.length
            if header is None or offset > buffer.end:
                return follows > 0 if ended else None, buffer.end
            if buffer.is_boundary(offset):
                break
        return True, offset
