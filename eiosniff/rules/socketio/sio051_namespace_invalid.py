"""The client asks for a namespace that the server does not have.

## What it reports
A CONNECT that the server refuses with the words that its library has for a namespace that nobody serves: "Invalid
namespace" (socket.io and most others), or "Unable to connect" (python-socketio).

## Why it matters
The client gets no event of that namespace, and its own go nowhere. It does not try again by itself, and in many clients
the only trace is an error event that nobody listens to.

## On the wire
`44/name,{"message":"Invalid namespace"}` in answer to `40/name,`; up to revision 4 `44/name,"Invalid namespace"`;
python-socketio: `44/name,"Unable to connect"`.

## How to fix
Let the client ask for a namespace that the server has: what stands behind the host in the URL of `io()` is the name of
the namespace, and no path. Names are compared letter by letter, and a slash at the end belongs to the name. Or let the
server have it: `io.of("/name")`.

## When it is silent
A refusal that a later CONNECT made good, in this session or in the client's next one, is only worth an info. Silent
where the name carries a query (`auth-misplaced` tells of that), for a second CONNECT (`double-connect`), and for
messages of the application (`connect-error-auth`).

## References
- Socket.IO protocol, revision 5, "Connection to a namespace"
- socket.io documentation, "Namespaces"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Namespace, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.joining import NOT_OF_THE_APPLICATION, joined_names, let_in_later


@rule(
    code="SIO051",
    name="namespace-invalid",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server has no namespace {namespace}",
    message='{client} asks to join the namespace {namespace}, and {server} answers "{reason}".{hint}{joined}',
    why="A namespace exists only if the server's program says so, and its name must be the same on both sides to the "
    "letter. The client gets nothing of a namespace that it is not in, and does not try again by itself.",
    fix=(
        "Compare the name with what the server has; what stands behind the host in the URL of io() is the namespace, "
        "and no path: that is the option path.",
        'If the server is to have it: io.of("{namespace}") in socket.io, a handler with namespace="{namespace}" in '
        "python-socketio.",
    ),
    explains=("namespace-not-joined", "connect-loop", "no-backoff", "ack-missing"),
)
def namespace_invalid(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        refused = namespace.refused
        if refused is None or namespace.refusal not in NOT_OF_THE_APPLICATION:
            continue
        if namespace.auth_in_query and session.engineio == 4:
            continue  # the query made another name of it
        asked, later = namespace.connect, let_in_later(session, namespace)
        proof = [evidence(asked, Side.CLIENT, f"CONNECT {namespace.name}")] if asked is not None else []
        proof.append(evidence(refused, Side.SERVER, f'refuses: "{namespace.refusal}"'))
        if later is not None:
            proof.append(evidence(later, Side.SERVER, "lets the client in"))
        joined = joined_names(session, namespace) if later is None else ""
        yield Hit(
            *proof,
            severity=Severity.INFO if later is not None else None,
            namespace=namespace.name,
            reason=namespace.refusal,
            hint=_hint(namespace),
            joined=" A later CONNECT is let in." if later else f" It is in the namespace {joined}." if joined else "",
        )


def _hint(namespace: Namespace) -> str:
    name = namespace.name
    if len(name) > 1 and name.endswith("/"):
        return " The slash at its end is a part of the name."
    if name.startswith("/socket.io"):
        return " That looks like the path of Socket.IO, which does not belong into the URL of io()."
    return ""
