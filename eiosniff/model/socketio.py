"""Socket.IO packets (Socket.IO protocol documents, revisions 1 to 5)."""

from enum import IntEnum
from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side


class SioType(IntEnum):
    """Packet types of revisions 4 and 5 (type 4 is called ERROR up to revision 4).

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


@final
@mypyc_attr(acyclic=True)
class SioPacket:
    """One Socket.IO packet, its attachments joined.

    `data` is the JSON text as sent, empty when there is none (in 0.9 the text of a MESSAGE or an ERROR, and an EVENT is
    the array that later revisions write); `event` the event name of an EVENT or BINARY_EVENT. `query` is what followed
    `?` in the namespace (revisions up to 4). `attachments_expected` is the number in the header, `attachments` what
    came. `place` is the packet that completed it, `packets` all that carried it.
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
