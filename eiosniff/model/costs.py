"""What a session costs over HTTP: connections, headers, and the time until the client polls again."""

from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef
from eiosniff.model.tally import Sketch, Tally

LARGE_HEAD: Final = 2_048  # bytes: of smaller ones it is not looked up what they are made of
LATE_POLL_NS: Final = 250_000_000
AT_ONCE_NS: Final = 100_000_000  # an answer as soon as this was ready before the client asked for it


@final
@mypyc_attr(acyclic=True)
class LargeHead:
    """A request or an answer with a large head: `size` is that of its start line and header block (bytes).

    `field` is the name of the largest header in it, and `field_size` what that takes, its name included; the name is
    empty where the URL of the request is larger. Its value is not kept: what is large is mostly a secret.
    """

    __slots__ = ("field", "field_size", "place", "size")

    def __init__(self, place: PacketRef, size: int, field: str, field_size: int) -> None:
        self.place = place
        self.size = size
        self.field = field
        self.field_size = field_size


@final
@mypyc_attr(acyclic=True)
class LatePoll:
    """A GET that came late after the answer to the one before; what the server had to say meanwhile waited."""

    __slots__ = ("answered", "asked")

    def __init__(self, answered: PacketRef, asked: PacketRef) -> None:
        self.answered = answered
        self.asked = asked


@final
@mypyc_attr(acyclic=True)
class LatePolls:
    """The late polls of a session, and how late they were (ns). `events` are the messages that came at once in the
    answers to them: they, at least, had been waiting."""

    __slots__ = ("delays", "events", "polls")

    def __init__(self) -> None:
        self.polls: Tally[LatePoll] = Tally()
        self.delays = Sketch()
        self.events = 0


@final
@mypyc_attr(acyclic=True)
class Costs:
    """What the requests of a session cost, its handshake over polling included, upgrades not.

    Of `requests`, `connections` were the first on a TCP connection whose beginning was captured. From its SYN to the
    request it took `set_up_ns` in sum, and `set_up_least_ns` at the least: a round trip, two or three where TLS is
    spoken (ns). `closed_by_client` are requests that say that their connection ends with the answer (RFC 9112, section
    9.3), `closed_by_server` answers that say so where the request did not; `http10` those of them that come from a
    server, or a proxy, of HTTP/1.0.

    `largest_request` and `largest_answer` are the sizes of the largest heads, `large_request` and `large_answer` what
    these are made of if they have `LARGE_HEAD` bytes or more. `late` is None as long as each GET came within
    `LATE_POLL_NS` after the answer to the one before, of which `answered` is the last packet.
    """

    __slots__ = (
        "answered", "closed_by_client", "closed_by_server", "connections", "http10", "large_answer", "large_request",
        "largest_answer", "largest_request", "late", "requests", "set_up_least_ns", "set_up_ns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.set_up_ns = 0
        self.set_up_least_ns = 0
        self.closed_by_client = 0
        self.closed_by_server = 0
        self.http10 = 0
        self.largest_request = 0
        self.largest_answer = 0
        self.large_request: LargeHead | None = None
        self.large_answer: LargeHead | None = None
        self.late: LatePolls | None = None
        self.answered: PacketRef | None = None
