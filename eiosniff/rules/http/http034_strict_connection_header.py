"""The client wants the one word "upgrade" in the header Connection of the 101, and leaves where it finds more.

## What it reports
A 101 whose header `Connection` is a list (`upgrade, keep-alive`) or is missing, after which the client leaves at once
and without a word.

## Why it matters
The server has done its part; the client does not say why it goes. It starts again, and fails again.

## On the wire
`HTTP/1.1 101 Switching Protocols` with `Connection: Upgrade, Keep-Alive`, or without that header, and a FIN of the
client within a moment. The list is allowed (RFC 6455 asks that it contain "Upgrade"); arduinoWebSockets and
ArduinoWebsockets compare the whole value. A 101 without the header is a mistake of the server or of a proxy.

## How to fix
Let the proxy write `Connection: upgrade` and nothing else into the 101, or connect past it.

## When it is silent
When the client speaks after the 101: it has accepted it.

## References
- RFC 6455, section 4.1, and RFC 9110, section 7.6.1
- arduinoWebSockets, `handleHeader()`; ArduinoWebsockets, `parseHandshakeResponse()`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.upgrades import HTTP2, Left, left_at_once

_BROWSER = "Mozilla/"


@rule(
    code="HTTP034",
    name="strict-connection-header",
    subject=(Session, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client does not take a WebSocket whose 101 says {said}",
    message="{server} accepts the WebSocket of {client} with a 101 that says {said}; the client leaves {after} later, "
    "without a word.",
    why="The header Connection of a 101 is a list that has to contain upgrade. Some small clients compare the whole of "
    "it with that word; without the header none may go on.",
    fix=(
        "Let the proxy or load balancer in front write Connection: upgrade, and nothing else, into its 101; or let the "
        "client connect to the server past it.",
    ),
    explains=("stuck-in-polling", "plain-websocket-server", "connect-loop", "no-backoff", "no-connect-packet"),
    hence="the client does not take a WebSocket whose 101 says {said}",
)
def strict_connection_header(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    for left in left_at_once(ledger):
        connection = left.answer.connection
        if left.answer.version == HTTP2:  # it has no such header
            continue
        if connection is not None and (connection.strip().lower() == "upgrade" or _reads_lists(left)):
            continue
        said = "nothing of the connection" if connection is None else f"Connection: {connection}"
        yield Hit(
            *left.proof,
            certainty=Certainty.CERTAIN if connection is None else Certainty.LIKELY,
            doubt="" if connection is None else "the client does not say why it leaves",
            occurrences=left.count,
            period_ns=left.period_ns,
            kind=said,
            said=said,
            after=in_ms(left.after_ns),
        )


def _reads_lists(left: Left) -> bool:
    """Whether the client takes a 101 whose `Connection` is a list with `upgrade` in it, as all browsers do: then it has
    left for another reason (a page that is closed, a component that is mounted twice)."""
    options = [option.strip().lower() for option in (left.answer.connection or "").split(",")]
    return "upgrade" in options and left.request.user_agent.startswith(_BROWSER)
