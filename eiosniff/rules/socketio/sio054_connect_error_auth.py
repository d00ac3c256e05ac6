"""The server refuses the client's CONNECT.

## What it reports
A CONNECT_ERROR (ERROR up to revision 4) with a message of the application, usually from an authentication middleware.

## Why it matters
The client stays outside. The JavaScript client does not try again after a CONNECT_ERROR: it waits for the application
to change `auth` and call `connect()`.

## On the wire
`44{"message":"..."}` (revision 4 and older: `44"..."`) instead of `40{"sid":...}`, and then nothing.

## How to fix
Read the message: it is the server application's own. Check that the client sends what the server looks for, and where
it looks for it: `auth` in Socket.IO 3 and later, the query in Socket.IO 2.

## When it is silent
A refusal that a later CONNECT made good, in this session or in the client's next one, is only worth an info (of clients
with several sessions at a time, only in this session: they may be several behind one address). Silent for messages of
the library itself ("Invalid namespace", "Unable to connect"), which `namespace-invalid` tells of.

## References
- socket.io documentation, "Middlewares" and "Client options", `auth`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Namespace, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.joining import NOT_OF_THE_APPLICATION, let_in_later

_OF_ENGINEIO = ("EIO", "transport", "t", "b64", "sid", "j")


@rule(
    code="SIO054",
    name="connect-error-auth",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server application refuses the client: {reason}",
    message="{client} asks to join {namespace} {auth}. The server at {server} answers CONNECT_ERROR: {reason}.{later}",
    why="The text is the server application's own, usually of an authentication middleware. The client does not try "
    "again by itself.",
    fix=(
        "Check the credentials that the client sends, and that they are where the server looks for them: the auth "
        "option for Socket.IO 3 and later (40{{...}}), the query for Socket.IO 2.",
        "After renewing them, set socket.auth and call socket.connect(): there is no automatic retry.",
    ),
    explains=("namespace-not-joined", "connect-loop", "no-backoff", "ack-missing"),
)
def connect_error_auth(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        if namespace.refused is None or namespace.refusal in NOT_OF_THE_APPLICATION:
            continue
        proof = []
        auth = _auth(session, namespace)
        if namespace.connect is not None:
            proof.append(evidence(namespace.connect, Side.CLIENT, f"CONNECT {namespace.name}, {auth}"))
        reason = f'"{namespace.refusal}"' if namespace.refusal else "no message"
        proof.append(evidence(namespace.refused, Side.SERVER, f"CONNECT_ERROR {reason}"))
        joined = let_in_later(session, namespace)
        if joined is not None:
            proof.append(evidence(joined, Side.SERVER, "lets the client in"))
        severity, later = (None, "") if joined is None else (Severity.INFO, " A later attempt is let in.")
        yield Hit(*proof, severity=severity, namespace=namespace.name, auth=auth, reason=reason, later=later)


def _auth(session: Session, namespace: Namespace) -> str:
    """What the client shows, by name: an auth object, or parameters that libraries do not send by themselves."""
    if namespace.auth_keys:
        return f"with auth data ({', '.join(namespace.auth_keys[:5])})"
    query = session.attempt.request.query if session.attempt is not None else ()
    own = dict.fromkeys(name for name, _ in query if name not in _OF_ENGINEIO)
    if not own:
        return "without auth data"
    in_url = f"with {', '.join([*own][:5])} in the URL"
    return in_url if session.engineio != 4 else f"without auth data, but {in_url}"
