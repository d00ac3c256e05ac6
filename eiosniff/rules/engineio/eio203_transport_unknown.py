"""A handshake that names no transport, or one that does not exist.

## What it reports
A handshake request whose `transport=` is missing or unknown, and that the server refuses.

## Why it matters
The server cannot know what the client wants and answers 400; hand-written clients and old libraries (`flashsocket`,
`xhr-polling`) do that.

## On the wire
`GET /socket.io/?EIO=4` without `transport`, or with a name other than `polling`, `websocket` and `webtransport`; 400
with code 0 ("Transport unknown"), python-engineio: "Invalid transport".

## How to fix
Add `transport=polling` or `transport=websocket` to the URL.

## When it is silent
When the refusal says something else (403, 404, the revision, an unknown sid). A transport that exists but is switched
off at this server is rule EIO008, and two at once are rule EIO007. python-engineio takes a missing `transport` for
polling, which is no fault.

## References
- Engine.IO protocol, revision 4, query parameters; engine.io, `lib/server`, error code 0
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.phrases import quoted

BAD_REQUEST = 400
TRANSPORT_UNKNOWN_CODE = 0


@rule(
    code="EIO203",
    name="transport-unknown",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The handshake names {which}",
    message="{client} asks for {target}, which names {which}. The server at {server} answers {status}{said}.",
    why="Every request of Engine.IO says how the packets travel: transport=polling or transport=websocket.",
    fix=("Add transport=polling or transport=websocket to the URL of the client.",),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def transport_unknown(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        request = sample.request
        if sample.outcome not in (Outcome.REFUSED, Outcome.REFUSED_AFTER_101) or request.transport is not None:
            continue
        if not refuses_transport(sample) or len(request.transports) > 1:  # several: rule EIO007
            continue
        which = "no transport"
        if request.transports:
            which = f"a transport that does not exist ({quoted(request.transports[-1].encode())})"
        yield Hit(
            *exchanges(group, lambda attempt: f"{attempt.status}{_said(attempt)}"),
            occurrences=group.count,
            period_ns=group.period_ns,
            which=which,
            target=request.target,
            status=sample.status,
            said=_said(sample),
        )


def _said(attempt: Attempt) -> str:
    return f' "{attempt.error.message}"' if attempt.error else ""


def refuses_transport(attempt: Attempt) -> bool:
    """Whether a refusal is about the transport, as far as it says what it is about."""
    error = attempt.error
    if error is None:
        return attempt.status == BAD_REQUEST
    return error.code == TRANSPORT_UNKNOWN_CODE or "transport" in error.message.lower()
