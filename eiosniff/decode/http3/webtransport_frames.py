"""How Engine.IO frames packets in a WebTransport stream: one direction, bytes to packets.

A header of one byte: bit 7 says that the packet is binary, the others are its length; 126 means that it follows in 16
bits, 127 in 64 bits, big-endian. A length of zero is an error (engine.io-parser 5.2.1 and later). Before that, in
engine.io 6.5.0 and 6.5.1, there was no framing: a packet was what one read of the stream gave, which nobody can tell
from outside. It is recognised by the first byte, which is then the digit of a packet.
"""

from collections.abc import Sequence
from typing import Final, final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.websocket.frame import ABSURD_LENGTH
from eiosniff.model.provenance import CLIENT, NO_PACKET, PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind, Desync, Gap
from eiosniff.model.webtransport import WtMessage

# Kept of one packet; the same as of a WebSocket message.
PACKET_LIMIT: Final = 16 << 20
_BINARY: Final = 0x80
_LENGTH: Final = 0x7F
_IN_16_BITS: Final = 126
_IN_64_BITS: Final = 127
_SAFE: Final = (1 << 53) - 1  # JavaScript's largest integer: the library takes no more
_DIGITS: Final = b"0123456"  # of the packet types
_OPEN: Final = b"0"  # what a client begins with
_QUOTED: Final = 40
_FRAMED: Final = "a length, and then the packet"

WtRecord = WtMessage | Anomaly | Desync


