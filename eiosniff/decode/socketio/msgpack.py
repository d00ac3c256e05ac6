"""msgpack to JSON (https://github.com/msgpack/msgpack/blob/master/spec.md), as far as Socket.IO parsers write it.

A value becomes the JSON text that the same value would have with the default parser: binary data is taken out and
replaced by placeholders. Not by msgspec, for two reasons. notepack.io, which Node's parsers use, gives extension type 0
three meanings by the form of its header (`d4` undefined, `d7` a Date, `c7` to `c9` an ArrayBuffer), which libraries do
not hand on. And a tree of Python objects takes fifty times the space of the message that it is made from.
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import Final, final

import msgspec

# A message of 1 MB, the usual limit of servers, holds fewer values; each costs up to six bytes of JSON.
MAX_VALUES: Final = 1 << 20

_FIXED: Final = 0  # what its header says: a JSON literal by its first byte
_INTEGER: Final = 1
_FLOAT: Final = 2
_TEXT: Final = 3
_BINARY: Final = 4
_EXTENSION: Final = 5
_ARRAY: Final = 6
_MAP: Final = 7

_NIL: Final = 0xC0
_LITERALS: Final = {_NIL: b"null", 0xC2: b"false", 0xC3: b"true"}
# By first byte: what it is, and how many bytes of length (or of number) follow.
_WITH_LENGTH: Final[dict[int, tuple[int, int]]] = {
    0xC4: (_BINARY, 1), 0xC5: (_BINARY, 2), 0xC6: (_BINARY, 4),
    0xC7: (_EXTENSION, 1), 0xC8: (_EXTENSION, 2), 0xC9: (_EXTENSION, 4),
    0xD9: (_TEXT, 1), 0xDA: (_TEXT, 2), 0xDB: (_TEXT, 4),
    0xDC: (_ARRAY, 2), 0xDD: (_ARRAY, 4), 0xDE: (_MAP, 2), 0xDF: (_MAP, 4),
}  # fmt: skip
_FLOATS: Final = {0xCA: 4, 0xCB: 8}
_UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED: Final = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_UNDEFINED_HEAD: Final = 0xD4
_DATE_HEAD: Final = 0xD7
_NOTEPACK: Final = 0  # the extension type of notepack.io
_TIMESTAMP: Final = 0xFF  # extension type -1 of the specification
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MsgpackError(ValueError):
    """What is no msgpack, or cannot be JSON; the text says why."""


class TooManyError(MsgpackError):
    """More values, or more binary data in pieces, than anyone sends."""


@final
class MsgpackReader:
    """Reads one message, value after value.

    `at` is the offset of the next one; `attachments` is the binary data that was taken out, in order, at most
    `most_attachments` pieces. All methods raise `MsgpackError`, and nothing else.
    """

    __slots__ = ("_data", "_head", "_most", "_values", "at", "attachments")

    def __init__(self, data: bytes, most_attachments: int) -> None:
        self.at = 0
        self.attachments: list[bytes] = []
        self._data = data
        self._head = 0  # the first byte of the value at hand
        self._most = most_attachments
        self._values = 0

    @property
    def ended(self) -> bool:
        """Whether all of the message was read."""
        return self.at == len(self._data)

    def map_size(self) -> int:
        """How many pairs the map has whose header is next."""
        kind, number = self._header()
        if kind != _MAP:
            raise MsgpackError("a map")
        return number

    def text(self) -> str | None:
        """The string that is next; None for any other value, which is skipped."""
        start = self.at
        kind, number = self._header()
        if kind != _TEXT:
            self.at = start
            self.skip()
            return None
        return self._take(number).decode(errors="replace")

    def integer(self) -> int | None:
        """The integer that is next; None for any other value, which is skipped."""
        start = self.at
        kind, number = self._header()
        if kind != _INTEGER:
            self.at = start
            self.skip()
            return None
        return number

    def skip(self) -> None:
        """Pass over a value."""
        left = 1
        while left:
            left -= 1
            kind, number = self._header()
            if kind == _ARRAY:
                left += number
            elif kind == _MAP:
                left += 2 * number
            elif kind >= _FLOAT:
                self._take(number + (kind == _EXTENSION))
            if left > len(self._data) - self.at:  # each takes a byte at least
                raise MsgpackError("the rest of the message")

    def json(self) -> bytes:
        """The value that is next, as JSON text without white space; empty for `undefined`.

        As JavaScript's JSON.stringify does it: `undefined` is left out of an object and null in an array, a Date is
        its text, numbers that JSON cannot write are null.
        """
        out = bytearray()
        left: list[int] = []  # of each open container, innermost last: the values that are still to come
        is_map: list[bool] = []
        pair_at = 0  # where the text of the innermost pair begins
        while True:
            if left and is_map[-1]:
                pair_at = len(out)
                self._key(out)
            opened = self._value(out)
            if opened >= 0:
                mapping = out[-1] == 0x7B
                if opened:
                    left.append(opened)
                    is_map.append(mapping)
                    continue
                out += b"}" if mapping else b"]"
            elif opened == _IS_UNDEFINED:
                if not left:
                    return b""
                if is_map[-1]:
                    del out[pair_at:]
                else:
                    out += b"null"
            while left:
                left[-1] -= 1
                if left[-1]:
                    if out[-1] not in _NO_COMMA_AFTER:
                        out += b","
                    break
                if out[-1] == 0x2C:  # the last pair was left out
                    del out[-1]
                out += b"}" if is_map[-1] else b"]"
                del left[-1], is_map[-1]
            if not left:
                return bytes(out)

    def _key(self, out: bytearray) -> None:
        """A key with its colon: text, or a number as Python writes them."""
        kind, number = self._header()
        if kind == _TEXT:
            out += msgspec.json.encode(self._take(number).decode(errors="replace"))
        elif kind == _INTEGER:
            out += b'"%d"' % number
        else:
            raise MsgpackError("a key that is text")
        out += b":"

    def _value(self, out: bytearray) -> int:
        """Write a value; of a container only its bracket, and return how many values are in it; else negative."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise TooManyError(f"at most {MAX_VALUES} values")
        kind, number = self._header()
        if kind == _TEXT:
            out += msgspec.json.encode(self._take(number).decode(errors="replace"))
        elif kind == _INTEGER:
            out += b"%d" % number
        elif kind == _FIXED:
            out += _LITERALS[number]
        elif kind == _FLOAT:
            value: float = struct.unpack(">f" if number == 4 else ">d", self._take(number))[0]
            out += msgspec.json.encode(value)  # null for what is no number
        elif kind == _ARRAY:
            out += b"["
            return number
        elif kind == _MAP:
            out += b"{"
            return number
        elif kind == _BINARY:
            self._attach(out, self._take(number), b"")
        else:
            return self._extension(out, number)
        return _IS_WRITTEN

    def _extension(self, out: bytearray, size: int) -> int:
        head, kind = self._head, self._take(1)[0]
        content = self._take(size)
        if kind == _NOTEPACK and head == _UNDEFINED_HEAD:
            return _IS_UNDEFINED
        if kind == _NOTEPACK and head == _DATE_HEAD:
            out += _date(0, int.from_bytes(content, "big", signed=True) * 1_000_000)
        elif kind == _NOTEPACK and head not in _FIXED_EXTENSIONS:
            self._attach(out, content, b"")
        elif kind == _TIMESTAMP and size in (4, 8, 12):
            out += _timestamp(content)
        else:
            self._attach(out, content, b',"ext":%d' % (kind - 256 if kind > 127 else kind))
        return _IS_WRITTEN

    def _attach(self, out: bytearray, content: bytes, more: bytes) -> None:
        if len(self.attachments) == self._most:
            raise TooManyError(f"at most {self._most} attachments")
        out += b'{"_placeholder":true,"num":%d%s}' % (len(self.attachments), more)
        self.attachments.append(content)

    def _header(self) -> tuple[int, int]:
        """What the next value is, and its number: an integer itself, a length in bytes, how many values or pairs."""
        head = self._head = self._take(1)[0]
        if head < 0x80:
            return _INTEGER, head
        if head < 0x90:
            return _MAP, head & 0x0F
        if head < 0xA0:
            return _ARRAY, head & 0x0F
        if head < 0xC0:
            return _TEXT, head & 0x1F
        if head >= 0xE0:
            return _INTEGER, head - 256
        sized = _WITH_LENGTH.get(head)
        if sized is not None:
            return sized[0], int.from_bytes(self._take(sized[1]), "big")
        if head in _LITERALS:
            return _FIXED, head
        if head in _UNSIGNED:
            return _INTEGER, int.from_bytes(self._take(_UNSIGNED[head]), "big")
        if head in _SIGNED:
            return _INTEGER, int.from_bytes(self._take(_SIGNED[head]), "big", signed=True)
        if head in _FLOATS:
            return _FLOAT, _FLOATS[head]
        if head in _FIXED_EXTENSIONS:
            return _EXTENSION, _FIXED_EXTENSIONS[head]
        raise MsgpackError("a type that msgpack has")  # c1

    def _take(self, size: int) -> bytes:
        start, end = self.at, self.at + size
        if end > len(self._data):
            raise MsgpackError("the rest of the message")
        self.at = end
        return self._data[start:end]


_IS_WRITTEN: Final = -1
_IS_UNDEFINED: Final = -2
_NO_COMMA_AFTER: Final = b"[{,"


def _timestamp(content: bytes) -> bytes:
    """The extension type -1: seconds; 30 bits of nanoseconds and 34 of seconds; or both in full."""
    if len(content) == 4:
        return _date(int.from_bytes(content, "big"), 0)
    if len(content) == 8:
        both = int.from_bytes(content, "big")
        return _date(both & (1 << 34) - 1, both >> 34)
    return _date(int.from_bytes(content[4:], "big", signed=True), int.from_bytes(content[:4], "big"))


def _date(seconds: int, nanoseconds: int) -> bytes:
    """As JavaScript writes a Date; null for one outside of the years 1 to 9999."""
    try:
        date = _EPOCH + timedelta(seconds=seconds, milliseconds=nanoseconds // 1_000_000)
    except OverflowError:
        return b"null"
    return b'"%sZ"' % date.replace(tzinfo=None).isoformat(timespec="milliseconds").encode()
