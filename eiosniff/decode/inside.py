"""What reads the plain bytes of a connection that is neither HTTP/1.1 nor WebSocket: see `http2.connection`."""

from abc import ABC, abstractmethod

from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap


class Inside(ABC):
    """Both directions of one connection; it appends what it decodes to the events of the batch by itself."""

    __slots__ = ()

    @abstractmethod
    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order, of one packet or delivered by one."""

    @abstractmethod
    def gap(self, gap: Gap) -> None:
        """A hole."""

    @abstractmethod
    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""
