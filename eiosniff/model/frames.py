"""What the WebSocket frames and the binary messages of a session come to, and which of its packets are not whole."""

from dataclasses import dataclass
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tally import Tally

HEADS_KEPT: Final = 3
QUOTED: Final = 12  # bytes kept before and from the place of a mistake on


@final
@mypyc_attr(acyclic=True)
class BinaryHeads:
    """How the binary WebSocket messages of one side begin.

    `count` are all, `typed` those whose first byte is 4, the type of a message up to revision 3 of Engine.IO; `heads`
    are the first bytes of the first few, and `magic` what the data behind that byte is by its own first bytes
    (`a JPEG image`), of the first message that tells.
    """

    __slots__ = ("count", "heads", "magic", "typed")

    def __init__(self) -> None:
        self.count = 0
        self.typed = 0
        self.magic = ""
        self.heads: tuple[tuple[PacketRef, bytes], ...] = ()


@final
@mypyc_attr(acyclic=True)
class Deflated:
    """The compressed messages of one side (RFC 7692): bytes on the wire and before, payloads only.

    `grown` counts those that compression made larger. `alone` says that no message may refer to those before it
    (`no_context_takeover`). `first` is the first of them.
    """

    __slots__ = ("alone", "count", "first", "grown", "plain", "wire")

    def __init__(self, first: PacketRef, alone: bool) -> None:
        self.first = first
        self.alone = alone
        self.count = 0
        self.grown = 0
        self.plain = 0
        self.wire = 0


@dataclass(slots=True, frozen=True)
class Fragmented:
    """A message in several frames: its first and last packet, frames, and payload bytes on the wire."""

    side: Side
    first: PacketRef
    last: PacketRef
    fragments: int
    bytes: int


@dataclass(slots=True, frozen=True)
class CutShort:
    """A packet with fewer attachments than its header announces: `place` is that of the header, `shown` the packet that
    shows that no more come. `text` is the message that came instead (up to 80 bytes), empty at the end of a
    connection."""

    side: Side
    place: PacketRef
    announced: int
    came: int
    shown: PacketRef
    text: bytes


@dataclass(slots=True, frozen=True)
class Mistake:
    """A Socket.IO packet that cannot be read: what should stand at `position` (bytes, from its type digit on), and the
    bytes before that and from there on (up to `QUOTED` each). Of a CONNECT these are empty: it holds credentials.

    `type` is its type digit, or empty.
    """

    side: Side
    place: PacketRef
    type: str
    position: int
    expected: str
    before: bytes
    after: bytes


@dataclass(slots=True, frozen=True)
class Announced:
    """A header that announces more attachments than socket.io takes."""

    side: Side
    place: PacketRef
    attachments: int


@dataclass(slots=True, frozen=True)
class Reserved:
    """An event with a name that the libraries use for themselves."""

    side: Side
    place: PacketRef
    name: str


@final
@mypyc_attr(acyclic=True)
class FrameFigures:
    """Of one session. What most sessions have nothing of is None until it comes; lists have an entry a side.

    `zero_masks` counts WebSocket messages of the client that are masked with the key zero, `zero_mask` is the first.
    `slow` are messages in fragments that took long. The other tallies are of what they are named after.
    """

    __slots__ = (
        "announced", "cut_short", "deflated", "heads", "mistakes", "reserved", "slow", "zero_mask", "zero_masks",
    )  # fmt: skip

    def __init__(self) -> None:
        self.heads: list[BinaryHeads | None] | None = None
        self.deflated: list[Deflated | None] | None = None
        self.zero_mask: PacketRef | None = None
        self.zero_masks = 0
        self.slow: Tally[Fragmented] | None = None
        self.announced: Tally[Announced] | None = None
        self.cut_short: Tally[CutShort] | None = None
        self.mistakes: Tally[Mistake] | None = None
        self.reserved: Tally[Reserved] | None = None
