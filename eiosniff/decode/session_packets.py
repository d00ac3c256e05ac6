"""The packets of one session, in order over all its connections, into its ledger."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eiosniff.decode import heartbeat, namespaces, revisions
from eiosniff.decode.attachments import AttachmentJoiner, Joined
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.other_parsers import decode_json, decode_msgpack
from eiosniff.decode.polls import Polls
from eiosniff.decode.socketio import ACK_OF_REVISION_3, decode_packet
from eiosniff.decode.upgrades import Upgrades
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import (
    CLOSE,
    MESSAGE,
    PING,
    POLLING,
    PONG,
    UPGRADE,
    WEBSOCKET,
    EioPacket,
    EioType,
    Transport,
)
from eiosniff.model.http import HttpMessage
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
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
from eiosniff.model.socketio import Parser, SioPacket, SioType
from eiosniff.model.tally import Sketch
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.model.websocket import BINARY, WsMessage

MAX_PENDING_ACKS: Final = 1024
MAX_ACK_EVENTS: Final = 64
_SAID_BYTES: Final = 80
_MAX_UNHEARD: Final = 256
_NOT_SOCKETIO: Final = "not Socket.IO"
_TYPE_LABELS: Final = [kind.label for kind in EioType]
_SIO_LABELS: Final = [kind.name for kind in SioType]
_CONNECT: Final = int(SioType.CONNECT)
_EVENT: Final = int(SioType.EVENT)
_ACK: Final = int(SioType.ACK)
_BINARY_EVENT: Final = int(SioType.BINARY_EVENT)
_BINARY_ACK: Final = int(SioType.BINARY_ACK)
_CONTROL: Final = frozenset({_CONNECT, int(SioType.DISCONNECT), int(SioType.CONNECT_ERROR)})

# Asks TCP for the acknowledgement of a ping or an end: (connection, stream offset after it, the ping or the end).
Watcher = Callable[[Conversation, int, Beat | Closing], None]
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
    headers: list[EioPacket | None] = field(default_factory=lambda: [None, None])  # of what is, or was, being joined
    asked_pids: dict[str, str] = field(default_factory=dict)  # until the server answers; by namespace
    # Of a session that seems to be forwarded: what the listener is told if it is not. None once that is known.
    unheard: list[DecodedPacket] | None = None
    stands_alone: Callable[[Session], None] = lambda _: None  # to be told if it would be too much
    polls: Polls = field(init=False)
    upgrades: Upgrades = field(init=False)

    def __post_init__(self) -> None:
        self.polls = Polls(self.session)
        self.upgrades = Upgrades(self.session)

    # ------------------------------------------------------------------ Engine.IO

    def revision(self, side: Side) -> int:
        """The revision in which to read what a side says."""
        return revisions.revision_of(self.session, side)

    def engineio(self, packet: EioPacket, conversation: Conversation, end: int) -> None:
        """Take one Engine.IO packet; `end` is the stream offset after the bytes that carried it."""
        session = self.session
        stream = conversation.ledger.stream
        side = packet.side
        way = 1 if side is SERVER else 0
        session.last = packet.place
        if session.closing is None or session.last_from[way] is None:
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
            self.end(side, packet.place, lossy=False)
            self._goodbye(side, packet.place)
            self.close(Closing(side, CloseHow.EIO_CLOSE, packet.place), conversation, end)
        if self.listener:
            self._tell(self.listener, packet, stream, None, "")

    def no_payload(self, conversation: Conversation, side: Side, message: HttpMessage, trouble: str) -> None:
        """The body of a request or an answer is not framed as Engine.IO frames its packets."""
        body = message.body
        anomaly = Anomaly(AnomalyKind.EIO_BAD_PAYLOAD, side, message.last, trouble, body[:40].decode("latin-1"))
        self.anomaly(anomaly)
        if self.listener:
            packet = EioPacket(-1, body, False, side, POLLING, message.last, message.packets)
            self._tell(self.listener, packet, conversation.ledger.stream, None, f"not an Engine.IO payload: {trouble}")

    def falls_back(self, side: Side, conversation: Conversation) -> bool:
        """Whether a side that ends the WebSocket of the session refuses the upgrade to it: then polling goes on."""
        if not self.upgrades.is_refused_by(side, conversation):
            return False
        self.carrier = None
        self.session.upgraded = None
        if WEBSOCKET in self.session.transports:
            self.session.transports.remove(WEBSOCKET)
        return True

    def close(self, closing: Closing, conversation: Conversation | None = None, end: int = 0) -> None:
        """Record how the session ended, if that is not known yet; `end` is the stream offset after what ended it."""
        if self.session.closing is not None:
            return
        if conversation is not None and heartbeat.is_due(self.session, closing.place):
            self.watch(conversation, end, closing)
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
            # In revisions 2 and 3 a server never pings.
            revisions.show(self.session, side, 1 if self.session.before_intervals else 4)
        self.watch(conversation, end, heartbeat.ping(self.session, side, packet.place))

    def _pong(self, packet: EioPacket) -> None:
        session, side = self.session, packet.side
        if side is SERVER and (session.pinger is CLIENT or not session.heartbeats.pings):
            # netty-socketio frames its answers as in revision 4 for clients of revision 3 too, and answers their pings.
            revisions.show(self.session, side, 3)
        heartbeat.pong(session, side, packet.place)

    # ------------------------------------------------------------------ Socket.IO

    def _message(self, packet: EioPacket, stream: int) -> None:
        side, listener = packet.side, self.listener
        if packet.binary:
            self._binary(packet, stream)
            return
        joiner = self.joiners[1 if side is SERVER else 0]
        decoded = decode_packet(packet)
        if isinstance(decoded, SioPacket):
            if joiner is not None and joiner.attentive:
                self._give_up(joiner, stream, packet.place)
            if decoded.attachments_expected:
                self.headers[side] = packet
                self._joined(packet, stream, self._joiner(side).feed(decoded))
                return
            self._socketio(decoded, packet)
            if listener:
                self._tell(listener, packet, stream, decoded, "")
            return
        if joiner is not None and joiner.attentive:
            self._give_up(joiner, stream, packet.place)
        if packet.data.startswith(b"{"):
            other = decode_json(packet)
            if other is not None:
                self._note_json(side, other)
                self._joined(packet, stream, other)
                return
        # Where the server speaks Socket.IO, what looks like nothing of it is a mistake as well.
        wrong = decoded.looks_like_socketio or len(self.session.socketio_counts[1]) > 0
        if wrong:
            self.anomaly(Anomaly(AnomalyKind.SIO_BAD_SYNTAX, side, packet.place, decoded.expected, decoded.found))
        if listener:
            wanted = f"expected {decoded.expected}" if wrong else _NOT_SOCKETIO
            self._tell(listener, packet, stream, None, wanted)

    def _binary(self, packet: EioPacket, stream: int) -> None:
        """An attachment of the packet before it, or a packet by itself, of a parser that is not the default one."""
        side = packet.side
        joiner = self.joiners[side]
        if joiner is None or not joiner.waiting:
            other = decode_msgpack(packet)
            if other is not None:
                self.session.parsers[side] = Parser.MSGPACK
                self._joined(packet, stream, other)
                return
            counts = self.session.socketio_counts
            if not counts[0] and not counts[1] and not self.session.midstream:  # a plain application of Engine.IO
                if self.listener:
                    self._tell(self.listener, packet, stream, None, _NOT_SOCKETIO)
                return
            joiner = self._joiner(side)
            if self.session.midstream and not counts[side]:
                joiner.lose()  # its header came before the capture
        self._joined(packet, stream, joiner.feed(packet))

    def lose(self, side: Side) -> None:
        """Messages of a side may be missing from the capture."""
        self._joiner(side).lose()

    def lose_message(self, message: WsMessage, stream: int) -> None:
        """A message came over WebSocket, and the capture lacks (some of) its content."""
        side = message.side
        self.session.unreadable[side] += 1
        joiner = self._joiner(side)
        if message.opcode == BINARY:
            missing = EioPacket(MESSAGE, b"", True, side, WEBSOCKET, message.last, message.packets)
            self._joined(missing, stream, joiner.lose_message(message.last, message.packets))
        else:
            joiner.lose()
            if self.listener:
                lacks = "bytes of it are missing" if message.missing else "compressed, and what it refers to is missing"
                packet = EioPacket(-1, b"", False, side, WEBSOCKET, message.last, message.packets)
                self._tell(self.listener, packet, stream, None, f"cannot be read: {lacks}")

    def end(self, side: Side, place: PacketRef, *, lossy: bool) -> None:
        """Nothing more comes from a side; if `lossy`, it may be that this was only not captured."""
        joiner = self.joiners[side]
        if joiner is not None and joiner.waiting:
            uses = self.session.connections
            stream = uses[-1].stream if uses else self.carrier or 0
            self._give_up(joiner, stream, place, lossy=lossy)

    def finish(self) -> None:
        """Nothing more is known of the session."""
        for side in SIDES:
            self.end(side, self.session.last, lossy=True)

    def _give_up(self, joiner: AttachmentJoiner, stream: int, place: PacketRef, *, lossy: bool = False) -> None:
        header = self.headers[joiner.side]
        joined = joiner.give_up(place, lossy=lossy)
        if header is not None:
            self._joined(header, stream, joined)

    def _note_json(self, side: Side, joined: Joined) -> None:
        """A packet came as a JSON object: the JSON parser sends all so, an old msgpack parser those without events."""
        parsers = self.session.parsers
        if parsers[side] is Parser.MSGPACK:
            return
        told = any(packet.type not in _CONTROL for packet in joined.packets)
        if told or parsers[side] is not Parser.JSON:
            parsers[side] = Parser.JSON if told or self.revision(side) >= 4 else Parser.JSON_OR_MSGPACK

    def _joiner(self, side: Side) -> AttachmentJoiner:
        joiner = self.joiners[side]
        if joiner is None:
            joiner = self.joiners[side] = AttachmentJoiner(side)
        return joiner

    def _joined(self, packet: EioPacket, stream: int, joined: Joined | None) -> None:
        """What became of a packet: anomalies, and Socket.IO packets that are whole now."""
        if joined is None:
            return
        side, listener = packet.side, self.listener
        for anomaly in joined.anomalies:
            self.anomaly(anomaly)
            if listener and not joined.packets:
                what = anomaly.kind
                trouble = f"expected {anomaly.expected}" if what is AnomalyKind.SIO_BAD_SYNTAX else what.value
                self._tell(listener, packet, stream, None, trouble)
        for complete in joined.packets:
            header = self.headers[side] if complete.attachments_expected else None
            self.headers[side] = None
            self._socketio(complete, header or packet)
            if listener:
                lacks = len(complete.attachments) < complete.attachments_expected and not joined.anomalies
                trouble = "attachments are missing from the capture" if lacks else ""
                self._tell(listener, header or packet, stream, complete, trouble)
        if joined.unreadable:
            self.session.unreadable[side] += joined.unreadable
            if listener:
                self._tell(listener, packet, stream, None, "its header is missing from the capture")

    def _socketio(self, packet: SioPacket, carrier: EioPacket) -> None:
        label = _SIO_LABELS[packet.type]
        counts = self.session.socketio_counts[1 if packet.side is SERVER else 0]
        known = counts.get(label)
        if known is None:
            self._first_of_its_kind(packet, carrier)
            known = 0
        counts[label] = known + 1
        kind = packet.type
        if kind in (_EVENT, _BINARY_EVENT):
            self._event(packet)
        elif kind in (_ACK, _BINARY_ACK):
            self._ack(packet)
        else:
            self._namespace_packet(packet)

    def _first_of_its_kind(self, packet: SioPacket, carrier: EioPacket) -> None:
        session, side = self.session, packet.side
        if session.parsers[side] is None:
            session.parsers[side] = Parser.DEFAULT
        if packet.type == _ACK and ACK_OF_REVISION_3.match(carrier.data) and not carrier.binary:
            session.socketio_shown = 3

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
        if packet.type == _CONNECT and side is CLIENT:
            self.goodbye = [None, None]
            pid = namespaces.ask(namespace, packet)
            if pid is not None:
                self.asked_pids[namespace.name] = pid
        elif packet.type == _CONNECT:
            if namespace.connect is None and not session.midstream:
                namespace.unasked = True
                # A server of revision 5 waits for the client's CONNECT (Socket.IO protocol, revision 5, "Changes").
                if session.revisions[side] is None:
                    revisions.show(self.session, side, 3)
            has_id = namespaces.join(namespace, packet, self.asked_pids.pop(namespace.name, None))
            if session.socketio_shown is None:
                session.socketio_shown = 5 if has_id else 4
            if session.revisions[side] is None:
                if not has_id:
                    revisions.show(session, side, 3)  # only Socket.IO 5 gives an id with it
                elif session.claimed_eio is None and session.midstream:
                    revisions.show(session, side, 4)
        elif packet.type == SioType.CONNECT_ERROR:
            namespaces.refuse(namespace, packet)
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
        session, side = self.session, packet.side
        revision = None if session.socketio09 else self.revision(side)
        decoded = DecodedPacket("", stream, session.index, session.sid, revision, packet, socketio, trouble)
        if socketio is not None and socketio.type == _CONNECT and side is SERVER:
            namespace = session.namespaces.get(socketio.namespace[:MAX_NAME])
            if namespace is not None and namespace.recovery_answer is socketio.place:
                decoded.recovered = namespace.recovered
        if not session.forwarded:
            listener(decoded)
        elif self.unheard is not None:
            self.unheard.append(decoded)
            if len(self.unheard) >= _MAX_UNHEARD:
                self.stands_alone(session)

    def make_heard(self) -> None:
        """The session was not forwarded after all: tell the listener what it said."""
        for decoded in self.unheard or []:
            decoded.session = self.session.index
            if self.listener:
                self.listener(decoded)
        self.unheard = None


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
