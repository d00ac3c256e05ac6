"""TLS with secrets: decrypted here if its cipher is known here, else by another program."""

from typing import Final, final

from eiosniff.decode.outside.pieces import Outside
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tls.decryption import Decryption, Plain
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from eiosniff.model.unread import Undecrypted

# Until the ServerHello tells the cipher nothing but hellos comes; who sends more has no use for it.
MAX_KEPT: Final = 1 << 20


@final
class EitherDecryption(Decryption):
    """A connection of which the first records tell who decrypts it. `streams` reads it until then, and on if it can; if
    it cannot, it reads what is in clear. Without an `outside` there is nobody else."""

    __slots__ = ("_client", "_flow", "_kept", "_other", "_outside", "_server", "_size", "streams")

    def __init__(
        self, streams: TlsStreams, outside: Outside | None, flow: Flow, client: Endpoint, server: Endpoint
    ) -> None:
        super().__init__()
        self.streams = streams
        self._outside = outside
        self._flow = flow
        self._client = client
        self._server = server
        self._other: Decryption | None = None
        # None once it is decided, or there is nobody else.
        self._kept: list[StreamChunk | Gap] | None = None if outside is None else []
        self._size = 0

    def feed(self, chunk: StreamChunk) -> Plain:
        """See `Decryption`."""
        if self._other is not None:
            self.streams.feed(chunk)
            return self._told(self._other.feed(chunk))
        kept = self._kept
        if kept is not None:
            kept.append(chunk)
            self._size += len(chunk.data)
        return self._decided(self.streams.feed(chunk))

    def gap(self, gap: Gap) -> Plain:
        """See `Decryption`."""
        if self._other is not None:
            self.streams.gap(gap)
            return self._told(self._other.gap(gap))
        if self._kept is not None:
            self._kept.append(gap)
        return self._decided(self.streams.gap(gap))

    def end(self, end: StreamEnd) -> Plain:
        """See `Decryption`."""
        if self._other is not None:
            self.streams.end(end)
            return self._told(self._other.end(end))
        return self._told(self.streams.end(end))

    def outer(self, side: Side, offset: int) -> int:
        """See `Decryption`."""
        return self.streams.outer(side, offset) if self._other is None else self._other.outer(side, offset)

    def _decided(self, plain: Plain) -> Plain:
        """What was decrypted here, or else by the other one, from the beginning on."""
        streams, kept, outside = self.streams, self._kept, self._outside
        if kept is None or outside is None:
            return self._told(plain)
        if streams.undecrypted is Undecrypted.CIPHER:
            self._kept = None
            other = self._other = outside.decryption(self._flow, self._client, self._server)
            for record in kept:
                plain += other.feed(record) if isinstance(record, StreamChunk) else other.gap(record)
        elif streams.useless or streams.opened or self._size > MAX_KEPT:
            self._kept = None
        return self._told(plain)

    def _told(self, plain: Plain) -> Plain:
        now = self.streams if self._other is None else self._other
        if plain and self._other is not None:
            self.streams.elsewhere = True
        self.useless, self.why = now.useless, now.why
        return plain
