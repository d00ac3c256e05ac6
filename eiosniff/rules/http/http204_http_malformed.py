"""The server's HTTP does not read the request.

## What it reports
A request that is refused before any application sees it, as it does not keep to HTTP or its header is too large.

## Why it matters
Below Engine.IO there is an HTTP parser, and it says no more than "Bad Request" or nothing at all. The application's log
shows nothing, so that people look for the fault in versions, paths and CORS.

## On the wire
Node answers a bare `HTTP/1.1 400 Bad Request` with `Connection: close` and nothing else, or 431 if the header has more
than 16 KB; gevent and eventlet say no more, and 400 or 414 where a line has more than 8 KB. aiohttp, gunicorn and
others quote what they stumbled over. nginx and Apache httpd answer 400 or 414 with a page of their own ("Request Header
Or Cookie Too Large"). Usual causes: lines that end with LF alone, a line break or control character in
a value that was read from a file or a sensor, cookies that have grown over the years.

## How to fix
In own firmware: CR LF at the end of each line, an empty line at the end of the header, no control characters in values.
Too large: fewer or smaller cookies for that host (a token belongs into `auth`), or `maxHeaderSize` of
`http.createServer`, `large_client_header_buffers` of nginx.

## When it is silent
When the answer is one of Engine.IO, or of the application. A WebSocket frame that came too early is taken for a
request, too: then it is a consequence of rule WS032.

## References
- RFC 9112, sections 2.2 and 5; RFC 6585, section 5 (431)
- Node documentation, `clientError`, `maxHeaderSize`; nginx documentation, `large_client_header_buffers`
"""

import re
from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import answer_words, heading, is_page, let_in_after
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.boxes import UNNAMED, box_of
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.phrases import quoted

_BAD_REQUEST, _URL_TOO_LONG, _TOO_LARGE = 400, 414, 431
# What the parser of Node answers has the first of these headers and nothing else, that of gevent and eventlet has both.
_BARE = (("connection",), ("connection", "content-length"))
_LINE_BYTES = 8_192  # more than that in a line of its header gevent and eventlet do not read
_LARGE = re.compile(rb"too large|got more than|exceeds server limit|too long|limit request h", re.IGNORECASE)
_UNREAD = re.compile(
    rb"^.{0,40}(invalid (header|method|character|http)|bad http message|bare lf|invalid HTTP request received)"
    rb"|a request that this server could not understand"
    rb"|</h1>\s*(invalid (http|request line|method)|obsolete line folding)",  # gunicorn
    re.IGNORECASE | re.DOTALL,
)
_UNQUOTED = re.compile(rb"[^'\"\n]{1,40}?(?= b'|['\"\n]|$)")


@rule(
    code="HTTP204",
    name="http-malformed",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The HTTP of the server does not read the client's request: {what}",
    message="{client} sends {request} with a header of {size} bytes. The server at {server} answers {answered}.",
    why="The part of the server that reads HTTP refuses it, before Socket.IO or the application hear of it.",
    fix=("{advice}",),
    explains=("eio-missing", "connect-loop", "no-backoff", "header-weight", "session-unused"),
    hence="the HTTP of the server does not read a request: {what}",
)
def http_malformed(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        if sample.outcome is not Outcome.REFUSED or sample.answered is None or sample.error is not None:
            continue
        kind = _kind(sample, sample.answered)
        if not kind:
            continue
        yield Hit(
            *exchanges(group, _answered),
            severity=Severity.WARNING if let_in_after(client, group.last or sample) else None,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=kind,
            reason=kind,
            what=_what(sample, kind),
            request=f"{sample.request.method} {sample.request.target}",
            size=sample.request.head_bytes,
            answered=_answered(sample),
            advice=_ADVICE[kind],
            box=box_of(sample.answered),
        )


def _what(attempt: Attempt, kind: str) -> str:
    if kind == "large":
        return "its URL is too long" if attempt.status == _URL_TOO_LONG else "its header is too large"
    return attempt.odd_head or "it does not keep to HTTP"


def _answered(attempt: Attempt) -> str:
    """The answer in words, without what it quotes of the request: that may be a cookie."""
    body = attempt.body.strip()
    if not body or is_page(body):
        return answer_words(attempt)
    said = _UNQUOTED.match(body)
    return f"{attempt.status} {quoted(said[0].strip(b' :('))}" if said else f"{attempt.status}"


_ADVICE = {
    "large": "Client: send fewer or smaller cookies and headers (a token belongs into auth). Server: "
    "http.createServer({ maxHeaderSize: 32768 }) in Node, large_client_header_buffers 4 32k; in nginx.",
    "malformed": "Client: end each line of the header with CR LF, the header with an empty line, and leave no line "
    "breaks or control characters in values (a token or a name with a line feed at its end).",
}


def _kind(attempt: Attempt, answer: AnswerFacts) -> str:
    """What is wrong with the request, by the answer of whoever reads HTTP; empty if it is not about that."""
    body = attempt.body
    bare = not body and tuple(name.lower() for name in answer.header_names) in _BARE
    large = bare and attempt.request.head_bytes > _LINE_BYTES
    if answer.status in (_TOO_LARGE, _URL_TOO_LONG) or (
        answer.status == _BAD_REQUEST and (large or _LARGE.search(body))
    ):
        return "large"
    if answer.status != _BAD_REQUEST:
        return ""
    of_a_box = is_page(body) and box_of(answer) != UNNAMED and heading(body) == b"400 Bad Request"
    return "malformed" if bare or of_a_box or _UNREAD.search(body) else ""
