"""Header sections of HTTP/3, by pylsqpack (RFC 9204), as a bystander reads them.

What one side writes refers to a table that its encoder stream fills, of a size that the other side announces in its
SETTINGS. A section may come before the insertions that it refers to: then it is blocked. One that refers to none can be
read in any case, also where a gap in the encoder stream has made the table unknown.
"""

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    import pylsqpack

Fields = list[tuple[bytes, bytes]]

MAX_BLOCKED: Final = 64  # sections at a time; browsers allow 100, and hardly ever block one
MAX_CAPACITY: Final = 1 << 20  # of a table; browsers announce 64 KiB
# What a section may expand to: each of its bytes can refer to an entry as large as all that was inserted.
MAX_EXPANDED: Final = 128 << 20
_HUFFMAN: Final = 2  # a byte may stand for 8/5 of one (RFC 7541, appendix B)


class BlockedError(Exception):
    """The section refers to insertions that have not come yet."""


class UnreadableError(Exception):
    """The section cannot be read; says why."""


@final
class Qpack:
    """What one side writes. `capacity` is what the other one announced, -1 before it did."""

    __slots__ = ("_blocked", "_broken", "_decoder", "_early", "_inserted", "capacity")

    def __init__(self) -> None:
        self.capacity = -1
        self._decoder: pylsqpack.Decoder | None = None
        self._early: list[bytes] = []  # of the encoder stream, before the capacity was known
        self._inserted = 0
        self._blocked: set[int] = set()
        self._broken = ""

    def announce(self, capacity: int) -> list[int]:
        """The other side tells how large the table may be; returns the streams whose sections can be read now."""
        if self.capacity >= 0:
            return []
        self.capacity = capacity
        if capacity > MAX_CAPACITY:
            self._broken = f"a table of {capacity} bytes"
        early, self._early = b"".join(self._early), []
        return self.insert(early) if early else []

    def insert(self, data: bytes) -> list[int]:
        """Bytes of the encoder stream; returns the streams whose sections can be read now."""
        self._inserted += len(data)
        if self._broken:
            return []
        if self.capacity < 0:
            self._early.append(data)
            if self._inserted > MAX_CAPACITY:
                self.lose("no SETTINGS")
            return []
        import pylsqpack

        try:
            ready = self._table().feed_encoder(data)
        except pylsqpack.EncoderStreamError:
            self.lose("an encoder stream that breaks QPACK")
            return list(self._blocked)
        return list(ready)

    def lose(self, why: str) -> None:
        """The table is not known any more."""
        self._broken = self._broken or why
        self._early = []

    def read(self, stream: int, section: bytes) -> Fields:
        """The fields of a section. Raises `BlockedError` and `UnreadableError`."""
        import pylsqpack

        if section[:1] == b"\0":  # Required Insert Count: it refers to no insertion (section 4.5.1.1)
            return self._decoded(pylsqpack.Decoder(0, 0), stream, section)
        if self._broken:
            raise UnreadableError(f"it refers to a table that is not known: {self._broken}")
        if self.capacity < 0 or len(self._blocked) >= MAX_BLOCKED:
            raise UnreadableError("it refers to a table that is not known")
        entry = min(self.capacity, self._inserted * _HUFFMAN)
        if len(section) * entry > MAX_EXPANDED:
            raise UnreadableError(f"{len(section)} bytes of references to a table of up to {entry}")
        return self._decoded(self._table(), stream, section)

    def resume(self, stream: int) -> Fields:
        """The fields of a section that was blocked. Raises as `read` does."""
        import pylsqpack

        self._blocked.discard(stream)
        if self._broken or self._decoder is None:
            raise UnreadableError(f"it refers to a table that is not known: {self._broken}")
        try:
            return list(self._decoder.resume_header(stream)[1])
        except (pylsqpack.DecompressionFailed, pylsqpack.StreamBlocked, ValueError) as error:
            raise UnreadableError("it breaks QPACK") from error

    def _decoded(self, decoder: "pylsqpack.Decoder", stream: int, section: bytes) -> Fields:
        import pylsqpack

        try:
            return list(decoder.feed_header(stream, section)[1])
        except pylsqpack.StreamBlocked as blocked:
            self._blocked.add(stream)
            raise BlockedError from blocked
        except (pylsqpack.DecompressionFailed, ValueError) as error:
            raise UnreadableError("it breaks QPACK") from error

    def _table(self) -> "pylsqpack.Decoder":
        if self._decoder is None:
            import pylsqpack

            self._decoder = pylsqpack.Decoder(self.capacity, MAX_BLOCKED)
        return self._decoder
