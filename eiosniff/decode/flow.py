"""What is known of one TCP connection while it lasts, and what is left of it afterwards."""

from dataclasses import dataclass, field
from typing import Protocol

from eiosniff.decode.reassembly import Direction
from eiosniff.decode.segments import ACK
from eiosniff.model.provenance import NO_PACKET, PacketRef, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

_SIDES = (Side.CLIENT, Side.SERVER)


class Conversation(Protocol):
    """What a connection is handed to. It appends what it decodes to the events of the batch by itself."""

    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order."""

    def gap(self, gap: Gap) -> None:
        """A hole."""

    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""

    def reset(self, end: StreamEnd) -> None:
        """The peer of this side reset the connection; what this side had in flight may still come, and then `end`."""


@dataclass(slots=True, eq=False)
class Flow:
    """One TCP connection. `ends` are its packed endpoints, the lower first; direction 0 is sent by the lower one.

    `heard` has bit 0 and 1 set for the directions of which anything was captured. `packets` and `payload` count what
    came before it was decided what the connection is.
    """

    ends: tuple[int, int]
    first: PacketRef
    last: PacketRef
    stream: int = -1  # known when all connections of a batch are
    directions: tuple[Direction, Direction] = field(default_factory=lambda: (Direction(), Direction()))
    heard: int = 0
    syn_last: PacketRef = NO_PACKET
    syn_repeats: int = 0
    reset: PacketRef | None = None
    reset_by: int | None = None  # a direction
    client: int | None = None  # the direction of the client, once it is known
    conversation: Conversation | None = None
    dropped: bool = False
    over: bool = False
    packets: int = 0
    payload: int = 0

    @property
    def midstream(self) -> bool:
        """Whether the capture began after the connection did."""
        return self.directions[0].syn is None and self.directions[1].syn is None

    def side(self, way: int) -> Side:
        """The side that sends in a direction (a guess as long as nothing told)."""
        return _SIDES[way != (self.client or 0)]

    def direction(self, side: Side) -> Direction:
        """The direction in which a side sends."""
        client = self.client or 0
        return self.directions[client if side is Side.CLIENT else 1 - client]

    def is_replaced_by(self, way: int, seq: int, flags: int) -> bool:
        """Whether a SYN begins another connection of the same endpoints, and not this one (again)."""
        direction, other = self.directions[way], self.directions[1 - way]
        if direction.syn_seq == seq:
            return not flags & ACK and not (_open(direction) and _open(other))
        if direction.next_seq < 0:
            # The answer to a SYN may be captured before it; anything else that came before is of another connection.
            return self.heard >> way & 1 > 0 or (other.next_seq >= 0 and other.syn is None)
        if direction.syn is None and direction.offset_of(seq + 1) == 0:
            return False  # the SYN was captured after what followed it
        # A repeated SYN may be answered with another sequence number (SYN cookies, RFC 4987, section 3.6).
        return not (flags & ACK and direction.untouched)


def _open(direction: Direction) -> bool:
    return not direction.ended and direction.fin is None


# A connection that is over is forgotten so many captured packets later: what comes after that would be a new one. By
# packets, not by how many there are, so that it does not depend on how the input is cut into batches.
REMEMBERED_PACKETS = 1_000_000


@dataclass(slots=True, eq=False)
class Gone:
    """What is left of a connection that is over or not followed: enough to know its late packets from a new one.

    `syn_seq` are the sequence numbers of its SYNs. A connection that is not followed and still open is never forgotten.
    """

    syn_seq: tuple[int, int]
    followed: bool
    ending: bool
    last: int

    def is_replaced_by(self, way: int, seq: int, flags: int) -> bool:
        """Whether a SYN begins another connection of the same endpoints."""
        return self.syn_seq[way] != seq or (self.ending and not flags & ACK)

    def is_forgotten(self, number: int) -> bool:
        """Whether it is over for so long that the captured packet `number` has nothing to do with it."""
        return self.ending and number - self.last > REMEMBERED_PACKETS
