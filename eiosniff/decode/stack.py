"""How the layers connect: batches of captured packets in, ledgers out.

    PacketBatch -> packets.PacketDecoder -> tcp.FlowTable -> conversation.Conversation (http1, websocket)
                -> events, sorted by captured packet -> sessions.Sessions (engineio, socketio)

A batch goes through in two steps. First each connection by itself, as far as whole HTTP and WebSocket messages; then
the messages of all connections in the order in which their last packets were captured. A session spans connections, so
only the second step may look beyond one, and its result does not depend on where batches were cut.
"""

from collections import Counter
from collections.abc import Callable
from operator import attrgetter

from eiosniff.decode.conversation import Conversation, Event
from eiosniff.decode.packets import PacketDecoder
from eiosniff.decode.session_packets import Listener
from eiosniff.decode.sessions import Sessions
from eiosniff.decode.sniff import Protocol, sniff
from eiosniff.decode.tcp import Flow, FlowTable, Watch
from eiosniff.model.batch import PacketBatch
from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.session import (
    CaptureSummary,
    ConnectFailure,
    Connection,
    FailedConnect,
    FailedConnects,
)
from eiosniff.model.tcp import StreamChunk

# A connection captured from its middle may begin inside a message: so many chunks may pass before it is dropped.
MIDSTREAM_TRIES = 8
MAX_FAILED_CONNECTS = 1024
UDP = 17  # IP protocol number
# A SYN without an answer is a fault when it had this long to get one (RFC 6298, section 2: the first retransmission
# comes after 1 s), or was repeated.
UNANSWERED_SYN_NS = 1_000_000_000


