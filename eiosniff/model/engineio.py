"""Engine.IO packets (Engine.IO protocol documents, revisions 1 to 4)."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, final

from mypy_extensions import mypyc_attr

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


# By these names, as plain numbers, in what runs for each packet: members of an enumeration are slow to compare.
CLOSE: Final = 1
PING: Final = 2
PONG: Final = 3
MESSAGE: Final = 4
UPGRADE: Final = 5


class Transport(Enum):
    """How Engine.IO packets travel."""

    POLLING = "polling"
    WEBSOCKET = "websocket"
    WEBTRANSPORT = "webtransport"


POLLING: Final = Transport.POLLING
WEBSOCKET: Final = Transport.WEBSOCKET
WEBTRANSPORT: Final = Transport.WEBTRANSPORT


@final
@mypyc_attr(acyclic=True)
class EioPacket:
    """One Engine.IO packet.

    `type` is an `EioType` value, or -1 for a packet whose type is not one (`data` then holds all of it).
    `data` is what follows the type, as UTF-8 text or, if `binary`, as raw bytes (base64 undone).
    `packets` are the numbers of the captured packets of the message or body that carried it.
    """

    __slots__ = ("binary", "data", "packets", "place", "side", "transport", "type")

    def __init__(
        self,
        type: int,
        data: bytes,
        binary: bool,
        side: Side,
        transport: Transport,
        place: PacketRef,
        packets: tuple[int, ...],
    ) -> None:
        self.type = type
        self.data = data
        self.binary = binary
        self.side = side
        self.transport = transport
        self.place = place
        self.packets = packets


@dataclass(slots=True)
class OpenPacket:
    """The handshake that the server answers with (`0{...}`).

    A field is None where the server did not send it, or not as the type that the protocol asks for. `keys` are the
    names of all fields in the order as sent: servers can be told by it.
    """

    sid: str
    upgrades: tuple[str, ...]
    ping_interval_ms: int | None
    ping_timeout_ms: int | None
    max_payload: int | None
    keys: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class ServerError:
    """A refusal as an Engine.IO server words it.

    `style` is `node` (JSON with a numeric code), `socketioxide` (JSON with the code as a string), `python` (a JSON
    string) or `text` (the bare message, as for refused WebSocket upgrades). `code` is None where the style has none.
    """

    code: int | None
    message: str
    style: str

    @property
    def says_unknown_sid(self) -> bool:
        """Whether it says that there is no session with the id that was named."""
        return self.code == _UNKNOWN_SID or self.message.startswith(_UNKNOWN_SID_TEXTS)


_UNKNOWN_SID: Final = 1
_UNKNOWN_SID_TEXTS: Final = ("Session ID unknown", "Invalid session", "Session is disconnected", "invalid sid value")
