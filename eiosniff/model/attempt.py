"""Requests for a session: what a client asks for, and what became of it."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from eiosniff.model.engineio import ServerError, Transport
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import EndKind
from eiosniff.model.trouble import Anomaly

if TYPE_CHECKING:
    from eiosniff.model.session import Session

_TRANSPORTS: Final = {transport.value: transport for transport in Transport}


@dataclass(slots=True, eq=False)
class RequestFacts:
    """A handshake request: what it asks for, and what tells which library sent it.

    `channel` tells the connections of one capture apart, and the streams of HTTP/2. `eio` is the value of `EIO=`,
    `transports` all values of `transport=` in order; `header_names` are in order and spelling as sent. `upgrade` says
    that the request asks for a WebSocket by its header (RFC 6455, section 4.1; over HTTP/2 by its `:protocol`, RFC
    8441, section 4), whatever its `transport=`; `connection` is the value of the header that goes with it, `version`
    that of HTTP (`1.1`, `2`). `cookies` are the names of those that it carries. `head_bytes` counts its request line
    and header. Texts from the wire are cut at 300 characters.

    `fetches` says that it has `Sec-Fetch-...` headers, which only browsers send, and to https or their own host alone.
    `asks_headers` are the headers for which a preflight asks (Fetch standard, `Access-Control-Request-Headers`).
    `forwarded_proto` and `forwarded_host` are what a proxy says that the client asked it for (`X-Forwarded-...`).
    """

    place: PacketRef
    channel: int
    method: str
    target: str
    path: str
    query: tuple[tuple[str, str], ...]
    eio: str | None
    transports: tuple[str, ...]
    upgrade: bool
    user_agent: str
    origin: str | None
    host: str
    subprotocol: str | None
    extensions: str | None
    header_names: tuple[str, ...]
    version: str
    connection: str | None
    cookies: tuple[str, ...]
    head_bytes: int = 0
    fetches: bool = False
    asks_headers: str | None = None
    forwarded_proto: str | None = None
    forwarded_host: str | None = None

    @property
    def transport(self) -> Transport | None:
        """The transport that the request asks for, if it is one that Engine.IO knows."""
        return _TRANSPORTS.get(self.transports[-1]) if self.transports else None


@dataclass(slots=True, eq=False)
class AnswerFacts:
    """What an HTTP answer says of itself, as far as rules ask (RFC 9110): None for headers that it does not have.

    `version` is that of HTTP (`1.0`). `accepts` says that a WebSocket begins after it, with 101 or, over HTTP/2, 2xx
    (RFC 8441, section 5). `cookies` are those that it sets: name and the whole header value.
    `last` says that the connection ends after it, by its version and `Connection` (RFC 9112, section 9.3). `body` is
    the beginning of its content (up to 300 bytes), empty for an answer that is Engine.IO as it should be. Texts from
    the wire are cut at 300 characters.

    `allow_origin` has the value of each `Access-Control-Allow-Origin`, as there may be several (the first few);
    `allow_credentials` and `allow_headers` are those of the headers that go with it (Fetch standard, "HTTP responses").
    `cached` is the header by which a cache says that it answered itself (`Age: 12`), else empty.
    """

    place: PacketRef
    status: int
    version: str
    header_names: tuple[str, ...]
    server: str | None
    via: str | None
    location: str | None
    content_type: str | None
    connection: str | None
    upgrade: str | None
    subprotocol: str | None
    cookies: tuple[tuple[str, str], ...]
    last: bool
    body: bytes = b""
    allow_origin: tuple[str, ...] = ()
    allow_credentials: str | None = None
    allow_headers: str | None = None
    cached: str = ""
    accepts: bool = False


class Outcome(Enum):
    """What became of a handshake request."""

    PENDING = "pending"  # no answer yet, and the connection is open
    OPENED = "opened"  # an open packet came
    REFUSED = "refused"  # an HTTP answer other than 2xx or 101
    UNANSWERED = "unanswered"  # the connection or the capture ended without an answer
    UNSEEN = "unseen"  # the capture lacks what the server sends
    REFUSED_AFTER_101 = "refused after 101"  # HTTP text inside the upgraded stream
    SILENT_AFTER_101 = "silent after 101"  # upgraded, and the server sent nothing at all
    FOREIGN = "foreign"  # an answer that is not Engine.IO


@dataclass(slots=True, eq=False)
class Attempt:
    """One handshake request (without a sid) and its answer.

    `status` is the HTTP status of the (last) answer; `error` the refusal if the body is one; `body` the beginning of
    a foreign answer (up to 300 bytes); `ended` the packet with which the connection ended. `forwarded` says that it is
    another attempt on its way from a proxy or a NAT to the server, and is not counted; of that other, it is the `hop`.
    `socketio09`: the handshake is that of Socket.IO 0.9.

    `answered` is the answer by HTTP, a 101 too; `inside` is HTTP text that the server wrote into the WebSocket after
    it. `after_last` is the answer before the request on its connection, if that said that it was the last one;
    `after` is any answer before it, so that the connection was used before. `given_before` is the answer that opened a
    session with the same sid, of an earlier handshake: servers give each out once. `abandoned` says that the client had
    ended the connection before its answer had come. `odd_head` says how the header of a request that was answered 400
    departs from HTTP, if it does (names of headers, no values).
    `withheld`: the browser tells that it kept the answer, of which nobody knows the content, from the page.
    `anomalies` are the first few of its connection while it waited. `repeats`: how often the client sent bytes again,
    at the most, before anything new, on a connection that ended without an answer.
    """

    request: RequestFacts
    outcome: Outcome = Outcome.PENDING
    status: int | None = None
    error: ServerError | None = None
    body: bytes = b""
    answer: PacketRef | None = None
    ended: PacketRef | None = None
    ended_by: Side | None = None
    ended_how: EndKind | None = None  # None for a close frame of WebSocket
    answered: AnswerFacts | None = None
    inside: AnswerFacts | None = None
    after_last: PacketRef | None = None
    after: PacketRef | None = None
    given_before: PacketRef | None = None
    abandoned: bool = False
    odd_head: str = ""
    withheld: bool = False
    anomalies: list[Anomaly] = field(default_factory=list)
    session: "Session | None" = None
    client_said: bytes = b""  # the first message of the client after a 101
    forwarded: bool = False
    hop: "Attempt | None" = None
    repeats: int = 0
    socketio09: bool = False

    @property
    def waits(self) -> bool:
        """Whether it has no answer when the capture ends, and its connection is still open: one may come."""
        unanswered = self.outcome in (Outcome.UNANSWERED, Outcome.UNSEEN, Outcome.SILENT_AFTER_101)
        return unanswered and self.session is None and self.ended is None

    def signature(self) -> tuple[object, ...]:
        """Attempts with the same signature are repeats of each other."""
        request = self.request
        return (
            request.method, request.path, request.eio, request.transports, request.upgrade, self.outcome, self.status,
            self.error and (self.error.code, self.error.style), bool(self.client_said),
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class RefusedRequest:
    """A request with the sid of a session, refused.

    `transport` is WEBSOCKET if the request asks for an upgrade by its header; what its query says is in `asked`.
    `overlaps` is a request of the same method for the same session that was not answered yet, or not even whole, when
    this one came.
    `inside_websocket` says that the refusal came as HTTP text in the WebSocket, after a 101.
    """

    asked: RequestFacts
    answered: AnswerFacts
    request: PacketRef
    answer: PacketRef
    status: int
    error: ServerError | None
    transport: Transport | None
    after_close: bool
    idle_ns: int  # since the last packet of the session
    overlaps: PacketRef | None = None
    inside_websocket: bool = False


@dataclass(slots=True, eq=False)
class Preflight:
    """A browser asks by OPTIONS whether it may send a handshake, and is not told that it may (Fetch standard,
    "CORS-preflight fetch")."""

    asked: RequestFacts
    answered: AnswerFacts


@dataclass(slots=True, eq=False)
class UpgradeTry:
    """A WebSocket that a client opens for a session that it has over polling (Engine.IO protocol, "Upgrade").

    It is one by its query (`transport=websocket` and a `sid`), even where the header is missing. `answered` is the HTTP
    answer, `inside` and `after_last` as in `Attempt`. On the WebSocket: `first` is the client's first message (up to 80
    bytes), `probe` its `2probe`, `probe_answered` the server's `3probe`, `confirmed` the client's `5`, `accepted` what
    the server says first after that. `poll` is the last GET that was under way between the probe's answer and the
    confirmation, `poll_answered` where its answer begins. `refused` says that the HTTP answer, or the one inside the
    WebSocket, was a refusal, and `error` is what it says if it is one of Engine.IO.
    """

    request: RequestFacts
    after_last: PacketRef | None = None
    answered: AnswerFacts | None = None
    inside: AnswerFacts | None = None
    refused: bool = False
    error: ServerError | None = None
    first: PacketRef | None = None
    first_text: bytes = b""
    probe: PacketRef | None = None
    probe_answered: PacketRef | None = None
    confirmed: PacketRef | None = None
    accepted: PacketRef | None = None
    poll: PacketRef | None = None
    poll_answered: PacketRef | None = None
    polls_meanwhile: int = 0  # GETs that began between the probe's answer and the confirmation
    ended: PacketRef | None = None
    ended_by: Side | None = None
    ended_how: EndKind | None = None  # None for a close frame of WebSocket
    code: int | None = None  # of the close frame


@dataclass(slots=True, eq=False)
class EarlyFrame:
    """A WebSocket frame of a client, on a connection on which no server had accepted a WebSocket yet.

    `asked` is the handshake or the upgrade that had no answer, or was answered last, when it came (`frame`); `refused`
    an HTTP refusal that answers none of the requests, and so the frame.
    """

    asked: Attempt | UpgradeTry
    frame: PacketRef
    refused: AnswerFacts | None = None


@dataclass(slots=True, frozen=True)
class CutRequest:
    """A request of a session whose connection ended before its answer had come. `after` is the answer before it on
    that connection, if there was one; `too_late` says that the server had ended the connection when it came."""

    request: PacketRef
    end: PacketRef
    by: Side
    how: EndKind
    post: bool
    after: PacketRef | None = None
    too_late: bool = False

    @property
    def waited_ns(self) -> int:
        """From the request to the end of its connection."""
        return self.end.ts_ns - self.request.ts_ns


@dataclass(slots=True, frozen=True)
class Transfer:
    """A large message (64 KB or more, by its header if it is cut off) on its way: a WebSocket message, or the body of a
    POST.

    `last` is the packet with its last byte, `bytes` what came on the wire. It is `complete` if that was all of it; else
    `last` is the last packet that the session understood before its connection ended.
    """

    side: Side
    first: PacketRef
    last: PacketRef
    bytes: int
    complete: bool
