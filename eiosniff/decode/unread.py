"""What is set aside unread, by server: TLS with what its hellos say, QUIC, unknown link types."""

from collections.abc import Callable, Container, Iterable
from operator import itemgetter
from typing import Final

from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.packets.links import link_name
from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tcp.opaque import OpaqueFlow
from eiosniff.decode.tcp.opaque_ledger import OpaqueLedger, client_told
from eiosniff.decode.tls.clear import TlsHandshake, alert_name, version_name
from eiosniff.decode.tls.keys import suite_name
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.provenance import SIDES, Endpoint
from eiosniff.model.secrets import Secrets
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import Tally
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap
from eiosniff.model.unread import Encrypted, FailedHandshake, FailedHow, Undecrypted, Unread, UnreadKind

# Of each ledger. A day of a busy laptop is a few hundred names; connections beyond are only counted.
MAX_ENCRYPTED: Final = 1_000
MAX_UNREAD: Final = 1_000
MAX_SHAPES: Final = 8  # of hellos, of each entry
MAX_WEBTRANSPORT: Final = 1_000  # servers
# A client that does not trust a certificate ends the connection at once; one that it has opened in advance, it keeps.
_AT_ONCE_NS: Final = 1_000_000_000
WEBTRANSPORT: Final = "webtransport"


