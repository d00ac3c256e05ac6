"""One TCP connection that may speak Engine.IO: HTTP first, perhaps WebSocket later.

A conversation turns bytes into records and appends them to the events of the batch. Events of all conversations are
then handed to the session layer in the order of the captured packet that completed them (see `stack`).
"""

from collections.abc import Callable, Sequence
from typing import final

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.connection_facts import ConnectionFacts
from eiosniff.decode.events import Events, Record
from eiosniff.decode.facts import may_be_engineio
from eiosniff.decode.http1.connection import HttpConnection, Upgrade
from eiosniff.decode.http1.proxy_protocol import ProxyHeader
from eiosniff.decode.inside import Inside
from eiosniff.decode.offsets import OffsetMap
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.sniff import UNKNOWN_YET, Protocol
from eiosniff.decode.tls.decryption import Decryption, Plain
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.decode.tunnel import MAX_TUNNELS, Tunnel, port_of
from eiosniff.decode.websocket.deflate import DeflateParameters, negotiated
from eiosniff.decode.websocket.reader import WebSocketReader
from eiosniff.model.http import HttpMessage, HttpRequest
from eiosniff.model.provenance import SERVER, SIDES, PacketRef, Side
from eiosniff.model.session import Connection
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, Desync, Gap
from eiosniff.model.websocket import WsControl, WsMessage

Reader = WebSocketReader | HttpConnection


