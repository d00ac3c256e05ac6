"""Requests and responses of HTTP/3, from header sections and DATA frames (RFC 9114, section 4).

They are made to look as HTTP/1.1 would show them: pseudo-header fields become the start line.
"""

from typing import Final, final

from eiosniff.decode.http1.body import quoted
from eiosniff.decode.http1.codings import undo_codings
from eiosniff.decode.http2.header_list import Head
from eiosniff.decode.http3.frames import Frame
from eiosniff.decode.http3.qpack import Fields
from eiosniff.model.http import HttpMessage, HttpRequest, HttpResponse
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap

VERSION: Final = b"3"
BODY_LIMIT: Final = 16 << 20  # of a body, before and after its coding is undone
_WEBTRANSPORT: Final = b"webtransport"
_MAX_FIELDS: Final = 1_000
_MAX_PACKETS: Final = 20_000  # named of one message
_STATUS_DIGITS: Final = 3


def asks_for_webtransport(fields: Fields) -> bool:
    """Whether a section is an extended CONNECT for WebTransport (RFC 9220; later drafts say `webtransport-h3`)."""
    pseudo = dict(fields[:_MAX_FIELDS])
    return pseudo.get(b":method") == b"CONNECT" and pseudo.get(b":protocol", b"").startswith(_WEBTRANSPORT)


def request_of(fields: Fields, frame: Frame) -> HttpRequest:
    """The request that a section begins."""
    section = Head(fields[:_MAX_FIELDS])
    method, target = section.pseudo.get(b":method", b""), section.pseudo.get(b":path", b"")
    head = method + b" " + target + b" HTTP/3\r\n" + section.fields.lines
    request = HttpRequest(head, frame.start, frame.first, section.fields, method, target, VERSION)
    _place(request, frame)
    return request


def status_of(fields: Fields) -> int:
    """The status of a section of a server, -1 if it has none."""
    status = dict(fields[:_MAX_FIELDS]).get(b":status", b"")
    return int(status) if len(status) == _STATUS_DIGITS and status.isdigit() else -1


def response_of(fields: Fields, frame: Frame, status: int, request: HttpRequest | None) -> HttpResponse:
    """The response that a section begins."""
    section = Head(fields[:_MAX_FIELDS])
    head = b"HTTP/3 %d\r\n" % status + section.fields.lines
    response = HttpResponse(head, frame.start, frame.first, section.fields, status, b"", VERSION, request)
    _place(response, frame)
    return response


def _place(message: HttpMessage, frame: Frame) -> None:
    message.last = frame.last
    message.end = frame.end
    message.packets = frame.packets


@final
class Building:
    """A message whose body is being collected, if `wanted`; else its bytes are counted."""

    __slots__ = ("_codings", "_content", "_packets", "_side", "_size", "_wanted", "message", "too_large")

    def __init__(self, message: HttpMessage, side: Side, wanted: bool) -> None:
        self.message = message
        self._side = side
        self._wanted = wanted
        self._content: list[bytes] = []
        self._size = 0
        self._packets = dict.fromkeys(message.packets)
        self.too_large = False
        self._codings = message.fields.members(b"content-encoding")

    def add(self, chunk: StreamChunk) -> None:
        """Bytes of the body."""
        message = self.message
        message.last = PacketRef(chunk.numbers[-1], chunk.times[-1])
        message.end = chunk.offset + len(chunk.data)
        if len(self._packets) < _MAX_PACKETS:
            self._packets.update(dict.fromkeys(chunk.numbers))
        self._add(chunk.data, len(chunk.data))

    def miss(self, gap: Gap) -> None:
        """Bytes of the body that are missing: zeros, as in HTTP/1.1."""
        self.message.missing += gap.length
        self._add(b"", gap.length)
        if self._wanted and not self.too_large:
            self._content.append(bytes(gap.length))

    def _add(self, data: bytes, length: int) -> None:
        self._size += length
        if self._wanted and self._size > BODY_LIMIT:
            self.too_large = True
            self._content = []
        elif self._wanted and data:
            self._content.append(data)

    def finish(self, complete: bool, order: int) -> list[Anomaly]:
        """Nothing more comes: fill in the rest of the message."""
        message, found = self.message, []
        message.complete = complete
        message.order = order
        message.packets = tuple(self._packets)
        message.body_length = self._size
        message.body_kept = self._wanted and not self.too_large
        if not message.body_kept:
            if self.too_large:
                expected = f"a body of at most {BODY_LIMIT} bytes (limit `body`)"
                found.append(Anomaly(AnomalyKind.HTTP_TOO_LARGE, self._side, message.last, expected, "a larger one"))
            return found
        body = b"".join(self._content)
        content, trouble, text = undo_codings(self._codings, body, BODY_LIMIT) if self._codings else (body, None, "")
        message.body = content or b""
        message.body_kept = content is not None
        odd = trouble is not None and not (trouble is AnomalyKind.HTTP_BAD_CODING and (message.missing or not complete))
        if odd and trouble is not None:
            expected = f"content in {quoted(b', '.join(self._codings))}"
            found.append(Anomaly(trouble, self._side, message.last, expected, text))
        return found