class UnreadLedger:
    """What is set aside, for the summary of a capture. `endpoint` unpacks an end of a flow.

    Connections of a batch are not told in the order of the capture: `settle` after each batch puts them into it, so
    that what is kept does not depend on how the input is cut.
    """

    def __init__(self, endpoint: Callable[[int], Endpoint], secrets: Secrets | None = None) -> None:
        """If there are secrets, it tells what they are good for."""
        self._endpoint = endpoint
        self._secrets = secrets
        self._encrypted: dict[tuple[Endpoint, str | None, tuple[str, ...], bool], Encrypted] = {}
        self._connections = 0  # that are encrypted
        self._unread: dict[tuple[UnreadKind, Endpoint], Unread] = {}
        self._handshakes: dict[Flow, TlsHandshake] = {}  # of connections of which more is to come in clear
        self._opaque = OpaqueLedger()
        self._webtransport: set[str] = set()  # addresses of servers that offer it
        # In the batch at hand, with the captured packet that told, its secrets where there were any, and the flow where
        # it is observed from outside.
        self._tls: list[tuple[int, Endpoint, int, TlsHandshake, TlsStreams | None, Flow | None]] = []

    # ------------------------------------------------------------------ connections

    def is_reading(self, flow: Flow) -> bool:
        """Whether a connection is TLS, and more of it is to be read."""
        return flow in self._handshakes

    def observe(self, flow: Flow, records: list[tuple[int, StreamChunk | Gap | StreamEnd]], since: int) -> None:
        """Observe a TLS connection from outside: from the captured packet `since` on, which told that it is TLS; the
        records are the first ones."""
        flow.opaque = OpaqueFlow(since, _client_of(flow, client_told(records)), flow.first)

    def read_tls(self, flow: Flow, records: Iterable[tuple[int, StreamChunk | Gap | StreamEnd]]) -> None:
        """Read (on) in what a TLS connection says in clear; after that it is dropped."""
        handshake = self._handshakes.get(flow)
        if handshake is None:
            handshake = self._handshakes[flow] = TlsHandshake()
        for way, record in records:
            handshake.take(way, record)
        self._drop_if_done(flow, handshake)

    def go_on(self, flow: Flow, handshake: TlsHandshake) -> None:
        """Read on in a TLS connection, from where somebody else came to."""
        self._handshakes[flow] = handshake
        self._drop_if_done(flow, handshake)

    def _drop_if_done(self, flow: Flow, handshake: TlsHandshake) -> None:
        if handshake.done:
            flow.dropped = True
            self._note_handshake(flow, handshake.decided)

    def add_tunnel(
        self,
        proxy: Endpoint,
        records: Iterable[tuple[int, StreamChunk | Gap | StreamEnd]],
        order: int,
        streams: TlsStreams | None,
    ) -> None:
        """A connection whose tunnel through a proxy held TLS is over; `records` are the first in it, a side each."""
        handshake = TlsHandshake()
        for side, record in records:
            handshake.take(side, record)
        handshake.close()
        self._tls.append((order, proxy, 0, handshake, streams, None))

    def add_keyed(self, flow: Flow, handshake: TlsHandshake, order: int, streams: TlsStreams) -> None:
        """A TLS connection with secrets is over."""
        self._handshakes[flow] = handshake
        self._end(flow, handshake)
        self._note_handshake(flow, order, streams)

    def closed(self, flow: Flow, order: int) -> None:
        """A connection is over."""
        handshake = self._handshakes.get(flow)
        if handshake is not None:
            self._end(flow, handshake)
            self._note_handshake(flow, order)

    @staticmethod
    def _end(flow: Flow, handshake: TlsHandshake) -> None:
        if handshake.done:
            return
        if flow.reset is not None and flow.reset_by is not None:
            handshake.end(flow.reset_by, flow.reset)
        handshake.under_way = handshake.ended_by < 0
        handshake.close()

    def _note_handshake(self, flow: Flow, order: int, streams: TlsStreams | None = None) -> None:
        handshake = self._handshakes.pop(flow)
        client = _client_of(flow, handshake.client)
        self._tls.append((order, self._endpoint(flow.ends[1 - client]), client, handshake, streams, flow))

    def settle(self) -> None:
        """A batch is over."""
        self._tls.sort(key=itemgetter(0))
        for _, server, client, handshake, streams, flow in self._tls:
            entry = self._count_tls(server, client, handshake)
            if entry is not None and self._secrets is not None and self._secrets.lines:
                _count_outcome(entry, handshake, streams, whole=flow is not None)
            if flow is not None and flow.opaque is not None:
                self._opaque.admit(flow.opaque, entry, self._endpoint(flow.ends[client]), client, handshake)
        self._tls.clear()

    def _count_tls(self, server: Endpoint, client: int, handshake: TlsHandshake) -> Encrypted | None:
        """Count a connection; returns where."""
        self._connections += 1
        hello, answer = handshake.client_hello, handshake.server_hello
        name, alpn = (hello.name, hello.alpn) if hello is not None else (None, ())
        key = (server, name, alpn, hello is not None)
        known = self._encrypted.get(key)
        if known is None:
            if len(self._encrypted) >= MAX_ENCRYPTED:
                return None
            known = self._encrypted[key] = Encrypted(server, name, alpn, hello is not None, handshake.first)
        known.connections += 1
        known.under_way += handshake.under_way
        known.first = min(known.first, handshake.first)  # they are told when all that is in clear was read
        if hello is not None and hello.encrypted:
            known.outer += 1
        if answer is not None:
            _count(known.versions, version_name(answer.version))
            if answer.alpn in alpn:  # of what was not offered there could be anything
                _count(known.chosen, answer.alpn)
        if hello is not None and hello.newest:
            _count(known.offered, version_name(hello.newest))
        known.asks_for_certificate = known.asks_for_certificate or handshake.asks_for_certificate
        for side in SIDES:
            alert = handshake.alert(1 - client if side else client)
            if alert >= 0:
                _count(known.alerts, f"{side.label}: {alert_name(alert)}")
                _note_failure(known, handshake, FailedHow.ALERT, side.label, alert_name(alert))
        if handshake.answers_http(1 - client):
            known.plain.add(handshake.answered, handshake.answered.ts_ns)
        elif hello is not None and answer is not None and not handshake.goes_on and handshake.ended_by == client:
            quick = handshake.last.ts_ns - handshake.answered.ts_ns < _AT_ONCE_NS
            if handshake.alert_inside and handshake.alert(client) < 0:
                _note_failure(known, handshake, FailedHow.ALERT_INSIDE, "client", "")
            elif quick and handshake.alert(client) < 0 and handshake.alert(1 - client) < 0:
                _note_failure(known, handshake, FailedHow.GAVE_UP, "client", "")
        hung_up = hello is not None and answer is None and handshake.ended_by == 1 - client
        if hung_up or handshake.alert(1 - client) >= 0:
            known.refused.add(handshake.last, handshake.last.ts_ns)
        if hello is not None and (hello.shape in known.shapes or len(known.shapes) < MAX_SHAPES):
            _count(known.shapes, hello.shape)
        return known

    # ------------------------------------------------------------------ the whole

    def note_session(self, session: Session) -> None:
        """Note whether the server of a session offers WebTransport: then its QUIC may be that."""
        offers = session.handshake is not None and WEBTRANSPORT in session.handshake.upgrades
        if offers and len(self._webtransport) < MAX_WEBTRANSPORT:
            self._webtransport.add(session.server.endpoint.address)

    def summarise(
        self,
        summary: CaptureSummary,
        packets: PacketDecoder,
        servers: Iterable[Endpoint],
        ports: Container[int],
        read: Container[Endpoint] = (),
    ) -> None:
        """The capture is over. `servers` speak Engine.IO; of QUIC only that with one of `ports` counts, if there are
        any, and not that of servers of which it was `read`."""
        summary.encrypted = list(self._encrypted.values())
        summary.encrypted_connections = self._connections
        summary.opaque = self._opaque.settled()
        summary.unread = list(self._unread.values())
        for quic in packets.quic.ledgers():
            if quic.server in read:
                continue
            if not ports or (quic.server is not None and quic.server.port in ports):
                summary.unread.append(quic)
        in_clear = set(servers)
        speaking = {server.address for server in in_clear}
        for known in self._encrypted.values():
            known.speaks_engineio = known.server.address in speaking
            known.in_clear = known.server in in_clear
        for entry in summary.unread:
            if entry.server is not None:
                entry.speaks_engineio = entry.server.address in speaking
                entry.webtransport = entry.server.address in self._webtransport
        for link, count in sorted(packets.counters.unknown_link.items()):
            summary.unread.append(Unread(UnreadKind.LINK, None, count=count, detail=link_name(link)))


