"""Two handlers answer one WebSocket request: HTTP text in the middle of the WebSocket.

## What it reports
A WebSocket that the server accepts (`101`), and into which it then writes another HTTP answer.

## Why it matters
An HTTP server hands each upgrade to everyone who listens for upgrades. Socket.IO accepts, and somebody else on the same
server answers the same request once more. The client reads that as a broken frame ("Invalid frame header", "RSV1 must
be clear", "FIN must be set") and closes. With WebSocket only, no client ever connects; with polling first, all stay
there.

## On the wire
`HTTP/1.1 101`, and in the same stream `HTTP/1.1 400 Bad Request` of a WebSocketServer of `ws` that has another `path`,
or a second `HTTP/1.1 101` of one that takes every path, or of Socket.IO itself, attached twice. It may come behind the
first frames.

## How to fix
Attach Socket.IO once to an HTTP server: not `new Server(httpServer)` and `io.attach(httpServer)` or `io.listen(...)`
for the same one, nor twice `new Server`. Give other WebSocket servers (`ws`, PeerServer, hot reload of a development
server) `noServer: true` and hand them only the upgrades of their own path, or a port of their own.

## When it is silent
When the text says that the protocol version is not supported: then it is Socket.IO itself that refuses (rule EIO002).
When the request is refused without a `101`.

## References
- socket.io issues #2557, #3366 and #4039, engine.io issue #611
- ws documentation, "Multiple servers sharing a single HTTP/S server"
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Attempt, UpgradeTry
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule

_SERVER_ERROR = 500
_OF_THE_REVISION = b"protocol version"


@rule(
    code="WS031",
    name="double-upgrade-handler",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Two handlers of one HTTP server answer the same WebSocket request",
    message="The server at {server} answers 101 to {client}, and then {what} into the WebSocket that it has accepted.",
    why="Everything that listens for upgrades on an HTTP server gets each of them. Socket.IO accepts this one, and "
    'another handler answers it again; the client takes that text for a broken frame ("Invalid frame header", "RSV1 '
    'must be clear").',
    fix=(
        "Attach Socket.IO once to each HTTP server: not new Server(httpServer) together with attach or listen, nor "
        "twice.",
        "Create any other WebSocket server on it with noServer: true, and hand it in server.on('upgrade', ...) only "
        "what is for its own path; or let it listen on another port.",
    ),
    explains=(
        "stuck-in-polling",
        "connect-loop",
        "no-backoff",
        "probe-unanswered",
        "upgrade-incomplete",
        "engineio-syntax",
        "tcp-refused",  # two answers to one upgrade end a process of Node
    ),
)
def double_upgrade_handler(client: Client) -> Iterator[Hit]:
    """See the module."""
    written = [(asked, asked.inside) for asked in client.http_inside if asked.inside is not None]
    others = [(asked, inside) for asked, inside in written if _OF_THE_REVISION not in inside.body]
    if not others:
        return
    first = others[0][1]
    proof = []
    for asked, inside in others:
        proof.append(evidence(asked.request.place, Side.CLIENT, f"GET {asked.request.target}"))
        if asked.answered is not None:
            proof.append(evidence(asked.answered.place, Side.SERVER, "101"))
        proof.append(evidence(inside.place, Side.SERVER, f"HTTP {inside.status} inside the WebSocket"))
        if asked.ended is not None and asked.ended_by is Side.CLIENT and asked.ended.number >= inside.place.number:
            proof.append(evidence(asked.ended, Side.CLIENT, "gives up"))
    by_proxy = first.status >= _SERVER_ERROR
    yield Hit(
        *proof,
        certainty=Certainty.LIKELY if by_proxy else Certainty.CERTAIN,
        doubt="a proxy that loses its server may write such an answer into the WebSocket as well" if by_proxy else "",
        occurrences=client.http_inside.count if len(others) == len(written) else len(others),
        period_ns=client.http_inside.period_ns,
        what=_what(first, others),
        again=first.accepts,
    )


def _what(first: AnswerFacts, others: list[tuple[Attempt | UpgradeTry, AnswerFacts]]) -> str:
    also = "" if all(inside.status == first.status for _, inside in others) else " (and others)"
    if first.accepts:
        return f"writes a second HTTP 101{also}"
    return f"writes an HTTP {first.status}{also}"
