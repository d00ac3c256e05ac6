"""HTTP/1.0 and HTTP/1.1 as a bystander sees them: both directions of one TCP connection (RFC 9110, RFC 9112).

Strategy: each direction is read on its own (`direction`, with `head` and `body` for the parts of a
message). Here is what joins the two. Response k answers request k, so requests queue for their responses. What follows
a request for another protocol (Upgrade, CONNECT) cannot be read before its response is known, so the client direction
waits. And what was lost of one direction may have been messages: a response behind a hole answers the last request
before it, since a client asks again when it was answered (nobody pipelines); and a request behind a hole, whose turn
comes after a response to nothing, was answered by that.

A step finds what it needs or leaves the buffer as it is. So a decision depends on which bytes have come, never on how
many came at once, and the result not on how the input was cut.
"""

from collections.abc import Callable, Sequence
from typing import Final, Self

from eiosniff.decode.buffer import StreamBuffer
from eiosniff.decode.http1.body import body_reader, quoted
from eiosniff.decode.http1.direction import Direction, HttpLimits
from eiosniff.decode.http1.events import Events, HttpEvent, Upgrade
from eiosniff.decode.http1.head import Head
from eiosniff.decode.http1.proxy_protocol import NoProxyHeader, ProxyHeader, proxy_header
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.tcp import EndKind, StreamChunk, StreamEnd
from eiosniff.model.trouble import Anomaly, AnomalyKind, Gap

__all__ = ["HttpConnection", "HttpEvent", "HttpLimits", "Upgrade"]

_DEFAULT_LIMITS: Final = HttpLimits()
# What proxies say to a CONNECT; where that was not captured, what follows is no body, and perhaps HTTP.
_TUNNEL_OPEN: Final = b"connection established"
_NOTHING: Final["tuple[HttpEvent, ...]"] = ()


