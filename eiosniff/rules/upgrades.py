"""What the rules about upgrades to WebSocket have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, RequestFacts
from eiosniff.model.engineio import WEBSOCKET, ServerError
from eiosniff.model.finding import Evidence
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import NS_PER_S

SWITCHING: Final = 101
# A client that means to talk does so at once; one that waited so long has left for another reason.
AT_ONCE_NS: Final = NS_PER_S
_WEBSOCKET_HEADERS: Final = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"})


@dataclass(frozen=True, slots=True)
class Answered:
    """A request for a WebSocket and its answer by HTTP, with the refusal if that is one of Engine.IO.

    `of_session` says that the client has a session over polling already. `count` such requests were alike, with the
    usual time between them.
    """

    request: RequestFacts
    answer: AnswerFacts
    error: ServerError | None
    of_session: bool
    count: int = 1
    period_ns: int | None = None

    @property
    def proof(self) -> tuple[Evidence, Evidence]:
        """The request and the answer."""
        said = f' "{self.error.message}"' if self.error is not None else ""
        return (
            evidence(self.request.place, Side.CLIENT, f"{self.request.method} {self.request.target}"),
            evidence(self.answer.place, Side.SERVER, f"{self.answer.status}{said}"),
        )


@dataclass(frozen=True, slots=True)
class Left:
    """A WebSocket that the server accepted, and that the client left at once, without a word."""

    request: RequestFacts
    answer: AnswerFacts
    end: PacketRef
    of_session: bool
    count: int = 1
    period_ns: int | None = None


def answered(ledger: Session | Client) -> Iterator[Answered]:
    """The requests for a WebSocket of a session, or the handshakes of a client over WebSocket."""
    if isinstance(ledger, Session):
        for attempted in ledger.upgrades:
            if attempted.answered is not None:
                yield Answered(attempted.request, attempted.answered, attempted.error, of_session=True)
        return
    for group in ledger.attempts.values():
        first = group.first[0]
        if asks_for_websocket(first.request) and first.answered is not None:
            yield Answered(first.request, first.answered, first.error, False, group.count, group.period_ns)


def asks_for_websocket(request: RequestFacts) -> bool:
    """Whether a request is for a WebSocket, by its header or, where that is missing, by its query."""
    return request.upgrade or request.transport is WEBSOCKET


def has_websocket_headers(request: RequestFacts) -> bool:
    """Whether other headers of the WebSocket handshake are there (RFC 6455, section 4.1)."""
    return not _WEBSOCKET_HEADERS.isdisjoint(name.lower() for name in request.header_names)


def left_at_once(ledger: Session | Client) -> Iterator[Left]:
    """The WebSockets of a session, or of a client's handshakes, that the client left at once."""
    if isinstance(ledger, Client):
        for group in ledger.attempts.values():
            first = group.first[0]
            if first.outcome is Outcome.SILENT_AFTER_101 and first.ended_by is Side.CLIENT and not first.client_said:
                yield from _left(first, first.ended, group.count, group.period_ns)
        return
    for attempted in ledger.upgrades:
        answer, end = attempted.answered, attempted.ended
        if answer is None or answer.status != SWITCHING or end is None or attempted.first is not None:
            continue
        if attempted.ended_by is Side.CLIENT and end.ts_ns - answer.place.ts_ns < AT_ONCE_NS:
            yield Left(attempted.request, answer, end, of_session=True)
    closing = ledger.closing
    said = ledger.engineio_counts[Side.CLIENT] or ledger.foreign[Side.CLIENT].count
    if ledger.attempt is not None and closing is not None and closing.side is Side.CLIENT and not said:
        yield from _left(ledger.attempt, closing.place)


def _left(attempt: Attempt, end: PacketRef | None, count: int = 1, period_ns: int | None = None) -> Iterator[Left]:
    answer = attempt.answered
    if end is None or answer is None or answer.status != SWITCHING:
        return
    if end.ts_ns - answer.place.ts_ns < AT_ONCE_NS:
        yield Left(attempt.request, answer, end, False, count, period_ns)


def gets_in(client: Client) -> bool:
    """Whether a client gets sessions in some other way."""
    return client.sessions > 0
