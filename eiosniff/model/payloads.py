"""What the bodies of polling and the sizes of messages show, of one session."""

from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tally import Tally

# No limit on messages that is known is below it (arduinoWebSockets on AVR: 1024 bytes); what is shorter is not kept.
SMALLEST_LIMIT: Final = 512
# What python-engineio takes of one body, `Payload.max_decode_packets`; nothing else is known to have such a limit.
MANY_PACKETS: Final = 16


@final
@mypyc_attr(acyclic=True)
class Sent:
    """A WebSocket message of a side, or the body of a POST.

    `bytes` is its size as its receiver counts it: uncompressed, and where it was cut off, what the header of its frame
    or its `Content-Length` announces (then `complete` is false, and a compressed one is larger by an unknown factor).
    `packets` are the Engine.IO packets in it, as far as they came, and `longest` is the size of the longest one.
    """

    __slots__ = ("bytes", "complete", "compressed", "first", "last", "longest", "packets", "side")

    def __init__(
        self, side: Side, first: PacketRef, last: PacketRef, bytes: int, complete: bool, compressed: bool = False
    ) -> None:
        self.side = side
        self.first = first
        self.last = last
        self.bytes = bytes
        self.complete = complete
        self.compressed = compressed
        self.packets = 1
        self.longest = bytes


@final
@mypyc_attr(acyclic=True)
class Crowded:
    """A polling body with more than `MANY_PACKETS` packets.

    `asked` counts its events that ask for an acknowledgement, `unanswered` those of them that got none until nothing
    more was known of the session.
    """

    __slots__ = ("asked", "packets", "place", "side", "unanswered")

    def __init__(self, side: Side, place: PacketRef, packets: int) -> None:
        self.side = side
        self.place = place
        self.packets = packets
        self.asked = 0
        self.unanswered = 0


@final
@mypyc_attr(acyclic=True)
class BinaryPost:
    """A POST whose `Content-Type` is `application/octet-stream`, and how it was answered, if it was."""

    __slots__ = ("answer", "place", "status")

    def __init__(self, place: PacketRef) -> None:
        self.place = place
        self.answer: PacketRef | None = None
        self.status: int | None = None


@final
class PayloadFacts:
    """See the module.

    `from_client` and `from_server` are the largest WebSocket message of each side, `post` is the largest body of a
    POST; None below `SMALLEST_LIMIT` bytes. `crowded` are bodies of many packets, `binary_posts` POSTs of bytes; None
    without any. `hung_up` is the FIN with which the server ended the connection of the handshake, if nothing of the
    session came before it.
    """

    __slots__ = ("binary_posts", "crowded", "from_client", "from_server", "hung_up", "post")

    def __init__(self) -> None:
        self.from_client: Sent | None = None
        self.from_server: Sent | None = None
        self.post: Sent | None = None
        self.crowded: Tally[Crowded] | None = None
        self.binary_posts: Tally[BinaryPost] | None = None
        self.hung_up: PacketRef | None = None
