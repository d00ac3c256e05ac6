"""What is left to another program, in two passes over a capture (docs/decisions/0015-tshark-for-the-rest.md).

In the first one the connections that it can decrypt, and we cannot, are collected: `take` hands them out after each
batch. In the second one the plain bytes come back as pieces, in the order of the capture, while the same packets are
decoded again; they are asked for no earlier than they are needed, so that few are in memory at a time.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final, final

from eiosniff.decode.offsets import OffsetMap
from eiosniff.decode.outside.quic import QuicChoice
from eiosniff.decode.packets.quic import QuicCounter
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tls.decryption import Decryption, Plain
from eiosniff.model.outside import OutsideConnection, OutsidePacket, QuicPiece, TlsPiece
from eiosniff.model.provenance import CLIENT, Endpoint, Side
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

Pieces = Iterator[TlsPiece | QuicPiece]

# A capture with more connections that only another program decrypts is beyond it anyway.
MAX_CONNECTIONS: Final = 10_000
NOT_READ: Final = "another program would have to decrypt it"
NO_PIECES: Final = "tshark did not decrypt it"
INCOMPLETE: Final = "bytes are missing from it, and its cipher cannot go on behind a hole"

_Key = tuple[int, int, int]
_Sides = tuple[list[TlsPiece], list[TlsPiece]]  # of the server, of the client


@final
class Outside:
    """See the module. Without `first` it is for the first pass, else for the second after that one.

    `connections` were handed out in the first pass, `read` are those of which something came back, in either pass the
    same objects. `refused` counts those that were too many.
    """

    __slots__ = ("_ahead", "_choice", "_known", "_packets", "_pieces", "_quic", "_waiting", "read", "refused")

    def __init__(self, first: "Outside | None" = None, pieces: Pieces | None = None) -> None:
        self._known: dict[_Key, OutsideConnection] = first._known if first is not None else {}
        self._choice = QuicChoice()
        self._pieces = pieces
        self._ahead: TlsPiece | QuicPiece | None = None  # the next piece, which is of a later packet
        # Those of TLS that nobody took yet: in a batch one connection is decoded after the other.
        self._waiting: dict[OutsideConnection, _Sides] = {}
        self._packets: list[OutsidePacket] = []
        self._quic: list[QuicPiece] = []
        self.read: set[OutsideConnection] = set()
        self.refused = 0

    @property
    def collects(self) -> bool:
        """Whether it is the first pass."""
        return self._pieces is None

    @property
    def connections(self) -> list[OutsideConnection]:
        """What was handed out."""
        return [*self._known.values(), *self._choice.connections]

    def take(self) -> list[OutsidePacket]:
        """What was collected since this was called last, in the order of the capture."""
        packets, self._packets = self._packets, []
        packets.sort(key=attrgetter("number"))
        return packets

    # ------------------------------------------------------------------ TLS

    def decryption(self, flow: Flow, client: Endpoint, server: Endpoint) -> Decryption:
        """What stands in for the decryption of a connection that we have the keys of, but not the cipher."""
        key = flow.first.number, flow.ends[0] & 0xFFFF, flow.ends[1] & 0xFFFF
        known = self._known.get(key)
        if self._pieces is None:
            if known is None:
                if len(self._known) >= MAX_CONNECTIONS:
                    self.refused += 1
                    return _Collecting(self, None)
                known = self._known[key] = OutsideConnection(client, server, quic=False)
            return _Collecting(self, known)
        if known is None:
            decryption = OutsideDecryption(self, ([], []))
            decryption.give_up(NO_PIECES)
            return decryption
        return OutsideDecryption(self, self._waiting.setdefault(known, ([], [])))

    def collect(self, packet: OutsidePacket) -> None:
        """Hand this out."""
        self._packets.append(packet)

    def pull(self, number: int) -> None:
        """Take all pieces of packets up to this one."""
        if self._pieces is None:
            return
        while True:
            piece = self._ahead
            if piece is None:
                piece = next(self._pieces, None)
                if piece is None:
                    return
            if piece.number > number:
                self._ahead = piece
                return
            self._ahead = None
            if isinstance(piece, QuicPiece):
                self._quic.append(piece)
                continue
            self.read.add(piece.connection)
            self._waiting.setdefault(piece.connection, ([], []))[piece.from_client].append(piece)

    # ------------------------------------------------------------------ QUIC

    def collect_quic(self, quic: QuicCounter, ports: frozenset[int], secrets: Secrets) -> None:
        """Collect the datagrams of a batch that can be decrypted with these secrets, of servers with one of these ports
        (if there are any)."""
        self._packets += self._choice.take(quic, ports, secrets)

    def quic(self, number: int) -> list[QuicPiece]:
        """The pieces of QUIC streams in packets up to this one that were not handed out before."""
        self.pull(number)
        if not self._quic:
            return []
        pieces = [piece for piece in self._quic if piece.number <= number]
        self._quic = [piece for piece in self._quic if piece.number > number]
        return pieces


@final
class _Collecting(Decryption):
    """In the first pass: hands out what is to be decrypted. `connection` is None for one that is not handed out."""

    __slots__ = ("_connection", "_outside")

    def __init__(self, outside: Outside, connection: OutsideConnection | None) -> None:
        super().__init__()
        self._outside = outside
        self._connection = connection
        self.why = NOT_READ

    def feed(self, chunk: StreamChunk) -> Plain:
        """See `Decryption`."""
        connection = self._connection
        if connection is None:
            return []
        for piece in chunk.by_packet():
            number = piece.order
            packet = OutsidePacket(number, piece.times[-1], connection, piece.side is CLIENT, piece.offset, piece.data)
            self._outside.collect(packet)
        return []

    def gap(self, gap: Gap) -> Plain:
        """See `Decryption`: behind a hole nobody can decrypt these ciphers."""
        self._connection = None
        return []

    def end(self, end: StreamEnd) -> Plain:
        """See `Decryption`."""
        return []

    def outer(self, side: Side, offset: int) -> int:
        """See `Decryption`: there is no plain text."""
        return offset


@final
class OutsideDecryption(Decryption):
    """In the second pass: gives the plain bytes that came back, when the packet comes that completed their record."""

    __slots__ = ("_maps", "_offsets", "_outside", "_pieces")

    def __init__(self, outside: Outside, pieces: _Sides) -> None:
        super().__init__()
        self._outside = outside
        self._pieces = pieces
        self._offsets = [0, 0]
        self._maps = [OffsetMap(), OffsetMap()]

    def give_up(self, why: str) -> None:
        """Nothing more is decrypted."""
        self.useless = True
        self.why = why
        for pieces in self._pieces:
            pieces.clear()

    def feed(self, chunk: StreamChunk) -> Plain:
        """See `Decryption`."""
        if self.useless:
            return []
        last = chunk.delivered or chunk.numbers[-1]
        self._outside.pull(last)
        way = 0 if chunk.side is CLIENT else 1
        pieces = self._pieces[chunk.side is CLIENT]
        plain: Plain = []
        done = 0
        for piece in pieces:
            if piece.number > last:
                break
            done += 1
            offset = self._offsets[way]
            self._offsets[way] = offset + len(piece.data)
            self._maps[way].add(self._offsets[way], _end_of(chunk, piece.number))
            plain.append(StreamChunk(chunk.side, offset, piece.data, [0], [piece.number], [piece.ts_ns]))
        del pieces[:done]
        return plain

    def gap(self, gap: Gap) -> Plain:
        """See `Decryption`."""
        self.give_up(INCOMPLETE)
        return []

    def end(self, end: StreamEnd) -> Plain:
        """See `Decryption`: records were complete, or nothing came of them."""
        return []

    def outer(self, side: Side, offset: int) -> int:
        """See `Decryption`."""
        return self._maps[0 if side is CLIENT else 1].outer(offset)


def _end_of(chunk: StreamChunk, number: int) -> int:
    """The offset behind what a packet brought of a chunk."""
    end = chunk.offset + len(chunk.data)
    for at, brought_by in enumerate(chunk.numbers):
        if brought_by > number:
            return chunk.offset + chunk.starts[at]
    return end
