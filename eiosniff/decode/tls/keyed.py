"""Which TLS connections are decrypted: those of whose ClientHello somebody wrote down a secret.

A connection is looked at until its ClientHello is read. If there is no secret of it, but it may go on from one of which
there is, that is known when all packets of the batch were told; while a key log grows, its line may come a bit later.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final, final

from eiosniff.decode.tcp.flow import Flow
from eiosniff.decode.tls.clear import ClientHello, TlsHandshake
from eiosniff.decode.tls.keyring import Keyring
from eiosniff.decode.tls.streams import TlsStreams
from eiosniff.model.secrets import Secrets
from eiosniff.model.tcp import StreamChunk, StreamEnd
from eiosniff.model.trouble import Gap

Records = list[tuple[int, StreamChunk | Gap | StreamEnd]]

# What waits for a line of the key log. A program writes it within milliseconds; a download brings much meanwhile.
MOST_HELD: Final = 1 << 20  # bytes of one connection
MOST_WAITING: Final = 1_000  # connections
_PATIENCE_NS: Final = 30_000_000_000


class Verdict(Enum):
    """What is to be done with a TLS connection."""

    WAIT = "wait"
    OPEN = "decrypt it"
    LEAVE = "leave it"


@final
class Undecided:
    """A connection that waits: all that came of it, and what was read of it in clear."""

    __slots__ = ("held", "order", "records", "since_ns", "witness")

    def __init__(self) -> None:
        self.records: Records = []
        self.witness = TlsHandshake()
        self.held = 0  # bytes
        self.order = 0  # the packet that completed the ClientHello
        self.since_ns = 0


@final
class Keyed:
    """See the module."""

    __slots__ = ("_waiting", "keyring")

    def __init__(self, secrets: Secrets) -> None:
        self.keyring = Keyring(secrets)
        self._waiting: dict[Flow, Undecided] = {}

    @property
    def is_of_use(self) -> bool:
        """Whether there are any secrets, or may be."""
        secrets = self.keyring.secrets
        return len(secrets) > 0 or secrets.grows

    def is_waiting(self, flow: Flow) -> bool:
        """Whether it is not decided yet."""
        return flow in self._waiting

    def take(self, flow: Flow, records: Iterable[tuple[int, StreamChunk | Gap | StreamEnd]]) -> Verdict:
        """Look at what comes next of a connection."""
        undecided = self._waiting.get(flow)
        if undecided is None:
            undecided = self._waiting[flow] = Undecided()
        for way, record in records:
            undecided.records.append((way, record))
            if not undecided.witness.done:
                undecided.witness.take(way, record)
            if isinstance(record, StreamChunk):
                undecided.held += len(record.data)
                undecided.since_ns = undecided.since_ns or record.times[0]
            if not undecided.order and undecided.witness.client_hello is not None:
                undecided.order = max(undecided.witness.decided, 1)
        return self._judge(undecided)

    def _judge(self, undecided: Undecided) -> Verdict:
        hello = undecided.witness.client_hello
        if hello is None:
            return Verdict.LEAVE if undecided.witness.done else Verdict.WAIT
        if self._may_open(undecided, hello):
            return Verdict.OPEN
        if undecided.records and self._is_patient(undecided):
            return Verdict.WAIT
        return Verdict.WAIT if (hello.session or hello.ticket) and not self.keyring.secrets.grows else Verdict.LEAVE

    def _may_open(self, undecided: Undecided, hello: ClientHello) -> bool:
        return self.keyring.may_open(hello.random, hello.session, hello.ticket, undecided.order)

    def _is_patient(self, undecided: Undecided) -> bool:
        """Whether a line of the key log may still come."""
        if not self.keyring.secrets.grows or len(self._waiting) > MOST_WAITING or undecided.held > MOST_HELD:
            return False
        last = undecided.witness.last
        return last.ts_ns - undecided.since_ns < _PATIENCE_NS

    def settled(self) -> list[tuple[Flow, Verdict]]:
        """What is decided now that all packets of a batch were told, in the order of the ClientHellos."""
        decided: list[tuple[Flow, Verdict]] = []
        for flow, undecided in sorted(self._waiting.items(), key=_order_of):
            hello = undecided.witness.client_hello
            if hello is None:
                continue
            if self._may_open(undecided, hello):
                decided.append((flow, Verdict.OPEN))
            elif not self._is_patient(undecided):
                decided.append((flow, Verdict.LEAVE))
        return decided

    def closed(self, flow: Flow) -> Verdict:
        """A connection that waits is over."""
        undecided = self._waiting[flow]
        hello = undecided.witness.client_hello
        return Verdict.OPEN if hello is not None and self._may_open(undecided, hello) else Verdict.LEAVE

    def release(self, flow: Flow) -> Undecided:
        """It is decided: all that is known of it."""
        return self._waiting.pop(flow)

    def streams(self) -> TlsStreams:
        """What decrypts a connection."""
        return TlsStreams(self.keyring)


def _order_of(entry: tuple[Flow, Undecided]) -> int:
    return entry[1].order
