"""The client sends events in a namespace that it is not in.

## What it reports
An EVENT of the client in a namespace for which it never sent a CONNECT, although it joined another one; or in one that
it had left, that had refused it, or that the server had thrown it out of.

## Why it matters
Nobody gets the event. Node servers from 4.5 on take it as a protocol violation and close the whole connection, the
other namespaces with it; older ones and python-socketio drop the event without a word.

## On the wire
`42/name,["..."]` of the client with no `40/name,{"sid":...}` of the server in force. Node from 4.5 on: an empty close
frame at once. Others: nothing.

## How to fix
Send `40/name,` and wait for the server's answer to it first: each namespace is joined by itself. Or send the event in
the namespace that the client is in.

## When it is silent
For clients that ask to join the namespace later on, or that have joined none at all: `event-before-connect` tells of
those. For what was on its way when the server threw the client out (`in_flight_ms`). For the main namespace up to
revision 4, which the server joins by itself, and when the beginning of the session was not captured.

## References
- Socket.IO protocol, revision 5, "Connection to a namespace"
- socket.io, CHANGELOG of 4.5.0
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Namespace, NamespaceState, Session
from eiosniff.model.tally import Tally
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.joining import closes_at, ignored_words, joined_names, joins_another
from eiosniff.rules.phrases import NS_PER_MS

_State = tuple[str, Evidence]  # why the client is not in, and since which packet


@rule(
    code="SIO052",
    name="namespace-not-joined",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends events in a namespace that it is not in",
    message="{client} sends an event in the namespace {namespace}, {state}. The server at {server} {reaction}.",
    why="Each namespace is joined by a CONNECT of its own; a server has nobody to hand an event to whose sender is not "
    "in the namespace, and Node servers from 4.5 on close the whole connection because of it.",
    fix=(
        'Send "40{namespace}," and wait for the server\'s "40{namespace},{{"sid":...}}" before the first event there.',
        "If the event was meant for a namespace that the client is in ({joined}), send it there.",
    ),
    explains=("connect-loop", "no-backoff", "ack-missing"),
    hence="it sends events in {namespace} all the same; the server {reaction}",
    limits={"in_flight_ms": 1000},
)
def namespace_not_joined(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if session.midstream:
        return
    for namespace in session.namespaces.values():
        events = namespace.outside_events or namespace.early_events
        if not events:
            continue
        state = _state(session, namespace, events, limits["in_flight_ms"] * NS_PER_MS)
        if state is None:
            continue
        said, since = state
        proof = [since, *(evidence(place, Side.CLIENT, f"EVENT in {namespace.name}") for place in events)]
        last = events.last or events.first[0]
        closed = closes_at(session, last)
        yield Hit(
            *proof,
            *([closed] if closed is not None else []),
            occurrences=events.count,
            namespace=namespace.name,
            state=said,
            reaction="closes the connection at once" if closed is not None else ignored_words(session, last),
            joined=joined_names(session, namespace) or "none",
        )


def _state(session: Session, namespace: Namespace, events: Tally[PacketRef], in_flight_ns: float) -> _State | None:
    """Why the client is not in, and since which packet; None where another rule tells, or nothing is wrong."""
    first, last = events.first[0], events.last or events.first[0]
    if events is namespace.early_events:
        unasked = session.engineio != 4 and namespace.name == "/"
        if namespace.connect is not None or unasked or not joins_another(session, namespace):
            return None
        return "which it has not asked to join", evidence(session.opened, Side.SERVER, "opens the session")
    refused, left = namespace.refused, namespace.disconnected
    if left is not None and left < first:
        if namespace.disconnected_by is Side.CLIENT:
            return "which it has left", evidence(left, Side.CLIENT, f"leaves {namespace.name}")
        if last.ts_ns - left.ts_ns <= in_flight_ns:
            return None
        return "out of which the server had thrown it", evidence(left, Side.SERVER, f"DISCONNECT {namespace.name}")
    if refused is not None and namespace.state is not NamespaceState.CONNECTED:
        return "which had refused it", evidence(refused, Side.SERVER, f"refuses {namespace.name}")
    return None
