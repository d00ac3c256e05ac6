"""A server takes WebSocket over HTTP/2, and the Socket.IO library in it does not.

## What it reports
A request for a WebSocket over HTTP/2 (RFC 8441) that is refused with 403 and without a word.

## Why it matters
A browser asks so as soon as the server announces that it can (SETTINGS_ENABLE_CONNECT_PROTOCOL), on the connection that
it has. Over HTTP/1.1 the same request is let in, so that it works in a test and not behind TLS, where browsers choose
HTTP/2. Clients that begin with polling stay there, those that only do WebSocket never get in.

## On the wire
HEADERS with `:method: CONNECT` and `:protocol: websocket`, and `:status: 403` without a body. There are no headers
`Upgrade` and `Connection` over HTTP/2, but python-engineio (up to 4.15 at least) asks for `Upgrade: websocket`. It
refuses the WebSocket before it is open, and hypercorn makes a 403 of that.

## How to fix
Let the server speak HTTP/1.1 alone, or end HTTP/2 in a proxy in front of it that speaks HTTP/1.1 to it and makes an
Upgrade of the request. haproxy does; nginx 1.22 does not announce that it takes WebSocket over HTTP/2, so that browsers
open a connection with HTTP/1.1 for it.

## When it is silent
Over HTTP/1.1 (rule EIO014), and when the answer says why: then it is the application that refuses, or a proxy.

## References
- RFC 8441, sections 3 to 5; RFC 6455, section 4.1
- python-engineio, `async_server.py`; recorded with hypercorn 0.17.3 and python-engineio 4.15.1
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.upgrades import answered, gets_in, outcome, refused_over_http2


@rule(
    code="HTTP241",
    name="websocket-over-http2-refused",
    subject=(Session, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server takes WebSocket over HTTP/2, but what is behind it refuses it ({status})",
    message="{client} asks {server} for a WebSocket over HTTP/2 and is answered {status}, without a word. {outcome}",
    why="Over HTTP/2 a request for a WebSocket has no header Upgrade (RFC 8441). python-engineio looks for that header "
    "and refuses what has none; its server announces all the same that it takes such requests.",
    fix=(
        "Let the server speak HTTP/1.1 alone (hypercorn: alpn_protocols = ['http/1.1']), and HTTP/2 be spoken by a "
        "proxy in front of it that speaks HTTP/1.1 to it, such as haproxy.",
        "If this is another server: look at the allowed origins and the login, which may refuse so as well.",
    ),
    explains=("stuck-in-polling", "connect-loop", "no-backoff"),
)
def websocket_over_http2_refused(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    for asked in answered(ledger):
        if asked.error is None and refused_over_http2(asked.request, asked.answer):
            yield Hit(
                *asked.proof,
                severity=Severity.WARNING if gets_in(ledger) else Severity.ERROR,
                certainty=Certainty.LIKELY,
                doubt="an application that refuses for another reason may answer so, too",
                occurrences=asked.count,
                period_ns=asked.period_ns,
                status=asked.answer.status,
                outcome=outcome(ledger),
            )
