"""Pages of another origin than their server, and what their browser keeps from them: shared by the rules on CORS."""

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, Preflight, RequestFacts
from eiosniff.model.cors import Blocked, cors_check, is_foreign
from eiosniff.model.finding import Evidence
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import same_program
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import NS_PER_S

# What follows from it that a page does not get its answers. A request after a preflight that fails is told of by the
# browser alone.
EXPLAINED = (
    "connect-loop", "no-backoff", "no-connect-packet", "session-unused", "abandoned-session", "request-failed",
)  # fmt: skip
# A client asks for its next packet as soon as it has read the open packet.
_GOES_ON_WITHIN_NS = NS_PER_S
_WITHOUT_LENGTHS = 4  # the revision


def of_a_page(request: RequestFacts) -> bool:
    """Whether a browser sends this request for a page of another origin, and will look at what the answer allows.

    Browsers put an `Origin` into a GET only then; WebSockets are not subject to CORS.
    """
    if request.origin is None or request.upgrade:
        return False
    return request.fetches or request.user_agent.startswith("Mozilla/")


def kept_from_page(session: Session) -> tuple[Attempt, AnswerFacts, Blocked | None] | None:
    """The handshake of a session that was opened for a page of another origin and never used, and why the browser
    keeps the answer from the page, as far as that shows; None for other sessions."""
    attempt = session.attempt
    if attempt is None or not of_a_page(attempt.request) or not is_foreign(attempt.request):
        return None
    answer = attempt.answered
    if answer is None or attempt.abandoned or session.midstream or goes_on(session):
        return None
    if attempt.withheld:
        return attempt, answer, cors_check(attempt.request, answer, credentials=bool(attempt.request.cookies))
    if session.observed_until_ns - session.opened.ts_ns < _GOES_ON_WITHIN_NS:
        return None
    return attempt, answer, cors_check(attempt.request, answer, credentials=bool(attempt.request.cookies))


def goes_on(session: Session) -> bool:
    """Whether the client asked for anything more with the sid of the session."""
    return session.connection_count > 1 or any(use.last > session.opened for use in session.connections)


def is_readable(session: Session) -> bool:
    """Whether the server frames its packets as the revision wants it that the client asks for."""
    spoken = session.revisions[Side.SERVER]
    if spoken is None or session.claimed_eio is None:
        return True
    return (spoken == _WITHOUT_LENGTHS) == (session.claimed_eio == str(_WITHOUT_LENGTHS))


def sent_all_the_same(client: Client, preflight: Preflight) -> bool:
    """Whether the request comes for which a preflight asks, although it was not allowed: of some things browsers only
    ask as yet (access to private networks)."""
    answered_ns = preflight.answered.place.ts_ns
    return any(
        0 <= attempt.request.place.ts_ns - answered_ns <= _GOES_ON_WITHIN_NS and not attempt.request.upgrade
        for group in client.attempts.values()
        for attempt in group
    )


def gets_in_by_websocket(session: Session) -> bool:
    """Whether the client of a session opens another over WebSocket afterwards, which CORS does not keep from it."""
    return any(
        attempt.request.upgrade
        and attempt.outcome is Outcome.OPENED
        and attempt.request.place.ts_ns > session.opened.ts_ns
        for client in same_program(session.client)
        for group in client.attempts.values()
        for attempt in group
    )


def kept_proof(attempt: Attempt, answer: AnswerFacts) -> tuple[Evidence, Evidence]:
    """The two packets that show it."""
    request = attempt.request
    cookies = ", with cookies" if request.cookies else ""
    return (
        evidence(request.place, Side.CLIENT, f"{request.method} {request.target}, Origin: {request.origin}{cookies}"),
        evidence(answer.place, Side.SERVER, f"{answer.status}, {allows(answer)}; nobody uses its session"),
    )


def allows(answer: AnswerFacts) -> str:
    """What an answer allows, as it stands there: `Access-Control-Allow-Origin: *`."""
    if not answer.allow_origin:
        return "no Access-Control-Allow-Origin"
    origins = " and ".join(f"Access-Control-Allow-Origin: {value}" for value in answer.allow_origin)
    credentials = answer.allow_credentials
    return origins if credentials is None else f"{origins}, Access-Control-Allow-Credentials: {credentials}"
