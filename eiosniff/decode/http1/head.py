"""The head of an HTTP/1.x message: where one begins and ends, and whether it keeps to the grammar (RFC 9112).

Strategy: one regular expression recognises, validates and takes apart the start line of a head that keeps to the
grammar, as nearly all do, and one validates its header block, if that was not seen before. Only a head that departs is
looked at line by line, by more liberal expressions that still keep out text that merely looks alike. Header lines are
not split: that is for whoever wants to see them (`HttpMessage.headers`).
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.http import Fields
from eiosniff.model.provenance import SERVER, Side
from eiosniff.model.trouble import AnomalyKind

# token = 1*tchar (RFC 9110, section 5.6.2). The longest registered method has 17 characters.
_TCHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_METHOD: Final = _TCHAR + rb"{1,24}+"

# field-line = field-name ":" OWS field-value OWS (RFC 9112, section 5). A value has no CR, LF or NUL (RFC 9110, 5.5).
_FIELD: Final = _TCHAR + rb"++:[^\r\n\x00]*+\r\n"

_FIELDS: Final = re.compile(rb"(?:" + _FIELD + rb")*+")

# By side: a start line.
# request-line = method SP request-target SP HTTP-version (RFC 9112, section 3)
# status-line = HTTP-version SP status-code SP [ reason-phrase ] (section 4)
_REGULAR_START_LINE: Final = (
    re.compile(rb"(" + _METHOD + rb") ([^\x00-\x20\x7f]++) HTTP/(1\.[0-9])"),
    re.compile(rb"HTTP/(1\.[0-9]) ([1-5][0-9]{2}) ([^\r\n\x00]*+)"),
)

# Header blocks that are remembered: of each client there are a few; a larger one is hardly sent twice.
_BLOCKS_KEPT: Final = 512
_BLOCK_LIMIT: Final = 4096
_blocks: Final[dict[bytes, Fields]] = {}
# And status lines: a server has a few.
_STATUS_LINES_KEPT: Final = 256
_STATUS_LINE_LIMIT: Final = 64
_status_lines: Final[dict[bytes, tuple[bytes, bytes, bytes]]] = {}

# By side: a start line that departs. White space in a target comes from requests written by hand; many servers leave
# the SP before an empty reason out. RFC 9112, section 2.2, lets a recipient take a lone LF for the end of a line.
_START_LINE: Final = (
    re.compile(rb"(" + _METHOD + rb")[ \t]++(.*)[ \t]HTTP/(1\.[0-9])[ \t]*\r?", re.DOTALL),
    re.compile(rb"HTTP/(1\.[0-9])[ \t]+([0-9]{3})(?:[ \t]([^\r]*))?\r?"),
)

# By side: what may become a start line when more bytes come. Most garbage is turned away at its first byte.
_MAY_START: Final = (
    re.compile(_METHOD + rb"(?:[ \t]|\Z)"),
    re.compile(rb"HTTP/1\.|" + rb"|".join(rb"HTTP/1."[:length] + rb"\Z" for length in range(7))),
)

_FIELD_LINE: Final = re.compile(_FIELD + rb"|\r\n")


@final
@mypyc_attr(acyclic=True)
class Head:
    """A head in `data[start:end]`; the body begins at `after`.

    `parts` are method, target and version of a request; version, status and reason of a response. `regular` says that
    it keeps to the grammar.
    """

    __slots__ = ("after", "end", "fields", "parts", "regular", "start")

    def __init__(
        self, parts: tuple[bytes, bytes, bytes], start: int, end: int, after: int, regular: bool, fields: Fields
    ) -> None:
        self.parts = parts
        self.start = start
        self.end = end
        self.after = after
        self.regular = regular
        self.fields = fields


class NoHead(Enum):
    """Why there is no head."""

    YET = "it may become one when more bytes come"
    HERE = "no start line"
    WITHIN_LIMIT = "a start line, but no end within the limit"


def head_at(data: bytes, pos: int, side: Side, limit: int) -> Head | NoHead:
    """The head that begins at `pos`, after empty lines (RFC 9112, section 2.2, wants them skipped)."""
    size = len(data)
    stop = pos + limit
    start = pos
    while start < size and data[start] in b"\r\n":
        start += 1
    if start >= size or start >= stop:
        return NoHead.HERE if start >= stop else NoHead.YET
    line_end = data.find(b"\r\n", start, stop)
    parts = _start_line(data[start:line_end], side) if line_end >= 0 else None
    if parts is None and not _MAY_START[side].match(data, start):
        return NoHead.HERE
    if parts is not None:
        end = data.find(b"\r\n\r\n", line_end, stop)
        if end >= 0:
            fields = _fields(data[line_end + 2 : end + 2])
            if fields.regular:
                return Head(parts, start, end, end + 4, True, fields)
    return _irregular_head(data, start, stop, side)


def _start_line(line: bytes, side: Side) -> tuple[bytes, bytes, bytes] | None:
    """The three parts of a start line (without its CRLF) that keeps to the grammar; status lines are remembered."""
    known = _status_lines.get(line) if side is SERVER else None
    if known is not None:
        return known
    match = _REGULAR_START_LINE[side].fullmatch(line)
    if match is None:
        return None
    parts = match[1], match[2], match[3]
    if side is SERVER and len(_status_lines) < _STATUS_LINES_KEPT and len(line) <= _STATUS_LINE_LIMIT:
        _status_lines[line] = parts
    return parts


def _fields(lines: bytes) -> Fields:
    """The header block with these lines, which was perhaps seen before."""
    known = _blocks.get(lines)
    if known is None:
        known = Fields(lines, _FIELDS.fullmatch(lines) is not None)
        if len(lines) <= _BLOCK_LIMIT:
            if len(_blocks) >= _BLOCKS_KEPT:
                _blocks.clear()
            _blocks[lines] = known
    return known


def _irregular_head(data: bytes, start: int, stop: int, side: Side) -> Head | NoHead:
    whole = len(data) >= stop
    line_end = data.find(b"\n", start, stop)
    if line_end < 0:
        return NoHead.HERE if whole else NoHead.YET
    match = _START_LINE[side].fullmatch(data, start, line_end)
    if match is None:
        return NoHead.HERE
    ends = [end for end in (data.find(b"\n\r\n", line_end, stop), data.find(b"\n\n", line_end, stop)) if end >= 0]
    if not ends:
        return NoHead.WITHIN_LIMIT if whole else NoHead.YET
    end = min(ends)
    after = end + (2 if data.startswith(b"\n", end + 1) else 3)
    end -= data.startswith(b"\r", end - 1)
    lines = data[line_end + 1 : end] if end > line_end else b""  # compiled code cannot slice backwards
    first, second, third = (part.strip() for part in match.groups(b""))
    return Head((first, second, third), start, end, after, False, Fields(lines + b"\r\n", False))


def departures(data: bytes, head: Head, side: Side) -> Iterator[tuple[AnomalyKind, str, bytes]]:
    """Where a head departs from the grammar, as kind, expected, found: at most its start line and one field line."""
    start_line, *field_lines = data[head.start : head.after].splitlines(keepends=True)
    if not start_line.endswith(b"\r\n") or _start_line(start_line[:-2], side) is None:
        expected = "version SP status-code SP reason CRLF" if side else "method SP target SP version CRLF"
        yield AnomalyKind.HTTP_BAD_START_LINE, expected, start_line
    for line in field_lines:
        if not _FIELD_LINE.fullmatch(line):
            yield AnomalyKind.HTTP_BAD_HEADER, "field-name: value CRLF", line
            return
