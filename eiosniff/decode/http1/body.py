"""The body of an HTTP/1.x message: where it ends (RFC 9112, section 6).

Strategy: `body_reader` chooses one of three readers by the fields of the head. A reader takes from the buffer whatever
has come, so that nothing waits to be joined, and keeps it only if somebody asked: a body that nobody wants costs
arithmetic. It also knows what a gap does to it: where a length is known, missing bytes are counted and framing goes on.
"""

import re
from abc import ABC, abstractmethod
from enum import Enum
from typing import Final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.http1.events import Events
from eiosniff.model.http import HttpMessage
from eiosniff.model.provenance import SERVER, PacketRef, Side
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap

# chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF; chunk-size = 1*HEXDIG (RFC 9112, section 7.1).
# 16 digits are 64 bits: more is no length. White space after the size is not in the grammar; h11 allows it for servers
# that pad the size to a fixed width.
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r]*)?(\r?)")

# A chunk-size line is a few digits, a trailer field a digest: 4 KiB is far above both, and all that is ever held.
_LINE_LIMIT: Final = 4096

# Content-Length = 1*DIGIT (RFC 9110, section 8.6). 18 digits are an exabyte, and fit 64 bits.
_MAX_DIGITS: Final = 18

_ENDLESS: Final = 1 << 62

# The fields that framing asks for.
_TRANSFER_ENCODING: Final = b"transfer-encoding"
_CONTENT_LENGTH: Final = b"content-length"
_CONTENT_ENCODING: Final = b"content-encoding"


class Progress(Enum):
    """What a reader says of its body after it has read."""

    MORE = "needs more bytes"
    DONE = "is over"
    BROKEN = "has lost its framing"


MORE: Final = Progress.MORE
DONE: Final = Progress.DONE


class Body(ABC):
    """What all readers share: bytes are counted, and kept as long as there are at most `limit` of them.

    `length` leaves chunk framing out. `wanted` marks a body that somebody asked for: only then does reaching the limit
    matter.
    """

    def __init__(self, limit: int, wanted: bool) -> None:
        self.length = 0
        self.missing = 0
        self.kept = limit > 0
        self.codings: list[bytes] = []  # in the order in which they were applied
        self._limit = limit
        self._wanted = wanted
        self._pieces: list[bytes] = []

    @property
    @abstractmethod
    def sure(self) -> int:
        """How many of the bytes that come next belong to the body, whatever they are."""

    @abstractmethod
    def read(self, buffer: StreamBuffer, events: Events) -> Progress:
        """Take what belongs to the body from the bytes that have come."""

    @abstractmethod
    def skip(self, gap: Gap, events: Events) -> int | None:
        """Take missing bytes: how many of them are the body's, or None when nobody can tell where framing goes on."""

    @abstractmethod
    def lacks(self, end: EndKind) -> str:
        """What should have come before the stream ended in this way; empty when the body is complete."""

    def content(self) -> bytes:
        """The bytes that were kept, with zeros for those in a gap."""
        return b"".join(self._pieces)

    def _take(self, buffer: StreamBuffer, count: int, events: Events) -> None:
        pos = buffer.pos
        if self.kept:
            if self.length + count > self._limit:
                self._drop(buffer.side, buffer.ref(buffer.offset + self._limit - self.length), events)
            else:
                self._pieces.append(buffer.data[pos : pos + count])
        buffer.pos = pos + count
        self.length += count

    def _miss(self, gap: Gap, count: int, events: Events) -> None:
        if self.kept:
            if self.length + count > self._limit:
                self._drop(gap.side, gap.place, events)
            else:
                self._pieces.append(bytes(count))
        self.length += count
        self.missing += count

    def _drop(self, side: Side, place: PacketRef, events: Events) -> None:
        """Forget a body that is too large: the first part of it would mislead whoever decodes it."""
        self.kept = False
        self._pieces.clear()
        if self._wanted:
            expected = f"a body of at most {self._limit} bytes (limit `body`)"
            events.append(Anomaly(AnomalyKind.HTTP_TOO_LARGE, side, place, expected, "a larger one"))


