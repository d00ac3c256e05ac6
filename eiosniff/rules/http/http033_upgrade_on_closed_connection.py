"""The client asks for a WebSocket on a connection that the server has closed.

## What it reports
A request for a WebSocket on the connection of an earlier request, although the server said with that answer, or by FIN,
that it is over; nothing answers.

## Why it matters
The client never gets its WebSocket. It starts again from the handshake, and fails again, every few seconds.

## On the wire
200 with HTTP/1.0 or `Connection: close`, FIN of the server, then on the same TCP connection a GET with
`Upgrade: websocket`, which is met by a reset or by silence. arduinoWebSockets does all on one connection.

## How to fix
Let the server, or the proxy in front, keep connections open; or let the client begin with WebSocket, without polling.

## When it is silent
When the server answers on that connection all the same.

## References
- RFC 9112, sections 9.3 and 9.6; arduinoWebSockets issues #295 and #735
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.tcp import EndKind
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="HTTP033",
    name="upgrade-on-closed-connection",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client asks for a WebSocket on a connection that the server has closed",
    message="{server} ends the connection with its answer to the poll of {client}; the client asks for a WebSocket on "
    "it all the same{met}.",
    why="The client uses one connection for all, and does not see that the server closes it after each answer "
    "(HTTP/1.0, or Connection: close).",
    fix=(
        "Server or proxy: keep connections open (nginx: keepalive_timeout 65; not 0). The development server of "
        "Werkzeug closes after each answer: run Flask-SocketIO with eventlet or gevent.",
        "Client: open a connection of its own for the WebSocket, or begin with transport=websocket and do not poll.",
    ),
    explains=("stuck-in-polling", "connect-loop", "no-backoff", "no-connect-packet"),
    hence="it asks for a WebSocket on a connection that the server has closed",
)
def upgrade_on_closed_connection(session: Session) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        closed, request, end = attempted.after_last, attempted.request, attempted.ended
        if closed is None or attempted.answered is not None:
            continue
        was_reset = attempted.ended_how is EndKind.RST
        proof = [
            evidence(closed, Side.SERVER, "the last answer on this connection"),
            evidence(request.place, Side.CLIENT, f"GET {request.target}"),
        ]
        if end is not None:
            # Of a connection that one side had ended before, a reset does not tell whose it is.
            side = None if was_reset else attempted.ended_by
            proof.append(evidence(end, side, "reset" if was_reset else "end of the connection"))
        yield Hit(
            *proof,
            met=", and is met by a reset" if was_reset else ", and nothing answers",
        )
