"""The QUIC connections of a capture that were decrypted: pieces of streams in, records of conversations out.

HTTP/3 (RFC 9114): requests of Engine.IO by polling, and WebTransport sessions, become conversations of their own that
share what is known of the connection. What else goes over it is passed over.
"""

from collections.abc import Callable
from typing import Final, final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Events
from eiosniff.decode.http3.frames import SETTINGS, Frame, FrameReader, offers_webtransport, settings
from eiosniff.decode.http3.qpack import Qpack
from eiosniff.decode.http3.streams import Connection3, RequestStream
from eiosniff.decode.http3.webtransport import WtSession
from eiosniff.decode.quic.streams import Held, Ordered, QuicStream
from eiosniff.decode.quic.varint import varint, varint_size
from eiosniff.decode.tcp.flow import Flow
from eiosniff.model.outside import QuicPiece, stream_of
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, Endpoint, PacketRef, Side
from eiosniff.model.session import MAX_GAPS, Connection
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from eiosniff.model.webtransport import WtUnsupported

Crashed = Callable[[Conversation, Exception], None]

MAX_CONNECTIONS: Final = 10_000
MAX_STREAMS: Final = 4_096  # of a connection, at a time
MAX_SESSIONS: Final = 256
_MAX_DONE: Final = 65_536  # streams of which is known that nothing more of interest comes
# Stream ids: bit 0 is set for those that the server opens, bit 1 for those of one direction (RFC 9000, section 2.1).
_KIND: Final = 3
_REQUESTS: Final = 0
_ONE_WAY: Final = 2
# Types of streams of one direction (RFC 9114, section 6.2; RFC 9204, section 4.2).
_CONTROL: Final = 0
_ENCODER: Final = 2
_TABLE_CAPACITY: Final = 1  # SETTINGS_QPACK_MAX_TABLE_CAPACITY


def _opens_a_session(stream: RequestStream) -> bool:
    return stream.wt is None


@final
class _OneWay:
    """A stream of one direction; `type` is -1 until its beginning has come."""

    __slots__ = ("frames", "quic", "start", "type")

    def __init__(self, side: Side, held: Held) -> None:
        self.quic = QuicStream(side, held)
        self.type = -1
        self.start = b""
        self.frames: FrameReader | None = None


