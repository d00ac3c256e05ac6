"""The client asks for a subprotocol of WebSocket that the server does not take.

## What it reports
A request for a WebSocket with `Sec-WebSocket-Protocol` whose 101 names none of those subprotocols, after which the
client leaves at once; or a refusal that says that the subprotocol is the reason.

## Why it matters
A client that asked for a subprotocol must give up if it does not get one. Engine.IO has none.

## On the wire
`Sec-WebSocket-Protocol: chat` in the request, no such header (or another value) in the 101, and a FIN of the client
within a moment. Servers on Node take the first one offered, whatever it is; python-engineio takes none, so that the
same client works with one and not with the other.

## How to fix
Take the subprotocol out of the client: no option `protocols` (JavaScript), an empty string in `begin` or `setProtocol`
elsewhere.

## When it is silent
When the client goes on all the same (arduinoWebSockets offers `arduino` and needs no answer), and when the server takes
one.

## References
- RFC 6455, section 4.1; WHATWG, "WebSockets", "Establish a WebSocket connection"
- socket.io documentation, client option `protocols`
"""

import re
from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.upgrades import answered, left_at_once

_SAYS_SO = re.compile(rb"sub-?protocol|sec-websocket-protocol", re.I)


@rule(
    code="WS035",
    name="subprotocol-refused",
    subject=(Session, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title='The client wants the WebSocket subprotocol "{wanted}", and the server does not take it',
    message='{client} asks {server} for a WebSocket with the subprotocol "{wanted}". {answer}',
    why="A client that asks for a subprotocol must give up if the server takes none of those that it names. Engine.IO "
    "has no subprotocol: there is nothing to ask for.",
    fix=(
        "Client: take the subprotocol out (JavaScript: the option protocols; other libraries: an empty string where "
        "they want one).",
    ),
    explains=(
        "strict-connection-header", "stuck-in-polling", "plain-websocket-server", "connect-loop", "no-backoff",
        "no-connect-packet",
        "ws-abnormal-close",
    ),
    hence='it wants the WebSocket subprotocol "{wanted}", which the server does not take',
)  # fmt: skip
def subprotocol_refused(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    for left in left_at_once(ledger):
        wanted = left.request.subprotocol
        if wanted is None or _takes_one(left.request, left.answer):
            continue
        named = left.answer.subprotocol
        says = f"names another one ({named})" if named is not None else "names none"
        yield Hit(
            *left.proof,
            occurrences=left.count,
            period_ns=left.period_ns,
            wanted=wanted,
            answer=f"The 101 {says}, and the client leaves {in_ms(left.after_ns)} later.",
        )
    for asked in answered(ledger):
        wanted = asked.request.subprotocol
        if wanted is None or asked.answer.status < 400 or not _SAYS_SO.search(asked.answer.body):
            continue
        yield Hit(
            *asked.proof,
            certainty=Certainty.LIKELY,
            doubt="the answer speaks of subprotocols; that this one is meant is a guess",
            occurrences=asked.count,
            period_ns=asked.period_ns,
            wanted=wanted,
            answer=f"The server refuses: {asked.answer.status}.",
        )


def _takes_one(request: RequestFacts, answer: AnswerFacts) -> bool:
    """Whether the server names one of those that the client offers (RFC 6455: the names are case-sensitive)."""
    offered = [name.strip() for name in (request.subprotocol or "").split(",")]
    return answer.subprotocol is not None and answer.subprotocol.strip() in offered