@final
class Conversation(ConnectionFacts):
    """See the module.

    The bytes of a connection that is `uninteresting` are not read (any more), and of one that is `forgotten` the events
    that they were made into are dropped. `tunnel` is the one through which a proxy was asked to connect (CONNECT), the
    innermost if there are several. `decryption` makes plain bytes of what the innermost layer of TLS carries; all else
    then reads those.
    `keyring` has the secrets for a tunnel with TLS in it, if there are any; `sealed` is that tunnel.

    `inside` reads the connection from where it is HTTP/2. Each of its streams that matters is a conversation of its
    own, whose offsets are those in the stream, and `offsets` says where in the connection these are.
    """

    __slots__ = (
        "_order", "crashed", "decryption", "deflate", "events", "forgotten", "http", "inside",
        "keyring", "offsets", "sealed", "tunnel", "uninteresting", "upgrade", "websocket",
    )  # fmt: skip

    def __init__(
        self,
        flow: Flow,
        ledger: Connection,
        events: Events,
        crashed: Callable[["Conversation", Exception], None],
        http: HttpConnection | None = None,
    ) -> None:
        super().__init__(flow, ledger)
        self.events = events
        self.crashed = crashed
        self.http = http
        self.websocket: list[Reader | None] = [None, None]
        self.tunnel: Tunnel | None = None
        self.upgrade: Upgrade | None = None
        self.deflate: DeflateParameters | None = None
        self.decryption: Decryption | None = None
        self.keyring: Keyring | None = None
        self.sealed: Tunnel | None = None
        self.inside: Inside | None = None
        self.offsets: list[OffsetMap] | None = None
        self.uninteresting = False
        self.forgotten = False
        # Of the last event of each side: an event comes no earlier than those that its side was known to have before.
        # As long as the sides are not apart, those of the other side count too.
        self._order = [0, 0]

    @classmethod
    def over_http(
        cls,
        flow: Flow,
        ledger: Connection,
        events: Events,
        crashed: Callable[["Conversation", Exception], None],
        proxied: bool = False,
    ) -> "Conversation":
        """A connection that begins with HTTP, after a header of the PROXY protocol if it is `proxied`."""
        return cls(flow, ledger, events, crashed, HttpConnection(may_be_engineio, proxied=proxied))

    @classmethod
    def over_websocket(
        cls, flow: Flow, ledger: Connection, events: Events, crashed: Callable[["Conversation", Exception], None]
    ) -> "Conversation":
        """A WebSocket connection whose handshake was not captured."""
        self = cls(flow, ledger, events, crashed)
        self.sides_are_apart = True
        for side in SIDES:
            self.websocket[side] = WebSocketReader(side, None, None, midstream=True)
        return self

    def begin_tls(self, decryption: Decryption, tunnel: Tunnel | None = None) -> None:
        """It is TLS from here on, in a tunnel or from its first byte on, with keys: what TLS carries is looked at as if
        it were a connection."""
        self.decryption = decryption
        self.ledger.encrypted = True
        self.sealed = tunnel
        self.tunnel = Tunnel(0, [0, 0], 0 if tunnel is None else tunnel.depth + 1)

    def begin_at(self, order: int) -> None:
        """Nothing of this connection was known before a captured packet."""
        self._order = [order, order]

    # ------------------------------------------------------------------ what TCP brings

    def chunk(self, chunk: StreamChunk) -> None:
        """Bytes in order."""
        side, ledger = chunk.side, self.ledger
        way = 1 if side is SERVER else 0
        if self.decryption is None or self.uninteresting:
            ledger.bytes[way] += len(chunk.data)
        if not ledger.seen[way]:
            ledger.seen[way] = True
            self._first_bytes[way] = chunk.order
        if self.uninteresting:
            return
        try:
            if self.decryption is None:
                self.tell_bytes(chunk)
            else:
                self._tell_plain(self.decryption.feed(chunk))
        except Exception as bug:  # a decoder must not raise; if it does, only this connection is lost (INT002)
            self._give_up(bug)

    def lacks(self, gap: Gap) -> None:
        """Note a hole, without reading on after it."""
        self.count_gap(gap)
        self.note(gap.side, gap.place.number, gap)

    def gap(self, gap: Gap) -> None:
        """A hole."""
        self.lacks(gap)
        if self.uninteresting:
            return
        try:
            if self.decryption is None:
                self.tell_gap(gap)
            else:
                self._tell_plain(self.decryption.gap(gap))
        except Exception as bug:  # as above
            self._give_up(bug)

    def reset(self, end: StreamEnd) -> None:
        """The peer of this side reset the connection: that is the end, but what was in flight may still be read."""
        self.ledger.ends[end.side] = end.kind
        self.note(end.side, end.place.number, end)

    def end(self, end: StreamEnd) -> None:
        """The end of one direction."""
        try:
            if self.decryption is not None:
                self._tell_plain(self.decryption.end(end))
            self.tell_end(end)
        except Exception as bug:  # as above
            self._give_up(bug)
        if self.ledger.ends[end.side] is None:
            self.reset(end)

    # ------------------------------------------------------------------ records

    def tell(self, side: Side, records: Sequence[Record], order: int) -> None:
        """Append records that bytes of one side completed; `order` is the packet at hand where it did not bring the
        records' last bytes itself."""
        for record in records:
            # One class at a time: compiled, what two classes have in common is looked up by its name.
            if isinstance(record, WsMessage):
                order = max(order, record.order)
            elif isinstance(record, (Anomaly, Desync)):
                order = max(order, record.place.number, record.order)
            elif isinstance(record, HttpMessage):
                order = max(order, record.order)
            elif isinstance(record, Upgrade):
                if self.http is None:
                    self._switch_again(side, record, order)
                elif record.is_http2:
                    self._enter_h2c(record.request, self.http)
                else:
                    self.note(side, order, record)
                    self._switch(record, self.http, order)
                continue
            elif isinstance(record, WsControl):
                order = max(order, record.order)
            elif isinstance(record, ProxyHeader) and record.source is not None:
                self.ledger.proxied_for = record.source
            self.note(side, order, record)

    def tell_of(self, side: Side, place: PacketRef, record: Record) -> None:
        """A record that others made of what a side says here; a captured packet completed it."""
        self.hear(side, place)
        self.note(side, place.number, record)

    def note(self, side: Side, order: int, record: Record) -> None:
        """Append a record that the packet at hand completed."""
        orders, way = self._order, 1 if side is SERVER else 0
        order = max(order, orders[way])
        orders[way] = order
        if not self.sides_are_apart:
            orders[1 - way] = order
        self.events.add(order, self, record)

    def _switch(self, upgrade: Upgrade, http: HttpConnection, order: int) -> None:
        """From HTTP to WebSocket, or into a tunnel: each direction goes on with the bytes that it has left."""
        self.http = None
        request, response = upgrade.request, upgrade.response
        if request is not None and request.method == b"CONNECT":
            self._enter(request, http)
            return
        chosen = response.header(b"upgrade") if response is not None else None
        if chosen is not None and b"websocket" not in chosen.lower():  # a protocol of somebody's own
            self.upgrade = upgrade
            self.uninteresting = True
            return
        self.sides_are_apart = True
        self._agree(upgrade)
        for side in SIDES:
            buffer = http.take(side)
            if not len(buffer):
                continue
            if side is SERVER and buffer.data[buffer.pos : buffer.pos + 1] == b"H":
                self._read_http_inside(buffer.rest())
            else:
                reader = self.websocket[side] = self._frames_from(side, buffer)
                self.tell(side, reader.start(), order)
                self._look_for_http(reader)

    def _agree(self, upgrade: Upgrade) -> None:
        """What client and server agreed on for their WebSocket."""
        self.upgrade = upgrade
        request, response = upgrade.request, upgrade.response
        self.deflate = negotiated(
            response.header(b"sec-websocket-extensions") if response else None,
            request.header(b"sec-websocket-extensions") if request else None,
        )

    def _frames_from(self, side: Side, buffer: StreamBuffer | None) -> WebSocketReader:
        """A reader of what a side says after the 101, of which the capture may lack the beginning."""
        unknown = self.upgrade is not None and self.upgrade.request is None and self.upgrade.response is None
        inflater = self.deflate.inflater(side) if self.deflate else None
        return WebSocketReader(side, buffer, inflater, midstream=unknown)

    def _switch_again(self, side: Side, upgrade: Upgrade, order: int) -> None:
        """A second 101 in the WebSocket: of another handler of the same server, or of another connection, whose
        beginning was not captured."""
        if upgrade.response is not None:
            self.note(side, order, upgrade.response)
        inside = self.websocket[SERVER]
        if isinstance(inside, HttpConnection):
            inflater = self.deflate.inflater(SERVER) if self.deflate else None
            reader = self.websocket[SERVER] = WebSocketReader(SERVER, inside.take(SERVER), inflater)
            self.tell(SERVER, reader.start(), order)
            self._look_for_http(reader)

    # ------------------------------------------------------------------ tunnels

    def _enter(self, request: HttpRequest, http: HttpConnection) -> None:
        """Look into a tunnel as if it were a new connection."""
        depth = self.tunnel.depth + 1 if self.tunnel is not None else 1
        if depth > MAX_TUNNELS:
            self.uninteresting = True
            return
        self.tunnel = Tunnel(port_of(request), [http.accounted(side) for side in SIDES], depth)
        decryption = self.decryption
        for side in SIDES:
            for chunk in http.take(side).rest():
                self._read_by_packet(chunk, decryption)

    def _sniff(self, tunnel: Tunnel, record: StreamChunk | Gap | StreamEnd) -> None:
        """Take what comes first in a tunnel, and read on once it is clear as what."""
        sniffer = tunnel.sniffer
        if sniffer is None:
            return
        protocol = sniffer.take(1 if record.side is SERVER else 0, record)
        if protocol is UNKNOWN_YET:
            return
        tunnel.holds = protocol
        tunnel.sniffer = None
        if protocol in (Protocol.TLS, Protocol.OTHER):
            if protocol is Protocol.TLS:
                tunnel.beginning = sniffer.records
                if self.keyring is not None and self.decryption is None:
                    self._unseal(tunnel, self.keyring)
                    return
            self.uninteresting = True
            return
        self.begin_at(max(sniffer.decided, *self._order))
        if protocol is Protocol.HTTP2:
            self.enter_http2(tunnel.starts, None)
        elif protocol in (Protocol.WEBSOCKET_CLIENT, Protocol.WEBSOCKET_SERVER):  # after a gap
            self.sides_are_apart = True
            self.websocket = [WebSocketReader(side, None, None, midstream=True) for side in SIDES]
        else:
            self.http = HttpConnection(may_be_engineio, proxied=sniffer.proxied)
            for side in SIDES:
                self.http.begin_at(side, tunnel.starts[side])
        for _, earlier in sniffer.records:
            if isinstance(earlier, StreamChunk):
                self._read_by_packet(earlier, self.decryption)
            elif isinstance(earlier, Gap):
                self.tell_gap(earlier)
            else:
                self.tell_end(earlier)

    def _unseal(self, tunnel: Tunnel, keyring: Keyring) -> None:
        """Read what TLS carries in a tunnel."""
        decryption = TlsStreams(keyring)
        self.begin_tls(decryption, tunnel)
        for _, record in tunnel.beginning:
            if isinstance(record, StreamChunk):
                self._tell_plain(decryption.feed(record))
            elif isinstance(record, Gap):
                self._tell_plain(decryption.gap(record))

    def _tell_plain(self, records: Plain) -> None:
        """Tell the protocol at hand what was decrypted; nothing more once that says that it is of no interest."""
        for record in records:
            if self.uninteresting:
                return
            if isinstance(record, StreamChunk):
                self.ledger.bytes[1 if record.side is SERVER else 0] += len(record.data)
                self.tell_bytes(record)
            else:
                self.tell_gap(record)
        if self.decryption is not None and self.decryption.useless:
            self.uninteresting = True

    def tell_bytes(self, chunk: StreamChunk) -> None:
        """Tell the protocol at hand of bytes."""
        if self.inside is None and self.http is None and (self.tunnel is None or self.tunnel.sniffer is None):
            self._read(chunk)
        else:
            self._read_by_packet(chunk, self.decryption)

    def _http_took(self, record: Gap | StreamEnd) -> bool:
        """Tell HTTP of a hole or of an end, which may be that of HTTP, and begin it anew; whether it is HTTP still."""
        http = self.http
        while http is not None:
            taken = http.gap(record) if isinstance(record, Gap) else http.end(record)
            self.tell(record.side, taken, record.place.number)
            if self.http is http:
                return True
            http = self.http
        return False

    def tell_gap(self, gap: Gap) -> None:
        """Tell the protocol at hand of a hole, and the next one if the hole itself ended the other."""
        if self._http_took(gap):
            return
        if self.inside is not None:
            self.inside.gap(gap)
        elif self.tunnel is not None and self.tunnel.sniffer is not None:
            self._sniff(self.tunnel, gap)
        elif not self.uninteresting:
            reader = self._reader(gap.side)
            self.tell(gap.side, reader.gap(gap), gap.place.number)
            self._look_for_http(reader)

    def tell_end(self, end: StreamEnd) -> None:
        """The same for the end of a direction."""
        if self._http_took(end):
            return
        reader = self.websocket[end.side]
        if self.inside is not None:
            self.inside.end(end)
        elif self.tunnel is not None and self.tunnel.sniffer is not None:
            self._sniff(self.tunnel, end)
        elif reader is not None:
            self.tell(end.side, reader.end(end), end.place.number)

    # ------------------------------------------------------------------ HTTP/2

    def enter_http2(self, starts: list[int], request: HttpRequest | None) -> None:
        """From these offsets on (one a side) the connection is HTTP/2; `request` was asked before, and waits."""
        from eiosniff.decode.http2.connection import Http2Connection  # noqa: PLC0415  # nor `hpack`, if there is none

        self.inside = Http2Connection(self, starts, request)

    def _enter_h2c(self, request: HttpRequest | None, http: HttpConnection) -> None:
        """Upgrade: h2c. What follows the request and the 101 is HTTP/2, and in it the answer to that request."""
        self.http = None
        self.enter_http2([http.accounted(side) for side in SIDES], request)
        for side in SIDES:
            for chunk in http.take(side).rest():
                self._read_by_packet(chunk, self.decryption)

    def child(self, stream: int, offsets: list[OffsetMap]) -> "Conversation":
        """The conversation of one stream, with where its bytes are, by side."""
        child = Conversation(self.flow, self.ledger, self.events, self.crashed)
        child.parent = self
        child.stream = stream
        child.offsets = offsets
        child.decryption = self.decryption
        child._first_bytes, child._order = self._first_bytes, self._order
        return child

    def accept(self, upgrade: Upgrade, order: int) -> None:
        """From here on the stream of this conversation carries a WebSocket."""
        self.note(SERVER, order, upgrade)
        self._agree(upgrade)

    # ------------------------------------------------------------------ WebSocket

    def _read_by_packet(self, chunk: StreamChunk, decryption: Decryption | None) -> None:
        """Read packet by packet: one may tell what others before it are, by coming late or as an answer; also that from
        here on all is TLS, and does not come out of the same decryption any more. What belongs to the body of an answer
        whatever it is may come at once."""
        at, count = 0, len(chunk.numbers)
        while at < count:
            piece = chunk.following(at, self.http.sure if self.http is not None and chunk.side is SERVER else 0)
            at += len(piece.numbers)
            if self.decryption is not None and self.decryption is not decryption:
                self._tell_plain(self.decryption.feed(piece))
            elif self.http is not None:
                self.tell(piece.side, self.http.feed(piece), piece.order)
            elif self.inside is not None:
                self.inside.chunk(piece)
            elif self.tunnel is not None and self.tunnel.sniffer is not None:
                self._sniff(self.tunnel, piece)
            elif not self.uninteresting:
                self._read(piece)

    def _read(self, chunk: StreamChunk) -> None:
        """Read what comes after the upgrade. A server that refuses only after the 101 writes HTTP into the WebSocket;
        its first byte tells."""
        if chunk.side is SERVER and self.websocket[SERVER] is None and chunk.data[:1] == b"H":
            self._read_http_inside(chunk.by_packet())
            return
        reader = self._reader(chunk.side)
        if isinstance(reader, WebSocketReader):
            self.tell(chunk.side, reader.feed(chunk), 0)
            self._look_for_http(reader)
        else:
            self._go_on_in_http(chunk.by_packet())

    def _look_for_http(self, reader: Reader) -> None:
        """HTTP may come between frames, too: of another handler on the same HTTP server, which was slower."""
        if isinstance(reader, WebSocketReader) and reader.at_http and self.websocket[SERVER] is reader:
            self._read_http_inside(reader.buffer.rest())

    def _read_http_inside(self, pieces: list[StreamChunk]) -> None:
        """HTTP begins in the WebSocket of the server: read what there is of it, packet by packet."""
        http = HttpConnection.inside_websocket(self.upgrade.request if self.upgrade else None)
        self.websocket[SERVER] = http
        http.begin_at(SERVER, pieces[0].offset)
        self._go_on_in_http(pieces)

    def _go_on_in_http(self, pieces: list[StreamChunk]) -> None:
        """Each event is due with the packet that tells of it, which matters: the client goes on meanwhile."""
        for piece in pieces:
            reader = self.websocket[SERVER]
            if isinstance(reader, HttpConnection):
                self.tell(SERVER, reader.feed(piece), piece.order)
            else:  # it was a second 101
                self._read(piece)

    def _reader(self, side: Side) -> Reader:
        reader = self.websocket[side]
        if reader is None:
            reader = self.websocket[side] = self._frames_from(side, None)
        return reader

    # ------------------------------------------------------------------ what the session layer may ask and tell

    def outer(self, side: Side, offset: int) -> int:
        """The offset on the wire after what holds the bytes before an offset of what is read here."""
        if self.offsets is not None:
            offset = self.offsets[side].outer(offset)
        return offset if self.decryption is None else self.decryption.outer(side, offset)

    def forget(self) -> None:
        """Stop decoding: the connection does not speak Engine.IO. What it said in the meantime is not looked at."""
        self.forgotten = True
        self._stop()

    def _give_up(self, bug: Exception) -> None:
        self._stop()
        self.crashed(self, bug)

    def _stop(self) -> None:
        self.uninteresting = True
        self.http = None
        self.inside = None
        self.tunnel = None
        self.websocket = [None, None]