@final
class WtReader:
    """One direction of the stream. Every byte of it is in a `WtMessage` or a `Desync`."""

    __slots__ = (
        "_announced_over", "_buffer", "_end", "_first", "_left", "_lost", "_lost_from", "_passed", "_side", "_started",
        "_why",
    )  # fmt: skip

    def __init__(self, side: Side) -> None:
        self._side = side
        self._buffer = StreamBuffer(side)
        self._end = 0  # the stream offset after all that came
        self._started = False  # the first bytes told which framing it is
        self._why = ""  # why nothing is understood any more,
        self._lost_from = 0  # from which stream offset on,
        self._lost = NO_PACKET  # and the packet with that byte
        # Of a packet over the limit: where its header begins, that byte, its length, and how much is still to come.
        self._passed = 0
        self._first = NO_PACKET
        self._announced_over = 0
        self._left = 0

    def feed(self, chunk: StreamChunk) -> Sequence[WtRecord]:
        """Take the next bytes."""
        records: list[WtRecord] = []
        self._end = chunk.offset + len(chunk.data)
        if not self._why and self._buffer.append(chunk):
            self._read(records)
        return records

    def gap(self, gap: Gap) -> Sequence[WtRecord]:
        """Take a hole. A packet that spans it keeps its length; if a header lies in it, the framing is lost."""
        records: list[WtRecord] = []
        self._end = gap.offset + gap.length
        if self._why:
            return records
        if gap.length <= self._expected() and self._buffer.append_gap(gap):
            self._read(records)
        else:
            self._lose("a gap in the framing", self._passed if self._left else self._buffer.offset, gap.place)
        return records

    def decide(self) -> Sequence[WtRecord]:
        """Nothing follows soon: a single byte is then a packet without a header."""
        records: list[WtRecord] = []
        if not self._why and not self._started and len(self._buffer):
            self._buffer.flush()
            self._find_old_framing(records)
        return records

    def end(self, place: PacketRef) -> Sequence[WtRecord]:
        """Nothing follows that matters; what comes all the same is not understood."""
        records = list(self.decide())
        buffer, announced = self._buffer, 0
        if not self._why and (len(buffer) or self._left):
            announced = self._announced()
            if announced > ABSURD_LENGTH:
                announced = 0
            expected = "the rest of a packet"
            records.append(Anomaly(AnomalyKind.WT_INCOMPLETE, self._side, place, expected, "the end of the stream"))
            begun = self._first if self._left else buffer.ref(buffer.offset)
            self._lose("the stream ended inside a packet", self._passed if self._left else buffer.offset, begun)
        if self._why and self._end > self._lost_from:
            records.append(Desync(self._side, self._lost_from, self._end, self._why, self._lost, announced))
        self._lose("after the end", self._end, place)
        return records

    def _read(self, records: list[WtRecord]) -> None:
        """Take whole packets from what has come."""
        buffer = self._buffer
        while not self._why:
            if self._left:
                self._pass_over(records)
                if self._left:
                    return
            if not buffer.need(1):
                return
            if not self._started:
                if buffer.data[buffer.pos] in _DIGITS and not buffer.need(2):
                    return
                self._find_old_framing(records)
                continue
            if not self._take(records):
                return

    def _find_old_framing(self, records: list[WtRecord]) -> None:
        """Decide by the first bytes. With a header the first packet begins with the digit of its type, which is that
        of an open packet if it is the client's."""
        self._started = True
        buffer = self._buffer
        data, pos = buffer.data, buffer.pos
        after = data[pos + 1 : pos + 2]
        if data[pos] not in _DIGITS or (after == _OPEN if self._side is CLIENT else after.isdigit()):
            return
        place = buffer.ref(buffer.offset)
        found = data[pos : pos + _QUOTED].decode("latin-1")
        records.append(Anomaly(AnomalyKind.WT_OLD_FRAMING, self._side, place, _FRAMED, found))
        self._lose("framed as before engine.io 6.5.2", buffer.offset, place)

    def _take(self, records: list[WtRecord]) -> bool:
        """Take one packet; False if it is not there yet."""
        buffer, side = self._buffer, self._side
        head = buffer.data[buffer.pos]
        length, size = head & _LENGTH, 1
        if length >= _IN_16_BITS:
            size = 3 if length == _IN_16_BITS else 9
            if not buffer.need(size):
                return False
            length = int.from_bytes(buffer.data[buffer.pos + 1 : buffer.pos + size])
        start = buffer.offset
        if length > PACKET_LIMIT:
            self._pass(start, size, length, records)
            return True
        if not buffer.need(size + length):
            return False
        pos = buffer.pos
        end = start + size + length
        if length == 0:
            place = buffer.ref(start)
            records.append(Anomaly(AnomalyKind.WT_BAD_LENGTH, side, place, "a length of 1 or more", "0"))
        records.append(
            WtMessage(
                side,
                head & _BINARY > 0,
                buffer.data[pos + size : pos + size + length],
                length,
                buffer.missing(start, end),
                True,
                start,
                end,
                buffer.packets(start, end),
                buffer.ref(start),
                buffer.ref(end - 1),
                buffer.order(end - 1),
            )
        )
        buffer.pos = pos + size + length
        return True

    def _pass(self, start: int, size: int, length: int, records: list[WtRecord]) -> None:
        """A packet is over the limit: nobody has room for it."""
        buffer = self._buffer
        place = buffer.ref(start + size - 1)
        if length > _SAFE:
            found = str(length)
            records.append(Anomaly(AnomalyKind.WT_BAD_LENGTH, self._side, place, f"a length up to {_SAFE}", found))
            self._lose("a length that no library takes", start, place)
            return
        expected = f"a packet of at most {PACKET_LIMIT} bytes (limit `message`)"
        records.append(Anomaly(AnomalyKind.WT_TOO_LARGE, self._side, place, expected, f"one of {length}"))
        self._passed, self._first = start, buffer.ref(start)
        self._announced_over = self._left = length
        buffer.pos += size

    def _pass_over(self, records: list[WtRecord]) -> None:
        buffer = self._buffer
        count = min(self._left, len(buffer.data) - buffer.pos)
        buffer.pos += count
        self._left -= count
        if not self._left:
            end = buffer.offset
            place = buffer.ref(end - 1)
            length = end - self._passed
            packets = (self._first.number, place.number)
            order = buffer.order(end - 1)
            records.append(
                WtMessage(
                    self._side, False, b"", length, 0, False, self._passed, end, packets, self._first, place, order
                )
            )

    def _announced(self) -> int:
        """The length of the packet that is there in part, 0 if it is not known."""
        return self._announced_over if self._left else self._header()[1]

    def _expected(self) -> int:
        """How many bytes of a packet are still to come whose header has come."""
        if self._left:
            return self._left
        size, length = self._header()
        return size + length - len(self._buffer) if size else 0

    def _header(self) -> tuple[int, int]:
        """The size of the header of the packet that is there in part, and the length in it; 0 if not all of it is."""
        buffer = self._buffer
        have = len(buffer)
        if not have or not self._started:
            return 0, 0
        buffer.flush()
        length, size = buffer.data[buffer.pos] & _LENGTH, 1
        if length >= _IN_16_BITS:
            size = 3 if length == _IN_16_BITS else 9
            if have < size:
                return 0, 0
            length = int.from_bytes(buffer.data[buffer.pos + 1 : buffer.pos + size])
        return size, length

    def _lose(self, why: str, offset: int, place: PacketRef) -> None:
        """Nothing more is understood of this direction."""
        self._why, self._lost_from, self._lost = why, offset, place
        self._left = 0
        self._buffer = StreamBuffer(self._side)
