"""The packets of one session of Socket.IO 0.9 into its ledger: they are labelled and counted, no revision is told."""

from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.sessions import heartbeat
from eiosniff.decode.sessions.session_packets import SessionState
from eiosniff.decode.socketio.packets09 import decode_packet
from eiosniff.model.engineio import EioPacket
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.session import CloseHow, Closing, NamespaceState, Said
from eiosniff.model.socketio import SioPacket, SioType

_LABELS: Final = {int(kind): kind.name for kind in SioType}
_SAID_BYTES: Final = 80


class SessionState09(SessionState):
    """Takes what WebSocket and polling bring as its sibling does, and reads it as Socket.IO 0.9."""

    __slots__ = ()

    def engineio(self, packet: EioPacket, conversation: Conversation, end: int) -> None:
        """Take one packet; what decoded it as one of Engine.IO took its first character for a type."""
        session, side, place = self.session, packet.side, packet.place
        session.last = place
        session.last_from[side] = place
        text = packet.data if packet.type < 0 or packet.binary else b"%d%s" % (packet.type, packet.data)
        whole = EioPacket(-1, text, packet.binary, side, packet.transport, place, packet.packets)
        decoded: SioPacket | str = "text"
        if not packet.binary:
            decoded = decode_packet(text, side, place, packet.packets)
        stream, listener = conversation.ledger.stream, self.listener
        if isinstance(decoded, SioPacket):
            self._take(decoded)
            if listener:
                self._tell(listener, whole, stream, decoded, "")
            return
        session.odd[side].add(Said(place, side, text[:_SAID_BYTES]), place.ts_ns)
        if listener:
            self._tell(listener, whole, stream, None, f"expected {decoded}")

    def farewell(self, closing: Closing) -> None:
        """A side ends the session in so many words."""
        self.ending.goodbye(closing.side, closing.place)
        self.ending.close(closing)

    def reopen(self) -> None:
        """The client goes on over another connection: what ended was that, and no session."""
        closing = self.session.closing
        if closing is not None and not closing.after_goodbye:
            self.session.closing = None
            if self.changed is not None:
                self.changed.add(self.session)

    def _take(self, packet: SioPacket) -> None:
        label, kind, side = _LABELS[packet.type], packet.type, packet.side
        counts = self.session.socketio_counts[side]
        counts[label] = counts.get(label, 0) + 1
        if kind in (SioType.EVENT, SioType.MESSAGE, SioType.JSON):
            self.messages.event(packet)
        elif kind == SioType.ACK:
            self.messages.acks.answered(packet)
        elif kind == SioType.HEARTBEAT:
            if side is SERVER:  # the client returns it
                heartbeat.ping(self.session, side, packet.place)
            else:
                heartbeat.pong(self.session, side, packet.place)
        elif kind != SioType.NOOP:
            self._endpoint(packet, side)

    def _endpoint(self, packet: SioPacket, side: Side) -> None:
        """CONNECT, DISCONNECT and ERROR. The server joins each client to `/` unasked; a client asks for the others."""
        namespace = self.messages.namespace(packet.namespace)
        place = packet.place
        if packet.type == SioType.DISCONNECT and packet.namespace == "/":
            self.farewell(Closing(side, CloseHow.DISCONNECT, place))
        if namespace is None:
            return
        if packet.type == SioType.CONNECT and side is CLIENT:
            namespace.connects += 1
            namespace.connect = namespace.connect or place
        elif packet.type == SioType.CONNECT:
            namespace.connected = namespace.connected or place
            namespace.state = NamespaceState.CONNECTED
        elif packet.type == SioType.DISCONNECT:
            namespace.state = NamespaceState.DISCONNECTED
            namespace.disconnected = place
            namespace.disconnected_by = side
        elif side is SERVER and namespace.connected is None:
            namespace.state = NamespaceState.REFUSED
            namespace.refused = namespace.refused or place
            namespace.refusal = namespace.refusal or packet.data[:_SAID_BYTES].decode(errors="replace")
