"""What a TLS connection shows from outside, without keys: sizes and times, never what is said."""

from typing import Final, final

from mypy_extensions import mypyc_attr

from eiosniff.model.provenance import NO_PACKET, Endpoint, PacketRef, Side
from eiosniff.model.tally import Sketch, Tally
from eiosniff.model.unread import Encrypted

# Of one connection: the packets with data that it begins with, the kinds of exchanges that are told apart, and the
# lengths of answers to each.
MAX_OPENING: Final = 16
MAX_RHYTHMS: Final = 6
MAX_ANSWERS: Final = 6
# A record of TLS: its content type (RFC 8446, section 5.1), and the length that its header names.
Record = tuple[int, int]
Records = tuple[Record, ...]
NO_RECORDS: Final[Records] = ()
APPLICATION_DATA: Final = 23


@final
@mypyc_attr(acyclic=True)
class Piece:
    """A captured packet with data of a TLS connection: whose, and which records of TLS it brings. `records` is empty
    unless it holds whole records, at most a few of them."""

    __slots__ = ("place", "records", "side")

    def __init__(self, side: Side, place: PacketRef, records: Records) -> None:
        self.side = side
        self.place = place
        self.records = records


@final
@mypyc_attr(acyclic=True)
class Exchange:
    """What is said between two silences: by `side` first, after `silence_ns` of silence (0: the connection begins).

    `records` are those of its first packet, `answer` that of the other side and `answer_records` what that brings.
    `last` is its last packet. `packets` are those with data, by side; what was sent again does not count.
    """

    __slots__ = (
        "answer", "answer_records", "begun", "last", "packets_client", "packets_server", "records", "side",
        "silence_ns",
    )  # fmt: skip

    def __init__(self, side: Side, begun: PacketRef, silence_ns: int, records: Records) -> None:
        self.side = side
        self.begun = begun
        self.silence_ns = silence_ns
        self.records = records
        self.answer: PacketRef | None = None
        self.answer_records: Records = NO_RECORDS
        self.last = begun
        self.packets_client = 0
        self.packets_server = 0

    @property
    def is_small(self) -> bool:
        """Whether no side says more than in one packet."""
        return self.packets_client <= 1 and self.packets_server <= 1


@final
class Rhythm:
    """Exchanges of one connection that the same side begins after a silence, with a record of the same length.

    `tally.period_ns` is the usual time from one to the next. `answered` counts those that the other side answers,
    `answers` by the length of the record that it answers with (0: not one record alone), and `delays` (ns) after how
    long. `small` are those in which each side sends one packet at the most.
    """

    __slots__ = ("answered", "answers", "delays", "length", "side", "silences", "small", "tally")

    def __init__(self, side: Side, length: int) -> None:
        self.side = side
        self.length = length
        self.tally: Tally[Exchange] = Tally()
        self.silences = Sketch()
        self.small = 0
        self.answered = 0
        self.answers: dict[int, int] = {}
        self.delays = Sketch()

    def add(self, exchange: Exchange) -> None:
        """One more."""
        self.tally.add(exchange, exchange.begun.ts_ns)
        self.silences.add(exchange.silence_ns)
        self.small += exchange.is_small
        if exchange.answer is not None:
            self.answered += 1
            self.delays.add(exchange.answer.ts_ns - exchange.begun.ts_ns)
            length = only_length(exchange.answer_records)
            if length in self.answers or len(self.answers) < MAX_ANSWERS:
                self.answers[length] = self.answers.get(length, 0) + 1


@final
class OpaqueConnection:
    """A TLS connection of which nothing is decrypted.

    `entry` is what its hellos say, together with those of other connections to that server. `version` is what the
    server chose (such as 0x0304, RFC 8446), 0 where its hello is not known; `suite` the cipher suite, as IANA numbers
    them. `opened` is its first captured packet, `first` the first one with data. `octets` and `packets` are what each
    side sent, the handshake included.

    `opening` are the first packets with data, `rhythms` the exchanges after silences, `exchange` the last one, `before`
    the one before it, and `longest_ns` the longest silence. `ended` is the FIN or RST (`reset`) of the side `ended_by`
    that came first; both are None where the connection goes on when the capture ends.
    """

    __slots__ = (
        "before", "client", "ended", "ended_by", "entry", "exchange", "exchanges", "first", "last", "longest_ns",
        "octets", "opened", "opening", "packets", "reset", "rhythms", "server", "suite", "version",
    )  # fmt: skip

    def __init__(self, entry: Encrypted, client: Endpoint, server: Endpoint, opened: PacketRef) -> None:
        self.entry = entry
        self.client = client
        self.server = server
        self.opened = opened
        self.version = 0
        self.suite = 0
        self.first = NO_PACKET
        self.last = NO_PACKET
        self.octets = [0, 0]
        self.packets = [0, 0]
        self.opening: list[Piece] = []
        self.rhythms: list[Rhythm] = []
        self.exchange: Exchange | None = None
        self.before: Exchange | None = None
        self.exchanges = 0
        self.longest_ns = 0
        self.ended: PacketRef | None = None
        self.ended_by: Side | None = None
        self.reset = False

    @property
    def lifetime_ns(self) -> int:
        """From its first captured packet to its end, or to the last one with data."""
        return (self.ended or self.last).ts_ns - self.opened.ts_ns

    @property
    def idle_ns(self) -> int:
        """How long nothing was said when it ended; 0 if its end was not captured."""
        return self.ended.ts_ns - self.last.ts_ns if self.ended is not None else 0

    def settle(self) -> None:
        """The last exchange is over."""
        exchange = self.exchange
        if exchange is None or not exchange.silence_ns:
            return
        length = only_length(exchange.records)
        for rhythm in self.rhythms:
            if rhythm.side is exchange.side and rhythm.length == length:
                rhythm.add(exchange)
                return
        if len(self.rhythms) < MAX_RHYTHMS:
            fresh = Rhythm(exchange.side, length)
            fresh.add(exchange)
            self.rhythms.append(fresh)

    def take(self, exchange: Exchange) -> None:
        """Another exchange begins, with its first packet."""
        self.settle()
        self.before, self.exchange = self.exchange, exchange
        self.exchanges += 1
        self.longest_ns = max(self.longest_ns, exchange.silence_ns)


def only_length(records: Records) -> int:
    """The length of the record if it is one alone, with data; else 0."""
    return records[0][1] if len(records) == 1 and records[0][0] == APPLICATION_DATA else 0
