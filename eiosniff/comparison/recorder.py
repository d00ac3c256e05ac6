"""Hears what is decoded of a capture, and keeps what a comparison needs beyond the ledgers."""

from typing import Final

from eiosniff.model.comparison import MAX_EVENTS, Said
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.peers import Client, Server
from eiosniff.model.session import MAX_SESSIONS
from eiosniff.model.socketio import SioPacket, SioType

_MAX_NAME: Final = 60
_KEPT: Final = (SioType.EVENT, SioType.ACK, SioType.BINARY_EVENT, SioType.BINARY_ACK, SioType.MESSAGE, SioType.JSON)
_ACKS: Final = (SioType.ACK, SioType.BINARY_ACK)


class Recorder:
    """Keeps the first events of each session, and the ledgers of clients and servers once the capture is closed."""

    def __init__(self) -> None:
        self.said: dict[int, list[Said]] = {}
        self.clients: list[Client] = []
        self.servers: list[Server] = []

    def take(self, packet: DecodedPacket) -> None:
        """The next packet of the capture."""
        socketio, session = packet.socketio, packet.session
        if socketio is None or session is None or socketio.type not in _KEPT:
            return
        said = self.said.get(session)
        if said is None:
            if len(self.said) >= MAX_SESSIONS:
                del self.said[next(iter(self.said))]
            said = self.said[session] = []
        if len(said) < MAX_EVENTS:
            said.append(Said(socketio.place, _label(socketio), _detail(socketio)))

    def close(self, clients: list[Client], servers: list[Server]) -> None:
        """The capture is over: its ledgers that are in memory."""
        self.clients = clients
        self.servers = servers


def _label(packet: SioPacket) -> str:
    kind = SioType(packet.type)
    name = "ack" if kind in _ACKS else (packet.event or kind.name.lower())[:_MAX_NAME]
    namespace = "" if packet.namespace == "/" else f" in {packet.namespace[:_MAX_NAME]}"
    return f"{packet.side.label}: {name}{namespace}"


def _detail(packet: SioPacket) -> str:
    parts = []
    if packet.id is not None and packet.type not in _ACKS:
        parts.append("asks for an ack")
    count = packet.attachments_expected
    if count:
        parts.append("1 attachment" if count == 1 else f"{count} attachments")
    return ", ".join(parts) or "sent"