class HttpConnection:
    """Both directions of one connection: tell it chunks, gaps and ends of both sides in the order of the capture.

    `keep_body` says for a request, of which only the head has been read, whether the bodies of the exchange are wanted.
    Once `Upgrade` was returned, take what follows and tell it no more: the chunk with which it was returned is in what
    there is to take; a gap or an end is not, and is still to be told to the next protocol. `proxied` says that the
    client's direction begins with a header of the PROXY protocol.
    """

    def __init__(
        self,
        keep_body: Callable[[HttpRequest], bool],
        limits: HttpLimits = _DEFAULT_LIMITS,
        proxied: bool = False,
    ) -> None:
        self._keep_body = keep_body
        self._proxied = proxied  # and the header has not come yet
        self._limits = limits
        self._events: Events = []
        self._client = Direction(CLIENT, limits, self._events)
        self._server = Direction(SERVER, limits, self._events)
        self._unanswered: list[tuple[HttpRequest, bool]] = []  # with what `keep_body` said; hardly ever more than one
        self._asking: HttpRequest | None = None  # it asks for another protocol, and was not answered
        self._unasked = 0  # the packet with the last response for which there was no request
        self._newest_ns = 0  # of the client direction
        self._heard = False  # the server direction is captured
        self._upgraded = False
        self._inside_websocket = False

    @classmethod
    def inside_websocket(cls, request: HttpRequest | None, limits: HttpLimits = _DEFAULT_LIMITS) -> Self:
        """A reader for the HTTP that a server writes after its 101 to `request`; tell it only the server's side."""
        connection = cls(lambda _: True, limits)
        connection._inside_websocket = True
        if request is not None:
            connection._unanswered.append((request, True))
        return connection

    @property
    def sure(self) -> int:
        """How many of the bytes that come next of the server belong to the body at hand, whatever they are."""
        body = self._server.body
        return 0 if body is None else body.sure

    def begin_at(self, side: Side, offset: int) -> None:
        """Before anything of this side: its bytes before a stream offset belonged to another protocol."""
        self._direction(side).start = offset

    def accounted(self, side: Side) -> int:
        """The stream offset up to which the bytes of one direction were read, or are known not to be there."""
        return self._direction(side).start

    def take(self, side: Side) -> StreamBuffer:
        """After `Upgrade`: the bytes of one direction that belong to the next protocol."""
        return self._direction(side).buffer

    def feed(self, chunk: StreamChunk) -> Sequence[HttpEvent]:
        """Take the next bytes of one direction."""
        if chunk.side is SERVER:
            direction = self._server
            self._heard = True
        else:
            direction = self._client
            for ts_ns in chunk.times:
                self._newest_ns = max(self._newest_ns, ts_ns)
        direction.buffer.append(chunk)
        self._read(direction)
        return self._told()

    def gap(self, gap: Gap) -> Sequence[HttpEvent]:
        """Take bytes that are missing."""
        direction = self._direction(gap.side)
        if direction is self._client and self._waits() and not self._must_wait(interrupted=True):
            self._read(direction)
        if not self._upgraded:
            direction.skip(gap)
        return self._told()

    def end(self, end: StreamEnd) -> Sequence[HttpEvent]:
        """Take the end of one direction."""
        if self._upgraded:
            return _NOTHING
        direction = self._direction(end.side)
        direction.ended = end
        if direction is self._server:
            self._heard |= end.kind is not EndKind.CAPTURE_ENDED
            direction.close(end)
        self._read_client()
        return self._told()

    def _direction(self, side: Side) -> Direction:
        return self._server if side else self._client

    def _told(self) -> Sequence[HttpEvent]:
        if not self._events:
            return _NOTHING
        events = self._events.copy()
        self._events.clear()
        return events

    def _read(self, direction: Direction) -> None:
        """Read as many messages as have come."""
        buffer = direction.buffer
        if self._proxied and direction is self._client and not self._read_proxy_header():
            return
        while not self._upgraded:
            if direction.body is not None:
                if not direction.read_body(direction.body):
                    return
                continue
            if direction is self._client and self._waits() and self._must_wait():
                return
            head = direction.find_head() if buffer.pos < len(buffer.data) else None
            if head is None:
                if direction.frames:
                    self._upgrade(None, None)
                return
            if direction is self._client:
                self._read_request(head)
            else:
                self._read_response(head)

    def _read_proxy_header(self) -> bool:
        """Read the header that stands before the first request; False when more bytes are needed."""
        buffer = self._client.buffer
        header = proxy_header(buffer.data[buffer.pos :])
        if header is NoProxyHeader.YET:
            return False
        self._proxied = False
        if isinstance(header, ProxyHeader):
            header.start = buffer.offset
            header.end += header.start
            header.place = buffer.ref(header.start)
            self._client.pass_over(header.end)
            self._events.append(header)
            if header.wrong:
                found = quoted(buffer.data[: header.end - buffer.base])
                self._events.append(Anomaly(AnomalyKind.PROXY_BAD_HEADER, CLIENT, header.place, header.wrong, found))
        return True

    def _read_client(self) -> None:
        """Read on in the client direction after something else than its bytes has changed what it waits for."""
        self._read(self._client)
        if self._client.ended is not None and not self._waits() and not self._upgraded:
            self._client.close(self._client.ended)

    def _read_request(self, head: Head) -> None:
        buffer = self._client.buffer
        start = buffer.offset
        first = buffer.ref(start)
        text = buffer.data[head.start : head.end]
        method, target, version = head.parts
        request = HttpRequest(text, start, first, head.fields, method, target, version)
        wanted = self._keep_body(request)
        self._queue(request, wanted)
        if (method == b"CONNECT" or head.fields.first(b"upgrade") is not None) and not self._silent():
            self._asking = request
        request.body_kept = wanted
        limit = self._limits.body if wanted else 0
        self._client.begin(request, head, body_reader(request, limit, wanted, self._events))

    def _queue(self, request: HttpRequest, wanted: bool) -> None:
        """Let a request wait for its response."""
        if request.first.number < self._unasked:
            return
        if self._server.lossy:
            self._server.lossy = False
            self._unanswered.clear()
        elif len(self._unanswered) == self._limits.unanswered:
            self._unanswered.clear()
            if self._heard:
                expected = f"at most {self._limits.unanswered} requests without a response (limit `unanswered`)"
                self._events.append(Anomaly(AnomalyKind.HTTP_TOO_LARGE, CLIENT, request.first, expected, "more"))
        self._unanswered.append((request, wanted))

    def _read_response(self, head: Head) -> None:
        buffer = self._server.buffer
        start = buffer.offset
        first = buffer.ref(start)
        text = buffer.data[head.start : head.end]
        version, digits, reason = head.parts
        status = int(digits)
        request, wanted = self._answered(status, first.number)
        limit = self._limits.unasked_body if request is None else self._limits.body if wanted else 0
        inside = self._inside_websocket
        response = HttpResponse(text, start, first, head.fields, status, reason, version, request, inside)
        response.body_kept = limit > 0
        method = b"" if request is None else request.method
        tunnel = method == b"CONNECT" and 200 <= status < 300
        bodiless = tunnel or (request is None and reason.lower() == _TUNNEL_OPEN)
        body = None
        # RFC 9112, section 6.3, 1 and 2.
        if not (method == b"HEAD" or bodiless or status < 200 or status in {204, 304}):
            body = body_reader(response, limit, wanted, self._events)
        answered = request is not None and request is self._asking and (status >= 200 or status == 101)
        if answered:
            self._asking = None
            if method != b"CONNECT":
                self._report_early_frames(response)
        self._server.begin(response, head, body)
        if tunnel or (status == 101 and (request is None or request.header(b"upgrade") is not None)):
            self._upgrade(request, response)
        elif answered:
            self._read_client()

    def _answered(self, status: int, number: int) -> tuple[HttpRequest | None, bool]:
        """The request that a response with this status, which begins in that packet, answers; whether its body is
        wanted."""
        queue = self._unanswered
        if self._server.lossy and len(queue) > 1:
            later = len(queue) - 1
            while later and queue[later][0].first.number > number:
                later -= 1
            del queue[:later]
        if not queue:
            self._unasked = number
            return None, False
        if self._inside_websocket or (status < 200 and status != 101):  # an interim response: the final one is to come
            return queue[0]
        if status == 101 and self._asking is not None:  # the last one asks; those before it were never answered
            del queue[:-1]
        return queue.pop(0)

    # Another protocol

    def _silent(self) -> bool:
        """Whether no response can come any more, in a capture that would show it."""
        return self._heard and self._server.ended is not None

    def _waits(self) -> bool:
        """Whether the client direction has come to the end of a request for another protocol."""
        return self._asking is not None and self._client.body is None

    def _must_wait(self, interrupted: bool = False) -> bool:
        """Whether the bytes after a request for another protocol must go on waiting for its response.

        If that will not be seen, they tell themselves what they are. `interrupted` says that a gap follows them.
        """
        asking, buffer = self._asking, self._client.buffer
        held = len(buffer)
        if asking is None or (not held and not self._silent()):
            return asking is not None
        unseen = not self._heard or self._server.lossy
        # Two bytes tell a frame, so that nothing is decided before they have come.
        impatient = held > 1 and self._newest_ns - asking.last.ts_ns > self._limits.patience_ns
        too_many = held > self._limits.held
        given_up = unseen and (impatient or self._client.ended is not None)
        if not (self._silent() or interrupted or too_many or given_up):
            return True
        self._asking = None
        if held and (unseen or too_many) and (asking.method == b"CONNECT" or _begins_frame(buffer)):
            self._upgrade(asking, None)
            return True
        self._client.may_be_tunnel = asking.method == b"CONNECT"
        if not self._client.may_be_tunnel:
            self._report_early_frames()
        return False

    def _report_early_frames(self, response: HttpResponse | None = None) -> None:
        """Frames wait for a 101, from a server that was captured: it cannot have expected them. Not those that came
        after the response: that was only read later, behind a gap."""
        buffer = self._client.buffer
        early = response is None or (len(buffer) > 0 and buffer.ref(buffer.offset).number < response.first.number)
        if early and self._client.body is None and _begins_frame(buffer):
            self._client.report_early_frames(buffer.offset)

    def _upgrade(self, request: HttpRequest | None, response: HttpResponse | None) -> None:
        self._upgraded = True
        self._client.abandon()
        self._server.abandon()
        self._events.append(Upgrade(request, response))


def _begins_frame(buffer: StreamBuffer) -> bool:
    """Whether what follows looks like a client's WebSocket frame: FIN, perhaps compressed, a mask (RFC 6455, 5.2)."""
    start = buffer.data[buffer.pos : buffer.pos + 2]
    return len(start) == 2 and start[0] & 0xB0 == 0x80 and start[0] & 0x0F <= 0x0A and start[1] >= 0x80
