"""The packets of one session, in order over all its connections, into its ledger."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.sessions import heartbeat, revisions
from eiosniff.decode.sessions.endings import Ending, Watcher
from eiosniff.decode.sessions.frames import note_cut_short, note_mistake, note_packet
from eiosniff.decode.sessions.polls import Polls
from eiosniff.decode.sessions.session_messages import Messages
from eiosniff.decode.sessions.upgrades import Upgrades
from eiosniff.decode.socketio.attachments import AttachmentJoiner, Joined
from eiosniff.decode.socketio.other_parsers import decode_json, decode_msgpack
from eiosniff.decode.socketio.packets import decode_packet
from eiosniff.model.decoded import NOT_SOCKETIO, DecodedPacket
from eiosniff.model.engineio import (
    CLOSE,
    MESSAGE,
    PING,
    POLLING,
    PONG,
    UPGRADE,
    WEBSOCKET,
    WEBTRANSPORT,
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
    CloseHow,
    Closing,
    ConnectionUse,
    Said,
    Session,
)
from eiosniff.model.socketio import Parser, SioPacket, SioType
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.model.websocket import BINARY, WsMessage
from eiosniff.model.webtransport import WtMessage

_SAID_BYTES: Final = 80
_MAX_UNHEARD: Final = 256
_TYPE_LABELS: Final = [kind.label for kind in EioType]
_CONNECT: Final = int(SioType.CONNECT)
_CONTROL: Final = frozenset({_CONNECT, int(SioType.DISCONNECT), int(SioType.CONNECT_ERROR)})

Listener = Callable[[DecodedPacket], None]


@dataclass(slots=True, eq=False)
class SessionState:
    """What decoding a session needs beyond its ledger."""

    session: Session
    watch: Watcher
    listener: Listener | None
    changed: set[Session] | None = None  # takes the session when it goes on over WebSocket, ends, or begins anew
    joiners: list[AttachmentJoiner | None] = field(default_factory=lambda: [None, None])  # most sessions need none
    spoke_engineio: list[bool] = field(default_factory=lambda: [False, False])
    open_websockets: int = 0
    carrier: int | None = None  # the channel of the WebSocket that the session lives on
    headers: list[EioPacket | None] = field(default_factory=lambda: [None, None])  # of what is, or was, being joined
    # Of a session that seems to be forwarded: what the listener is told if it is not. None once that is known.
    unheard: list[DecodedPacket] | None = None
    stands_alone: Callable[[Session], None] = lambda _: None  # to be told if it would be too much
    ending: Ending = field(init=False)
    messages: Messages = field(init=False)
    polls: Polls = field(init=False)
    upgrades: Upgrades = field(init=False)

    def __post_init__(self) -> None:
        self.ending = Ending(self.session, self.watch, self.changed)
        self.messages = Messages(self.session, self.ending)
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
        session.longest_silence_ns = max(session.longest_silence_ns, packet.place.ts_ns - session.last.ts_ns)
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
        elif kind == UPGRADE and side is CLIENT and packet.transport is not POLLING:
            session.upgraded = session.upgraded or packet.place
            if self.changed is not None:
                self.changed.add(session)
            self.carrier = conversation.channel if self.carrier is None else self.carrier
            note_transport(session, packet.transport)
        elif kind == CLOSE:
            self.end(side, packet.place, lossy=False)
            self.ending.goodbye(side, packet.place)
            self.ending.close(Closing(side, CloseHow.EIO_CLOSE, packet.place), conversation, end)
        if self.listener:
            self._tell(self.listener, packet, stream, None, "")

    def no_payload(self, conversation: Conversation, message: HttpMessage, anomaly: Anomaly, trouble: str) -> None:
        """The body of a request or an answer, or a part of it, is not made as Engine.IO makes it."""
        self.anomaly(anomaly)
        if self.listener:
            packet = EioPacket(-1, message.body, False, message.side, POLLING, message.last, message.packets)
            self._tell(self.listener, packet, conversation.ledger.stream, None, trouble)

    def falls_back(self, side: Side, conversation: Conversation) -> bool:
        """Whether a side that ends the WebSocket of the session refuses the upgrade to it: then polling goes on."""
        if not self.upgrades.is_refused_by(side, conversation):
            return False
        self.carrier = None
        self.session.upgraded = None
        if WEBSOCKET in self.session.transports:
            self.session.transports.remove(WEBSOCKET)
        return True

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
                self._give_up(joiner, stream, packet.place, packet.data)
            if decoded.attachments_expected:
                note_packet(self.session.frames, decoded)
                self.headers[side] = packet
                self._joined(packet, stream, self._joiner(side).feed(decoded))
                return
            self.messages.take(decoded, packet)
            if listener:
                self._tell(listener, packet, stream, decoded, "")
            return
        if joiner is not None and joiner.attentive:
            self._give_up(joiner, stream, packet.place, packet.data)
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
            note_mistake(self.session, packet, decoded)
        if listener:
            wanted = f"expected {decoded.expected}" if wrong else NOT_SOCKETIO
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
                    self._tell(self.listener, packet, stream, None, NOT_SOCKETIO)
                return
            joiner = self._joiner(side)
            if self.session.midstream and not counts[side]:
                joiner.lose()  # its header came before the capture
        self._joined(packet, stream, joiner.feed(packet))

    def lose(self, side: Side) -> None:
        """Messages of a side may be missing from the capture."""
        self._joiner(side).lose()

    def lose_message(self, message: WsMessage | WtMessage, stream: int) -> None:
        """A message came over WebSocket or WebTransport, and (some of) its content cannot be had."""
        side = message.side
        if isinstance(message, WtMessage):
            binary, transport = message.binary, WEBTRANSPORT
        else:
            binary, transport = message.opcode == BINARY, WEBSOCKET
        self.session.unreadable[side] += 1
        joiner = self._joiner(side)
        if binary:
            missing = EioPacket(MESSAGE, b"", True, side, transport, message.last, message.packets)
            self._joined(missing, stream, joiner.lose_message(message.last, message.packets))
        else:
            joiner.lose()
            if self.listener:
                lacks = "bytes of it are missing" if message.missing else "compressed, and what it refers to is missing"
                packet = EioPacket(-1, b"", False, side, transport, message.last, message.packets)
                self._tell(self.listener, packet, stream, None, f"cannot be read: {lacks}")

    def end(self, side: Side, place: PacketRef, *, lossy: bool) -> None:
        """Nothing more comes from a side; if `lossy`, it may be that this was only not captured."""
        joiner = self.joiners[side]
        if joiner is not None and joiner.waiting:
            uses = self.session.connections
            stream = uses[-1].stream if uses else 0
            self._give_up(joiner, stream, place, b"", lossy=lossy)

    def finish(self) -> None:
        """Nothing more is known of the session."""
        for side in SIDES:
            self.end(side, self.session.last, lossy=True)

    def _give_up(
        self, joiner: AttachmentJoiner, stream: int, place: PacketRef, text: bytes, *, lossy: bool = False
    ) -> None:
        """No more attachments come, as `place` shows: by the `text` in it, or because nothing follows."""
        header = self.headers[joiner.side]
        if not lossy and not joiner.lossy:
            note_cut_short(self.session, joiner, place, text)
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
            self.messages.take(complete, header or packet)
            if listener:
                lacks = len(complete.attachments) < complete.attachments_expected and not joined.anomalies
                trouble = "attachments are missing from the capture" if lacks else ""
                self._tell(listener, header or packet, stream, complete, trouble)
        if joined.unreadable:
            self.session.unreadable[side] += joined.unreadable
            if listener:
                self._tell(listener, packet, stream, None, "its header is missing from the capture")

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
