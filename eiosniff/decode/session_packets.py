"""The packets of one session, in order over all its connections, into its ledger."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eiosniff.decode import heartbeat
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.socketio import AttachmentJoiner, Joined, connect_details, decode_packet, error_message
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import CLOSE, MESSAGE, PING, PONG, UPGRADE, WEBSOCKET, EioPacket, EioType, Transport
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import (
    MAX_ANOMALIES,
    MAX_CONNECTIONS,
    MAX_NAME,
    MAX_NAMESPACES,
    Beat,
    CloseHow,
    Closing,
    ConnectionUse,
    Namespace,
    NamespaceState,
    Said,
    Session,
)
from eiosniff.model.socketio import SioPacket, SioType
from eiosniff.model.tally import Sketch
from eiosniff.model.trouble import Anomaly, AnomalyKind

MAX_PENDING_ACKS: Final = 1024
MAX_ACK_EVENTS: Final = 64
_SAID_BYTES: Final = 80
_REFUSAL_LENGTH: Final = 300
_TYPE_LABELS: Final = [kind.label for kind in EioType]
_SIO_LABELS: Final = [kind.name for kind in SioType]
_EVENT: Final = int(SioType.EVENT)
_ACK: Final = int(SioType.ACK)
_BINARY_EVENT: Final = int(SioType.BINARY_EVENT)
_BINARY_ACK: Final = int(SioType.BINARY_ACK)

# Asks TCP for the acknowledgement of a ping: (connection, stream offset after it, the ping).
Watcher = Callable[[Conversation, int, Beat], None]
Listener = Callable[[DecodedPacket], None]


@dataclass(slots=True, eq=False)
class SessionState:
    """What decoding a session needs beyond its ledger."""

    session: Session
    watch: Watcher
    listener: Listener | None
    joiners: list[AttachmentJoiner | None] = field(default_factory=lambda: [None, None])  # most sessions need none
    # Since when, and the event; by whether the server asks, namespace and id; in the order in which they were asked.
    waiting_acks: dict[tuple[bool, str, int], tuple[int, str]] = field(default_factory=dict)
    spoke_engineio: list[bool] = field(default_factory=lambda: [False, False])
    goodbye: list[PacketRef | None] = field(default_factory=lambda: [None, None])
    open_websockets: int = 0
    carrier: int | None = None  # the stream of the WebSocket that the session lives on
    polls: dict[Conversation, None] = field(default_factory=dict)  # connections with a request under way
    headers: list[EioPacket | None] = field(default_factory=lambda: [None, None])

    # ------------------------------------------------------------------ Engine.IO

    def revision(self, side: Side) -> int:
        """The revision in which to read what a side says: what it showed, else what the client claims, else 4."""
        revision = self.session.revisions[side]
        return self.session.engineio or 4 if revision is None else revision

    def engineio(self, packet: EioPacket, conversation: Conversation, end: int) -> None:
        """Take one Engine.IO packet; `end` is the stream offset after the bytes that carried it."""
        session = self.session
        stream = conversation.ledger.stream
        side = packet.side
        way = 1 if side is SERVER else 0
        session.last = packet.place
        session.last_from[way] = packet.place
        kind = packet.type
        if kind < 0:
            self._not_engineio(packet)
            if self.listener:
                self._tell(self.listener, packet, stream, None, "not an Engine.IO packet")
            return
        self.spoke_engineio[way] = True
        counts = session.engineio_counts[way]
        label = _TYPE_LABELS[kind]
        counts[label] = counts.get(label, 0) + 1
        if kind == MESSAGE:
            self._message(packet, stream)
            return
        if kind == PING and packet.data != b"probe":
            self._ping(packet, conversation, end)
        elif kind == PONG and packet.data != b"probe":
            self._pong(packet)
        elif kind == UPGRADE and side is CLIENT and packet.transport is WEBSOCKET:
            session.upgraded = session.upgraded or packet.place
            self.carrier = stream if self.carrier is None else self.carrier
            note_transport(session, packet.transport)
        elif kind == CLOSE:
            self._goodbye(side, packet.place)
            self.close(Closing(side, CloseHow.EIO_CLOSE, packet.place))
        if self.listener:
            self._tell(self.listener, packet, stream, None, "")

    def close(self, closing: Closing) -> None:
        """Record how the session ended, if that is not known yet."""
        if self.session.closing is not None:
            return
        side = closing.side
        said = self.goodbye[side.other]
        if self.goodbye[side] is not None:
            closing.after_goodbye = True
        elif said is not None:  # a peer that only answers a goodbye with its FIN did not end the session
            closing = Closing(side.other, CloseHow.DISCONNECT, said, after_goodbye=True)
        self.session.closing = closing

    def _goodbye(self, side: Side, place: PacketRef) -> None:
        self.goodbye[side] = place
        closing = self.session.closing
        if closing is not None and closing.side is side:  # python-socketio says it after its close frame
            closing.after_goodbye = True

    def _not_engineio(self, packet: EioPacket) -> None:
        said = self._said(packet)
        session, side = self.session, packet.side
        ledger = session.odd if self.spoke_engineio[side] else session.foreign
        ledger[side].add(said, packet.place.ts_ns)

    def _ping(self, packet: EioPacket, conversation: Conversation, end: int) -> None:
        side = packet.side
        if side is SERVER:
            self._speaks(4)  # up to revision 3 a server never pings
        self.watch(conversation, end, heartbeat.ping(self.session, side, packet.place))

    def _pong(self, packet: EioPacket) -> None:
        session, side = self.session, packet.side
        if side is SERVER and (session.pinger is CLIENT or not session.heartbeats.pings):
            # netty-socketio frames its answers as in revision 4 for clients of revision 3 too, and answers their pings.
            self._speaks(3)
        heartbeat.pong(session, side, packet.place)

    def _speaks(self, revision: int) -> None:
        """The heartbeat shows which revision the server speaks, whatever its framing or the client's claim said."""
        session = self.session
        pinger = session.pinger
        session.revisions[SERVER] = revision
        if session.pinger is not pinger:
            heartbeat.turn(session)

    # ------------------------------------------------------------------ Socket.IO

    def _message(self, packet: EioPacket, stream: int) -> None:
        side, listener = packet.side, self.listener
        if packet.binary:
            self._joined(packet, stream, self._joiner(side).feed(packet))
            return
        joiner = self.joiners[1 if side is SERVER else 0]
        decoded = decode_packet(packet)
        if isinstance(decoded, SioPacket):
            if decoded.attachments_expected:
                self.headers[side] = packet
            if decoded.attachments_expected or (joiner is not None and joiner.waiting):
                self._joined(packet, stream, self._joiner(side).feed(decoded))
                return
            self._socketio(decoded)
            if listener:
                self._tell(listener, packet, stream, decoded, "")
            return
        if decoded.looks_like_socketio:
            self.anomaly(Anomaly(AnomalyKind.SIO_BAD_SYNTAX, side, packet.place, decoded.expected, decoded.found))
        if listener:
            wanted = f"expected {decoded.expected}" if decoded.looks_like_socketio else "not Socket.IO"
            self._tell(listener, packet, stream, None, wanted)

    def _joiner(self, side: Side) -> AttachmentJoiner:
        joiner = self.joiners[side]
        if joiner is None:
            joiner = self.joiners[side] = AttachmentJoiner(side)
        return joiner

    def _joined(self, packet: EioPacket, stream: int, joined: Joined | None) -> None:
        """What the joiner made of a packet: anomalies, and packets that are whole now."""
        if joined is None:
            return
        listener = self.listener
        for anomaly in joined.anomalies:
            self.anomaly(anomaly)
            if listener and not joined.packets:
                self._tell(listener, packet, stream, None, anomaly.kind.value)
        for complete in joined.packets:
            self._socketio(complete)
            if listener:
                header = self.headers[packet.side] if complete.attachments_expected else packet
                self._tell(listener, header or packet, stream, complete, "")

    def _socketio(self, packet: SioPacket) -> None:
        label = _SIO_LABELS[packet.type]
        counts = self.session.socketio_counts[1 if packet.side is SERVER else 0]
        counts[label] = counts.get(label, 0) + 1
        kind = packet.type
        if kind in (_EVENT, _BINARY_EVENT):
            self._event(packet)
        elif kind in (_ACK, _BINARY_ACK):
            self._ack(packet)
        else:
            self._namespace_packet(packet)

    def _namespace(self, name: str) -> Namespace | None:
        known = self.session.namespaces
        name = name[:MAX_NAME]
        namespace = known.get(name)
        if namespace is None and len(known) < MAX_NAMESPACES:
            namespace = known[name] = Namespace(name)
        return namespace

    def _event(self, packet: SioPacket) -> None:
        namespace = self._namespace(packet.namespace)
        if namespace is not None:
            namespace.events += 1
            if packet.side is CLIENT and namespace.connected is None and namespace.refused is None:
                namespace.early_events.add(packet.place, packet.place.ts_ns)
        if packet.id is not None:
            waiting = self.waiting_acks
            event = (packet.event or "")[:MAX_NAME]
            waiting[packet.side is SERVER, packet.namespace[:MAX_NAME], packet.id] = (packet.place.ts_ns, event)
            if len(waiting) > MAX_PENDING_ACKS:
                del waiting[next(iter(waiting))]

    def _ack(self, packet: SioPacket) -> None:
        if packet.id is None:
            return
        asked = self.waiting_acks.pop((packet.side is not SERVER, packet.namespace[:MAX_NAME], packet.id), None)
        if asked is None:
            return
        since, event = asked
        delays = self.session.ack_delays
        if event not in delays:
            if len(delays) >= MAX_ACK_EVENTS:
                return
            delays[event] = Sketch()
        delays[event].add(packet.place.ts_ns - since)

    def _namespace_packet(self, packet: SioPacket) -> None:
        namespace = self._namespace(packet.namespace)
        if namespace is None:
            return
        session, side, place = self.session, packet.side, packet.place
        if packet.type == SioType.CONNECT and side is CLIENT:
            namespace.connects += 1
            namespace.connect = namespace.connect or place
            keys = connect_details(packet.data).keys
            namespace.auth_keys = namespace.auth_keys or tuple(key[:MAX_NAME] for key in keys)
            self.goodbye = [None, None]
            if namespace.state is not NamespaceState.CONNECTED:
                namespace.state = NamespaceState.CONNECTING
        elif packet.type == SioType.CONNECT:
            if namespace.connect is None and not session.midstream:
                namespace.unasked = True
                # A server of revision 5 waits for the client's CONNECT (Socket.IO protocol, revision 5, "Changes").
                if session.revisions[side] is None:
                    self._speaks(3)
            namespace.connected = namespace.connected or place
            namespace.state = NamespaceState.CONNECTED
            socket_id = connect_details(packet.data).sid
            namespace.socket_id = socket_id[:MAX_NAME] if socket_id else namespace.socket_id
        elif packet.type == SioType.CONNECT_ERROR:
            if namespace.state is NamespaceState.CONNECTED:
                return  # an ERROR of revision 4, or python-socketio on a second CONNECT: the client is in all the same
            namespace.state = NamespaceState.REFUSED
            namespace.refused = namespace.refused or place
            beginning = packet.data[:_SAID_BYTES].decode("utf-8", "replace")
            namespace.refusal = namespace.refusal or error_message(packet.data)[:_REFUSAL_LENGTH] or beginning
        elif packet.type == SioType.DISCONNECT:
            namespace.state = NamespaceState.DISCONNECTED
            namespace.disconnected = place
            namespace.disconnected_by = side
            if all(other.state is not NamespaceState.CONNECTED for other in session.namespaces.values()):
                self._goodbye(side, place)

    # ------------------------------------------------------------------ what is kept of a packet

    def anomaly(self, anomaly: Anomaly) -> None:
        """Record an anomaly of this session."""
        session = self.session
        session.anomaly_count += 1
        if len(session.anomalies) < MAX_ANOMALIES:
            session.anomalies.append(anomaly)

    @staticmethod
    def _said(packet: EioPacket) -> Said:
        text = packet.data[:_SAID_BYTES]
        if packet.type >= 0:
            text = b"%d%s" % (packet.type, text)
        return Said(packet.place, packet.side, text)

    def _tell(
        self, listener: Listener, packet: EioPacket, stream: int, socketio: SioPacket | None, trouble: str
    ) -> None:
        session = self.session
        revision = None if session.socketio09 else self.revision(packet.side)
        listener(DecodedPacket("", stream, session.index, session.sid, revision, packet, socketio, trouble))


def note_transport(session: Session, transport: Transport) -> None:
    """A transport that carried packets of the session (an upgrade counts when it is confirmed)."""
    if transport not in session.transports:
        session.transports.append(transport)


def note_use(session: Session, stream: int, transport: Transport, place: PacketRef) -> None:
    """A connection carries the session."""
    uses = session.connections
    for use in reversed(uses):
        if use.stream == stream and use.transport is transport:
            use.last = place
            return
    session.connection_count += 1
    if len(uses) == MAX_CONNECTIONS:  # the last one is more telling than the last but one
        uses.pop()
    uses.append(ConnectionUse(stream, transport, place, place))
