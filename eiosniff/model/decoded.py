"""What `eiosniff decode` streams: each Engine.IO packet with the Socket.IO packet in it, in capture order."""

from dataclasses import dataclass
from typing import Final

from eiosniff.model.engineio import EioPacket
from eiosniff.model.numbering import Numbering, Place
from eiosniff.model.provenance import PacketRef
from eiosniff.model.socketio import SioPacket

# A message of an application that may use Engine.IO without Socket.IO; that is no trouble by itself.
NOT_SOCKETIO: Final = "not Socket.IO"


@dataclass(slots=True, eq=False)
class DecodedPacket:
    """One Engine.IO packet as decoded.

    `stream` is Wireshark's `tcp.stream`; `session` the index of the session (1 is the first), None for a packet of a
    session that is not known; `revision` the Engine.IO revision that its sender speaks, None in Socket.IO 0.9, which
    has no Engine.IO: `engineio` then is the whole text, of no type. `socketio` is None for what is not a Socket.IO
    packet. A Socket.IO packet with attachments comes once, when its last attachment has come, with `engineio` being the
    packet of its header. `trouble` says in a few words why the content could not be decoded. `capture_began_ns` is the
    instant of the capture's first packet. `recovered` says of a server's CONNECT whether it gives the client its state
    of before back, None where the client did not ask for it. `numbering` is that of the capture.
    """

    capture: str
    stream: int
    session: int | None
    sid: str | None
    revision: int | None
    engineio: EioPacket
    socketio: SioPacket | None = None
    trouble: str = ""
    capture_began_ns: int = 0
    recovered: bool | None = None
    numbering: Numbering | None = None

    @property
    def packets(self) -> tuple[int, ...]:
        """The captured packets that carried it, attachments included."""
        return self.socketio.packets if self.socketio else self.engineio.packets

    @property
    def completed(self) -> PacketRef:
        """The captured packet that completed it."""
        return self.socketio.place if self.socketio else self.engineio.place

    def placed(self, number: int) -> Place:
        """Where one of its packets is."""
        return Place(self.capture, number) if self.numbering is None else self.numbering.place(number)
