"""The client joins a namespace that it is in already.

## What it reports
A second CONNECT of the client for a namespace in one session, while the first one is under way or has let it in, to
which the server objects, or which it answers once more. Or one that follows the client's own DISCONNECT so closely that
a Node server has not acted on that yet, and closes.

## Why it matters
Node servers from 4.5 on close the whole connection because of it. python-socketio refuses the second one, and some
clients take that for a refusal of the first. Others let the client in twice: handlers of "connection" run twice, and
each event that they answer is answered twice.

## On the wire
`40` and `40` again, without `41` between or right behind it. Node from 4.5 on: an empty close frame at once.
python-socketio: `44"Unable to connect"`. netty-socketio and older Node servers: a second `40{"sid":...}`.

## How to fix
Send CONNECT in one place only: once for each connection, after the open packet. To leave and join anew, wait a moment
in between: `socket.disconnect().connect()` puts both packets into one segment.

## When it is silent
When the client had left or was refused in between; where the server answers only once (a POST that was redirected is
sent twice by its client, and met the server once); up to revision 4 for the main namespace, where one CONNECT of the
client comes on top of the server's.

## References
- netty-socketio issue #810
- Socket.IO protocol, revision 5, "Connection to a namespace"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.joining import closes_at


@rule(
    code="SIO053",
    name="double-connect",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends CONNECT twice for one namespace",
    message="{client} sends CONNECT for {namespace} a second time{left}. The server at {server} {reaction}.",
    why="A client joins a namespace once for each connection. Node servers take a second CONNECT as a protocol "
    "violation and close; others refuse it, or let the client in twice.",
    fix=(
        'Send "40" in one place only, once for each connection: look for a library that sends it by itself, and for a '
        "handler that runs on each reconnect.",
        "To leave a namespace and join it anew, wait a moment between socket.disconnect() and socket.connect().",
    ),
    explains=("connect-loop", "no-backoff"),
)
def double_connect(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        second = namespace.doubled
        if second is None:
            continue
        proof = [evidence(namespace.connect, Side.CLIENT, "CONNECT")] if namespace.connect is not None else []
        left = namespace.disconnected
        if left is not None and second < left:
            left = None
        if left is not None:
            proof.append(evidence(left, Side.CLIENT, f"leaves {namespace.name}"))
        proof.append(evidence(second, Side.CLIENT, "CONNECT again"))
        closed, answer = closes_at(session, second), namespace.double_answer
        severity = Severity.WARNING
        if closed is not None:
            severity = Severity.ERROR
            proof.append(closed)
            reaction = "closes the connection at once"
        elif answer is None or left is not None:
            continue
        elif namespace.double_refused:
            proof.append(evidence(answer, Side.SERVER, "refuses the second CONNECT"))
            reaction = "refuses the second one; the first one stays in force"
        else:
            proof.append(evidence(answer, Side.SERVER, "lets the client in again"))
            reaction = "lets it in twice"
        yield Hit(
            *proof,
            severity=severity,
            kind="rejoins" if left is not None else "",
            namespace=namespace.name,
            left=" before the server has acted on its DISCONNECT" if left is not None else " without leaving it",
            reaction=reaction,
        )
