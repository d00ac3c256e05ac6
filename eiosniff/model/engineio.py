"""Engine.IO packets (Engine.IO protocol documents, revisions 1 to 4)."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from eiosniff.model.provenance import PacketRef, Side


class EioType(IntEnum):
    """Packet types, the same digits in every revision."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6

    @property
    def label(self) -> str:
        """The protocol's own name, lower case."""
        return self.name.lower()


class Transport(Enum):
    """How Engine.IO packets travel."""

    POLLING = "polling"
    WEBSOCKET = "websocket"
    WEBTRANSPORT = "webtransport"


@dataclass(slots=True, eq=False)
class EioPacket:
    """One Engine.IO packet.

    `type` is an `EioType` value, or -1 for a packet whose type is not one (`data` then holds all of it).
    `data` is what follows the type, as UTF-8 text or, if `binary`, as raw bytes (base64 undone).
    `packets` are the numbers of the captured packets of the message or body that carried it.
    """

    type: int
    data: bytes
    binary: bool
    side: Side
    transport: Transport
    place: PacketRef
    packets: tuple[int, ...]
