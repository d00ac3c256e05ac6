"""The client sends its credentials where this revision of Socket.IO does not look for them.

## What it reports
A CONNECT of Socket.IO 5 with a query behind the namespace (`40/name?token=...`), which the server refuses; or one of
Socket.IO 4 and older with an object (`40{"token":...}`).

## Why it matters
Credentials moved from the query (Socket.IO 2) into the CONNECT packet (3 and later). In revision 5 what follows the
question mark is a part of the name, and no such namespace exists; python-socketio drops it instead. A server of
revision 4 and older does not look at the object.

## On the wire
`40/chat?token=x` and `44/chat?token=x,{"message":"Invalid namespace"}` (python-socketio: the refusal of its
application); or `40{"token":"x"}` in a session of Engine.IO 3, and `44"..."`.

## How to fix
Socket.IO 3 and later: the option `auth` of the client. Socket.IO 2: the option `query`.

## When it is silent
When the server lets the client in with the query (some do), and where a client of Socket.IO 3 or later meets a server
of 2.x (`eio4-client-on-v2-server`). An object that the server of 2.x ignores without harm is only worth an info. What
is wrong with credentials that are in the right place is for `connect-error-auth` to tell.

## References
- socket.io documentation, "Migrating from 2.x to 3.0", "The query option of the Socket instance is renamed to auth"
- Socket.IO protocol, revision 5, "Changes between v4 and v5"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Namespace, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.joining import NOT_OF_THE_APPLICATION, let_in_later

# Where the credentials are, the packet with which the server answers, what it does, and how bad that is.
_Misplaced = tuple[str, PacketRef | None, str, Severity]


@rule(
    code="SIO055",
    name="auth-misplaced",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client sends its credentials in the place of another Socket.IO version",
    message="{client} sends {keys} {where} when it joins {namespace}. The server at {server} {reaction}.",
    why="Socket.IO 2 takes what identifies a client from the query of the URL; from Socket.IO 3 on it is an object in "
    "the CONNECT packet. Neither looks into the place of the other.",
    fix=("Socket.IO 3 and later: the client's option auth. Socket.IO 2: the client's option query.",),
    explains=(
        "namespace-invalid",
        "connect-error-auth",
        "namespace-not-joined",
        "connect-loop",
        "no-backoff",
        "token-in-url",
    ),
)
def auth_misplaced(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        keys, asked = namespace.auth_keys, namespace.connect
        if not keys or asked is None:
            continue
        if session.engineio == 4:
            hit = _in_the_name(session, namespace)
        else:
            hit = _in_the_packet(namespace) if session.engineio == 3 and session.claimed_eio != "4" else None
        if hit is None:
            continue
        where, answer, reaction, severity = hit
        yield Hit(
            evidence(asked, Side.CLIENT, f"CONNECT {namespace.name} with {', '.join(keys[:5])} {where}"),
            *([evidence(answer, Side.SERVER, "does not let it in")] if answer is not None else []),
            severity=severity,
            kind=where,
            keys=", ".join(keys[:5]),
            where=where,
            namespace=namespace.name,
            reaction=reaction,
        )


def _in_the_name(session: Session, namespace: Namespace) -> _Misplaced | None:
    if not namespace.auth_in_query or namespace.refused is None:
        return None
    reaction = "does not look there, and refuses the client"
    if namespace.refusal in NOT_OF_THE_APPLICATION:
        reaction = "takes all of it for the name of a namespace, and has none of that name"
    where = "behind the name of the namespace"
    if let_in_later(session, namespace) is not None:
        return where, namespace.refused, f"{reaction}; later it is let in", Severity.INFO
    return where, namespace.refused, reaction, Severity.ERROR


def _in_the_packet(namespace: Namespace) -> _Misplaced | None:
    if namespace.auth_in_query:
        return None
    where = "in the CONNECT packet"
    if namespace.refused is not None:
        return where, namespace.refused, "does not look there, and refuses the client", Severity.ERROR
    return (where, None, "does not look there", Severity.INFO) if namespace.connected is not None else None
