"""Two conversations side by side: what each did step by step, where they differ, and which difference matters."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from eiosniff.model.attempt import Attempt
from eiosniff.model.finding import Diagnosis
from eiosniff.model.peers import Client, Server
from eiosniff.model.provenance import Endpoint, PacketRef
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary, FailedConnects

MAX_EVENTS: Final = 12  # Socket.IO events of a session that are compared, the first ones
WORKING: Final = 0
FAILING: Final = 1


class Importance(Enum):
    """What a difference means."""

    FIRST = "first"  # the first one that matters
    FAILS = "fails"  # a step that goes well in one conversation does not in the other
    MATTERS = "matters"  # it can be why a later step fails
    MAY_MATTER = "may matter"
    NO_MATTER = "no matter"  # both ways are fine, or it is another one each time
    SAME = "same"  # no difference, or one of the two is not known


@dataclass(slots=True, frozen=True)
class Said:
    """A Socket.IO packet with an event or an acknowledgement, without its data.

    `label` says what it is (`client: chat`), `detail` what goes with it (`asks for an ack, 1 attachment`).
    """

    place: PacketRef
    label: str
    detail: str


@dataclass(slots=True, frozen=True)
class Fact:
    """One thing that a step tells: `EIO` is `4`. A `value` of None is not known.

    `key` is what is compared, where that is not the value itself. `bad` says that the step did not go well by it.
    `quoted` names the value, if it is quoted from the wire under a name (a query parameter): it may be a secret.
    """

    name: str
    value: str | None
    bad: bool = False
    key: str | None = None
    quoted: str = ""

    @property
    def compared(self) -> str | None:
        """What two facts of one name are compared by."""
        return self.value if self.key is None or self.value is None else self.key


@dataclass(slots=True, frozen=True)
class Step:
    """What happened in one step of a conversation. `kind` is one of `knowledge/compare.toml`; `label` tells steps of
    one kind apart (a namespace)."""

    kind: str
    label: str
    place: PacketRef | None
    facts: tuple[Fact, ...]


@dataclass(slots=True, eq=False)
class Conversation:
    """What is compared: a session, or a request for one that was not opened, or a connection that did not come about.

    Of `session`, `attempt` and `failed` at most one is None that is not needed: a session that was captured from its
    beginning has an attempt too. `said` are its first events.
    """

    capture: CaptureSummary
    client: Client | None = None
    server: Server | None = None
    session: Session | None = None
    attempt: Attempt | None = None
    failed: FailedConnects | None = None
    ends: tuple[str, Endpoint | None] = ("", None)  # of what has no ledger: the address of the client, the server
    said: list[Said] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    why: str = ""  # it was chosen, in a few words

    @property
    def peers(self) -> tuple[str, Endpoint | None]:
        """The address of its client, and its server."""
        if self.session is not None:
            return self.session.client_endpoint.address, self.session.server.endpoint
        if self.failed is not None:
            return self.failed.client, self.failed.server
        if self.client is not None:
            return self.client.address, self.client.server
        return self.ends


@dataclass(slots=True, eq=False)
class FactPair:
    """One fact of both: None on the side that has no such fact."""

    name: str
    working: Fact | None
    failing: Fact | None
    importance: Importance = Importance.SAME


@dataclass(slots=True, eq=False)
class StepPair:
    """One step of both: None on the side that has no such step."""

    kind: str
    title: str
    label: str
    working: Step | None
    failing: Step | None
    facts: list[FactPair] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Difference:
    """The first difference that matters. `words` say what such a difference does, empty where nothing is known."""

    step: StepPair
    fact: FactPair
    words: str


class Verdict(Enum):
    """What a comparison comes to."""

    DIFFER = "differ"
    BOTH_FINE = "both fine"
    FAIL_ALIKE = "fail alike"


@dataclass(slots=True, eq=False)
class Comparison:
    """Two conversations, aligned. `diagnosis` is the root cause that only the failing one has, if there is one, and
    `shared` the faults that both have. `astray` is, where both are fine, a fault that another conversation of the first
    capture has: the two may have been given the wrong way round."""

    version: str
    working: Conversation
    failing: Conversation
    verdict: Verdict
    pairs: list[StepPair]
    difference: Difference | None
    diagnosis: Diagnosis | None
    shared: list[Diagnosis] = field(default_factory=list)
    astray: Diagnosis | None = None
    crashed: bool = False  # a rule or a decoder raised: exit code 3
    interrupted: bool = False
