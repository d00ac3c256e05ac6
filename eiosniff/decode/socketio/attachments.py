"""Binary attachments of Socket.IO packets: each is an Engine.IO message of its own, behind the packet's header.

A BINARY_EVENT or BINARY_ACK says how many follow (Socket.IO protocol, "Sending and receiving binary data").
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eiosniff.model.engineio import EioPacket
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.socketio import SioPacket
from eiosniff.model.trouble import Anomaly, AnomalyKind

# socket.io-parser refuses more than 10 attachments from 4.2.6 on. It had no limit before, and what those versions
# accept is to be decoded; a header that announces more than this is a mistake.
MAX_ATTACHMENTS: Final = 1024
# 64 times the default `maxHttpBufferSize` of 1 MB, which bounds each single message.
MAX_ATTACHED_BYTES: Final = 64 << 20


def _with_attachments(
    header: SioPacket, attachments: Iterable[bytes], place: PacketRef, packets: Iterable[int]
) -> SioPacket:
    return SioPacket(
        header.type, header.namespace, header.query, header.id, header.data, header.event,
        header.attachments_expected, tuple(attachments), header.side, place, tuple(packets),
    )  # fmt: skip


@dataclass(slots=True)
class Joined:
    """What is complete, and what is wrong, after a joiner took a packet; the anomalies come before the packets.

    `unreadable` counts binary messages of which nobody can tell what they belong to, because that was not captured.
    """

    packets: tuple[SioPacket, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    unreadable: int = 0


class AttachmentJoiner:
    """Joins packets and their attachments: one for each direction of a session.

    Feed it the Socket.IO packets and the binary MESSAGEs in the order in which they came. Engine.IO's own packets may
    stand between attachments; they are not fed. What the capture lacks is told by `lose`, and blames nobody: a packet
    comes with the attachments that there are, and binary messages are unreadable until the next packet.
    """

    __slots__ = ("_attachments", "_bytes", "_missing", "_numbers", "header", "lossy", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.header: SioPacket | None = None  # of the packet whose attachments are still to come
        self._missing = 0
        self._attachments: list[bytes] | None = None  # None: too large, they are counted but not kept
        self._bytes = 0
        self._numbers: dict[int, None] = {}  # of captured packets, each once, in order
        self.lossy = False  # since the last packet, something was not captured

    @property
    def waiting(self) -> bool:
        """Whether attachments of a packet are still to come."""
        return self.header is not None

    @property
    def came(self) -> int:
        """How many attachments of that packet there are already."""
        return self.header.attachments_expected - self._missing if self.header is not None else 0

    @property
    def attentive(self) -> bool:
        """Whether it has to see the next packet even if that has no attachments."""
        return self.header is not None or self.lossy

    def feed(self, packet: SioPacket | EioPacket) -> Joined | None:
        """Take the next packet or binary message; None while more attachments are to come.

        A packet whose attachments are too large comes without them, and with the anomaly that says so.
        """
        if isinstance(packet, EioPacket):
            return self._attach(packet)
        interrupted = self.give_up(packet.place)
        joined = (self._begin(packet) if packet.attachments_expected else Joined((packet,))) or Joined()
        joined.anomalies = interrupted.anomalies + joined.anomalies
        joined.packets = interrupted.packets + joined.packets
        return joined if joined.anomalies or joined.packets else None

    def lose(self) -> None:
        """Something of this direction was not captured: attachments, headers, or neither."""
        self.lossy = True

    def lose_message(self, place: PacketRef, packets: tuple[int, ...]) -> Joined | None:
        """A binary message came, but its content was not captured."""
        if self.header is None:
            return None
        self._missing -= 1
        self._numbers.update(dict.fromkeys(packets))
        return self._without_the_rest(self.header, place) if not self._missing else None

    def give_up(self, place: PacketRef, *, lossy: bool = False) -> Joined:
        """Stop waiting for attachments: the direction has ended, or text came, as `place` shows.

        `lossy` says that the capture may lack them.
        """
        header = self.header
        lossy, self.lossy = lossy or self.lossy, False
        if header is None:
            return Joined()
        if lossy:
            return self._without_the_rest(header, place)
        expected = f"{header.attachments_expected} binary messages after the header"
        found = f"{self.came}"
        self._end()
        return Joined((), (Anomaly(AnomalyKind.SIO_BINARY_INCOMPLETE, self.side, header.place, expected, found),))

    def _without_the_rest(self, header: SioPacket, place: PacketRef) -> Joined:
        if self._attachments is None:  # it was handed out when they became too large
            joined = Joined()
        else:
            joined = Joined((_with_attachments(header, self._attachments, place, self._numbers),))
        self._end()
        return joined

    def _begin(self, header: SioPacket) -> Joined | None:
        self.header = header
        self._missing = header.attachments_expected
        if self._missing > MAX_ATTACHMENTS:
            return self._too_large(header, header.place, f"at most {MAX_ATTACHMENTS} attachments", f"{self._missing}")
        self._attachments = []
        self._numbers = dict.fromkeys(header.packets)
        return None

    def _attach(self, message: EioPacket) -> Joined | None:
        header = self.header
        if header is None:
            if self.lossy:
                return Joined(unreadable=1)
            expected, found = "text, or a header before it", f"a binary message of {len(message.data)} bytes"
            return Joined((), (Anomaly(AnomalyKind.SIO_BINARY_ORPHAN, self.side, message.place, expected, found),))
        self._missing -= 1
        joined: Joined | None = None
        if self._attachments is not None:
            self._attachments.append(message.data)
            self._bytes += len(message.data)
            if message.packets is not header.packets:  # one polling body may hold them all
                self._numbers.update(dict.fromkeys(message.packets))
            if self._bytes > MAX_ATTACHED_BYTES:
                found = f"{self._bytes} in {len(self._attachments)} attachments"
                joined = self._too_large(header, message.place, f"at most {MAX_ATTACHED_BYTES} bytes", found)
            elif not self._missing:
                joined = Joined((_with_attachments(header, self._attachments, message.place, self._numbers),))
        if not self._missing:
            self._end()
        return joined

    def _too_large(self, header: SioPacket, place: PacketRef, expected: str, found: str) -> Joined:
        self._attachments = None
        return Joined((header,), (Anomaly(AnomalyKind.SIO_TOO_LARGE, self.side, place, expected, found),))

    def _end(self) -> None:
        self.header = None
        self._attachments = None
        self._missing = self._bytes = 0
        self._numbers = {}
