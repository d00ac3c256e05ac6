"""Which QUIC connections are handed to another program: those of whose ClientHello somebody wrote down a secret.

Whoever opens pages has many, and what decrypts them reads some thousand packets a second.
"""

from typing import Final, final

from eiosniff.decode.packets.quic import Datagram, QuicCounter
from eiosniff.decode.quic.initial import InitialReader
from eiosniff.model.outside import OutsideConnection, OutsidePacket
from eiosniff.model.provenance import Endpoint
from eiosniff.model.secrets import Secrets

MAX_PAIRS: Final = 10_000  # of endpoints
# Datagrams that wait for the ClientHello to be complete: of one pair, and of all.
MAX_HELD: Final = 64
MAX_HELD_OF_ALL: Final = 4_096


@final
class _Pair:
    """What goes between two endpoints. `chosen` is None until the first ClientHello told."""

    __slots__ = ("chosen", "connection", "held", "reader")

    def __init__(self, connection: OutsideConnection) -> None:
        self.connection = connection
        self.reader = InitialReader()
        self.held: list[OutsidePacket] = []
        self.chosen: bool | None = None


@final
class QuicChoice:
    """Takes datagrams in the order of the capture, and gives those that are chosen. `connections` are those."""

    __slots__ = ("_held", "_moved", "_pairs", "connections")

    def __init__(self) -> None:
        self.connections: list[OutsideConnection] = []
        self._pairs: dict[tuple[Endpoint, Endpoint], _Pair] = {}
        # Of chosen connections the address of the client, and the server: its port may change on the way (RFC 9000,
        # section 9), and then there is no other ClientHello.
        self._moved: set[tuple[str, Endpoint]] = set()
        self._held = 0

    def take(self, quic: QuicCounter, ports: frozenset[int], secrets: Secrets) -> list[OutsidePacket]:
        """Those of a batch, of servers with one of these ports (if there are any)."""
        chosen: list[OutsidePacket] = []
        for each in quic.datagrams or ():
            if not ports or each.server & 0xFFFF in ports:
                self._take(each, quic.endpoint(each.client), quic.endpoint(each.server), secrets, chosen)
        if quic.datagrams:
            quic.datagrams.clear()
        return chosen

    def _take(
        self, each: Datagram, client: Endpoint, server: Endpoint, secrets: Secrets, chosen: list[OutsidePacket]
    ) -> None:
        pair = self._pairs.get((client, server))
        if pair is None:
            if len(self._pairs) >= MAX_PAIRS:
                return
            pair = self._pairs[client, server] = _Pair(OutsideConnection(client, server, quic=True))
            if each.data[:1] < b"\x80" and (client.address, server) in self._moved:
                self._choose(pair)
        packet = OutsidePacket(each.number, each.ts_ns, pair.connection, each.from_client, 0, each.data)
        if not pair.chosen and each.from_client and pair.reader.take(each.data):
            self._judge(pair, secrets, chosen)
        if pair.chosen:
            chosen.append(packet)
        elif pair.chosen is None:
            self._hold(pair, packet)

    def _judge(self, pair: _Pair, secrets: Secrets, chosen: list[OutsidePacket]) -> None:
        self._held -= len(pair.held)
        if pair.reader.random is not None and secrets.knows(pair.reader.random):
            self._choose(pair)
            chosen += pair.held
        else:
            pair.chosen = False
        pair.held = []

    def _choose(self, pair: _Pair) -> None:
        pair.chosen = True
        self.connections.append(pair.connection)
        self._moved.add((pair.connection.client.address, pair.connection.server))

    def _hold(self, pair: _Pair, packet: OutsidePacket) -> None:
        if len(pair.held) >= MAX_HELD or self._held >= MAX_HELD_OF_ALL:
            self._held -= len(pair.held)
            pair.held = []
            pair.chosen = False  # until another ClientHello
            return
        pair.held.append(packet)
        self._held += 1