class ContentLength(Body):
    """A body of known length (RFC 9112, section 6.2)."""

    def __init__(self, size: int, limit: int, wanted: bool) -> None:
        super().__init__(limit, wanted)
        self._left = size

    @property
    def sure(self) -> int:  # noqa: D102 (see Body)
        return self._left

    def read(self, buffer: StreamBuffer, events: Events) -> Progress:  # noqa: D102 (see Body)
        count = min(self._left, len(buffer.data) - buffer.pos)
        self._take(buffer, count, events)
        self._left -= count
        return MORE if self._left else DONE

    def skip(self, gap: Gap, events: Events) -> int:  # noqa: D102 (see Body)
        count = min(self._left, gap.length)
        self._miss(gap, count, events)
        self._left -= count
        return count

    def lacks(self, end: EndKind) -> str:  # noqa: D102 (see Body)
        return f"{self._left} more bytes of the body"


class UntilClose(Body):
    """A response body that only the end of the connection ends (RFC 9112, section 6.3, item 8)."""

    @property
    def sure(self) -> int:  # noqa: D102 (see Body)
        return _ENDLESS

    def read(self, buffer: StreamBuffer, events: Events) -> Progress:  # noqa: D102 (see Body)
        self._take(buffer, len(buffer.data) - buffer.pos, events)
        return MORE

    def skip(self, gap: Gap, events: Events) -> int:  # noqa: D102 (see Body)
        self._miss(gap, gap.length, events)
        return gap.length

    def lacks(self, end: EndKind) -> str:  # noqa: D102 (see Body)
        return "" if end is EndKind.FIN else "the rest of the body, then FIN"


class _Part(Enum):
    """What a chunked body goes on with."""

    SIZE = "chunk-size line"
    DATA = "chunk data"
    DATA_END = "CRLF after the chunk data"
    TRAILER = "trailer section"


class Chunked(Body):
    """A body in chunks (RFC 9112, section 7.1). Chunk extensions and trailer fields are read over."""

    def __init__(self, limit: int, wanted: bool) -> None:
        super().__init__(limit, wanted)
        self._part = _Part.SIZE
        self._left = 0
        self._odd = False

    @property
    def sure(self) -> int:  # noqa: D102 (see Body)
        return self._left if self._part is _Part.DATA else 0

    def read(self, buffer: StreamBuffer, events: Events) -> Progress:  # noqa: D102 (see Body)
        data = buffer.data
        while True:
            if self._part is _Part.DATA:
                count = min(self._left, len(data) - buffer.pos)
                self._take(buffer, count, events)
                self._left -= count
                if self._left:
                    return MORE
                self._part = _Part.DATA_END
            elif self._part is _Part.DATA_END:
                ending = data[buffer.pos : buffer.pos + 2]
                if ending in (b"", b"\r"):
                    return MORE
                if ending == b"\r\n":
                    buffer.pos += 2
                else:  # without it the next size line may still be where it must be
                    self._depart(buffer, "CRLF after the chunk data", ending[:1], events)
                    buffer.pos += ending[:1] == b"\n"
                self._part = _Part.SIZE
            else:
                progress = self._line(buffer, events)
                if progress is not None:
                    return progress

    def _line(self, buffer: StreamBuffer, events: Events) -> Progress | None:
        """Read a chunk-size line or a line of the trailer section; None when there is more to read."""
        data, pos = buffer.data, buffer.pos
        line_end = data.find(b"\n", pos, pos + _LINE_LIMIT)
        if line_end < 0:
            if len(data) - pos < _LINE_LIMIT:
                return MORE
            expected = f"a {self._part.value} of at most {_LINE_LIMIT} bytes"
            place = buffer.ref(buffer.offset)
            events.append(Anomaly(AnomalyKind.HTTP_TOO_LARGE, buffer.side, place, expected, "a longer one"))
            return Progress.BROKEN
        if self._part is _Part.TRAILER:
            buffer.pos = line_end + 1
            return DONE if data[pos:line_end] in (b"", b"\r") else None
        match = _CHUNK_SIZE.fullmatch(data, pos, line_end)
        if match is None:
            self._depart(buffer, "chunk-size", data[pos:line_end], events)
            return Progress.BROKEN
        if not match[2]:
            self._depart(buffer, "CRLF after the chunk-size", b"\n", events)
        self._left = int(match[1], 16)
        self._part = _Part.DATA if self._left else _Part.TRAILER
        buffer.pos = line_end + 1
        return None

    def _depart(self, buffer: StreamBuffer, expected: str, found: bytes, events: Events) -> None:
        """Report bad framing: once a body, since a sender that has a wrong idea of chunks has it in each."""
        if not self._odd:
            self._odd = True
            place = buffer.ref(buffer.offset)
            events.append(Anomaly(AnomalyKind.HTTP_BAD_CHUNK, buffer.side, place, expected, quoted(found)))

    def skip(self, gap: Gap, events: Events) -> int | None:  # noqa: D102 (see Body)
        if self._part is not _Part.DATA or gap.length > self._left:
            return None
        self._miss(gap, gap.length, events)
        self._left -= gap.length
        return gap.length

    def lacks(self, end: EndKind) -> str:  # noqa: D102 (see Body)
        return "the last chunk"


