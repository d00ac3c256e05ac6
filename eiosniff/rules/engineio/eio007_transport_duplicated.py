"""A handshake that names its transport twice.

## What it reports
A handshake request with more than one `transport=` in its URL, and that the server refuses for it.

## Why it matters
The URL looks right at a glance, and one server takes it while the next refuses it: the client tries again for ever.

## On the wire
`GET /socket.io/?EIO=4&transport=websocket&transport=polling` is answered 400 with code 0 ("Transport unknown").
engine.io up to 6.6.4 reads a parameter that comes twice as a list, even if both say the same, and a list is not the
name of a transport.

## How to fix
Give the library a URL without `transport=`; it adds its own. arduinoWebSockets:
`begin(host, port, "/socket.io/?EIO=4")`.

## When it is silent
When the server takes it: engine.io 6.6.5 and later takes the last one, python-engineio the first.

## References
- arduinoWebSockets issues #185 and #835
- engine.io, `lib/server`, error code 0; recorded with socket.io 2.5, 4.7 and 4.8, and python-socketio 5
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.answers import answer_words
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.engineio.eio203_transport_unknown import refuses_transport
from eiosniff.rules.exchanges import exchanges


@rule(
    code="EIO007",
    name="transport-duplicated",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The handshake names its transport {often}",
    message="{client} asks for {target}, with transport= {often}. The server at {server} answers {answered}.",
    why="Most servers read a parameter that comes more than once as a list, and a list is not the name of a transport. "
    "Usually the URL that was given to the library has transport= already, and the library adds its own.",
    fix=("Take transport= out of the URL that you give to the client library; it adds the right one itself.",),
    explains=("eio-missing", "connect-loop", "no-backoff"),
)
def transport_duplicated(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        request = sample.request
        if sample.outcome not in (Outcome.REFUSED, Outcome.REFUSED_AFTER_101) or len(request.transports) < 2:
            continue
        if not refuses_transport(sample):
            continue
        yield Hit(
            *exchanges(group, answer_words),
            occurrences=group.count,
            period_ns=group.period_ns,
            often="twice" if len(request.transports) == 2 else f"{len(request.transports)} times",
            target=request.target,
            answered=answer_words(sample),
        )
