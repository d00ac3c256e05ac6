"""Requests and answers of HTTP, as facts to compare."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, RequestFacts
from eiosniff.model.comparison import Fact

_MAX_HEADERS: Final = 30
_MAX_QUERY: Final = 16

OPENED: Final = "opens the session"
_OUTCOMES: Final = {
    Outcome.PENDING: "none yet",
    Outcome.REFUSED: "refused",
    Outcome.UNANSWERED: "none",
    Outcome.REFUSED_AFTER_101: "refused, inside the WebSocket",
    Outcome.SILENT_AFTER_101: "101, and then nothing",
    Outcome.FOREIGN: "not Engine.IO",
}


def request(facts: RequestFacts) -> Iterator[Fact]:
    """What a request asks for: its line, its query parameter by parameter, its header field by field.

    The request of a session that was opened before the capture, or of which the capture has the answer alone, has none.
    """
    if not facts.method:
        return
    yield Fact("method", facts.method)
    # A server takes the path with or without the slash at its end (unless it was told not to: the rules know more).
    yield Fact("path", facts.path)
    yield from _query(facts)
    yield Fact("HTTP version", facts.version)
    yield from _headers(facts)


def _query(facts: RequestFacts) -> Iterator[Fact]:
    times: Counter[str] = Counter()
    for name, value in facts.query[:_MAX_QUERY]:
        times[name] += 1
        again = f" ({times[name]})" if times[name] > 1 else ""
        yield Fact(f"query {name}{again}", value, quoted=name)


def _headers(facts: RequestFacts) -> Iterator[Fact]:
    values = {
        "host": facts.host,
        "user-agent": facts.user_agent,
        "origin": facts.origin,
        "connection": facts.connection,
        "sec-websocket-protocol": facts.subprotocol,
        "sec-websocket-extensions": facts.extensions,
        "upgrade": "websocket" if facts.upgrade else None,
        "x-forwarded-proto": facts.forwarded_proto,
        "x-forwarded-host": facts.forwarded_host,
    }
    seen = set()
    for name in facts.header_names[:_MAX_HEADERS]:
        plain = name.lower()
        if plain in seen:
            continue
        seen.add(plain)
        if plain == "cookie":
            yield Fact("cookies", ", ".join(facts.cookies) or "sent")
        else:
            value = values.get(plain)
            yield Fact(f"header {name}", value or "sent", key=_key(plain, value))


def _key(name: str, value: str | None) -> str | None:
    """What is not told apart by upper and lower case (RFC 9110, section 7.6.1; RFC 6455, section 4.1)."""
    return value.lower() if value is not None and name in ("connection", "upgrade") else None


def answer(attempt: Attempt) -> Iterator[Fact]:
    """What became of a handshake request."""
    opened = attempt.session is not None
    if opened:
        yield Fact("answer", OPENED)
    elif attempt.outcome is Outcome.UNSEEN:
        yield Fact("answer", None)
    else:
        yield Fact("answer", _OUTCOMES.get(attempt.outcome, attempt.outcome.value), bad=True)
    if attempt.error is not None:
        code = "" if attempt.error.code is None else f"code {attempt.error.code}, "
        yield Fact("error", f'{code}"{attempt.error.message}"', bad=True)
    elif not opened and attempt.body:
        yield Fact("body", attempt.body[:120].decode("utf-8", "backslashreplace"))
    facts = attempt.inside or attempt.answered
    if facts is not None:
        yield from answer_facts(facts)


def answer_facts(facts: AnswerFacts) -> Iterator[Fact]:
    """What an answer says of itself."""
    yield Fact("status", str(facts.status))
    for name, value in (
        ("location", facts.location),
        ("content type", facts.content_type),
        ("server", facts.server),
        ("via", facts.via),
        ("cache", facts.cached or None),
        ("allow-origin (CORS)", ", ".join(facts.allow_origin) or None),
        ("credentials (CORS)", facts.allow_credentials),
        ("subprotocol", facts.subprotocol),
        ("cookies set", ", ".join(name for name, _ in facts.cookies) or None),
        ("connection ends", "after it" if facts.last else None),
    ):
        if value is not None:
            yield Fact(name, value)
