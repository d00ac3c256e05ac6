"""The records of one direction of a TLS connection, opened with its keys (RFC 8446, section 5; RFC 5246, section 6.2).

After a hole the next record is looked for: where the one with the hole ends, if its header is there, else where bytes
look like a header. How many records are missing is not known, so sequence numbers are tried, and the keys that come
next; that a record can be opened at all proves that it is the right one.
"""

from typing import Final, final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.tls.keys import RecordKeys
from eiosniff.model.provenance import Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Gap, GapReason

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
_HEARTBEAT: Final = 24  # RFC 6520
_KINDS: Final = range(CHANGE_CIPHER_SPEC, _HEARTBEAT + 1)
_HEADER: Final = 5
_LARGEST: Final = (1 << 14) + 2048  # RFC 5246, section 6.2.3
_SOUGHT: Final = b"\x17\x03\x03"  # how a record with application data begins

# Of one direction. Opening 16 KB takes some microseconds; a capture that loses more than this is not worth them.
_MOST_TRIES: Final = 50_000
_MOST_TRIED_BYTES: Final = 1 << 27
_MOST_MISSING: Final = 8_192  # records in one hole
_MOST_MISSED: Final = 64  # records that are not understood, before or behind those that are
_AHEAD: Final = 2  # KeyUpdates that a hole may hide


@final
class Record:
    """A record, opened if it was `sealed`: `data` is what it holds, `kind` its content type. `start` is the stream
    offset of the first byte of what it holds, `begin` and `end` that of its header and after it. `missing` is about how
    many bytes of plain text are missing before it, `reason` why."""

    __slots__ = ("begin", "data", "end", "kind", "missing", "reason", "sealed", "start")

    def __init__(self, kind: int, data: bytes, begin: int, start: int, end: int, sealed: bool) -> None:
        self.kind = kind
        self.data = data
        self.begin = begin
        self.start = start
        self.end = end
        self.sealed = sealed
        self.missing = 0
        self.reason = GapReason.NOT_CAPTURED


