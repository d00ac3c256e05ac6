"""Header blocks of HTTP/2 (HPACK, RFC 7541) of one direction, also behind a hole.

Each block refers to what those before it put into a table. Where blocks are missing, decoding goes on with an empty
table. Entries are counted from the newest, and the oldest go first, so that one that was added since has its true
place: what refers to it, or to the static table, is read rightly. What refers beyond is unknown, and said to be.
"""

from typing import Final, final

from hpack import Decoder
from hpack.exceptions import HPACKError
from hpack.table import HeaderTable

from eiosniff.model.http import Fields

# A header of the block that is not known, or not its value; a real name is never empty.
UNKNOWN: Final = b""
# Chrome refuses lists of more, Node of more than 16 KiB. It bounds what references to one large entry amount to.
LIST_LIMIT: Final = 256 << 10
# What a decoder may allow an encoder (SETTINGS_HEADER_TABLE_SIZE): Chrome 64 KiB, others 4 KiB. Which of them it allows
# makes no difference to who listens: the encoder says what it takes (RFC 7541, section 6.3).
TABLE_LIMIT: Final = 1 << 20
_STATIC: Final = 61  # entries (RFC 7541, appendix A)

HeaderList = list[tuple[bytes, bytes]]


@final
class _Table:
    """The table of a `hpack.Decoder` that began late: an entry that is not there existed before."""

    def __init__(self) -> None:
        self._table = HeaderTable()

    @property
    def maxsize(self) -> int:
        return self._table.maxsize

    @maxsize.setter
    def maxsize(self, size: int) -> None:
        self._table.maxsize = size

    def add(self, name: bytes, value: bytes) -> None:
        self._table.add(name, value)

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        if index > _STATIC + len(self._table.dynamic_entries):
            return UNKNOWN, UNKNOWN
        name, value = self._table.get_by_index(index)
        return name, value


class HeaderDecoder:
    """Decodes the blocks of one direction, each once and in order. `lossy` says that some were missing."""

    def __init__(self) -> None:
        self.lossy = False
        self._decoder = _decoder()

    def lose(self) -> None:
        """A block is missing, or cannot be read."""
        self.lossy = True
        self._decoder = _decoder()
        setattr(self._decoder, "header_table", _Table())  # noqa: B010  # it has all that a decoder asks of its table

    def decode(self, block: bytes) -> HeaderList | str:
        """The fields of a block in order, those with the name UNKNOWN not known; or what is wrong with it."""
        try:
            fields = self._decoder.decode(block, raw=True)
            return [(bytes(name), bytes(value)) for name, value in fields]
        except (HPACKError, IndexError, ValueError) as error:  # the last two: what hpack lets through
            self.lose()
            return str(error)[:80] or type(error).__name__


def _decoder() -> Decoder:
    decoder = Decoder(LIST_LIMIT)
    decoder.max_allowed_table_size = TABLE_LIMIT
    return decoder


class Head:
    """A header list taken apart (RFC 9113, section 8.3).

    `pseudo` are the fields whose names begin with a colon, `fields` the others as lines of HTTP/1.1, with `:authority`
    as `host` before them. `unknown` counts fields that are not known, `wrong` is one that no message may have.
    """

    def __init__(self, listed: HeaderList) -> None:
        self.pseudo: dict[bytes, bytes] = {}
        self.unknown = 0
        self.wrong = b""
        lines: list[bytes] = []
        cookies: list[bytes] = []
        for name, value in listed:
            if name == UNKNOWN:
                self.unknown += 1
            elif name.startswith(b":"):
                self.pseudo.setdefault(name, value)
            elif name == b"cookie":  # RFC 9113, section 8.2.3: in pieces, so that more of it is in the table
                cookies.append(value)
            else:
                lines.append(self._line(name, value))
        if cookies:
            lines.append(self._line(b"cookie", b"; ".join(cookies)))
        authority = self.pseudo.get(b":authority")
        if authority is not None and not any(line.startswith(b"host:") for line in lines):
            lines.insert(0, self._line(b"host", authority))
        self.fields = Fields(b"".join(lines), True)

    def _line(self, name: bytes, value: bytes) -> bytes:
        line = name + b": " + value
        if b"\n" in line or b"\r" in line or b"\0" in line or b":" in name:  # section 8.2.1
            self.wrong = self.wrong or line
            line = line.replace(b"\n", b" ").replace(b"\r", b" ").replace(b"\0", b" ")
        return line + b"\r\n"
