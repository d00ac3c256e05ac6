"""What is known of one TCP connection while it lasts, and what is left of it afterwards."""

from abc import ABC, abstractmethod
from typing import Final, final

from eiosniff.decode.tcp.network_facts import FlowFacts
from eiosniff.decode.tcp.opaque import OpaqueFlow
from eiosniff.decode.tcp.reassembly import Direction
from eiosniff.decode.tcp.segments import ACK
from eiosniff.model.provenance import CLIENT, NO_PACKET, SERVER, SIDES, PacketRef, Side
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap


class StreamReader(ABC):
    """What a connection is handed to. It appends what it decodes to the events of the batch by itself.

    `sides_are_apart` says that each side is read without regard to the other: the bytes of one may then be told before
    earlier ones of the other, so that many segments can be joined.
    """

    __slots__ = ("sides_are_apart",)

    def __init__(self) -> None:
        self.sides_are_apart = False

    @abstractmethod
    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order."""

    @abstractmethod
    def gap(self, gap: Gap) -> None:
        """A hole."""

    @abstractmethod
    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""

    @abstractmethod
    def reset(self, end: StreamEnd) -> None:
        """The peer of this side reset the connection; what this side had in flight may still come, and then `end`."""


BOTH_WAYS: Final = 3  # `Flow.heard` once something of each direction was captured
_SYN_AND_ANSWER: Final = 2  # packets


@final
class Flow:
    """One TCP connection. `ends` are its packed endpoints, the lower first; direction 0 is sent by the lower one.

    `stream` is its number, known when all connections of a batch are; `client` the direction of the client, once that
    is known. `heard` has bit 0 and 1 set for the directions of which anything was captured. `packets` and `payload`
    count what came before it was decided what the connection is. `reset_by` is the direction of the RST. `copy` is the
    first packet that was captured twice, `copied` the bytes of payload of all such. `network` is what TCP shows of the
    network, of a connection that is followed; one of TLS without keys is `opaque`. `seen_ms` is the time of the last
    packet, and `waits` those among which the connection waits for its end not to be seen (see `idle`). `closing`: what
    it tells now is not shown by a packet of its own.
    """

    __slots__ = (
        "client", "closing", "conversation", "copied", "copy", "directions", "dropped", "ends", "first", "heard",
        "last", "network", "opaque", "over", "packets", "payload", "reset", "reset_by", "seen_ms", "stream", "syn_last",
        "syn_repeats", "waits",
    )  # fmt: skip

    def __init__(self, ends: tuple[int, int], first: PacketRef, last: PacketRef) -> None:
        self.ends = ends
        self.first = first
        self.last = last
        self.stream = -1
        self.directions = (Direction(), Direction())
        self.heard = 0
        self.syn_last = NO_PACKET
        self.syn_repeats = 0
        self.reset: PacketRef | None = None
        self.reset_by: int | None = None
        self.copy: PacketRef | None = None
        self.copied = 0
        self.client: int | None = None
        self.conversation: StreamReader | None = None
        self.network: FlowFacts | None = None
        self.opaque: OpaqueFlow | None = None
        self.dropped = False
        self.over = False
        self.closing = False
        self.packets = 0
        self.payload = 0
        self.seen_ms = 0
        self.waits: dict[Flow, None] | None = None

    @property
    def midstream(self) -> bool:
        """Whether the capture began after the connection did."""
        return self.directions[0].syn is None and self.directions[1].syn is None

    @property
    def is_half_open(self) -> bool:
        """Whether nothing was said, and no more is known than that one side asks for the connection."""
        if self.conversation is not None or self.payload or self.directions[0].offset or self.directions[1].offset:
            return False
        return self.heard != BOTH_WAYS or (self.packets <= _SYN_AND_ANSWER and not self.midstream)

    @property
    def is_closing(self) -> bool:
        """Whether one side has ended it."""
        return not (_open(self.directions[0]) and _open(self.directions[1]))

    def side(self, way: int) -> Side:
        """The side that sends in a direction (a guess as long as nothing told)."""
        return SIDES[way != (self.client or 0)]

    def direction(self, side: Side) -> Direction:
        """The direction in which a side sends."""
        client = self.client or 0
        return self.directions[client if side is Side.CLIENT else 1 - client]

    @property
    def handshake_ns(self) -> int:
        """What the server took for the answer to the SYN; -1 if that is not known, or the SYN was sent again."""
        asked, answered = self.direction(CLIENT).syn, self.direction(SERVER).syn
        if asked is None or answered is None or self.syn_repeats:
            return -1
        return answered.ts_ns - asked.ts_ns

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
