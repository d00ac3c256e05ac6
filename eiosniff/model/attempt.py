"""Requests for a session: what a client asks for, and what became of it."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from eiosniff.model.engineio import ServerError, Transport
from eiosniff.model.provenance import PacketRef, Side

if TYPE_CHECKING:
    from eiosniff.model.session import Session

_TRANSPORTS: Final = {transport.value: transport for transport in Transport}


@dataclass(slots=True, eq=False)
class RequestFacts:
    """A handshake request: what it asks for, and what tells which library sent it.

    `eio` is the value of `EIO=`, `transports` all values of `transport=` in order; `header_names` are in order and
    spelling as sent. Texts from the wire are cut at 300 characters.
    """

    place: PacketRef
    stream: int
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

    @property
    def transport(self) -> Transport | None:
        """The transport that the request asks for, if it is one that Engine.IO knows."""
        return _TRANSPORTS.get(self.transports[-1]) if self.transports else None


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
    """

    request: RequestFacts
    outcome: Outcome = Outcome.PENDING
    status: int | None = None
    error: ServerError | None = None
    body: bytes = b""
    answer: PacketRef | None = None
    ended: PacketRef | None = None
    ended_by: Side | None = None
    session: "Session | None" = None
    client_said: bytes = b""  # the first message of the client after a 101
    forwarded: bool = False
    hop: "Attempt | None" = None
    socketio09: bool = False

    def signature(self) -> tuple[object, ...]:
        """Attempts with the same signature are repeats of each other."""
        request = self.request
        return (
            request.path, request.eio, request.transports, request.upgrade, self.outcome, self.status,
            self.error and (self.error.code, self.error.style), bool(self.client_said),
        )  # fmt: skip


@dataclass(slots=True, frozen=True)
class RefusedRequest:
    """A request with the sid of a session, refused."""

    request: PacketRef
    answer: PacketRef
    status: int
    error: ServerError | None
    transport: Transport | None
    after_close: bool
    idle_ns: int  # since the last packet of the session
