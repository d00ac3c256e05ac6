"""Handshake messages out of the records of one direction (RFC 8446, section 4; RFC 5246, section 7.4)."""

from typing import Final, final

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
NEW_SESSION_TICKET: Final = 4
END_OF_EARLY_DATA: Final = 5
ENCRYPTED_EXTENSIONS: Final = 8
SERVER_HELLO_DONE: Final = 14
FINISHED: Final = 20
KEY_UPDATE: Final = 24

_HEADER: Final = 4
_LARGEST: Final = 1 << 16  # that is kept: a ClientHello with all its extensions has a few KB
_KEPT: Final = (CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, ENCRYPTED_EXTENSIONS)


@final
class Messages:
    """Joins what records hold. Of messages that nobody reads, such as certificates, only the type is told."""

    __slots__ = ("_left", "_part")

    def __init__(self) -> None:
        self._part = b""  # of a message that goes on in the next record
        self._left = 0  # bytes of one that is passed over

    @property
    def at_boundary(self) -> bool:
        """Whether the next record begins with a message."""
        return not self._part and not self._left

    def reset(self) -> None:
        """Something is missing: the next record begins with a message, as far as anybody knows."""
        self._part = b""
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages, by type and body, that a record completes; of those that are passed over, that it begins."""
        found: list[tuple[int, bytes]] = []
        at = min(self._left, len(data))
        self._left -= at
        if self._left:
            return found
        data = self._part + data[at:]
        self._part = b""
        at = 0
        while at + _HEADER <= len(data):
            kind, length = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
            end = at + _HEADER + length
            if kind not in _KEPT or length > _LARGEST:
                found.append((kind, b""))
                self._left = max(0, end - len(data))
            elif end > len(data):
                break
            else:
                found.append((kind, data[at + _HEADER : end]))
            at = min(end, len(data))
        self._part = data[at:]
        return found