class Stack:
    """Decodes one capture: only connections with one of `ports` (if any are given), only Engine.IO under `path`.

    Feed it batches, then `close` it; the ledgers are in `sessions` and `summary`."""

    def __init__(
        self,
        summary: CaptureSummary,
        listener: Listener | None = None,
        *,
        ports: frozenset[int] = frozenset(),
        path: str | None = None,
    ) -> None:
        self.summary = summary
        self.sessions = Sessions(self._watch, listener, path)
        self.crashes: list[str] = []
        self._ports = ports
        self._packets = PacketDecoder()
        self._flows = FlowTable(self)
        self._events: list[Event] = []
        self._begun: list[Conversation] = []  # in the batch at hand
        self._ended: list[Conversation] = []  # in the batch at hand
        self._undecided: dict[int, list[tuple[int, StreamChunk]]] = {}
        self._failed: dict[tuple[str, Endpoint, ConnectFailure], FailedConnects] = {}
        self._protocols: Counter[str] = Counter()
        self._reached: dict[tuple[str, Endpoint], PacketRef] = {}  # the last connection that came about

    @property
    def unknown_links(self) -> list[int]:
        """The link types that cannot be decoded, if that is all that the capture holds; else empty."""
        counters = self._packets.counters
        unknown = counters.unknown_link
        return sorted(unknown) if unknown and unknown.total() == counters.packets else []

    def feed(self, batch: PacketBatch) -> None:
        """Decode a batch."""
        self._flows.feed(self._packets.decode(batch))
        self._hand_on()
        self._flows.resolve_watches()

    def close(self) -> None:
        """The capture is over: settle what is open, and sum up."""
        self._flows.close()
        self._hand_on()
        self.sessions.close()
        self._summarise()

    def _hand_on(self) -> None:
        """Second step: what the connections yielded, in capture order."""
        for conversation in self._begun:  # connections are numbered when all of a batch are known
            conversation.ledger.stream = conversation.flow.stream
        self._begun.clear()
        events = self._events
        events.sort(key=attrgetter("order"))
        handle = self.sessions.handle
        for event in events:
            try:
                handle(event.conversation, event.record)
            except Exception as bug:  # the session layer must not raise; if it does, the rest goes on (INT002)
                self._crashed(event.conversation, bug)
        events.clear()
        for conversation in self._ended:
            self._note_quality(conversation)
        self._ended.clear()

    # ------------------------------------------------------------------ FlowListener

    def begin(self, flow: Flow, chunk: StreamChunk, direction: int) -> None:
        """Decide what a connection is, by its first bytes."""
        if self._ports and not self._ports & {end & 0xFFFF for end in flow.ends}:
            flow.dropped = True
            self.set_aside(flow, len(chunk.data))
            return
        undecided = self._undecided.pop(id(flow), [])
        undecided.append((direction, chunk))
        said = b"".join(earlier.data for way, earlier in undecided if way == direction)
        protocol = sniff(said, flow.midstream)
        if protocol is Protocol.OTHER and flow.midstream and len(undecided) < MIDSTREAM_TRIES:
            protocol = sniff(chunk.data, midstream=True)
            if protocol is Protocol.OTHER:
                protocol = Protocol.UNKNOWN_YET
        if protocol is Protocol.UNKNOWN_YET:
            self._undecided[id(flow)] = undecided
            return
        if protocol in (Protocol.TLS, Protocol.OTHER):
            flow.dropped = True
            self._protocols[self._name_other(flow, protocol)] += 1
            for _, earlier in undecided:
                self.set_aside(flow, len(earlier.data))
            return
        if flow.client is None:
            from_client = protocol in (Protocol.HTTP_REQUEST, Protocol.WEBSOCKET_CLIENT)
            flow.client = direction if from_client else 1 - direction
        websocket = protocol in (Protocol.WEBSOCKET_CLIENT, Protocol.WEBSOCKET_SERVER)
        make = Conversation.over_websocket if websocket else Conversation.over_http
        ledger = self._ledger(flow)
        self._reached[ledger.client.address, ledger.server] = ledger.first
        conversation = make(flow, ledger, self._events, self._crashed)
        flow.conversation = conversation
        self._begun.append(conversation)
        self._protocols["WebSocket" if websocket else "HTTP"] += 1
        for way, earlier in undecided:
            earlier.side = flow.side(way)  # it was a guess until now
            flow.conversation.chunk(earlier)

    def set_aside(self, flow: Flow, size: int) -> None:
        """Bytes of a connection that is not followed."""
        self.summary.set_aside_bytes += size
        self.summary.set_aside_packets += 1

    def closed(self, flow: Flow) -> None:
        """A connection is over."""
        for _, earlier in self._undecided.pop(id(flow), []):
            self.set_aside(flow, len(earlier.data))
        self._note_failed_connect(flow)
        conversation = flow.conversation
        if isinstance(conversation, Conversation):
            ledger = conversation.ledger
            ledger.last = flow.last
            ledger.retransmissions = [flow.direction(side).retransmissions for side in Side]
            self._ended.append(conversation)

    # ------------------------------------------------------------------ ledgers

    def _endpoint(self, packed: int) -> Endpoint:
        return Endpoint(self._packets.address(packed >> 16), packed & 0xFFFF)

    def _ledger(self, flow: Flow) -> Connection:
        client = flow.client or 0
        return Connection(
            flow.stream,
            self._endpoint(flow.ends[client]),
            self._endpoint(flow.ends[1 - client]),
            flow.first,
            flow.last,
            midstream=flow.midstream,
        )

    def _watch(
        self,
        conversation: Conversation,
        side: Side,
        offset: int,
        place: PacketRef,
        acknowledged: Callable[[PacketRef], None],
    ) -> None:
        self._flows.watch(conversation.flow, Watch(side, offset, place.number, acknowledged))

    def _name_other(self, flow: Flow, protocol: Protocol) -> str:
        ports = sorted(end & 0xFFFF for end in flow.ends)
        return f"{protocol.value} (port {ports[0]})"

    def _note_failed_connect(self, flow: Flow) -> None:
        client = flow.client
        if client is None or flow.syn[client] is None or flow.syn[1 - client] is not None:
            return
        if any(direction.offset for direction in flow.directions):
            return
        syn = flow.syn[client]
        assert syn is not None
        waited = self.summary.last_ns is not None and self.summary.last_ns - syn.ts_ns > UNANSWERED_SYN_NS
        if flow.reset is not None:
            failure = ConnectFailure.REFUSED
        elif flow.syn_repeats or waited:
            failure = ConnectFailure.UNANSWERED
        else:
            return
        address, server = self._endpoint(flow.ends[client]).address, self._endpoint(flow.ends[1 - client])
        key = (address, server, failure)
        group = self._failed.get(key)
        if group is None:
            if len(self._failed) >= MAX_FAILED_CONNECTS:
                return
            group = self._failed[key] = FailedConnects(address, server, failure)
        last = flow.reset or flow.syn_last
        group.tally.add(FailedConnect(syn, last, flow.syn_repeats), syn.ts_ns)

    def _note_quality(self, conversation: Conversation) -> None:
        """What the capture lacks of a connection that matters."""
        if not conversation.is_engineio:
            return
        ledger, summary = conversation.ledger, self.summary
        summary.engineio_connections += 1
        summary.gap_bytes += ledger.gap_bytes
        for number in ledger.gaps:
            summary.gaps.add(PacketRef(number, ledger.first.ts_ns), ledger.first.ts_ns)
        if ledger.midstream:
            summary.midstream.add(ledger.first, ledger.first.ts_ns)
        if not all(ledger.seen) and any(ledger.bytes):
            summary.one_direction.add(ledger.first, ledger.first.ts_ns)

    def _summarise(self) -> None:
        summary, counters = self.summary, self._packets.counters
        for session in self.sessions.sessions:
            closing = session.closing
            session.observed_until_ns = closing.place.ts_ns if closing else summary.last_ns or session.last.ts_ns
        summary.connections = self._flows.connections
        clients = {address for address, _, _ in self.sessions.clients}
        for group in self._failed.values():
            group.speaks_engineio = group.server in self.sessions.servers or group.client in clients
            last = group.tally.last
            reached = self._reached.get((group.client, group.server))
            group.recovered = bool(reached and last and reached.ts_ns > last.syn.ts_ns)
        summary.failed_connects = list(self._failed.values())
        summary.other = dict(self._protocols.most_common())
        other_packets = {
            "not IP": sum(counters.not_ip.values()),
            "UDP packets": counters.other_ip[UDP],
            "other IP protocols": sum(counters.other_ip.values()) - counters.other_ip[UDP],
            "packets cut before the end of their headers": counters.short,
            "malformed packets": counters.malformed,
            **{f"packets of link type {link}": count for link, count in counters.unknown_link.items()},
        }
        summary.other.update({name: count for name, count in other_packets.items() if count})

    def _crashed(self, conversation: Conversation, bug: Exception) -> None:
        """A decoder raised. The connection is given up; the report says so (INT002)."""
        conversation.forget()
        place = bug.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else "?"
        self.crashes.append(f"{type(bug).__name__} in {where}, TCP stream {conversation.flow.stream}")
