"""What another program decrypted: plain bytes with the captured packet that completed them."""

from typing import Final, final

from eiosniff.model.provenance import Endpoint


@final
class TlsPiece:
    """The plain bytes of one TLS record that was completed by a captured packet; several of a packet are in order."""

    __slots__ = ("data", "number")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data


@final
class QuicPiece:
    """Bytes of one QUIC stream that a captured packet brought (RFC 9000, section 19.8).

    `connection` numbers the QUIC connections of the capture; `stream` is the id, `offset` the place of the first byte
    in that direction of the stream, `fin` says that the direction ends behind the last one. Pieces come in the order of
    the capture, so not always in that of their offsets, and some come again.
    """

    __slots__ = ("client", "connection", "data", "fin", "from_client", "number", "offset", "server", "stream", "ts_ns")

    def __init__(
        self,
        number: int,
        ts_ns: int,
        connection: int,
        client: Endpoint,
        server: Endpoint,
        from_client: bool,
        stream: int,
        offset: int,
        data: bytes,
        fin: bool,
    ) -> None:
        self.number = number
        self.ts_ns = ts_ns
        self.connection = connection
        self.client = client
        self.server = server
        self.from_client = from_client
        self.stream = stream
        self.offset = offset
        self.data = data
        self.fin = fin


# QUIC connections have numbers below those of TCP connections, which begin with 0; -1 is none.
_FIRST_QUIC: Final = -2


def stream_of(connection: int) -> int:
    """The number by which ledgers know a QUIC connection."""
    return _FIRST_QUIC - connection


def shown_stream(stream: int) -> int:
    """The number of a connection as Wireshark counts, those of TCP and of QUIC each for themselves."""
    return _FIRST_QUIC - stream if stream <= _FIRST_QUIC else stream


def quic_connection(stream: int) -> int | None:
    """The number of the QUIC connection that ledgers know by this one (`quic.connection.number` in Wireshark); None if
    it is one of TCP."""
    return _FIRST_QUIC - stream if stream <= _FIRST_QUIC else None
