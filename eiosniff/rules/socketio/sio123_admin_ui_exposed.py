"""The Admin UI of socket.io is open to whoever can reach the server.

## What it reports
A namespace in which the server sends what the Admin UI of `@socket.io/admin-ui` or python-socketio sends, to a client
that logged in without a password; or with one that crosses a public network in clear.

## Why it matters
Who is in that namespace sees the address, the rooms and the data of each client and all their events, and can send
events, move clients and throw them out, unless the server made it read-only.

## On the wire
`40/admin,` without `username` and `password` (or `sessionId`), then `42/admin,["config",{"supportedFeatures":...}]`
or `42/admin,["server_stats",{"serverId":...}]` of the server. The namespace may have another name.

## How to fix
`instrument(io, { auth: { type: "basic", username, password } })`, with the password as a bcrypt hash (python-socketio:
`sio.instrument(auth={"username": ..., "password": ...})`); and TLS.

## When it is silent
Where the client logs in and the server has a private address or the connection is encrypted. Without a password on the
same machine (loopback) it is only worth an info: that is how one develops. A login that is refused is none of its
business (`connect-error-auth`). Events that only have the same names are those of an application.

## References
- socket.io documentation, "Admin UI", "Server-side", option auth
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.addresses import is_loopback, is_private
from eiosniff.rules.api import Hit, evidence, rule

_LOGIN = frozenset({"username", "password", "sessionId"})


@rule(
    code="SIO123",
    name="admin-ui-exposed",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    explains=("cleartext",),
    title="The Admin UI of the server is {exposed}",
    message="{client} joins the namespace {namespace} of {server} {how}, and gets the events of the Admin UI.",
    why="Who joins it sees all clients, their rooms and their events, and can act for them, unless the server made it "
    "read-only.",
    fix=(
        'Server: instrument(io, {{ auth: {{ type: "basic", username: "...", password: "<bcrypt hash>" }}, '
        'mode: "production" }}).',
        "Server: let nobody else reach it: TLS, and an address or a proxy that is not public.",
    ),
)
def admin_ui_exposed(session: Session) -> Iterator[Hit]:
    """See the module."""
    for namespace in session.namespaces.values():
        shown = namespace.admin_event
        if shown is None:
            continue
        address = session.server.endpoint.address
        logs_in = not _LOGIN.isdisjoint(namespace.auth_keys)
        asked = namespace.connect
        if asked is None or (logs_in and is_private(address)):
            continue
        how = "with a password that anybody on the way can read" if logs_in else "without any password"
        proof = [evidence(asked, Side.CLIENT, f"CONNECT {namespace.name}, {how}")]
        proof.append(evidence(shown, Side.SERVER, "an event of the Admin UI"))
        yield Hit(
            *proof,
            severity=Severity.INFO if is_loopback(address) else None,
            kind=how,
            exposed="used over a connection in clear" if logs_in else "open to everybody",
            namespace=namespace.name,
            how=how,
        )
