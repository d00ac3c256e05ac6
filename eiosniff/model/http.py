"""HTTP/1.x messages as they were on the wire (RFC 9110, RFC 9112)."""

from dataclasses import dataclass, field

from eiosniff.model.provenance import PacketRef, Side


@dataclass(slots=True, eq=False)
class HttpMessage:
    """What a request and a response have in common.

    `head` is the start line and header block as sent, without the empty line that ends it. `body` is the content
    after transfer and content codings were undone (empty when nobody asked to keep it: see `body_kept`);
    `body_length` counts the body's bytes on the wire, `missing` those of head and body that are in a gap.
    `start` and `end` are stream offsets; `packets` the numbers of all packets that carried the message, in order of
    the bytes; `first` and `last` the packets with its first and last byte. `order` is the number of the packet that
    completed its delivery (equal to `last.number` for bytes that came in order).
    """

    side: Side
    head: bytes
    body: bytes
    body_kept: bool
    body_length: int
    missing: int
    complete: bool
    start: int
    end: int
    packets: tuple[int, ...]
    first: PacketRef
    last: PacketRef
    order: int
    _folded: bytes = field(default=b"", repr=False)

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


@dataclass(slots=True, eq=False)
class HttpRequest(HttpMessage):
    """A request; `target` is as sent (RFC 9112, section 3.2)."""

    method: bytes = b""
    target: bytes = b""
    version: bytes = b""


@dataclass(slots=True, eq=False)
class HttpResponse(HttpMessage):
    """A response. `request` is the one that it answers, None when that was not captured.

    `inside_websocket` is True for HTTP text that the server wrote after a 101 (see rule WS002).
    """

    status: int = 0
    reason: bytes = b""
    version: bytes = b""
    request: HttpRequest | None = None
    inside_websocket: bool = False
