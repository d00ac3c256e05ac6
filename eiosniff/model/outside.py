"""What another program decrypts: what is given to it, and the plain bytes that come back, by captured packet."""

from typing import Final, final

from eiosniff.model.provenance import Endpoint


@final
class OutsideConnection:
    """A connection that is given to another program: TLS over TCP, or (`quic`) QUIC over UDP, with its endpoints."""

    __slots__ = ("client", "quic", "server")

    def __init__(self, client: Endpoint, server: Endpoint, *, quic: bool) -> None:
        self.client = client
        self.server = server
        self.quic = quic


@final
class OutsidePacket:
    """What a captured packet brought of such a connection: bytes of TCP in order, or a UDP datagram.

    `offset` is that of the first byte in its direction of TCP, 0 for a datagram. `number` and `ts_ns` (ns) are of the
    packet that made the bytes deliverable.
    """

    __slots__ = ("connection", "data", "from_client", "number", "offset", "ts_ns")

    def __init__(
        self, number: int, ts_ns: int, connection: OutsideConnection, from_client: bool, offset: int, data: bytes
    ) -> None:
        self.number = number
        self.ts_ns = ts_ns
        self.connection = connection
        self.from_client = from_client
        self.offset = offset
        self.data = data


@final
class TlsPiece:
    """The plain bytes of one TLS record that was completed by a captured packet; several of a packet are in order.

    `ts_ns` is the instant of that packet. `connection` is the object that it was given out with.
    """

    __slots__ = ("connection", "data", "from_client", "number", "ts_ns")

    def __init__(self, number: int, ts_ns: int, connection: OutsideConnection, from_client: bool, data: bytes) -> None:
        self.number = number
        self.ts_ns = ts_ns
        self.connection = connection
        self.from_client = from_client
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
