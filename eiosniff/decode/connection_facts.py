"""What is known of one connection (or of one stream of HTTP/2) beyond how its bytes are read."""

from typing import Final

from eiosniff.decode.tcp.flow import Flow, StreamReader
from eiosniff.model.attempt import Attempt, EarlyFrame
from eiosniff.model.http import HttpRequest
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import MAX_GAPS, Connection, Session
from eiosniff.model.trouble import Gap, GapReason
from eiosniff.model.websocket import WsMessage

# What most connections have none of: never changed, only replaced.
_NO_ATTEMPTS: Final[dict[HttpRequest, Attempt]] = {}
_NO_REQUESTS: Final[dict[HttpRequest, bool]] = {}
_NO_MESSAGES: Final[list[WsMessage]] = []
_NO_PLACES: Final[list[PacketRef]] = []
_NO_SESSIONS: Final[dict[Session, None]] = {}

_MAX_CARRIED: Final = 64  # sessions of one connection: the tabs of one browser
_STREAM_SHIFT: Final = 40


class ConnectionFacts(StreamReader):
    """`ledger` is what the reports show of the connection.

    Bytes come before the events of other connections that were captured at the same time are handled. So the session
    layer must not look at what TCP knows by then: `over` and `heard` say what was known when a record was complete.

    `asked`, `answered`, `attempts`, `unknown`, `early`, `early_frame`, `session`, `attempt`, `polled`, `lossy`,
    `last_answer` and `is_engineio` belong to the session layer: the last request of Engine.IO, the last answer to
    anything, the handshake requests under way, those with a sid that it does not know, what the client said before the
    session was opened, and the first frame that it sent before any WebSocket was accepted, what the WebSocket of this
    connection is part of, the session that was polled here last, whether bytes are missing, and the packet with which
    the server said that it answers nothing more here (by `Connection: close`, HTTP/1.0 or FIN).

    Of a stream of HTTP/2, `parent` is that of its connection, with which it shares flow and ledger, and `stream` its
    number (0 for a connection); `carried` are the sessions that the streams of a connection were part of. `gaps` are
    packets that showed one, capped, and `cut_bytes` what the snap length cut.
    """

    __slots__ = (
        "_first_bytes", "answered", "asked", "attempt", "attempts", "carried", "cut_bytes", "early", "early_frame",
        "ended", "flow", "gaps", "is_engineio", "last_answer", "ledger", "lossy", "parent", "polled", "session",
        "stream", "unknown",
    )  # fmt: skip

    def __init__(self, flow: Flow, ledger: Connection) -> None:
        super().__init__()
        self.flow = flow
        self.ledger = ledger
        self.parent: ConnectionFacts | None = None
        self.stream = 0
        self.carried = _NO_SESSIONS
        self.gaps = _NO_PLACES
        self.cut_bytes = 0
        self.attempts = _NO_ATTEMPTS
        self.answered: PacketRef | None = None
        self.asked: PacketRef | None = None
        self.attempt: Attempt | None = None
        self.unknown = _NO_REQUESTS
        self.session: Session | None = None
        self.polled: Session | None = None
        self.lossy = False
        self.early = _NO_MESSAGES
        self.early_frame: EarlyFrame | None = None
        self.is_engineio = False
        self.last_answer: PacketRef | None = None
        self.ended = [False, False]  # the sides whose end was handled
        self._first_bytes = [0, 0]  # the captured packet of each side, 0 for none

    @property
    def channel(self) -> int:
        """What tells connections apart, and the streams of one: Wireshark's `tcp.stream` for a connection."""
        return self.ledger.stream | self.stream << _STREAM_SHIFT

    def learn(self) -> None:
        """A record of a stream was handled: its connection learns what it is part of."""
        parent = self.parent
        if parent is None:
            return
        parent.is_engineio = parent.is_engineio or self.is_engineio
        carried = self.session or self.polled
        if carried is not None and carried not in parent.carried:
            if not parent.carried:
                parent.carried = {}
            parent.carried[carried] = None
            if len(parent.carried) > _MAX_CARRIED:
                del parent.carried[next(iter(parent.carried))]

    def ask(self, request: HttpRequest, attempt: Attempt) -> None:
        """A handshake request is under way."""
        if not self.attempts:
            self.attempts = {}
        self.attempts[request] = attempt

    def ask_unknown(self, request: HttpRequest, forwarded: bool) -> None:
        """A request with a sid that is not known is under way; perhaps it is one that was forwarded (`hops`)."""
        if not self.unknown:
            self.unknown = {}
        self.unknown[request] = forwarded

    def count_gap(self, gap: Gap) -> None:
        """Bytes are missing from the capture."""
        ledger = self.ledger
        lacking = gap.reason is not GapReason.UNACKNOWLEDGED
        if lacking:
            ledger.gap_bytes += gap.length
        if gap.reason is GapReason.SNAP_LENGTH:
            self.cut_bytes += gap.length
        if len(ledger.gaps) < MAX_GAPS:
            ledger.gaps.append(gap.place.number)
        if lacking and len(self.gaps) < MAX_GAPS:
            self.gaps = [*self.gaps, gap.place]

    @property
    def over(self) -> bool:
        """Whether both directions had ended when the record at hand was complete."""
        return self.ended[0] and self.ended[1]

    def heard(self, side: Side, place: PacketRef) -> bool:
        """Whether bytes of a side were captured up to a packet."""
        return 0 < self._first_bytes[side] <= place.number

    def hear(self, side: Side, place: PacketRef) -> None:
        """Something that a side said is known from a place on, without its bytes (an entry of a HAR)."""
        way = 1 if side is SERVER else 0
        self._first_bytes[way] = self._first_bytes[way] or place.number
        self.ledger.seen[way] = True

    def lacks_server(self, place: PacketRef) -> bool:
        """Whether the capture shows nothing that the server sent up to a packet, although it has how the client began:
        then it lacks that direction (RFC 9293, section 3.5: no data before the server's SYN)."""
        syn, answer = self.flow.direction(CLIENT).syn, self.flow.direction(SERVER).syn
        began = syn is not None and syn.number <= place.number
        answered = answer is not None and answer.number <= place.number
        return began and not answered and not self.heard(SERVER, place)
