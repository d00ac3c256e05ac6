"""A session asked for with another method than GET, or a packet sent without a session.

## What it reports
A request without `sid` whose method is not GET, and that the server refuses for it: most often a POST.

## Why it matters
A session is opened by GET, and every request after that carries its `sid`. A client that forgets the `sid` looks to the
server like one that has no session, and nothing that it sends arrives.

## On the wire
`POST ...EIO=4&transport=polling` without `sid` is answered 400 with code 2 ("Bad handshake method"), by python-socketio
with "Invalid session None".

## How to fix
Open the session with GET, read `sid` from the answer (`0{"sid":"...",...}`), and put `&sid=...` into every later URL.

## When it is silent
For HEAD, which uptime probes send, and for OPTIONS, which browsers send before a request to another origin: neither is
a handshake. For CONNECT, which asks for WebTransport (rule EIO247).

## References
- Engine.IO protocol, revision 4, "HTTP long-polling"; engine.io, `lib/server`, error code 2
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import answer_words, is_for_webtransport, let_in
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.exchanges import exchanges

_BAD_HANDSHAKE_METHOD = 2
_METHOD_NOT_ALLOWED = 405


@rule(
    code="EIO009",
    name="handshake-method",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="{what}",
    message="{client} sends {method} {target}, without a sid. The server at {server} answers {answered}.",
    why="A session is opened by GET; its answer holds the sid, and every request after that has to carry it. A request "
    "without one is a handshake, whatever it is meant to be.",
    fix=("{advice}",),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def handshake_method(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        method = sample.request.method
        if sample.outcome is not Outcome.REFUSED or method in ("GET", "") or not _is_about_the_method(sample):
            continue
        if is_for_webtransport(sample):
            continue
        forgets = let_in(client)
        yield Hit(
            *exchanges(group, answer_words),
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=method,
            what=f"The client forgets its sid: a {method} without one"
            if forgets
            else f"The first request is a {method}, but a session is opened by GET",
            method=method,
            target=sample.request.target,
            answered=answer_words(sample),
            advice="Put the sid of the open packet into the URL of every request after it: "
            "...?EIO=4&transport=polling&sid=<sid>."
            if forgets
            else 'Begin with GET ...?EIO=4&transport=polling, take the sid from its answer (0{"sid":...}), and put '
            "&sid=<sid> into the URL of every request after it.",
        )


def _is_about_the_method(attempt: Attempt) -> bool:
    error = attempt.error
    if error is None:
        return attempt.status == _METHOD_NOT_ALLOWED
    about_method = error.code == _BAD_HANDSHAKE_METHOD or attempt.status == _METHOD_NOT_ALLOWED
    return about_method or error.message in ("Bad handshake method", "Invalid session None")
