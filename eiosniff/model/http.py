"""HTTP/1.x messages as they were on the wire (RFC 9110, RFC 9112)."""

from eiosniff.model.provenance import PacketRef, Side


class HttpMessage:
    """What a request and a response have in common.

    `head` is the start line and header block as sent, without the empty line that ends it, `folded` the same in lower
    case, as whole lines (made of `head` if it is not given). `body` is the content after transfer and content codings
    were undone (empty when nobody asked to keep it: see `body_kept`); `body_length` counts the body's bytes on the
    wire, `missing` those of head and body that are in a gap. `start` and `end` are stream offsets; `packets` the
    numbers of all packets that carried the message, in order of the bytes; `first` and `last` the packets with its
    first and last byte. `order` is the number of the packet that completed its delivery (equal to `last.number` for
    bytes that came in order).
    """

    __slots__ = (
        "_folded", "body", "body_kept", "body_length", "complete", "end", "first", "head", "last", "missing", "order",
        "packets", "side", "start",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        head: bytes,
        body: bytes,
        body_kept: bool,
        body_length: int,
        missing: int,
        complete: bool,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
        folded: bytes = b"",
    ) -> None:
        self.side = side
        self.head = head
        self.body = body
        self.body_kept = body_kept
        self.body_length = body_length
        self.missing = missing
        self.complete = complete
        self.start = start
        self.end = end
        self.packets = packets
        self.first = first
        self.last = last
        self.order = order
        self._folded = folded

    def header(self, name: bytes) -> bytes | None:
        """The value of the first field called `name` (lower case), without white space around it, or None."""
        if not self._folded:
            self._folded = self.head.lower() + b"\r\n"
        at = self._folded.find(b"\n" + name + b":")
        if at < 0:
            return None
        start = at + len(name) + 2
        return self.head[start : self._folded.index(b"\n", start)].strip()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """All fields as sent, in order; lines without a colon are left out, obsolete line folding is undone."""
        fields: list[tuple[bytes, bytes]] = []
        for line in self.head.split(b"\n")[1:]:
            if line[:1] in (b" ", b"\t") and fields:
                name, value = fields[-1]
                fields[-1] = (name, value + b" " + line.strip())
                continue
            name, colon, value = line.partition(b":")
            if colon:
                fields.append((name, value.strip()))
        return fields


class HttpRequest(HttpMessage):
    """A request; `target` is as sent (RFC 9112, section 3.2)."""

    __slots__ = ("method", "target", "version")

    def __init__(
        self,
        side: Side,
        head: bytes,
        body: bytes,
        body_kept: bool,
        body_length: int,
        missing: int,
        complete: bool,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
        folded: bytes = b"",
        method: bytes = b"",
        target: bytes = b"",
        version: bytes = b"",
    ) -> None:
        super().__init__(
            side, head, body, body_kept, body_length, missing, complete, start, end, packets, first, last, order, folded
        )
        self.method = method
        self.target = target
        self.version = version


class HttpResponse(HttpMessage):
    """A response. `request` is the one that it answers, None when that was not captured.

    `inside_websocket` is True for HTTP text that the server wrote after a 101 (see rule WS002).
    """

    __slots__ = ("inside_websocket", "reason", "request", "status", "version")

    def __init__(
        self,
        side: Side,
        head: bytes,
        body: bytes,
        body_kept: bool,
        body_length: int,
        missing: int,
        complete: bool,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
        folded: bytes = b"",
        status: int = 0,
        reason: bytes = b"",
        version: bytes = b"",
        request: HttpRequest | None = None,
        inside_websocket: bool = False,
    ) -> None:
        super().__init__(
            side, head, body, body_kept, body_length, missing, complete, start, end, packets, first, last, order, folded
        )
        self.status = status
        self.reason = reason
        self.version = version
        self.request = request
        self.inside_websocket = inside_websocket
