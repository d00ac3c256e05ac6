"""How clients are parted from a namespace by the server, and whether they get its state back when they return."""

from dataclasses import dataclass, field
from enum import Enum
from typing import final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef
from eiosniff.model.tally import Tally


@final
@mypyc_attr(acyclic=True)
class Kick:
    """The server threw a client out of a namespace (DISCONNECT).

    `joined` is the packet that let it in, None if the capture does not show it. `overdue` says that a ping of the
    heartbeat had no answer by then: netty-socketio says goodbye in this way to a client that is gone. `alone` says that
    it was in no other namespace. `back` is the client's next CONNECT for it in the same session.
    """

    __slots__ = ("alone", "back", "joined", "namespace", "overdue", "place")

    def __init__(
        self, place: PacketRef, namespace: str, joined: PacketRef | None, *, overdue: bool, alone: bool
    ) -> None:
        self.place = place
        self.namespace = namespace
        self.joined = joined
        self.overdue = overdue
        self.alone = alone
        self.back: PacketRef | None = None

    @property
    def stayed_ns(self) -> int | None:
        """How long the client had been in."""
        return self.place.ts_ns - self.joined.ts_ns if self.joined is not None else None


class NotRecovered(Enum):
    """Why the state of a session was not recovered, as far as the wire shows."""

    NO_OFFSET = "no offset"  # the client has had no event, and cannot say what it has
    STILL_OPEN = "still open"  # nothing on the wire had ended the earlier session
    OTHER_PROCESS = "other process"  # by the counters in the ids of the sessions
    TOO_LATE = "too late"  # later than the server keeps the state unless it is told otherwise
    UNKNOWN_SESSION = "unknown session"  # the earlier one is not in the capture, or long ago
    UNTOLD = "untold"


@dataclass(slots=True, frozen=True)
class Unrecovered:
    """A client asked for the state of an earlier session, and did not get it.

    `lost` is the last packet of that session, `away_ns` the time from its end to the question, `idle_ns` that from the
    last event which the server had sent in the namespace: the offset is that event's, and is kept no longer than any.
    """

    asked: PacketRef
    answer: PacketRef
    namespace: str
    client: str  # its address
    lost: PacketRef | None
    away_ns: int | None
    idle_ns: int | None


@dataclass(slots=True, eq=False)
class Recovery:
    """How often clients of one server asked for the state of an earlier session, and what became of it.

    Sessions that one side had left by DISCONNECT are not counted: those are not meant to be recovered.
    """

    asked: int = 0
    recovered: int = 0
    failures: dict[NotRecovered, Tally[Unrecovered]] = field(default_factory=dict)