@final
class RecordReader:
    """See the module. `keys` are those in use, None while nothing is sealed; `later` those that come next, as far as
    they are known. `proven` says that records could be opened, `hopeless` that no more will be: give it up."""

    __slots__ = (
        "_aligned", "_lost_at", "_missed", "_reason", "_skip_to", "_tried_bytes", "_tries", "buffer", "hopeless",
        "keys", "later", "proven", "sequence", "side",
    )  # fmt: skip

    def __init__(self, side: Side) -> None:
        self.side = side
        self.buffer = StreamBuffer(side)
        self.keys: RecordKeys | None = None
        self.later: list[RecordKeys] = []
        self.sequence = 0
        self.proven = False
        self.hopeless = False
        self._lost_at = -1  # the stream offset from which on records are missing, -1 if none are
        self._reason = GapReason.NOT_CAPTURED
        self._aligned = True  # a record begins at the next byte
        self._skip_to = 0  # the stream offset at which a record ends that has a hole
        self._missed = 0  # records since the last one that could be opened
        self._tries = 0
        self._tried_bytes = 0

    @property
    def is_lost(self) -> bool:
        """Whether records are missing up to here."""
        return self._lost_at >= 0

    @property
    def waits(self) -> bool:
        """Whether it needs keys to go on behind a hole."""
        return self.is_lost and self.keys is None and not self.later

    @property
    def tried(self) -> bool:
        """Whether there were keys for a record that could not be opened."""
        return self._tries > 0

    @property
    def lost_bytes(self) -> int:
        """How many bytes on the wire these are, and what could not be opened with them."""
        return self.buffer.end - self._lost_at if self.is_lost else 0

    @property
    def reason(self) -> GapReason:
        """Why they are missing."""
        return self._reason

    # ------------------------------------------------------------------ what comes

    def append(self, chunk: StreamChunk) -> bool:
        """The next bytes; False when they complete no record."""
        return self.buffer.append(chunk)

    def gap(self, gap: Gap) -> None:
        """A hole: with it goes what there is of the record it is in."""
        buffer, end = self.buffer, gap.offset + gap.length
        buffer.flush()
        begin = buffer.offset
        if not self.is_lost:
            self._lost_at = min(begin, gap.offset)
            self._reason = gap.reason
        if self._aligned and len(buffer) >= _HEADER and begin >= self._skip_to:
            data, pos = buffer.data, buffer.pos
            self._skip_to = begin + _HEADER + int.from_bytes(data[pos + 3 : pos + 5], "big")
        self._aligned = self._skip_to >= end
        buffer.pos, buffer.data, buffer.base = 0, b"", end

    def hold(self) -> None:
        """Do not look at more bytes until `next` is called."""
        self.buffer.need(1 << 62)

    def unread(self, record: Record) -> None:
        """Take the last record back: it comes again."""
        self.buffer.pos = record.begin - self.buffer.base
        if record.sealed:
            self.sequence -= 1

    def use(self, keys: RecordKeys) -> None:
        """From the next record on, these keys are in use."""
        self.keys = keys
        self.sequence = 0

    # ------------------------------------------------------------------ records

    def next(self) -> Record | None:
        """The next record, None if it is not complete."""
        buffer = self.buffer
        buffer.need(0)
        if self.waits:
            return None
        while not self.hopeless:
            length = self._length()
            if length < 0:
                return None
            data, pos = buffer.data, buffer.pos
            begin = buffer.base + pos
            end = pos + _HEADER + length
            kind = data[pos]
            keys = self.keys
            if keys is None and not self.is_lost:
                buffer.pos = end
                return Record(kind, data[pos + _HEADER : end], begin, begin + _HEADER, buffer.base + end, False)
            if keys is not None and keys.is_1_3 and kind != APPLICATION_DATA and self._aligned:
                buffer.pos = end
                if kind != CHANGE_CIPHER_SPEC:
                    return Record(kind, data[pos + _HEADER : end], begin, begin + _HEADER, buffer.base + end, False)
                continue
            header, sealed = data[pos : pos + _HEADER], data[pos + _HEADER : end]
            plain = keys.open(self.sequence, header, sealed) if keys is not None and not self.is_lost else None
            if plain is not None:
                self.sequence += 1
                missing = 0
            else:
                found = self._try(header, sealed, begin)
                if found is None:
                    self._miss(begin, pos, end)
                    continue
                plain, missing = found
            buffer.pos = end
            return self._opened(kind, plain, begin, buffer.base + end, missing)
        return None

    def _length(self) -> int:
        """Of the next record, its header aside; -1 if it is not complete yet."""
        buffer = self.buffer
        if buffer.offset < self._skip_to:
            buffer.pos = min(len(buffer.data), self._skip_to - buffer.base)
        while True:
            if not self._aligned:
                self._seek()
            data, pos = buffer.data, buffer.pos
            if len(data) - pos < _HEADER:
                buffer.need(_HEADER)
                return -1
            length = int.from_bytes(data[pos + 3 : pos + 5], "big")
            if data[pos] in _KINDS and data[pos + 1] == 3 and length <= _LARGEST:
                if len(data) - pos - _HEADER < length:
                    buffer.need(_HEADER + length)
                    return -1
                return length
            if self.keys is None and not self.is_lost:
                self.hopeless = True
                return -1
            if not self.is_lost:
                self._lost_at = buffer.offset
            if not self._aligned:
                buffer.pos += 1
            self._aligned = False

    def _seek(self) -> None:
        """Go on to where a record may begin."""
        buffer = self.buffer
        at = buffer.data.find(_SOUGHT, buffer.pos)
        buffer.pos = at if at >= 0 else max(buffer.pos, len(buffer.data) - len(_SOUGHT) + 1)

    def _miss(self, begin: int, pos: int, end: int) -> None:
        """A record that cannot be opened, or what only looks like one."""
        if not self.is_lost:
            self._lost_at = begin
        if not self._aligned:
            self.buffer.pos = pos + 1
            return
        self.buffer.pos = end
        self._missed += 1
        self.hopeless = self.hopeless or self._missed > _MOST_MISSED

    def _opened(self, kind: int, plain: bytes, begin: int, end: int, missing: int) -> Record:
        keys = self.keys
        assert keys is not None
        self.proven = True
        self._aligned = True
        self._missed = 0
        self._lost_at = -1
        if keys.is_1_3:  # the type is the last byte that is not zero
            plain = plain.rstrip(b"\0")
            kind = plain[-1] if plain else 0
            plain = plain[:-1]
        record = Record(kind, plain, begin, begin + _HEADER + keys.explicit, end, True)
        record.missing = missing
        record.reason = self._reason
        return record

    # ------------------------------------------------------------------ after a hole

    def _try(self, header: bytes, sealed: bytes, begin: int) -> tuple[bytes, int] | None:
        """Open a record with any keys and sequence number that it may have: what it holds, and how many bytes of plain
        text are missing before it."""
        lost = begin - self._lost_at if self.is_lost else 0
        for ahead, keys in enumerate(self._candidates()):
            first = self.sequence if ahead == 0 and keys is self.keys else 0
            most = min(lost // keys.overhead, _MOST_MISSING) if lost else 0
            for sequence in range(first, first + most + 1):
                self._tries += 1
                self._tried_bytes += len(sealed)
                if self._tries > _MOST_TRIES or self._tried_bytes > _MOST_TRIED_BYTES:
                    self.hopeless = True
                    return None
                plain = keys.open(sequence, header, sealed)
                if plain is not None:
                    return plain, self._found(keys, sequence, first, lost)
        return None

    def _candidates(self) -> list[RecordKeys]:
        candidates = [] if self.keys is None else [self.keys]
        candidates.extend(self.later)
        if self.is_lost and candidates:
            last = candidates[-1].successor()
            for _ in range(_AHEAD):
                if last is None:
                    break
                candidates.append(last)
                last = last.successor()
        return candidates

    def _found(self, keys: RecordKeys, sequence: int, first: int, lost: int) -> int:
        """Go on behind a record; returns about how many bytes of plain text are missing before it."""
        records = sequence - first
        if keys is not self.keys:
            after_data = self.keys is not None and self.keys.application
            records += after_data  # a KeyUpdate is missing, at least
            if keys in self.later:
                del self.later[: self.later.index(keys) + 1]
            self.keys = keys
        self.sequence = sequence + 1
        if records == 0 or not keys.application:
            return 0
        return max(1, lost - records * keys.overhead)
