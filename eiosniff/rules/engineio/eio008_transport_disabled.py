"""The server does not take the transport that the client begins with.

## What it reports
A handshake over polling or WebSocket that the server refuses because that transport is switched off there.

## Why it matters
Each side is set up alone and looks right; together they have no transport in common, or the client begins with the one
that they do not share, and by default it does not try the other.

## On the wire
`GET ...transport=polling` (or `websocket`) is answered 400: Node says code 0 ("Transport unknown") as for a name that
does not exist, python-socketio "Invalid transport". socketioxide says code "3" ("Bad request"), which may mean other
things too.

## How to fix
The same list of transports on both sides. A client begins with polling unless it is told otherwise, so a server that
takes only WebSocket needs clients with `transports: ["websocket"]`.

## When it is silent
When the name of the transport is none (rule EIO203) or comes twice (EIO007). It is an information where the client gets
in over another transport.

## References
- socket.io documentation, server and client option `transports`, client option `tryAllTransports`
- python-socketio issue #265, sails issue #4269
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import answer_words, let_in
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.engineio.eio203_transport_unknown import TRANSPORT_UNKNOWN_CODE
from eiosniff.rules.exchanges import exchanges

_SOCKETIOXIDE_BAD_REQUEST = 3
_WORDS = {Transport.POLLING: "polling", Transport.WEBSOCKET: "WebSocket", Transport.WEBTRANSPORT: "WebTransport"}


@rule(
    code="EIO008",
    name="transport-disabled",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server does not take {words}, with which the client begins",
    message="{client} begins with transport={transport}. The server at {server} answers {answered}.{later}",
    why="The transport exists, but this server has it switched off. {begins}",
    fix=(
        "Client: begin with what the server takes (JavaScript: io(url, {{ transports: [{other}] }})).",
        'Or let the server take {words}: its option transports has to contain "{transport}".',
    ),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def transport_disabled(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        transport = sample.request.transport
        if transport is None or len(sample.request.transports) > 1 or not _refuses(sample):
            continue
        clear = _names_the_transport(sample)
        gets_in = let_in(client)
        yield Hit(
            *exchanges(group, answer_words),
            certainty=Certainty.CERTAIN if clear else Certainty.POSSIBLE,
            doubt="" if clear else "this server says the same of other requests that it does not like",
            severity=Severity.INFO if gets_in else None,
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=transport.value,
            transport=transport.value,
            words=_WORDS[transport],
            other='"websocket"' if transport is Transport.POLLING else '"polling"',
            begins="By default a client begins with polling, and does not try the other one when that is refused."
            if transport is Transport.POLLING
            else "The client does not try another one.",
            answered=answer_words(sample),
            later=" It gets in by another handshake." if gets_in else "",
        )


def _refuses(attempt: Attempt) -> bool:
    if attempt.outcome is not Outcome.REFUSED or attempt.request.method != "GET":
        return False
    return _names_the_transport(attempt) or (
        attempt.error is not None
        and attempt.error.style == "socketioxide"
        and attempt.error.code == _SOCKETIOXIDE_BAD_REQUEST
    )


def _names_the_transport(attempt: Attempt) -> bool:
    error = attempt.error
    if error is None:
        return False
    text = error.message.lower()
    return error.code == TRANSPORT_UNKNOWN_CODE or text.startswith(("transport unknown", "invalid transport"))
