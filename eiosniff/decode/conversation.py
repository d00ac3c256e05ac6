"""One TCP connection that may speak Engine.IO: HTTP first, perhaps WebSocket later.

A conversation turns bytes into records and appends them to the events of the batch. Events of all conversations are
then handed to the session layer in the order of the captured packet that completed them (see `stack`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eiosniff.decode.deflate import DeflateParameters, Inflater, negotiated
from eiosniff.decode.facts import may_be_engineio
from eiosniff.decode.http1 import HttpConnection, Upgrade
from eiosniff.decode.tcp import Flow
from eiosniff.decode.websocket import WebSocketReader
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import MAX_GAPS, Attempt, Connection, Session
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, Desync, Gap
from eiosniff.model.websocket import WsControl, WsMessage

Record = HttpRequest | HttpResponse | Upgrade | WsMessage | WsControl | Anomaly | Desync | Gap | StreamEnd
Reader = WebSocketReader | HttpConnection


@dataclass(slots=True, eq=False)
class Event:
    """A record, and its place in the order of the whole capture."""

    order: int
    conversation: "Conversation"
    record: Record


@dataclass(slots=True, eq=False)
class Conversation:
    """See the module. `ledger` is what the reports show of the connection.

    `attempts`, `session` and `attempt` belong to the session layer: the handshake requests under way, and what the
    WebSocket of this connection is part of.
    """

    flow: Flow
    ledger: Connection
    events: list[Event]
    crashed: Callable[["Conversation", Exception], None]
    http: HttpConnection | None = None
    websocket: list[Reader | None] = field(default_factory=lambda: [None, None])
    upgrade: Upgrade | None = None
    deflate: DeflateParameters | None = None
    attempts: dict[HttpRequest, Attempt] = field(default_factory=dict)
    attempt: Attempt | None = None
    session: Session | None = None
    early: list[WsMessage] = field(default_factory=list)  # of the client, before the session was opened
    is_engineio: bool = False
    uninteresting: bool = False

    @classmethod
    def over_http(
        cls, flow: Flow, ledger: Connection, events: list[Event], crashed: Callable[["Conversation", Exception], None]
    ) -> "Conversation":
        """A connection that begins with HTTP."""
        return cls(flow, ledger, events, crashed, http=HttpConnection(may_be_engineio))

    @classmethod
    def over_websocket(
        cls, flow: Flow, ledger: Connection, events: list[Event], crashed: Callable[["Conversation", Exception], None]
    ) -> "Conversation":
        """A WebSocket connection whose handshake was not captured."""
        self = cls(flow, ledger, events, crashed)
        for side in Side:
            self.websocket[side] = WebSocketReader(side, None, None, midstream=True)
        return self

    # ------------------------------------------------------------------ what TCP brings

    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order."""
        self.ledger.bytes[chunk.side] += len(chunk.data)
        self.ledger.seen[chunk.side] = True
        try:
            if self.http is not None:
                self._take(self.http.feed(chunk), 0)
            elif not self.uninteresting:
                self._take(self._reader(chunk).feed(chunk), 0)
        except Exception as bug:  # a decoder must not raise; if it does, only this connection is lost (INT002)
            self.crashed(self, bug)

    def gap(self, gap: Gap) -> None:
        """A hole."""
        ledger = self.ledger
        ledger.gap_bytes += gap.length
        if len(ledger.gaps) < MAX_GAPS:
            ledger.gaps.append(gap.place.number)
        self.events.append(Event(gap.place.number, self, gap))
        reader = self.http or self.websocket[gap.side]
        try:
            if reader is not None:
                self._take(reader.gap(gap), gap.place.number)
        except Exception as bug:  # as above
            self.crashed(self, bug)

    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""
        self.ledger.ends[end.side] = end.kind
        reader = self.http or self.websocket[end.side]
        try:
            if reader is not None:
                self._take(reader.end(end), end.place.number)
        except Exception as bug:  # as above
            self.crashed(self, bug)
        self.events.append(Event(end.place.number, self, end))

    # ------------------------------------------------------------------ records

    def _take(self, records: Sequence[Record], order: int) -> None:
        """Append records; `order` is the packet at hand where it did not bring the records' last bytes itself."""
        for record in records:
            if isinstance(record, Anomaly | Desync):
                order = max(order, record.place.number)
            elif isinstance(record, Upgrade):
                self._append(order, record)
                self._switch(record, order)
                continue
            elif isinstance(record, HttpRequest | HttpResponse | WsMessage | WsControl):
                order = max(order, record.order)
            self._append(order, record)

    def _append(self, order: int, record: Record) -> None:
        self.events.append(Event(order, self, record))

    def _switch(self, upgrade: Upgrade, order: int) -> None:
        """From HTTP to WebSocket: each direction goes on with the bytes that it has left."""
        http, self.http = self.http, None
        assert http is not None
        self.upgrade = upgrade
        request, response = upgrade.request, upgrade.response
        if request is not None and request.method == b"CONNECT":
            self.uninteresting = True
            return
        self.deflate = negotiated(
            response.header(b"sec-websocket-extensions") if response else None,
            request.header(b"sec-websocket-extensions") if request else None,
        )
        for side in Side:
            buffer = http.take(side)
            if not len(buffer):
                continue
            if side is Side.SERVER and buffer.data[buffer.pos : buffer.pos + 1] == b"H":
                self._take(self._http_inside().adopt(buffer), order)
            else:
                reader = self.websocket[side] = WebSocketReader(side, buffer, self._inflater(side))
                self._take(reader.start(), order)

    def _inflater(self, side: Side) -> Inflater | None:
        return self.deflate.inflater(side) if self.deflate else None

    def _reader(self, chunk: StreamChunk) -> Reader:
        """The reader of a direction after the upgrade, by its first byte: a server that refuses only after the 101
        writes HTTP into the WebSocket (catalogue, rule of thumb 3)."""
        reader = self.websocket[chunk.side]
        if reader is not None:
            return reader
        if chunk.side is Side.SERVER and chunk.data[:1] == b"H":
            return self._http_inside()
        reader = self.websocket[chunk.side] = WebSocketReader(chunk.side, None, self._inflater(chunk.side))
        return reader

    def _http_inside(self) -> HttpConnection:
        reader = HttpConnection.inside_websocket(self.upgrade.request if self.upgrade else None)
        self.websocket[Side.SERVER] = reader
        return reader

    def forget(self) -> None:
        """Stop decoding: the connection does not speak Engine.IO."""
        self.uninteresting = True
        self.http = None
        self.websocket = [None, None]

    @property
    def last(self) -> PacketRef:
        """The last captured packet of the connection."""
        return self.flow.last
