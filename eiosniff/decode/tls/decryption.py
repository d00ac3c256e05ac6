"""What turns the bytes of a connection into those that it carries encrypted: see `streams`."""

from abc import ABC, abstractmethod

from eiosniff.model.provenance import Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

Plain = list[StreamChunk | Gap]


class Decryption(ABC):
    """One connection, both directions. Give it all records of the connection from its beginning on, in order.

    It returns plain text in the same form: `StreamChunk`s whose offsets count the plain bytes of that direction, each
    byte from the captured packet that brought it encrypted, `delivered` being the packet that completed the record it
    was in (0 where that packet brought all of it); and `Gap`s for what cannot be decrypted. `useless` says that nothing
    (more) can be decrypted, `why` in a few words why.
    """

    __slots__ = ("useless", "why")

    def __init__(self) -> None:
        self.useless = False
        self.why = ""

    @abstractmethod
    def feed(self, chunk: StreamChunk) -> Plain:
        """Bytes in order."""

    @abstractmethod
    def gap(self, gap: Gap) -> Plain:
        """A hole."""

    @abstractmethod
    def end(self, end: StreamEnd) -> Plain:
        """The end of one direction: what was waiting for more is settled."""

    @abstractmethod
    def outer(self, side: Side, offset: int) -> int:
        """The offset on the wire after the record with the bytes before an offset of the plain text."""
