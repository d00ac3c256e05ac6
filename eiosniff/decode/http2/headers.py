"""Header blocks of HTTP/2 (HPACK, RFC 7541) of one direction, also behind a hole.

Each block refers to what those before it put into a table. Where blocks are missing, decoding goes on with an empty
table. Entries are counted from the newest, and the oldest go first, so that one that was added since has its true
place: what refers to it, or to the static table, is read rightly. What refers beyond is unknown, and said to be.
"""

from typing import Final, final

from hpack import Decoder
from hpack.exceptions import HPACKError
from hpack.table import HeaderTable

from eiosniff.decode.http2.header_list import UNKNOWN, HeaderList

# Chrome refuses lists of more, Node of more than 16 KiB. It bounds what references to one large entry amount to.
LIST_LIMIT: Final = 256 << 10
# What a decoder may allow an encoder (SETTINGS_HEADER_TABLE_SIZE): Chrome 64 KiB, others 4 KiB. Which of them it allows
# makes no difference to who listens: the encoder says what it takes (RFC 7541, section 6.3).
TABLE_LIMIT: Final = 1 << 20
_STATIC: Final = 61  # entries (RFC 7541, appendix A)


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
