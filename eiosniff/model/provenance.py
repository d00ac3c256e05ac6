"""Where a decoded thing comes from: which side sent it, in which captured packets, when."""

from enum import IntEnum
from typing import Final, final

from mypy_extensions import mypyc_attr


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


# By these names in what runs for each message: Python looks a member up in an enumeration slowly.
CLIENT: Final = Side.CLIENT
SERVER: Final = Side.SERVER
SIDES: Final = (CLIENT, SERVER)
_OTHER: Final = (SERVER, CLIENT)


@final
@mypyc_attr(acyclic=True)
class PacketRef:
    """One captured packet: its number (as Wireshark counts, 1 is the first of the file) and its instant.

    Written out, as all records that are made for each message: compiled, a dataclass or a named tuple takes ten times
    as long to make (see `docs/decisions/0005-compiled.md`).
    """

    __slots__ = ("number", "ts_ns")

    def __init__(self, number: int, ts_ns: int) -> None:
        self.number = number
        self.ts_ns = ts_ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PacketRef) and self.number == other.number and self.ts_ns == other.ts_ns

    def __lt__(self, other: "PacketRef") -> bool:
        return self.number < other.number

    def __hash__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"PacketRef({self.number}, {self.ts_ns})"


NO_PACKET: Final = PacketRef(0, 0)


@final
@mypyc_attr(acyclic=True)
class Endpoint:
    """An IP address, as text, and a TCP port."""

    __slots__ = ("_hash", "address", "port")

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self._hash = hash(address) ^ port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Endpoint) and self.port == other.port and self.address == other.address

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Endpoint({self.address!r}, {self.port})"

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"
