"""Bad input as data: what the wire holds that no protocol allows, and what the capture does not hold.

These records travel in the same stream as good input (see `docs/architecture.md`, "Trouble"). They state facts;
whether a fact matters is for a rule to say.
"""

from dataclasses import dataclass, field
from enum import Enum

from eiosniff.model.provenance import PacketRef, Side


class GapReason(Enum):
    """Why bytes that existed are not in the capture."""

    NOT_CAPTURED = "not captured"
    SNAP_LENGTH = "cut by the snap length"
    LIMIT = "more out-of-order bytes than the limit"
    UNACKNOWLEDGED = "not there, nor acknowledged, when the capture or the connection ended"


@dataclass(slots=True, frozen=True)
class Gap:
    """Bytes known to have existed in one direction of a connection, and missing.

    `offset` counts from the first byte of that direction; `place` is the captured packet that showed the gap.
    """

    side: Side
    offset: int
    length: int
    reason: GapReason
    place: PacketRef


@dataclass(slots=True, frozen=True)
class Desync:
    """Bytes `[start, end)` of one direction that were captured but could not be understood, and why.

    Of a WebSocket or WebTransport message that was cut off, `announced` is its length by the headers of its frames (0:
    not known), and `compressed` says what that counts. `order` is the number of the packet that showed it, if it is
    known to be later than `place` (else 0).
    """

    side: Side
    start: int
    end: int
    reason: str
    place: PacketRef
    announced: int = 0
    compressed: bool = False
    order: int = field(default=0, compare=False)


class AnomalyKind(Enum):
    """What a protocol does not allow. The value is the name that reports and filters use."""

    # capture
    CAPTURE_TRUNCATED = "capture-truncated"
    CAPTURE_DAMAGED = "capture-damaged"
    CAPTURE_PARTS = "capture-parts"  # files of one capture that do not fit together as they should
    HAR_WITHOUT_MESSAGES = "har-without-messages"
    HAR_WITHOUT_CONTENT = "har-without-content"
    # before HTTP
    PROXY_BAD_HEADER = "proxy-bad-header"
    # HTTP
    HTTP_BAD_START_LINE = "http-bad-start-line"
    HTTP_BAD_HEADER = "http-bad-header"
    HTTP_BAD_CHUNK = "http-bad-chunk"
    HTTP_BAD_LENGTH = "http-bad-length"
    HTTP_BAD_CODING = "http-bad-coding"
    HTTP_UNREADABLE_CODING = "http-unreadable-coding"
    NOT_DECRYPTED = "not-decrypted"
    HTTP_TOO_LARGE = "http-too-large"
    HTTP_INCOMPLETE = "http-incomplete"
    HTTP2_BAD_FRAME = "http2-bad-frame"
    HTTP2_BAD_HEADERS = "http2-bad-headers"
    HTTP2_LOST_HEADERS = "http2-lost-headers"
    HTTP2_TOO_MANY = "http2-too-many"
    HTTP2_INCOMPLETE = "http2-incomplete"
    # WebSocket
    WS_BEFORE_101 = "ws-before-101"
    WS_WRONG_MASK = "ws-wrong-mask"
    WS_RESERVED_BITS = "ws-reserved-bits"
    WS_RESERVED_OPCODE = "ws-reserved-opcode"
    WS_BAD_LENGTH = "ws-bad-length"
    WS_BAD_CONTROL = "ws-bad-control"
    WS_BAD_CONTINUATION = "ws-bad-continuation"
    WS_BAD_CLOSE = "ws-bad-close"
    WS_BAD_UTF8 = "ws-bad-utf8"
    WS_BAD_DEFLATE = "ws-bad-deflate"
    WS_TOO_LARGE = "ws-too-large"
    WS_INCOMPLETE = "ws-incomplete"
    # HTTP/3 and WebTransport
    H3_BAD_FRAME = "h3-bad-frame"
    H3_BAD_FIELDS = "h3-bad-fields"
    H3_TOO_LARGE = "h3-too-large"
    H3_INCOMPLETE = "h3-incomplete"
    WT_OLD_FRAMING = "wt-old-framing"
    WT_BAD_LENGTH = "wt-bad-length"
    WT_TOO_LARGE = "wt-too-large"
    WT_INCOMPLETE = "wt-incomplete"
    # Engine.IO, Socket.IO
    EIO_BAD_PAYLOAD = "eio-bad-payload"
    EIO_BAD_LENGTH = "eio-bad-length"
    EIO_OLD_FRAMING = "eio-old-framing"
    EIO_TORN_PACKET = "eio-torn-packet"
    SIO_BAD_SYNTAX = "sio-bad-syntax"
    SIO_BINARY_INCOMPLETE = "sio-binary-incomplete"
    SIO_BINARY_ORPHAN = "sio-binary-orphan"
    SIO_TOO_LARGE = "sio-too-large"


@dataclass(slots=True, frozen=True)
class Anomaly:
    """Something that the protocol does not allow: what was expected, and what was found (both short texts).

    `found` may quote bytes from the wire; only `eiosniff.report` may show it to a person, sanitised. `order` is as that
    of a `Desync`.
    """

    kind: AnomalyKind
    side: Side
    place: PacketRef
    expected: str
    found: str
    order: int = field(default=0, compare=False)
