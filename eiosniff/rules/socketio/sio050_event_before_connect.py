"""The client sends events before it has joined the namespace.

## What it reports
An EVENT of the client on a namespace before the server's CONNECT reply for it, in a Socket.IO 5 session: of a client
that asks to join it, or that has asked for no namespace at all.

## Why it matters
Node servers take it as a protocol violation and close the connection without a reason; python-socketio drops the event
without a word.

## On the wire
`42["..."]` of the client with no `40{"sid":...}` of the server before it, whether or not the client has sent its own
`40`. Node: an empty close frame at once. python-socketio: nothing.

## How to fix
Wait for the server's CONNECT reply before the first event. arduinoWebSockets calls back with `sIOtype_CONNECT` when the
*WebSocket* is open, which is too early: send CONNECT there, and events later.

## When it is silent
In sessions of revision 3, which the server joins by itself; when the server goes on and answers the CONNECT that came
before the event; when the beginning of the session was not captured; when nothing follows from the event, and bytes are
missing where the reply may have been. A client that joins another namespace, and never asks for this one, is for
`namespace-not-joined` to tell of.

## References
- Socket.IO protocol, revision 5, "Connection to a namespace"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.gaps import lacks
from eiosniff.rules.joining import closes_at, ignored_words, joins_another


@rule(
    code="SIO050",
    name="event-before-connect",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends an event before it has joined the namespace",
    message="{client} sends an event on {namespace} {before}. The server at {server} {reaction}.",
    why="From Socket.IO 3 on a client may send events only after the server has answered its CONNECT; events before "
    "that are a protocol violation.",
    fix=(
        'Send "40" after the open packet, wait for the server\'s "40{{"sid":...}}", and only then send events.',
        "arduinoWebSockets: sIOtype_CONNECT is called when the WebSocket opens. Call "
        'socketIO.send(sIOtype_CONNECT, "/") there, and send the first event later.',
    ),
    explains=("no-connect-packet", "connect-loop", "no-backoff", "ws-abnormal-close", "sid-reused", "ack-missing"),
)
def event_before_connect(session: Session) -> Iterator[Hit]:
    """See the module."""
    if session.engineio != 4 or session.midstream:
        return
    for namespace in session.namespaces.values():
        early = namespace.early_events
        asked = namespace.connect
        if not early or (asked is None and joins_another(session, namespace)):
            continue
        proof = [evidence(asked, Side.CLIENT, "CONNECT")] if asked is not None else []
        proof += [evidence(place, Side.CLIENT, "EVENT before the CONNECT reply") for place in early]
        asked_first = asked is not None and asked < early.first[0]
        closed = closes_at(session, early.last or early.first[0])
        if closed is not None:
            proof.append(closed)
            reaction = "closes the connection at once"
        elif asked_first and namespace.connected is not None:
            continue  # the reply was under way; the server took the event
        elif lacks(session, asked or session.opened, early.last or early.first[0]):
            continue  # the reply may be among what is missing
        else:
            reaction = ignored_words(session, early.last or early.first[0])
        before = "before it asks to join" if asked is not None else "without any CONNECT"
        before = "before the server answers its CONNECT" if asked_first else before
        yield Hit(*proof, occurrences=early.count, namespace=namespace.name, before=before, reaction=reaction)
