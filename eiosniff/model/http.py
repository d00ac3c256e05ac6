"""HTTP messages as they were on the wire (RFC 9110, RFC 9112), those of HTTP/2 as HTTP/1.1 would show them."""

import re
from sys import intern
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side

_NAMES_KEPT: Final = 40
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
TEXT_LIMIT: Final = 300  # bytes or characters that ledgers keep of a text from the wire
WEBSOCKET_PROTOCOL: Final = b"websocket"  # RFC 8441, section 5
BODY_KEPT: Final = 300  # bytes that ledgers keep of the body of an answer


def text_of(value: bytes) -> str:
    """The beginning of a text from the wire, as ledgers keep it."""
    return value[:TEXT_LIMIT].decode("utf-8", "backslashreplace")


@final
@mypyc_attr(acyclic=True)
class Fields:
    """The header block of a message: whole field lines as sent, without the empty line that ends them.

    A client sends the same lines with each poll, so many messages share one of these, and what was looked up in it is
    known the next time.
    """

    __slots__ = ("_first", "_folded", "_members", "_names", "_unfolded", "lines", "regular")

    def __init__(self, lines: bytes, regular: bool) -> None:
        """`regular` says that all lines keep to the grammar (RFC 9112, section 5)."""
        self.lines = lines
        self.regular = regular
        # Obsolete line folding (RFC 9112, section 5.2) is not in the grammar, so that regular lines have none.
        self._unfolded = lines if regular else _FOLD.sub(b" ", lines)
        self._folded = b"\n" + self._unfolded.lower()
        self._first: dict[bytes, bytes | None] = {}
        self._members: dict[bytes, list[bytes]] = {}
        self._names: tuple[str, ...] | None = None

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field called `name` (lower case), without white space around it, or None."""
        if name not in self._first:
            at = self._folded.find(b"\n" + name + b":")
            start = at + len(name) + 2
            end = self._folded.find(b"\n", start)
            # One less: there is a line feed before the folded lines.
            self._first[name] = None if at < 0 or end < 0 else self._unfolded[start - 1 : end - 1].strip()
        return self._first[name]

    def items(self) -> list[tuple[bytes, bytes]]:
        """All fields as sent, in order; lines without a colon are left out, obsolete line folding is undone."""
        fields: list[tuple[bytes, bytes]] = []
        for line in self._unfolded.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon:
                fields.append((name, value.strip()))
        return fields

    def names(self) -> tuple[str, ...]:
        """The names of all fields (the first 40 of them), as sent, in order."""
        if self._names is None:
            # Interned: ledgers keep them, and all sessions have the same few.
            self._names = tuple([intern(text_of(name)) for name, _ in self.items()[:_NAMES_KEPT]])
        return self._names

    def members(self, name: bytes) -> list[bytes]:
        """The members of all fields called `name` (lower case) as if they were one list (RFC 9110, section 5.3), in
        lower case. Not to be changed."""
        known = self._members.get(name)
        if known is None:
            known = self._members[name] = []
            name = b"\n" + name + b":"
            folded = self._folded
            at = folded.find(name)
            while at >= 0:
                start = at + len(name)
                end = folded.find(b"\n", start)
                end = len(folded) if end < 0 else end
                known += [member.strip() for member in folded[start:end].split(b",")]
                at = folded.find(name, end)
        return known


@mypyc_attr(acyclic=True)
class HttpMessage:
    """What a request and a response have in common.

    `head` is the start line and header block as sent, without the empty line that ends it; `fields` is that block alone
    (made of `head` if it is not given). `body` is the content after transfer and content codings were undone (empty
    when nobody asked to keep it: see `body_kept`); `body_length` counts the body's bytes on the wire, `missing` those
    of head and body that are in a gap. `start` and `end` are stream offsets; `packets` the numbers of all packets that
    carried the message, in order of the bytes; `first` and `last` the packets with its first and last byte. `order` is
    the number of the packet that completed its delivery (equal to `last.number` for bytes that came in order). What is
    said here of the end of a message is not so before it has come.
    """

    __slots__ = (
        "body", "body_kept", "body_length", "complete", "end", "fields", "first", "head", "last", "missing", "order",
        "packets", "side", "start",
    )  # fmt: skip

    def __init__(self, side: Side, head: bytes, start: int, first: PacketRef, fields: Fields | None) -> None:
        """A message that begins; the rest is filled in as it is read."""
        self.side = side
        self.head = head
        self.start = self.end = start
        self.first = self.last = first
        self.order = first.number
        self.packets: tuple[int, ...] = ()
        self.body = b""
        self.body_kept = False
        self.body_length = 0
        self.missing = 0
        self.complete = False
        self.fields = Fields(head.partition(b"\n")[2] + b"\r\n", False) if fields is None else fields

    def header(self, name: bytes) -> bytes | None:
        """The value of the first field called `name` (lower case), without white space around it, or None."""
        return self.fields.first(name)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """All fields as sent, in order; lines without a colon are left out, obsolete line folding is undone."""
        return self.fields.items()


@final
@mypyc_attr(acyclic=True)
class Query:
    """A request target, split: path, and the parameters in order (percent-decoded, Latin-1 if not UTF-8)."""

    __slots__ = ("parameters", "path")

    def __init__(self, path: str, parameters: tuple[tuple[str, str], ...]) -> None:
        self.path = path
        self.parameters = parameters

    def first(self, name: str) -> str | None:
        """The first value of a parameter."""
        for key, value in self.parameters:
            if key == name:
                return value
        return None

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a parameter, in order."""
        return tuple([value for key, value in self.parameters if key == name])


@final
@mypyc_attr(acyclic=True)
class HttpRequest(HttpMessage):
    """A request; `target` is as sent (RFC 9112, section 3.2), `query` the same once it was taken apart.

    `protocol` is the one that an extended CONNECT of HTTP/2 asks for: `websocket` (RFC 8441, section 4).
    """

    __slots__ = ("method", "protocol", "query", "target", "version")

    def __init__(
        self,
        head: bytes,
        start: int,
        first: PacketRef,
        fields: Fields | None = None,
        method: bytes = b"",
        target: bytes = b"",
        version: bytes = b"",
        protocol: bytes = b"",
    ) -> None:
        super().__init__(CLIENT, head, start, first, fields)
        self.method = method
        self.protocol = protocol
        self.query: Query | None = None
        self.target = target
        self.version = version


@final
@mypyc_attr(acyclic=True)
class HttpResponse(HttpMessage):
    """A response. `request` is the one that it answers, None when that was not captured.

    `inside_websocket` is True for HTTP text that the server wrote after a 101 (see rule WS002). `withheld` says that
    the browser kept it from the page, as it tells itself in a HAR: its content is then not known.
    """

    __slots__ = ("inside_websocket", "reason", "request", "status", "version", "withheld")

    def __init__(
        self,
        head: bytes,
        start: int,
        first: PacketRef,
        fields: Fields | None = None,
        status: int = 0,
        reason: bytes = b"",
        version: bytes = b"",
        request: HttpRequest | None = None,
        inside_websocket: bool = False,
    ) -> None:
        super().__init__(SERVER, head, start, first, fields)
        self.status = status
        self.reason = reason
        self.version = version
        self.request = request
        self.inside_websocket = inside_websocket
        self.withheld = False

    @property
    def accepts_websocket(self) -> bool:
        """Whether it is the answer of HTTP/2 by which a WebSocket begins (RFC 8441, section 5)."""
        request = self.request
        return request is not None and request.protocol == WEBSOCKET_PROTOCOL and 200 <= self.status < 300
