"""Socket.IO packets (Socket.IO protocol documents, revisions 1 to 5)."""

from enum import Enum, IntEnum
from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side


class SioType(IntEnum):
    """Packet types of revisions 4 and 5 (type 4 is called ERROR up to revision 4; revision 3 has no BINARY_ACK).

    From 16 on, numbers of our own: the types that only Socket.IO 0.9 has.
    """

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6
    HEARTBEAT = 16
    MESSAGE = 17
    JSON = 18
    ERROR = 19
    NOOP = 20


class Parser(Enum):
    """How a side writes its packets, which the two sides of a session must agree on."""

    DEFAULT = "default"  # socket.io-parser, and what speaks the protocol as documented
    MSGPACK = "msgpack"  # socket.io-msgpack-parser, python-socketio with serializer="msgpack"
    JSON = "json"  # socket.io-json-parser
    # Only CONNECT, DISCONNECT and ERROR were seen, as JSON: of socket.io-msgpack-parser 1 and 2 they look the same.
    JSON_OR_MSGPACK = "json or msgpack"


@final
@mypyc_attr(acyclic=True)
class SioPacket:
    """One Socket.IO packet, its attachments joined.

    `data` is the JSON text as sent, empty when there is none; `event` the event name of an EVENT or BINARY_EVENT.
    `query` is what followed `?` in the namespace (revisions up to 4). `attachments_expected` is the number in the
    header, `attachments` what came: fewer, if the capture lacks some. `place` is the packet that completed it, or
    showed that it will never be; `packets` are all that carried it. Of other parsers than the default one, `data` is
    the JSON text that the default one would have sent, and binary data of whatever type of packet is in `attachments`;
    of 0.9, it is the text of a MESSAGE or an ERROR, and of an EVENT the array that later revisions write.
    """

    __slots__ = (
        "attachments",
        "attachments_expected",
        "data",
        "event",
        "id",
        "namespace",
        "packets",
        "place",
        "query",
        "side",
        "type",
    )  # fmt: skip

    def __init__(
        self,
        type: int,
        namespace: str,
        query: str,
        id: int | None,
        data: bytes,
        event: str | None,
        attachments_expected: int,
        attachments: tuple[bytes, ...],
        side: Side,
        place: PacketRef,
        packets: tuple[int, ...],
    ) -> None:
        self.type = type
        self.namespace = namespace
        self.query = query
        self.id = id
        self.data = data
        self.event = event
        self.attachments_expected = attachments_expected
        self.attachments = attachments
        self.side = side
        self.place = place
        self.packets = packets
