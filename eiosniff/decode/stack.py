"""How the layers connect: batches of captured packets in, ledgers out.

    PacketBatch -> packets.PacketDecoder -> tcp.FlowTable -> conversation.Conversation (http1, websocket)
                -> events, sorted by captured packet -> sessions.Sessions (engineio, socketio)

A batch goes through in two steps. First each connection by itself, as far as whole HTTP and WebSocket messages; then
the messages of all connections in the order in which their last packets were captured. A session spans connections, so
only the second step may look beyond one, and its result does not depend on where batches were cut.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.crashes import Crashes
from eiosniff.decode.events import Events, Record
from eiosniff.decode.har.entries import EntryDecoder
from eiosniff.decode.http3.connections import Http3Connections
from eiosniff.decode.outside.decryption import EitherDecryption
from eiosniff.decode.outside.pieces import Outside
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.quality import Quality, note_others
from eiosniff.decode.sessions.session_packets import Listener
from eiosniff.decode.sessions.sessions import Sessions
from eiosniff.decode.tcp.connects import Connects
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.network_facts import FlowFacts
from eiosniff.decode.tcp.sniff import UNKNOWN_YET, Protocol, Sniffer
from eiosniff.decode.tcp.table import FlowListener, FlowTable
from eiosniff.decode.tcp.watches import Watch
from eiosniff.decode.tls.keyed import Records, Undecided
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.decode.tls_connections import TlsConnections, protocol_name
from eiosniff.decode.unread import UnreadLedger
from eiosniff.model.batch import PacketBatch
from eiosniff.model.outside import QuicPiece, quic_connection
from eiosniff.model.peers import Retired
from eiosniff.model.provenance import SIDES, Endpoint, PacketRef
from eiosniff.model.secrets import Secrets
from eiosniff.model.session import MAX_SESSIONS, Beat, Closing, Connection, Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, Gap

_PAST_ALL: Final = 1 << 62  # the number of a captured packet that comes after all others
MAX_ENDPOINTS: Final = 4096  # kept as text: nearly all connections go to a few servers


class Stack(FlowListener):
    """Decodes one capture: only connections with one of `ports` (if any are given), only Engine.IO under `path`.

    Feed it batches, then `close` it; the ledgers are in `sessions` and `summary`. Sessions, clients and servers beyond
    `most` of each are let go as soon as they are over: ask for the `retired` ones after each batch, and after the end.
    `changed`, if it is given, takes the sessions that are opened, upgraded, closed, and opened again; whoever gives it
    empties it. TLS connections with `secrets` are followed as if they were in clear; more secrets may be added while it
    decodes. `outside` takes what only another program decrypts, or has it decrypted; without it that stays unread.
    """

    def __init__(
        self,
        summary: CaptureSummary,
        listener: Listener | None = None,
        *,
        ports: frozenset[int] = frozenset(),
        path: str | None = None,
        most: int = MAX_SESSIONS,
        changed: set[Session] | None = None,
        secrets: Secrets | None = None,
        outside: Outside | None = None,
    ) -> None:
        self.summary = summary
        self.sessions = Sessions(self._watch, listener, path, most, self._retire, changed)
        self._crashes = Crashes()
        self._crashed = self._crashes.note
        self._entries: EntryDecoder | None = None  # of a HAR
        self._path = path
        self._ports = ports
        self._packets = PacketDecoder()
        self._outside = outside
        self._flows = FlowTable(self)
        self._events = Events()
        self._quic = Http3Connections(self._events, self._crashed)
        self._watched: list[tuple[Flow, int, int, Beat | Closing]] = []  # in the batch at hand
        self._retired: list[tuple[int, Retired]] = []  # with the captured packet that made them so
        # In the batch at hand, with the packet that decided what it is.
        self._begun: list[tuple[int, Conversation]] = []
        self._ended: list[tuple[int, Conversation]] = []  # in the batch at hand, with the last captured packet
        self._sniffers: dict[Flow, Sniffer] = {}  # of connections that are undecided
        self._unread = UnreadLedger(self._endpoint, secrets)
        self._connects = Connects(self._endpoint)
        self._endpoints: dict[int, Endpoint] = {}  # as they are packed in a flow
        self._order = 0  # of the event at hand
        self._protocols: Counter[str] = Counter()
        self._tls = TlsConnections(secrets, self._unread, self._protocols, self._decrypt)
        self._quality = Quality(summary)

    @property
    def unknown_links(self) -> list[int]:
        """The link types that cannot be decoded, if that is all that the capture holds; else empty."""
        counters = self._packets.counters
        unknown = counters.unknown_link
        return sorted(unknown) if unknown and unknown.total() == counters.packets else []

    @property
    def protocols(self) -> dict[str, int]:
        """Connections so far, by what they speak: `HTTP`, `WebSocket` (without its beginning), `TLS (port 443)`."""
        return dict(self._protocols)

    @property
    def crashes(self) -> list[str]:
        """Decoders that raised, a line each."""
        return self._crashes.texts()

    def feed(self, batch: PacketBatch) -> None:
        """Decode a batch."""
        self._quality.note_cut(batch)
        quic, outside, keyring = self._packets.quic, self._outside, self._tls.keyring
        collects = outside is not None and outside.collects and keyring is not None
        if collects and quic.datagrams is None:
            quic.datagrams = []
        self._flows.feed(self._packets.decode(batch))
        if outside is not None and len(batch):
            if keyring is not None and quic.datagrams:
                outside.collect_quic(quic, self._ports, keyring.secrets)
            self._read_quic(int(batch.number[-1]))
        if self._packets.is_crowded:
            self._packets.keep(self._flows.ends())

    def _read_quic(self, number: int) -> None:
        """Read what QUIC streams brought up to a captured packet, and hand it on."""
        if self._outside is not None and self._quic_pieces(self._outside.quic(number)):
            self._hand_on()

    def _quic_pieces(self, pieces: Sequence[QuicPiece]) -> bool:
        """Read these pieces; whether there were any."""
        for piece in pieces:
            if not self._ports or not self._ports.isdisjoint((piece.client.port, piece.server.port)):
                self._quic.take(piece)
        return bool(pieces)

    def entries(self) -> EntryDecoder:
        """What takes the entries of a HAR, instead of batches of captured packets."""
        self._entries = EntryDecoder(
            self.summary, self.sessions, self._connects, self._handle, self._crashed, self._ports, self._path
        )
        return self._entries

    def close(self) -> None:
        """The capture is over: settle what is open, and sum up."""
        self._flows.close()
        self._close_quic()
        self._hand_on()
        self.sessions.close()
        self._summarise()
        if self._entries is not None:
            self._entries.finish()

    def _close_quic(self) -> None:
        """No more packets come."""
        if self._outside is not None:
            self._quic_pieces(self._outside.quic(_PAST_ALL))
        # Nothing comes after what comes last, however the capture was cut.
        last = PacketRef(self.summary.packets or _PAST_ALL, self.summary.last_ns or 0)
        for root in self._quic.close(last):
            self._ended.append((root.flow.last.number, root))

    def retired(self) -> list[Retired]:
        """The ledgers that were let go since this was asked last, in order."""
        retired = [entry for _, entry in self._retired]
        for number, entry in self._retired:
            if isinstance(entry.ledger, Session):
                _forget_later_acks(entry.ledger, number)
                self._unread.note_session(entry.ledger)
        self._retired.clear()
        return retired

    def _hand_on(self) -> None:
        """Second step: what the connections yielded, in capture order."""
        self._begun.sort(key=itemgetter(0))
        for _, conversation in self._begun:  # connections are numbered when all of a batch are known
            conversation.ledger.stream = conversation.flow.stream
            self._connects.reached(conversation.ledger)
        self._begun.clear()
        events = self._events
        orders, conversations = events.orders, events.conversations
        for at in events.in_order():
            self._handle(orders[at], conversations[at], events.take(at))
        events.clear()
        # As they would have come one by one: the connections of a batch were not decoded in the order of their ends.
        self._ended.sort(key=_order_of_end)
        for _, conversation in self._ended:
            self._quality.note(conversation)
        self._ended.clear()
        self._connects.settle()
        self._unread.settle()
        self._crashes.settle()

    def _handle(self, order: int, conversation: Conversation, record: Record) -> None:
        if isinstance(record, StreamEnd):
            conversation.ended[record.side] = True
        elif conversation.forgotten and not isinstance(record, Gap):
            return  # with smaller batches it would not have been decoded
        elif isinstance(record, Anomaly):
            self._quality.note_unreadable(conversation, record)
        self._order = order
        try:
            self.sessions.handle(conversation, record)
        except Exception as bug:  # the session layer must not raise; if it does, the rest goes on (INT002)
            conversation.forget()
            self._crashed(conversation, bug)
        conversation.learn()

    # ------------------------------------------------------------------ FlowListener

    def begin(self, flow: Flow, way: int, record: StreamChunk | Gap | StreamEnd) -> None:
        """Decide what a connection is, by its first bytes."""
        if flow.dropped or not self._chosen(flow):
            flow.dropped = True
            return
        if self._tls.is_reading(flow):
            self._tls.read(flow, [(way, record)])
            return
        sniffer = self._sniffers.get(flow)
        fresh = sniffer is None
        if sniffer is None:
            sniffer = Sniffer(flow.midstream)
        protocol = sniffer.take(way, record)
        if protocol is UNKNOWN_YET:
            self._sniffers[flow] = sniffer
            return
        if not fresh:
            del self._sniffers[flow]
        if protocol in (Protocol.TLS, Protocol.OTHER):
            if protocol is Protocol.TLS:
                self._tls.read(flow, sniffer.records, sniffer.decided)
                return
            self._protocols[protocol_name(flow, protocol)] += 1
            flow.dropped = True
            return
        if flow.client is None:
            from_client = protocol in (Protocol.HTTP_REQUEST, Protocol.WEBSOCKET_CLIENT) or sniffer.has_preface
            flow.client = way if from_client else 1 - way
        self._converse(flow, sniffer, protocol)

    def _converse(self, flow: Flow, sniffer: Sniffer, protocol: Protocol) -> None:
        """Follow a connection, from its beginning on."""
        ledger = self._ledger(flow)
        websocket = protocol in (Protocol.WEBSOCKET_CLIENT, Protocol.WEBSOCKET_SERVER)
        if websocket:
            conversation = Conversation.over_websocket(flow, ledger, self._events, self._crashed)
        elif protocol is Protocol.HTTP2:
            conversation = Conversation(flow, ledger, self._events, self._crashed)
            conversation.enter_http2([0, 0], None)
        else:
            conversation = Conversation.over_http(flow, ledger, self._events, self._crashed, sniffer.proxied)
        flow.conversation = conversation
        flow.network = FlowFacts(sniffer.decided, flow.first.ts_ns, flow.handshake_ns)
        conversation.begin_at(sniffer.decided)
        self._begun.append((sniffer.decided, conversation))
        self._protocols["WebSocket" if websocket else "HTTP/2" if protocol is Protocol.HTTP2 else "HTTP"] += 1
        conversation.keyring = self._tls.keyring
        self._tell(flow, conversation, sniffer.records)

    @staticmethod
    def _tell(flow: Flow, conversation: Conversation, records: Records) -> None:
        """Tell of what came before it was decided what a connection is."""
        for way, record in records:
            side = flow.side(way)  # it was a guess until now
            if isinstance(record, StreamChunk):
                record.side = side
                conversation.chunk(record)
            elif isinstance(record, Gap):
                conversation.gap(replace(record, side=side))
            else:
                conversation.end(StreamEnd(side, record.kind, record.place))

    def _decrypt(self, flow: Flow, streams: TlsStreams, undecided: Undecided) -> None:
        """Follow a TLS connection that has secrets, from its beginning on."""
        if undecided.witness.client is not None:
            flow.client = undecided.witness.client
        ledger = self._ledger(flow)
        decryption = EitherDecryption(streams, self._outside, flow, ledger.client, ledger.server)
        conversation = Conversation(flow, ledger, self._events, self._crashed)
        conversation.begin_tls(decryption)
        flow.conversation = conversation
        flow.network = FlowFacts(undecided.order, flow.first.ts_ns, flow.handshake_ns)
        conversation.begin_at(undecided.order)
        self._begun.append((undecided.order, conversation))
        self._tell(flow, conversation, undecided.records)

    def set_aside(self, packets: int, payload: int) -> None:
        """Captured packets that nobody looks into."""
        self.summary.set_aside_packets += packets
        self.summary.set_aside_bytes += payload

    def settle(self, number: int) -> None:
        """Second step, and what waits for it."""
        self._tls.settle()
        if self._outside is not None:
            self._quic_pieces(self._outside.quic(number))
        self._hand_on()
        self._resolve_watched()

    def closed(self, flow: Flow, order: int, shown: PacketRef | None) -> None:
        """A connection is over."""
        sniffer = self._sniffers.pop(flow, None)
        if sniffer is not None and flow.payload:
            self._protocols[protocol_name(flow, Protocol.OTHER)] += 1
        self._tls.end_waiting(flow)
        self._unread.closed(flow, order)
        conversation = flow.conversation
        if isinstance(conversation, Conversation):
            ledger = conversation.ledger
            ledger.last = flow.last
            ledger.retransmissions = [flow.direction(side).retransmissions for side in SIDES]
            ledger.duplicates = [flow.direction(side).duplicates for side in SIDES]
            self._tls.closed(flow, conversation, order)
            self._ended.append((order, conversation))
        elif self._chosen(flow):
            until_ns = shown.ts_ns if shown else self.summary.last_ns or flow.last.ts_ns
            self._connects.look(flow, order, until_ns)

    # ------------------------------------------------------------------ ledgers

    def _new_endpoint(self, packed: int) -> Endpoint:
        return Endpoint(self._packets.address(packed >> 16), packed & 0xFFFF)

    def _endpoint(self, packed: int) -> Endpoint:
        """The same, of a server: it is asked for again and again."""
        known = self._endpoints.get(packed)
        if known is None:
            if len(self._endpoints) >= MAX_ENDPOINTS:
                self._endpoints.clear()
            known = self._endpoints[packed] = self._new_endpoint(packed)
        return known

    def _ledger(self, flow: Flow) -> Connection:
        client = flow.client or 0
        return Connection(
            flow.stream,
            self._new_endpoint(flow.ends[client]),
            self._endpoint(flow.ends[1 - client]),
            flow.first,
            flow.last,
            flow.midstream,
        )

    def _watch(self, conversation: Conversation, end: int, watched: Beat | Closing) -> None:
        if quic_connection(conversation.ledger.stream) is not None:
            return  # what acknowledges its bytes is encrypted, and not what was decrypted
        number = watched.place.number if isinstance(watched, Closing) else watched.ping.number
        end = conversation.outer(watched.side, end)
        self._watched.append((conversation.flow, end, max(self._order, number), watched))

    def _retire(self, retired: Retired) -> None:
        self._retired.append((self._order, retired))

    def _resolve_watched(self) -> None:
        """Look for the acknowledgements of ends and of pings that have no answer by now: of others nobody will ask."""
        for flow, end, after, watched in self._watched:
            if isinstance(watched, Closing) or watched.is_slow:
                self._flows.watch(flow, Watch(watched.side, end, after, partial(_acknowledge, watched)))
        self._watched.clear()
        self._flows.resolve_watches()

    def _chosen(self, flow: Flow) -> bool:
        return not self._ports or not self._ports.isdisjoint(end & 0xFFFF for end in flow.ends)

    def _summarise(self) -> None:
        summary = self.summary
        for session in self.sessions.sessions:
            self._unread.note_session(session)
            closing = session.closing
            session.observed_until_ns = closing.place.ts_ns if closing else summary.last_ns or session.last.ts_ns
        self._quality.summarise()
        summary.connections = self._flows.connections + self._quic.count
        if self._quic.count:
            self._protocols["HTTP/3"] = self._quic.count
        self._connects.summarise(summary, self.sessions.servers)
        self._unread.summarise(summary, self._packets, self.sessions.servers, self._ports, self._quic.servers)
        note_others(summary, self._protocols, self._packets)


def _order_of_end(ended: tuple[int, Conversation]) -> tuple[int, int]:
    order, conversation = ended
    return order, conversation.flow.first.number


def _forget_later_acks(session: Session, number: int) -> None:
    """Of what TCP acknowledged after a captured packet: whether that is known depends on where batches are cut."""
    beats = session.heartbeats
    for beat in (beats.pending, beats.last, beats.slowest, *beats.unanswered, *beats.reversed):
        if beat is not None and beat.ping_acked is not None and beat.ping_acked.number > number:
            beat.ping_acked = None
    closing = session.closing
    if closing is not None and closing.acked is not None and closing.acked.number > number:
        closing.acked = None


def _acknowledge(watched: Beat | Closing, place: PacketRef) -> None:
    if isinstance(watched, Closing):
        watched.acked = place
    elif watched.is_slow:
        watched.ping_acked = place