def body_reader(message: HttpMessage, limit: int, wanted: bool, events: Events) -> Body | None:
    """The reader for the body of `message` by RFC 9112, section 6.3; None when it has no body.

    The cases in which a response has no body whatever its fields say (items 1 and 2) are the caller's.
    """
    fields = message.fields
    codings, lengths = fields.members(_TRANSFER_ENCODING), fields.members(_CONTENT_LENGTH)
    body: Body | None
    if not codings and len(lengths) == 1 and _is_length(lengths[0]):
        size = int(lengths[0])
        body = ContentLength(size, limit, wanted) if size else None
    elif codings or lengths:
        body = _odd_framing(message, codings, lengths, limit, wanted, events)
    else:
        body = UntilClose(limit, wanted) if message.side is SERVER else None  # items 7 and 8
    if body is not None and body.kept:
        body.codings = fields.members(_CONTENT_ENCODING) + codings
    return body


def _is_length(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MAX_DIGITS


def _odd_framing(
    message: HttpMessage, codings: list[bytes], lengths: list[bytes], limit: int, wanted: bool, events: Events
) -> Body | None:
    """The reader where a transfer coding, or more or less than one length, tells the framing."""
    wrong = ""
    body: Body | None = UntilClose(limit, wanted) if message.side is SERVER else None  # items 7 and 8
    # `identity` is a coding of RFC 2616 that old peers still send; it means nothing.
    codings = [coding for coding in codings if coding not in {b"", b"identity"}]
    if codings:
        if lengths:  # item 3: Transfer-Encoding overrides
            wrong = "both Transfer-Encoding and Content-Length"
        if codings[-1] == b"chunked":
            body = Chunked(limit, wanted)
        else:  # item 4
            wrong = f"Transfer-Encoding that ends with {quoted(codings[-1])}"
    elif lengths:
        sizes = [int(length) for length in lengths if _is_length(length)]
        if len(sizes) < len(lengths) or len(set(sizes)) > 1:  # item 5
            wrong = f"Content-Length {quoted(b', '.join(lengths))}"
        if sizes:
            body = ContentLength(sizes[0], limit, wanted) if sizes[0] else None
    if wrong:
        expected = "one way to tell the length"
        events.append(Anomaly(AnomalyKind.HTTP_BAD_LENGTH, message.side, message.first, expected, wrong))
    return body


def quoted(found: bytes) -> str:
    """Bytes from the wire as a short text for `Anomaly.found`."""
    return found[:80].decode("latin-1")
