"""What browsers make of an answer to a page of another origin: the checks of the Fetch standard."""

from enum import Enum

from eiosniff.model.attempt import AnswerFacts, RequestFacts


class Blocked(Enum):
    """Why a browser does not give an answer to the page that asked, or does not send what a preflight asks for."""

    MISSING = "no Access-Control-Allow-Origin"
    SEVERAL = "several values in Access-Control-Allow-Origin"
    OTHER = "another origin in Access-Control-Allow-Origin"
    WILDCARD = "a * where cookies are sent"
    CREDENTIALS = "no Access-Control-Allow-Credentials where cookies are sent"
    STATUS = "a status that refuses"
    HEADERS = "a header that is not allowed"


def cors_check(request: RequestFacts, answer: AnswerFacts, credentials: bool) -> Blocked | None:
    """Whether a browser keeps an answer from a page of another origin, and why (Fetch standard, "CORS check").

    `credentials`: the page wants cookies to be sent (`withCredentials`).
    """
    values = answer.allow_origin
    if not values:
        return Blocked.MISSING
    if len(values) > 1 or "," in values[0]:
        return Blocked.SEVERAL
    if values[0] == "*":
        return Blocked.WILDCARD if credentials else None
    if values[0] != request.origin:
        return Blocked.OTHER
    return Blocked.CREDENTIALS if credentials and answer.allow_credentials != "true" else None


def preflight_check(request: RequestFacts, answer: AnswerFacts) -> Blocked | None:
    """The same of a preflight ("CORS-preflight fetch"). Whether cookies would be sent does not show in it."""
    if not 200 <= answer.status < 300:
        return Blocked.STATUS
    blocked = cors_check(request, answer, credentials=False)
    return blocked or (Blocked.HEADERS if headers_denied(request, answer) else None)


def headers_denied(request: RequestFacts, answer: AnswerFacts) -> list[str]:
    """The headers for which a preflight asks, and that its answer does not allow; lower case."""
    allowed = _members(answer.allow_headers)
    if "*" in allowed:  # of all but this one (Fetch standard, "CORS non-wildcard request-header name")
        return [name for name in _members(request.asks_headers) if name == "authorization" and name not in allowed]
    return [name for name in _members(request.asks_headers) if name not in allowed]


def _members(value: str | None) -> list[str]:
    return [member.strip().lower() for member in (value or "").split(",") if member.strip()]


def origin_host(origin: str) -> str:
    """Host and port of an origin (`chat.example:3000`), as they would stand in `Host`; empty for `null`."""
    return origin.partition("://")[2].rstrip("/").lower()


def is_foreign(request: RequestFacts) -> bool:
    """Whether a request names an origin of another host or port than it is sent to."""
    origin = request.origin
    if origin is None:
        return False
    host = origin_host(origin)
    return host not in (request.host.lower(), (request.forwarded_host or "").lower()) or not host