@final
class Http3Connection(Connection3):
    """One connection. `root` stands for it where its quality is asked for; `dead` says that a decoder raised."""

    __slots__ = (
        "_crashed", "_done", "_done_below", "_events", "_held", "_lacks", "_one_way", "_qpack", "_sessions", "_streams",
        "_vain", "_wants", "dead", "flow", "ledger", "root",
    )  # fmt: skip

    def __init__(self, piece: QuicPiece, events: Events, crashed: Crashed, held: Held) -> None:
        super().__init__()
        self.now = PacketRef(piece.number, piece.ts_ns)
        self.flow = Flow((0, 1), self.now, self.now)
        self.flow.client = 0
        self.flow.stream = stream_of(piece.connection)
        self.ledger = Connection(self.flow.stream, piece.client, piece.server, self.now, self.now)
        self.dead = False
        self._events = events
        self._crashed = crashed
        self._held = held
        self.root = Conversation(self.flow, self.ledger, events, crashed)
        self._streams: dict[int, RequestStream] = {}
        self._done: set[int] = set()
        self._done_below = 0
        self._one_way: dict[int, _OneWay] = {}
        self._qpack = [Qpack(), Qpack()]
        self._sessions: dict[int, WtSession] = {}
        # The settings of the client that ask for WebTransport, and those of the server that do not offer it.
        self._wants: PacketRef | None = None
        self._lacks: PacketRef | None = None
        self._vain: Conversation | None = None  # to which that was told

    # ------------------------------------------------------------------ Connection3

    def qpack(self, side: Side) -> Qpack:
        """See `Connection3`."""
        return self._qpack[side]

    def converse(self) -> Conversation:
        """See `Connection3`."""
        conversation = Conversation(self.flow, self.ledger, self._events, self._crashed)
        conversation.parent = self.root
        conversation.begin_at(self.now.number)
        return conversation

    def lacks(self, gap: Gap) -> None:
        """See `Connection3`."""
        if len(self.root.gaps) < MAX_GAPS:
            self.root.gaps = [*self.root.gaps, gap.place]

    def session(self, stream: int) -> WtSession | None:
        """See `Connection3`."""
        return self._sessions.get(stream)

    def opened(self, stream: int, session: WtSession) -> None:
        """See `Connection3`."""
        if len(self._sessions) < MAX_SESSIONS:
            self._sessions[stream] = session
            for other in list(self._streams.values()):
                other.session_opened(stream)

    # ------------------------------------------------------------------ what comes

    def take(self, piece: QuicPiece) -> None:
        """Bytes of one of its streams."""
        self.now = self.flow.last = self.ledger.last = PacketRef(piece.number, piece.ts_ns)
        side = CLIENT if piece.from_client else SERVER
        self.ledger.bytes[side] += len(piece.data)
        self.ledger.seen[side] = True
        self.flow.heard |= 1 << side
        if self.dead:
            return
        try:
            kind = piece.stream & _KIND
            if kind == _REQUESTS:
                self._request(piece)
            elif kind & _ONE_WAY:
                self._take_one_way(side, piece)
        except Exception as bug:  # a decoder must not raise; if it does, only this connection is lost (INT002)
            self._die(bug)

    def close(self, last: PacketRef) -> None:
        """The capture is over."""
        self.now = last
        if self.dead:
            return
        try:
            # Streams of WebTransport sessions first: with the one that opened it, a session is over.
            for stream in sorted(self._streams.values(), key=_opens_a_session):
                stream.close(last)
            for side in SIDES:
                self._events.add(last.number, self.root, StreamEnd(side, EndKind.CAPTURE_ENDED, last))
        except Exception as bug:  # as above
            self._die(bug)

    def _die(self, bug: Exception) -> None:
        self.dead = True
        self._streams = {}
        self._one_way = {}
        self._crashed(self.root, bug)

    def _request(self, piece: QuicPiece) -> None:
        number = piece.stream
        if number < self._done_below or number in self._done:
            return
        stream = self._streams.get(number)
        if stream is None:
            if len(self._streams) >= MAX_STREAMS:
                self._drop(next(iter(self._streams)))
            stream = self._streams[number] = RequestStream(self, number, self._held)
            self._asks(self.now)
        stream.take(piece)
        if stream.over:
            self._drop(number)

    def _drop(self, number: int) -> None:
        """Nothing more of a stream is looked at."""
        stream = self._streams.pop(number)
        stream.drop()
        self._done.add(number)
        if len(self._done) > _MAX_DONE:
            known = sorted(self._done)
            self._done_below = known[_MAX_DONE // 2]
            self._done = set(known[_MAX_DONE // 2 :])

    # ------------------------------------------------------------------ streams of one direction

    def _take_one_way(self, side: Side, piece: QuicPiece) -> None:
        stream = self._one_way.get(piece.stream)
        if stream is None:
            if len(self._one_way) >= MAX_STREAMS:
                return
            stream = self._one_way[piece.stream] = _OneWay(side, self._held)
        for record in stream.quic.take(piece):
            self._tell_one_way(side, stream, record)

    def _tell_one_way(self, side: Side, stream: _OneWay, record: Ordered) -> None:
        if isinstance(record, StreamChunk):
            rest = self._begin_one_way(side, stream, record) if stream.type < 0 else record
            if rest is not None and stream.type == _ENCODER:
                self._resume(self._qpack[side].insert(rest.data))
            elif rest is not None and stream.frames is not None:
                for frame in stream.frames.feed(rest):
                    self._control(side, frame)
        elif isinstance(record, Gap):
            if stream.type == _ENCODER:
                self._qpack[side].lose("bytes of its encoder stream are missing")
            elif stream.type == _CONTROL and stream.frames is not None:
                stream.frames.gap(record)
            elif stream.type < 0:
                stream.type = _KIND + 1  # of some type that nobody knows

    @staticmethod
    def _begin_one_way(side: Side, stream: _OneWay, chunk: StreamChunk) -> StreamChunk | None:
        """Read the type that a stream begins with; returns what comes after it."""
        before = len(stream.start)
        start = stream.start + chunk.data
        size = varint_size(start[0])
        if len(start) < size:
            stream.start = start
            return None
        stream.type = varint(start, 0)
        stream.start = b""
        if stream.type == _CONTROL:
            stream.frames = FrameReader(side)
        cut = size - before
        data = chunk.data[cut:]
        if not data:
            return None
        return StreamChunk(side, chunk.offset + cut, data, [0], chunk.numbers, chunk.times, chunk.delivered)

    def _control(self, side: Side, record: object) -> None:
        if isinstance(record, Frame) and record.type == SETTINGS:
            found = settings(record.payload)
            self._resume(self._qpack[side.other].announce(found.get(_TABLE_CAPACITY, 0)))
            self._compare(side, record.last, offers_webtransport(found))

    def _compare(self, side: Side, place: PacketRef, webtransport: bool) -> None:
        """A side has said whether it takes WebTransport. Chromium asks for it only on connections made for that."""
        if side is CLIENT:
            self._wants = place if webtransport else None
        else:
            self._lacks = None if webtransport else place
        asked = self._streams or self._done
        if self._wants is not None and self._lacks is not None and not asked and self._vain is None:
            self._vain = self.converse()
            self._vain.tell_of(SERVER, self.now, WtUnsupported(self._wants, self._lacks))
            self._wants = None

    def _asks(self, place: PacketRef) -> None:
        """The client asks for something: a connection for nothing but WebTransport it would have given up."""
        if self._vain is not None:
            self._vain.tell_of(CLIENT, self.now, WtUnsupported(place, place, void=True))
            self._vain = None

    def _resume(self, ready: list[int]) -> None:
        for number in ready:
            stream = self._streams.get(number)
            if stream is not None:
                stream.resume()
                if stream.over:
                    self._drop(number)


@final
class Http3Connections:
    """All of a capture: give it pieces in the order of the capture, and `close` it. What is found is appended to
    `events`; `crashed` is told when a decoder raised."""

    __slots__ = ("_connections", "_crashed", "_events", "_held", "count", "servers")

    def __init__(self, events: Events, crashed: Crashed) -> None:
        self._events = events
        self._crashed = crashed
        self._connections: dict[int, Http3Connection] = {}
        self._held = Held()
        self.count = 0
        self.servers: set[Endpoint] = set()  # whose QUIC was read

    def take(self, piece: QuicPiece) -> None:
        """Bytes of a stream."""
        connection = self._connections.get(piece.connection)
        if connection is None:
            if len(self._connections) >= MAX_CONNECTIONS:
                del self._connections[next(iter(self._connections))]
            connection = self._connections[piece.connection] = Http3Connection(
                piece, self._events, self._crashed, self._held
            )
            self.count += 1
            if len(self.servers) < MAX_CONNECTIONS:
                self.servers.add(piece.server)
        connection.take(piece)

    def close(self, last: PacketRef) -> list[Conversation]:
        """The capture is over; returns what stands for each connection, in order."""
        roots = []
        for connection in self._connections.values():
            connection.close(last)
            roots.append(connection.root)
        return roots
