"""What the rules about upgrades to WebSocket have in common."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from eiosniff.model.attempt import AnswerFacts, Outcome, RequestFacts
from eiosniff.model.engineio import WEBSOCKET, ServerError
from eiosniff.model.finding import Evidence
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import same_program
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import NS_PER_S

HTTP2: Final = "2"
FORBIDDEN: Final = 403
# A client that means to talk does so at once; one that waited so long has left for another reason.
AT_ONCE_NS: Final = NS_PER_S
_WEBSOCKET_HEADERS: Final = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"})


@dataclass(frozen=True, slots=True)
class Answered:
    """A request for a WebSocket and its answer by HTTP, with the refusal if that is one of Engine.IO.

    `of_session` says that the client has a session over polling already. `count` such requests were alike, with the
    usual time between them; `proof` are some of them and their answers.
    """

    request: RequestFacts
    answer: AnswerFacts
    error: ServerError | None
    of_session: bool
    proof: list[Evidence]
    count: int = 1
    period_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """A WebSocket that the server accepted, and that the client left at once, without a word."""

    request: RequestFacts
    answer: AnswerFacts
    end: PacketRef
    proof: list[Evidence]
    count: int = 1
    period_ns: int | None = None

    @property
    def after_ns(self) -> int:
        """From the 101 to the end."""
        return self.end.ts_ns - self.answer.place.ts_ns


def answered(ledger: Session | Client) -> Iterator[Answered]:
    """The requests for a WebSocket of a session, up to the first that is accepted, or the handshakes of a client."""
    if isinstance(ledger, Session):
        for attempted in ledger.upgrades:
            request, answer, error = attempted.request, attempted.answered, attempted.error
            if answer is not None:
                yield Answered(request, answer, error, True, _exchange(request, answer, error))
                if answer.accepts:
                    return  # a second WebSocket of one session is another matter
        return
    for group in ledger.attempts.values():
        first = group.first[0]
        if asks_for_websocket(first.request) and first.answered is not None:
            proof = [
                item
                for attempt in group
                if attempt.answered is not None
                for item in _exchange(attempt.request, attempt.answered, attempt.error)
            ]
            yield Answered(first.request, first.answered, first.error, False, proof, group.count, group.period_ns)


def _exchange(request: RequestFacts, answer: AnswerFacts, error: ServerError | None) -> list[Evidence]:
    said = f' "{error.message}"' if error is not None else ""
    return [
        evidence(request.place, Side.CLIENT, f"{request.method} {request.target}"),
        evidence(answer.place, Side.SERVER, f"{answer.status}{said}"),
    ]


def asks_for_websocket(request: RequestFacts) -> bool:
    """Whether a request is for a WebSocket, by its header or, where that is missing, by its query."""
    return request.upgrade or request.transport is WEBSOCKET


def says_upgrade(request: RequestFacts) -> bool:
    """Whether the header `Connection` of a request names the header `Upgrade` (RFC 9110, section 7.8): without that,
    servers do not look at it. HTTP/2 has neither of them."""
    return request.version == HTTP2 or any(
        option.strip().lower() == "upgrade" for option in (request.connection or "").split(",")
    )


def has_websocket_headers(request: RequestFacts) -> bool:
    """Whether other headers of the WebSocket handshake are there (RFC 6455, section 4.1)."""
    return not _WEBSOCKET_HEADERS.isdisjoint(name.lower() for name in request.header_names)


def refused_over_http2(request: RequestFacts, answer: AnswerFacts) -> bool:
    """Whether a WebSocket over HTTP/2 (RFC 8441) is refused without a word, as by who wants headers of HTTP/1.1."""
    return request.version == HTTP2 and request.upgrade and answer.status == FORBIDDEN and not answer.body


def left_at_once(ledger: Session | Client) -> Iterator[Left]:
    """The WebSockets of a session, or of a client's handshakes, that the client left at once."""
    if isinstance(ledger, Client):
        for group in ledger.attempts.values():
            if group.first[0].outcome is not Outcome.SILENT_AFTER_101:
                continue
            all_left = [
                left
                for attempt in group
                if attempt.ended_by is Side.CLIENT and not attempt.client_said
                for left in _left(attempt.request, attempt.answered, attempt.ended)
            ]
            if all_left:
                proof = [item for left in all_left for item in left.proof]
                yield replace(all_left[0], proof=proof, count=group.count, period_ns=group.period_ns)
        return
    for attempted in ledger.upgrades:
        if attempted.ended_by is Side.CLIENT and attempted.first is None:
            yield from _left(attempted.request, attempted.answered, attempted.ended)
    closing, opening = ledger.closing, ledger.attempt
    said = ledger.engineio_counts[Side.CLIENT] or ledger.foreign[Side.CLIENT].count
    if opening is not None and closing is not None and closing.side is Side.CLIENT and not said:
        yield from _left(opening.request, opening.answered, closing.place)


def _left(request: RequestFacts, answer: AnswerFacts | None, end: PacketRef | None) -> Iterator[Left]:
    if answer is None or end is None or not answer.accepts or end.ts_ns - answer.place.ts_ns >= AT_ONCE_NS:
        return
    wants = f", subprotocol {request.subprotocol}" if request.subprotocol is not None else ""
    takes = f", subprotocol {answer.subprotocol}" if answer.subprotocol is not None else ""
    says = f"Connection: {answer.connection}" if answer.connection is not None else "no Connection"
    proof = [
        evidence(request.place, Side.CLIENT, f"{request.method} {request.target}{wants}"),
        evidence(answer.place, Side.SERVER, f"{answer.status}, {says}{takes}"),
        evidence(end, Side.CLIENT, "ends the connection"),
    ]
    yield Left(request, answer, end, proof)


def gets_in(ledger: Session | Client) -> bool:
    """Whether a client has sessions all the same."""
    return isinstance(ledger, Session) or any(client.sessions for client in same_program(ledger))


def outcome(ledger: Session | Client) -> str:
    """What comes of it for the client if it gets no WebSocket."""
    if isinstance(ledger, Session):
        return "The session goes on over polling."
    return "Over polling it gets in." if gets_in(ledger) else "It never gets in this way."
