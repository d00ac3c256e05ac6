"""One bidirectional stream of an HTTP/3 connection that the client opened: a request and its response, or bytes of a
WebTransport session.

Each direction is put in order, cut into frames, and read; what a section needs and has not come yet (insertions of
QPACK, the session of a WebTransport stream) makes the direction wait. What comes of it goes to a conversation.
"""

from abc import ABC, abstractmethod
from typing import Final, final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Record
from eiosniff.decode.facts import may_be_engineio
from eiosniff.decode.http3.frames import HEADERS, Frame, FrameReader, Http3Record, Payload, Signal
from eiosniff.decode.http3.messages import (
    Building,
    asks_for_webtransport,
    request_of,
    response_of,
    status_of,
)
from eiosniff.decode.http3.qpack import BlockedError, Fields, Qpack, UnreadableError
from eiosniff.decode.http3.webtransport import WtSession
from eiosniff.decode.quic.streams import Held, Ordered, QuicStream
from eiosniff.model.http import HttpRequest
from eiosniff.model.outside import QuicPiece
from eiosniff.model.provenance import CLIENT, SERVER, SIDES, PacketRef, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap

_MAX_WAITING: Final = 4_096  # records of a direction that waits
_SUCCESS: Final = range(200, 300)
_FINAL: Final = 200  # of statuses below, others follow


