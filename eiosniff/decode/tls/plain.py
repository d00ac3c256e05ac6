"""Plain text of one direction, byte for byte from the captured packets that brought it encrypted."""

from typing import final

from eiosniff.decode.buffer import Places, StreamBuffer
from eiosniff.decode.tls.records import Record
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason


@final
class PlainText:
    """Joins what records hold to as few chunks as there may be: what other packets delivered is apart. `offset` counts
    the bytes so far."""

    __slots__ = (
        "_delivered",
        "_done",
        "_length",
        "_numbers",
        "_parts",
        "_places",
        "_starts",
        "_times",
        "offset",
        "side",
    )

    def __init__(self, side: Side) -> None:
        self.side = side
        self.offset = 0
        self._done: list[StreamChunk | Gap] = []
        self._places: Places | None = None
        self._parts: list[bytes] = []
        self._length = 0
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._times: list[int] = []
        self._delivered = 0

    @property
    def waiting(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._parts or self._done)

    def add(self, record: Record, buffer: StreamBuffer, since: int) -> None:
        """What a record holds, which could not be known before a captured packet."""
        data, places = record.data, self._places
        if places is None:
            places = self._places = buffer.places_from(record.begin)
        places.advance_to(record.begin)
        whole = record.end <= places.end
        places.advance_to(record.start)
        place, order, behind = places.place, places.order, places.end
        if whole and order == place.number and order >= since:
            delivered = 0
        else:
            delivered = max(buffer.order(record.end - 1), since)
        if delivered != self._delivered:
            self._flush()
            self._delivered = delivered
        start = record.start
        stop = start + len(data)
        length = self._length
        while True:
            if not self._numbers or self._numbers[-1] != place.number:
                self._starts.append(length)
                self._numbers.append(place.number)
                self._times.append(place.ts_ns)
            if behind >= stop:
                break
            length += behind - start
            start = behind
            places.advance_to(start)
            place, behind = places.place, places.end
        self._parts.append(data)
        self._length += len(data)
        self.offset += len(data)

    def gap(self, missing: int, reason: GapReason, place: PacketRef) -> None:
        """Some plain text is missing, as a captured packet shows."""
        self._flush()
        self._done.append(Gap(self.side, self.offset, missing, reason, place))
        self.offset += missing

    def _flush(self) -> None:
        parts = self._parts
        if not parts:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        begin = self.offset - self._length
        self._done.append(
            StreamChunk(self.side, begin, data, self._starts, self._numbers, self._times, self._delivered)
        )
        self._parts, self._starts, self._numbers, self._times, self._length = [], [], [], [], 0

    def take(self) -> list[StreamChunk | Gap]:
        """All that was added since this was asked last."""
        self._flush()
        self._places = None
        done = self._done
        self._done = []
        return done
