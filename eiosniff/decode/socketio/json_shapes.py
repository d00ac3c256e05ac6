"""What JSON the Socket.IO packet types carry, as msgspec types that keep nothing but the event name.

The rest is checked and skipped. This module is not compiled (`setup.py`): msgspec has to make these classes itself.
"""

import msgspec


class EventShape(msgspec.Struct, array_like=True):
    """An array that begins with a string or a number."""

    name: str | float


class ArrayShape(msgspec.Struct, array_like=True):
    """Any array."""


class ObjectShape(msgspec.Struct):
    """Any object."""


class PacketShape(msgspec.Struct):
    """A Socket.IO packet as a JSON object; `data` as sent, empty where there is none."""

    type: int
    nsp: str
    data: msgspec.Raw = msgspec.Raw(b"")
    id: int | None = None


class Event09Shape(msgspec.Struct):
    """An event of Socket.IO 0.9: an object with a name, and the arguments as they were sent."""

    name: str
    args: msgspec.Raw = msgspec.Raw(b"[]")