class Connection3(ABC):
    """What a stream asks of its connection."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = PacketRef(0, 0)  # the captured packet at hand

    @abstractmethod
    def qpack(self, side: Side) -> Qpack:
        """The table of what a side writes."""

    @abstractmethod
    def converse(self) -> Conversation:
        """A new conversation within the connection."""

    @abstractmethod
    def lacks(self, gap: Gap) -> None:
        """Bytes of a stream that matters are missing."""

    @abstractmethod
    def session(self, stream: int) -> WtSession | None:
        """The WebTransport session with this CONNECT stream."""

    @abstractmethod
    def opened(self, stream: int, session: WtSession) -> None:
        """There is a new one."""


@final
class _Direction:
    """One direction, and what waits in it: `section` for the table of QPACK, `for_session` for a session."""

    __slots__ = ("building", "for_session", "frames", "quic", "section", "skipping", "waiting")

    def __init__(self, side: Side, held: Held) -> None:
        self.quic = QuicStream(side, held)
        self.frames = FrameReader(side)
        self.section: Frame | None = None
        self.for_session = -1
        self.waiting: list[Http3Record | StreamEnd] = []
        self.building: Building | None = None
        self.skipping = False  # what comes is of no interest

    @property
    def is_held(self) -> bool:
        """Whether anything has to come first. (Compiled, an attribute that was None is taken for None after a call.)"""
        return self.section is not None or self.for_session >= 0


@final
class RequestStream:
    """See the module. `over` says that nothing of interest is to come."""

    __slots__ = (
        "_asked", "_connection", "_conversation", "_directions", "_id", "_refused", "_session", "over", "wt",
    )  # fmt: skip

    def __init__(self, connection: Connection3, stream: int, held: Held) -> None:
        self.over = False
        self.wt: WtSession | None = None  # whose bytes the stream carries
        self._connection = connection
        self._id = stream
        self._directions = [_Direction(side, held) for side in SIDES]
        self._conversation: Conversation | None = None
        self._session: WtSession | None = None  # which the stream has opened
        self._asked: HttpRequest | None = None  # a request that was told
        self._refused = False

    # ------------------------------------------------------------------ what comes

    def take(self, piece: QuicPiece) -> None:
        """Bytes of the stream."""
        side = CLIENT if piece.from_client else SERVER
        self._tell(side, self._directions[side].quic.take(piece))

    def close(self, last: PacketRef) -> None:
        """The capture is over."""
        for side in SIDES:
            direction = self._directions[side]
            if direction.section is not None or direction.for_session >= 0:  # it waits in vain
                self._give_up(side, "what it waits for never comes")
            self._tell(side, direction.quic.close(last))
        self._finish_request(False)
        self._finish_response(False)
        if self._session is not None:
            self._session.wait_in_vain(self._connection.now)
        if self._conversation is not None and (self._session is None or self._session.is_open):
            for side in SIDES:
                self._say(side, StreamEnd(side, EndKind.CAPTURE_ENDED, last))

    def drop(self) -> None:
        """Nothing more of it is looked at: what is held of it is not held any more."""
        for direction in self._directions:
            direction.quic.drop()

    def _tell(self, side: Side, records: list[Ordered]) -> None:
        for record in records:
            direction = self._directions[side]
            if isinstance(record, StreamChunk):
                found = direction.frames.feed(record)
            elif isinstance(record, Gap):
                found = direction.frames.gap(record)
                self._lacks(record)
            else:
                direction.waiting.extend(direction.frames.end(record.place))
                direction.waiting.append(record)
                found = ()
            direction.waiting.extend(found)
            self._go_on(side)

    def _go_on(self, side: Side) -> None:
        """Take what waits, up to what has to wait."""
        direction = self._directions[side]
        if len(direction.waiting) > _MAX_WAITING and direction.is_held:
            self._give_up(side, "what it waits for comes too late")
        while direction.waiting and not direction.is_held:
            records, direction.waiting = direction.waiting, []
            for at, record in enumerate(records):
                self._take(side, direction, record)
                if direction.is_held:
                    direction.waiting = records[at + 1 :]
                    break

    def _take(self, side: Side, direction: _Direction, record: Http3Record | StreamEnd) -> None:
        if isinstance(record, Payload):
            self._payload(side, direction, record)
        elif isinstance(record, Frame):
            if record.type == HEADERS:
                self._section(side, direction, record)
        elif isinstance(record, StreamEnd):
            self._end(side, record)
        elif isinstance(record, Signal):
            if side is CLIENT:
                self._belongs(direction, record.session)
        elif isinstance(record, Gap):
            if self.wt is not None:
                self.wt.gap(record, self._connection.now)
            elif self._session is not None:
                self._session.lose_capsules(side)
            elif direction.building is not None:
                direction.building.miss(record)
        else:
            self._say(side, record)

    def _say(self, side: Side, record: Record) -> None:
        if self._conversation is not None:
            self._conversation.tell_of(side, self._connection.now, record)

    def _lacks(self, gap: Gap) -> None:
        """Bytes are missing, of what may matter."""
        conversation = self.wt.conversation if self.wt is not None else self._conversation
        if conversation is not None:
            conversation.lacks(gap)
            self._connection.lacks(gap)

    # ------------------------------------------------------------------ header sections

    def _section(self, side: Side, direction: _Direction, frame: Frame) -> None:
        if direction.building is not None or direction.skipping:
            return  # trailers
        try:
            self._fields(side, direction, frame, self._connection.qpack(side).read(self._id, frame.payload))
        except BlockedError:
            direction.section = frame
        except UnreadableError as why:
            self._unreadable(side, direction, frame, str(why))

    def resume(self) -> None:
        """What a section waited for has come."""
        for side in SIDES:
            direction, frame = self._directions[side], self._directions[side].section
            if frame is not None:
                direction.section = None
                try:
                    self._fields(side, direction, frame, self._connection.qpack(side).resume(self._id))
                except UnreadableError as why:
                    self._unreadable(side, direction, frame, str(why))
                self._go_on(side)

    def _give_up(self, side: Side, why: str) -> None:
        direction, frame = self._directions[side], self._directions[side].section
        direction.section, direction.for_session = None, -1
        if frame is not None:
            self._unreadable(side, direction, frame, why)
        else:
            direction.skipping = True
        self._go_on(side)

    def _unreadable(self, side: Side, direction: _Direction, frame: Frame, why: str) -> None:
        """Without its header, what a side says in the stream says nothing."""
        direction.skipping = True
        anomaly = Anomaly(AnomalyKind.H3_BAD_FIELDS, side, frame.last, "a header section that can be read", why)
        self._say(side, anomaly)

    def _fields(self, side: Side, direction: _Direction, frame: Frame, fields: Fields) -> None:
        if side is CLIENT:
            self._request(direction, frame, fields)
            return
        status = status_of(fields)
        if status < _FINAL:
            return
        response = response_of(fields, frame, status, self._asked_now())
        session = self._session
        if session is not None:
            session.answer(response, self._connection.now)
            self._refused = status not in _SUCCESS
            direction.skipping = self._refused
        elif self._conversation is None:
            direction.skipping = True
        else:
            direction.building = Building(response, SERVER, True)

    def _request(self, direction: _Direction, frame: Frame, fields: Fields) -> None:
        request = request_of(fields, frame)
        if asks_for_webtransport(fields):
            request.complete = True
            request.order = self._connection.now.number
            session = self._session = WtSession(self._connection.converse(), request)
            self._conversation = session.conversation
            self._connection.opened(self._id, session)
        elif may_be_engineio(request):
            self._conversation = self._connection.converse()
            direction.building = Building(request, CLIENT, True)
        else:
            self.over = True

    def _asked_now(self) -> HttpRequest | None:
        """The request, as far as it has come: it is answered now."""
        self._finish_request(False)
        return self._asked

    # ------------------------------------------------------------------ bodies

    def _payload(self, side: Side, direction: _Direction, payload: Payload) -> None:
        if payload.raw:
            if self.wt is not None:
                self.wt.feed(payload.chunk, self._connection.now)
        elif self._session is not None:
            self._session.capsules(side, payload.chunk, self._connection.now)
        elif direction.building is not None:
            direction.building.add(payload.chunk)

    def _end(self, side: Side, end: StreamEnd) -> None:
        if self.wt is not None:
            self.wt.end(end, self._connection.now)
            return
        fin = end.kind is EndKind.FIN
        if self._session is not None:
            if fin:
                self._session.close(side, None, b"", self._connection.now)
        elif side is CLIENT:
            self._finish_request(fin)
        else:
            self._finish_response(fin)

    def _finish_request(self, complete: bool) -> None:
        direction = self._directions[CLIENT]
        building = direction.building
        if building is None:
            return
        request = building.message
        direction.building, direction.skipping = None, True
        anomalies = building.finish(complete, self._connection.now.number)
        if isinstance(request, HttpRequest):
            self._asked = request
            self._say(CLIENT, request)
        for anomaly in anomalies:
            self._say(CLIENT, anomaly)

    def _finish_response(self, complete: bool) -> None:
        direction = self._directions[SERVER]
        building = direction.building
        if building is None:
            return
        direction.building, direction.skipping = None, True
        anomalies = building.finish(complete and not building.message.missing, self._connection.now.number)
        for anomaly in anomalies:
            self._say(SERVER, anomaly)
        self._say(SERVER, building.message)
        self.over = True

    # ------------------------------------------------------------------ WebTransport streams

    def _belongs(self, direction: _Direction, stream: int) -> None:
        """The stream says of which session it is; only the first stream of a session matters to Engine.IO."""
        session = self._connection.session(stream)
        if session is None:
            direction.for_session = stream
        elif session.bind(self._id):
            self.wt = session
            self._directions[SERVER].frames = FrameReader.raw(SERVER)
        else:
            direction.skipping = True

    def session_opened(self, stream: int) -> None:
        """There is a new session; perhaps the stream waits for it."""
        direction = self._directions[CLIENT]
        if direction.for_session == stream:
            direction.for_session = -1
            self._belongs(direction, stream)
            self._go_on(CLIENT)
