"""What the Socket.IO events and acknowledgements of a session come to, and what a server sends to many at once.

All dictionaries have a limit of entries (`decode.sessions`: `acks`, `message_figures`, `broadcasts`), and none is there
before its first entry: most sessions have nothing of what is recorded here. Sides are told by a flag, whether it is the
server. A digest stands for the name and the arguments of an event that asks; it is 0 where none was made.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import PacketRef
from eiosniff.model.tally import Sketch, Tally

# Fewer small messages of one side in one second are no flood by anybody's measure, and are not recorded as a `Pace`.
FEWEST_IN_A_SECOND: Final = 20
# Messages of this many bytes are small.
SMALL_MESSAGE: Final = 64
# Of a longer event only the size and so many bytes are compared, half of them at its beginning and half at its end.
COMPARED: Final = 1024
# Fewer clients that get the same event are no audience, and are not recorded in `Broadcasts`.
FEWEST_RECEIVERS: Final = 5


@final
@mypyc_attr(acyclic=True)
class Ask:
    """An event that asks for an acknowledgement.

    `more` counts those that used its id again while it waited: there is one acknowledgement for them all.
    """

    __slots__ = ("answered", "digest", "event", "more", "namespace", "place")

    def __init__(self, place: PacketRef, namespace: str, event: str, digest: int) -> None:
        self.place = place
        self.namespace = namespace
        self.event = event
        self.digest = digest
        self.more = 0
        self.answered = False


@final
class AckFigures:
    """How the events of one name and one side are acknowledged: `asked` of them want it, and `delays` are the times
    that it took (ns), the longest from `slowest_asked` to `slowest_answered`."""

    __slots__ = ("asked", "delays", "slowest_answered", "slowest_asked")

    def __init__(self) -> None:
        self.asked = 0
        self.delays = Sketch()
        self.slowest_asked: PacketRef | None = None
        self.slowest_answered: PacketRef | None = None


@final
@mypyc_attr(acyclic=True)
class StrayAck:
    """An acknowledgement that belongs to no event, or nobody knows to which; `asked` is the event that had its id."""

    __slots__ = ("asked", "id", "namespace", "place")

    def __init__(self, place: PacketRef, namespace: str, id: int, asked: PacketRef | None) -> None:
        self.place = place
        self.namespace = namespace
        self.id = id
        self.asked = asked


@final
class StrayAcks:
    """The acknowledgements of one side that are of no use.

    `late`: the event was one of the session before. `unasked`: no event waits with such an id in this session. `again`:
    the event was acknowledged just before. `ambiguous`: several events waited with the same id.
    """

    __slots__ = ("again", "ambiguous", "late", "unasked")

    def __init__(self) -> None:
        self.late: Tally[StrayAck] = Tally()
        self.unasked: Tally[StrayAck] = Tally()
        self.again: Tally[StrayAck] = Tally()
        self.ambiguous: Tally[StrayAck] = Tally()


@final
@mypyc_attr(acyclic=True)
class Resent:
    """An event of a client that it sends once more, with the same arguments and a new id, because the first one was not
    acknowledged; `ended` is the end of the session in which that was, if it was another one."""

    __slots__ = ("again", "digest", "ended", "event", "first")

    def __init__(self, event: str, digest: int, first: PacketRef, again: PacketRef, ended: PacketRef | None) -> None:
        self.event = event
        self.digest = digest
        self.first = first
        self.again = again
        self.ended = ended


@final
@mypyc_attr(acyclic=True)
class Lost:
    """An event that was never acknowledged, and the end of its session."""

    __slots__ = ("ended", "event", "place")

    def __init__(self, event: str, place: PacketRef, ended: PacketRef) -> None:
        self.event = event
        self.place = place
        self.ended = ended


@final
class Unanswered:
    """What the sessions of a client left without an acknowledgement: what the client asked, by digest, and what the
    server asked, by namespace and id."""

    __slots__ = ("by_client", "by_server")

    def __init__(self) -> None:
        self.by_client: dict[int, Lost] = {}
        self.by_server: dict[tuple[str, int], Lost] = {}


@final
@mypyc_attr(acyclic=True)
class Burst:
    """The same event, with the same arguments, `count` times within a moment: from packet `first` to `last`."""

    __slots__ = ("count", "first", "last")

    def __init__(self, first: PacketRef, last: PacketRef, count: int) -> None:
        self.first = first
        self.last = last
        self.count = count


@final
class Repeats:
    """How often an event comes several times over: `runs` of it since the first time, `bursts` of them of more than one
    (`seen`), with `copies` beyond the first of each, and `most` in the largest."""

    __slots__ = ("bursts", "copies", "most", "runs", "seen")

    def __init__(self) -> None:
        self.runs = 1
        self.bursts = 0
        self.copies = 0
        self.most = 0
        self.seen: Tally[Burst] = Tally()


@final
class EncodedJson:
    """Arguments of an event that are JSON inside a string: `messages` had such, of `looked_at` with its name since the
    first. `escapes` are bytes that are there only because of it, as far as they were counted; `keys` are the names in
    the first such object, and `argument` its place (1 is the first argument)."""

    __slots__ = ("argument", "escapes", "keys", "looked_at", "messages", "places")

    def __init__(self, argument: int, keys: tuple[str, ...]) -> None:
        self.argument = argument
        self.keys = keys
        self.messages = 0
        self.looked_at = 0
        self.escapes = 0
        self.places: Tally[PacketRef] = Tally()


@final
class Base64Figures:
    """Binary data that travels as base64: `bytes` of that text in the `places`."""

    __slots__ = ("bytes", "places")

    def __init__(self) -> None:
        self.bytes = 0
        self.places: Tally[PacketRef] = Tally()


@final
class Pace:
    """The seconds in which a side sent many small events over WebSocket (`FEWEST_IN_A_SECOND` or more).

    `messages`, their JSON in `bytes`, and the captured `packets` that carried them, in all `seconds`; `most` in the
    fullest, which began with packet `peak`. `rates` are messages a second, one value a second.
    """

    __slots__ = ("bytes", "first", "last", "messages", "most", "packets", "peak", "rates", "seconds")

    def __init__(self, first: PacketRef) -> None:
        self.first = first
        self.last = first
        self.peak = first
        self.seconds = 0
        self.messages = 0
        self.bytes = 0
        self.packets = 0
        self.most = 0
        self.rates = Sketch()


@final
class MessageFigures:
    """What the events of a session, and their acknowledgements, come to.

    `waiting` are the events that have no acknowledgement yet, in the order in which they asked: by whether the server
    asks, namespace and id. `untracked` counts those of which there were too many to wait for. `acks_of_client` and
    `acks_of_server` are figures by the name of the event and the side that sent it. `strays` are acknowledgements that
    belong to no event, of the client and of the server. `resent` are events that the client sends once more.
    `acknowledged` are the last events of the client that were acknowledged, by digest, and whether it sent the same
    once more after that: such an event it sends again and again anyway.

    By whether the server sent it, and the name of the event: `repeats`, `encoded` (JSON in a string), `base64_strings`
    (binary data as a string in the JSON) and `base64_attachments` (binary attachments, on a transport that has to
    write them so). `paces` is that of the client and that of the server.
    """

    __slots__ = (
        "acknowledged", "acks_of_client", "acks_of_server", "base64_attachments", "base64_strings", "encoded", "paces",
        "repeats", "resent", "strays", "untracked", "waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.waiting: dict[tuple[bool, str, int], Ask] | None = None
        self.untracked = 0
        self.acks_of_client: dict[str, AckFigures] | None = None
        self.acks_of_server: dict[str, AckFigures] | None = None
        self.strays: list[StrayAcks | None] | None = None
        self.resent: Tally[Resent] | None = None
        self.acknowledged: dict[int, bool] | None = None
        self.repeats: dict[tuple[bool, str], Repeats] | None = None
        self.encoded: dict[tuple[bool, str], EncodedJson] | None = None
        self.base64_strings: dict[tuple[bool, str], Base64Figures] | None = None
        self.base64_attachments: dict[tuple[bool, str], Base64Figures] | None = None
        self.paces: list[Pace | None] | None = None

    def acks_of(self, server: bool) -> dict[str, AckFigures]:
        """By the name of the event: how those of the server, or of the client, are acknowledged."""
        return (self.acks_of_server if server else self.acks_of_client) or {}


@final
class BroadcastFigures:
    """The times that an event went to many clients of a server at once (`FEWEST_RECEIVERS` or more).

    `rounds` of it, from `first` to `last`, `deliveries` to a client each, with `bytes` of JSON, and the `most`
    receivers of one.
    """

    __slots__ = ("bytes", "deliveries", "first", "last", "most", "rounds")

    def __init__(self, first: PacketRef) -> None:
        self.first = first
        self.last = first
        self.rounds = 0
        self.deliveries = 0
        self.bytes = 0
        self.most = 0


@final
@mypyc_attr(acyclic=True)
class Round:
    """One event on its way to the clients of a server: its size and its `start`, the sessions (by index) that got it
    first and last, when the last one did, and how many `receivers` it has had. One object serves for many events, one
    after the other."""

    __slots__ = ("first_session", "last_ns", "last_session", "receivers", "size", "start")

    def __init__(self) -> None:
        self.start = b""
        self.size = 0
        self.first_session = 0
        self.last_session = 0
        self.last_ns = 0
        self.receivers = 0


@final
class Broadcasts:
    """What a server sends to many clients at once: `events` by name. `rounds` are the last events of certain sizes (see
    `eiosniff.decode.sessions.broadcasts`), once it has had `sessions` enough."""

    __slots__ = ("events", "rounds", "sessions")

    def __init__(self) -> None:
        self.sessions = 0
        self.events: dict[str, BroadcastFigures] | None = None
        self.rounds: list[Round] | None = None