def _count_outcome(known: Encrypted, handshake: TlsHandshake, streams: TlsStreams | None, *, whole: bool) -> None:
    """Whether a connection was decrypted, and why not. `whole`: all that it said in clear was read."""
    if streams is not None:
        why = streams.outcome()
        if why is Undecrypted.CIPHER:
            _count(known.ciphers, suite_name(streams.cipher))
    elif handshake.client_hello is None:
        why = Undecrypted.NO_HELLO
    else:
        why = Undecrypted.NO_KEYS
    if why is None:
        known.decrypted += 1
        return
    if why is Undecrypted.NO_KEYS and whole and _says_nothing(handshake):
        return
    no_matter_what_keys = why is Undecrypted.NO_HELLO or (why is Undecrypted.NO_KEYS and streams is not None)
    if no_matter_what_keys and whole and _is_one_sided(handshake):
        why = Undecrypted.ONE_SIDED
    tally = known.undecrypted.get(why)
    if tally is None:
        tally = known.undecrypted[why] = Tally()
    tally.add(handshake.first, handshake.first.ts_ns)


def _is_one_sided(handshake: TlsHandshake) -> bool:
    """Whether a direction is missing as a whole: the server's, though the client goes on as if it had answered;
    or the client's, whom the server answers."""
    client = handshake.client
    if client is None or handshake.said[0] == handshake.said[1]:
        return False
    return handshake.said[1 - client] or handshake.goes_on


def _says_nothing(handshake: TlsHandshake) -> bool:
    """Whether a connection failed, or the capture ended, before there was anything to decrypt."""
    ends = any(handshake.alert(way) >= 0 or handshake.answers_http(way) for way in (0, 1))
    gave_up = handshake.ended_by == handshake.client and handshake.server_hello is not None
    unanswered = handshake.server_hello is None or handshake.under_way
    return ends or (not handshake.goes_on and (gave_up or unanswered))


def _note_failure(known: Encrypted, handshake: TlsHandshake, how: FailedHow, who: str, alert: str) -> None:
    if handshake.certificate:
        after = "Certificate"
    elif handshake.server_hello is not None:
        after = "ServerHello"
    else:
        after = "ClientHello"
    tally = known.failures.get((how, who, alert))
    if tally is None:
        tally = known.failures[how, who, alert] = Tally()
    tally.add(FailedHandshake(handshake.first, handshake.answered, handshake.last, after), handshake.last.ts_ns)


def _client_of(flow: Flow, told: int | None) -> int:
    """The direction of the client of a connection that is not followed. If nothing tells, servers have lower ports."""
    if flow.client is not None:
        return flow.client
    one, other = flow.ends
    return told if told is not None else int(one & 0xFFFF < other & 0xFFFF)


def _count(counts: dict[str, int], what: str) -> None:
    counts[what] = counts.get(what, 0) + 1
