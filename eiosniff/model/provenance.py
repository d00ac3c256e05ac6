"""Where a decoded thing comes from: which side sent it, in which captured packets, when."""

from enum import IntEnum
from typing import NamedTuple


class Side(IntEnum):
    """A peer of a conversation. The values index two-element lists, one entry a direction."""

    CLIENT = 0
    SERVER = 1

    @property
    def label(self) -> str:
        """`client` or `server`, as the reports write it."""
        return "server" if self else "client"

    @property
    def other(self) -> "Side":
        """The peer of this side."""
        return _OTHER[self]


_OTHER = (Side.SERVER, Side.CLIENT)
# Both sides; iterating over the enumeration itself is slow, and some loops run for each connection.
SIDES = (Side.CLIENT, Side.SERVER)


class PacketRef(NamedTuple):
    """One captured packet: its number (as Wireshark counts, 1 is the first of the file) and its instant."""

    number: int
    ts_ns: int


NO_PACKET = PacketRef(0, 0)


class Endpoint(NamedTuple):
    """An IP address, as text, and a TCP port."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"
