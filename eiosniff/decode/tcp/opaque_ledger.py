"""Which TLS connections are worth a ledger of what they show from outside."""

from typing import Final, final

from eiosniff.decode.tcp.opaque import OpaqueFlow
from eiosniff.decode.tls.clear import TlsHandshake
from eiosniff.model.opaque import OpaqueConnection
from eiosniff.model.provenance import Endpoint
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from eiosniff.model.unread import Encrypted

# A ledger has a few KB at the most. What is wrong between a client and a server shows in the first connections.
MAX_OPAQUE: Final = 2_000
MAX_OPAQUE_OF_A_PAIR: Final = 32  # a client's address, and a server under one name and with one offer of protocols
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2


def client_told(records: list[tuple[int, StreamChunk | Gap | StreamEnd]]) -> int | None:
    """The direction of the client by the hello that comes first; None if there is none."""
    for way, record in records:
        if isinstance(record, StreamChunk) and len(record.data) > 5 and record.data[0] == _HANDSHAKE:
            if record.data[5] == _CLIENT_HELLO:
                return way
            if record.data[5] == _SERVER_HELLO:
                return 1 - way
    return None


@final
class OpaqueLedger:
    """The connections that are followed, in the order in which their handshakes were done."""

    __slots__ = ("_connections", "_counts")

    def __init__(self) -> None:
        self._connections: list[OpaqueConnection] = []
        self._counts: dict[tuple[str, Encrypted], int] = {}

    def admit(
        self, flow: OpaqueFlow, entry: Encrypted | None, client: Endpoint, way: int, handshake: TlsHandshake
    ) -> None:
        """The hellos of a connection were read, and `way` is the direction of its client. If it is to have a ledger, it
        gets it here; else nothing more is observed. One that fails in the handshake says nothing after it."""
        answer = handshake.server_hello
        failed = handshake.alert(0) >= 0 or handshake.alert(1) >= 0 or handshake.under_way
        unanswered = answer is None and handshake.client_hello is not None
        if entry is None or failed or unanswered or way != flow.client or not self._has_room(client, entry):
            flow.drop()
            return
        facts = flow.facts
        facts.entry, facts.client, facts.server = entry, client, entry.server
        if answer is not None:
            facts.version, facts.suite = answer.version, answer.suite
        self._connections.append(facts)

    def _has_room(self, client: Endpoint, entry: Encrypted) -> bool:
        pair = client.address, entry
        count = self._counts.get(pair, 0)
        if count >= MAX_OPAQUE_OF_A_PAIR or len(self._connections) >= MAX_OPAQUE:
            return False
        self._counts[pair] = count + 1
        return True

    def settled(self) -> list[OpaqueConnection]:
        """All of them, when the capture is over."""
        for connection in self._connections:
            connection.settle()
        return self._connections
