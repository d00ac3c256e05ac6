"""WebTransport over HTTP/3 as Engine.IO uses it: packets in a bidirectional stream, and what opens and closes that.

Sources: draft-ietf-webtrans-http3; the framing is that of engine.io-parser 5.2.1 and later.
"""

from dataclasses import dataclass
from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.provenance import PacketRef, Side

MAX_TRIES: Final = 8  # kept of a session


@final
@mypyc_attr(acyclic=True)
class WtMessage:
    """One Engine.IO packet as it was framed: a header (bit 7: binary, then the length), and the packet.

    `missing` counts bytes of the packet that lie in a gap (they are zeros in `payload`); `readable` is False where the
    packet is over a limit, and `payload` empty; `length` is what the header says. Places are as in `HttpMessage`.
    """

    __slots__ = (
        "binary", "end", "first", "last", "length", "missing", "order", "packets", "payload", "readable", "side",
        "start",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        binary: bool,
        payload: bytes,
        length: int,
        missing: int,
        readable: bool,
        start: int,
        end: int,
        packets: tuple[int, ...],
        first: PacketRef,
        last: PacketRef,
        order: int,
    ) -> None:
        self.side = side
        self.binary = binary
        self.payload = payload
        self.length = length
        self.missing = missing
        self.readable = readable
        self.start = start
        self.end = end
        self.packets = packets
        self.first = first
        self.last = last
        self.order = order


@final
@mypyc_attr(acyclic=True)
class WtOpening:
    """An extended CONNECT with `:protocol` webtransport, and its answer (None where there was none: the capture lacks
    it, or is `over` before it came)."""

    __slots__ = ("over", "request", "response")

    def __init__(self, request: HttpRequest, response: HttpResponse | None, over: bool = False) -> None:
        self.request = request
        self.response = response
        self.over = over


@final
@mypyc_attr(acyclic=True)
class WtUnsupported:
    """The settings of a client ask for WebTransport (`asked`), and those of the server do not offer it (`place`): the
    client gives up before it says for what. If it asks for other things there, that is taken back (`void`)."""

    __slots__ = ("asked", "place", "void")

    def __init__(self, asked: PacketRef, place: PacketRef, void: bool = False) -> None:
        self.asked = asked
        self.place = place
        self.void = void


@final
@mypyc_attr(acyclic=True)
class WtClose:
    """A side closes the WebTransport session: with a capsule CLOSE_WEBTRANSPORT_SESSION, or by the end of its CONNECT
    stream, which means the same as code 0 (draft-ietf-webtrans-http3, "Session Termination"); `code` is then None."""

    __slots__ = ("code", "place", "reason", "side")

    def __init__(self, side: Side, place: PacketRef, code: int | None, reason: bytes) -> None:
        self.side = side
        self.place = place
        self.code = code
        self.reason = reason


@dataclass(slots=True, eq=False)
class WtTry:
    """A WebTransport session that a client opens for an Engine.IO session which it has over polling.

    `request` is the CONNECT, `accepted` its answer, or `status` that if it was a refusal, `first` the client's first
    packet in it (`0{"sid":...}`), `probe` its `2probe`, `probe_answered` the server's `3probe`, `confirmed` the
    client's `5`; `ended` the packet that ended it before that. `unsupported` are the server's HTTP/3 settings without
    WebTransport, after which no client asks: `request` is then the client's settings. It is `void` where it says
    nothing of the server: bytes of it are missing from the capture, or the connection was for something else.
    """

    request: PacketRef
    stream: int
    first: PacketRef | None
    accepted: PacketRef | None = None
    status: int | None = None
    probe: PacketRef | None = None
    probe_answered: PacketRef | None = None
    confirmed: PacketRef | None = None
    ended: PacketRef | None = None
    ended_by: Side | None = None
    unsupported: PacketRef | None = None
    void: bool = False
