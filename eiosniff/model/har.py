"""What browsers and proxies record instead of packets: the entries of a HAR, and the WebSocket messages in them.

HAR 1.2 (softwareishard.com/blog/har-12-spec): an entry is a request with its answer. It has no captured packets, and
what is below HTTP and WebSocket messages is not in it: TCP, masks, fragments, control frames, close codes.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import final

from eiosniff.model.provenance import Endpoint, PacketRef, Side
from eiosniff.model.tally import Tally

HeaderList = tuple[tuple[bytes, bytes], ...]


@final
class HarMessage:
    """A WebSocket message of an entry: `number` counts from 1 on, in the order of the file; `ts_ns` is its instant.

    `opcode` is that of RFC 6455, section 5.2. `data` is None for one that is announced and whose content cannot be
    read (not base64, although it is binary).
    """

    __slots__ = ("data", "number", "opcode", "side", "ts_ns")

    def __init__(self, number: int, side: Side, ts_ns: int, opcode: int, data: bytes | None) -> None:
        self.number = number
        self.side = side
        self.ts_ns = ts_ns
        self.opcode = opcode
        self.data = data


@final
class HarAnswer:
    """What answered a request: `body` is its content, decoded, None where the file does not have it. `body_length`
    counts its bytes on the wire, as far as that is known. `headed_ns` is the instant at which it began."""

    __slots__ = ("body", "body_length", "headed_ns", "headers", "reason", "status", "version")

    def __init__(
        self,
        status: int,
        reason: bytes,
        version: bytes,
        headers: HeaderList,
        body: bytes | None,
        body_length: int,
        headed_ns: int,
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.headers = headers
        self.body = body
        self.body_length = body_length
        self.headed_ns = headed_ns


@final
class HarEntry:
    """One entry; `number` counts from 1 on, in the order of the file.

    `host` and `port` are those of the URL, `target` the rest of it, as it stands in a request line. `begun_ns` is the
    instant at which somebody asked for it, or 0 where the file has none: then `ended_ns` is on some other clock.
    `sent_ns` is that at which the request went out, and `ended_ns` that at which all of the answer had come, or the
    request had failed (both as exact as `precision_ns`). `connected_ns` is how long a new connection took, -1 for one
    that was used before or where that is not known. `connection` names the connection, as far as the file does.

    `answer` is None for a request without one. Then `error` is why, in the words of the browser (`net::ERR_FAILED`),
    empty where it gives none; with an answer it is why the page did not get that. `pending` says that it was still
    under way.

    Of a WebSocket (`websocket`) `messages` are None where the file has none of any: Firefox and Safari write none.
    `closed_ns` is the instant of its end, None where that is not known or it was open when the file was written. Of
    what `webtransport` carries no browser writes anything.
    """

    __slots__ = (
        "answer", "begun_ns", "body", "closed_ns", "connected_ns", "connection", "encrypted", "ended_ns", "error",
        "headers", "host", "messages", "method", "number", "pending", "port", "precision_ns", "sent_ns", "target",
        "version", "websocket", "webtransport",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun_ns = 0
        self.sent_ns = 0
        self.ended_ns = 0
        self.precision_ns = 0
        self.connected_ns = -1
        self.connection = ""
        self.encrypted = False
        self.websocket = False
        self.webtransport = False
        self.host = ""
        self.port = 0
        self.method = b""
        self.target = b""
        self.version = b""
        self.headers: HeaderList = ()
        self.body: bytes | None = b""
        self.answer: HarAnswer | None = None
        self.error = ""
        self.pending = False
        self.messages: list[HarMessage] | None = None
        self.closed_ns: int | None = None


class FailureKind(Enum):
    """Why a request failed before any server answered it, as browsers tell. The value is for reports."""

    NAME = "the name of the server cannot be resolved"
    OFFLINE = "the browser has no network"
    BLOCKED = "an extension or an administrator blocks it"
    POLICY = "the browser does not allow it"
    PROXY = "the proxy that the browser uses does not let it through"
    CERTIFICATE = "the browser does not trust the certificate of the server"
    TLS = "TLS does not come about"
    OTHER = "the request fails in the browser"


@dataclass(slots=True, eq=False)
class FailedRequests:
    """Requests of one client to one server that failed for the same reason: `error` in the words of the browser."""

    client: str
    server: Endpoint
    error: str
    kind: FailureKind
    tally: Tally[PacketRef] = field(default_factory=Tally)
    recovered: bool = False  # a later request of this client to this server was answered
