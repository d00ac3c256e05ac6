"""A session crosses a public network unencrypted.

## What it reports
A session over plain HTTP or WebSocket (`http://`, `ws://`) one side of which has a public address, and which secrets
can be read in it, by their names.

## Why it matters
Everybody on the way can read all messages, and write some of their own: the operator of a Wi-Fi, of a mobile network,
of a proxy. With a token or the cookie of a session they can go on as that user. Some of these networks also break
WebSockets that they can look into, which TLS prevents.

## On the wire
HTTP and WebSocket in the clear, from or to an address that is neither private (10/8, 172.16/12, 192.168/16, fd00::/8,
...) nor the machine's own.

## How to fix
TLS in front of the server: `wss://` and `https://` in the client, a certificate in nginx, haproxy, Caddy or the load
balancer, and a redirect for those who come without (for pages: WebSocket clients do not follow one). A page that was
loaded over `https://` may open nothing else.

## When it is silent
Between private addresses, on loopback and in containers, where cleartext behind a proxy with TLS is usual. It is an
information as long as no secret is seen, and a warning with one: a header such as `Authorization`, the cookie of a
session, a parameter such as `token`, authentication data of a CONNECT. The capture cannot tell a tunnel (a VPN)
between the two: between public addresses there mostly is none.

## References
- RFC 6455, section 10.6; RFC 9110, section 17.11; RFC 6890 (special-purpose addresses)
- socket.io documentation, "Behind a reverse proxy"
"""

from collections.abc import Iterator

from eiosniff.knowledge.secrets import is_secret
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.exposure import listed, public_peer, secret_headers, secret_parameters


@rule(
    code="HTTP118",
    name="cleartext",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="The session is not encrypted on a public network{short}",
    message="{client} and {server} speak plain HTTP and WebSocket, and {public} is a public address.{secrets}",
    why="Everybody on the way can read all messages, and write some of their own. A secret that is read once can be "
    "used by others.",
    fix=(
        "Put TLS in front of the server (a certificate in nginx, haproxy, Caddy or the load balancer), and let clients "
        "use https:// and wss://.",
    ),
    explains=("sid-exposed", "private-pid-leak"),
    remark=True,
    hence="the session is not encrypted",
)
def cleartext(session: Session) -> Iterator[Hit]:
    """See the module."""
    public = public_peer(session)
    if public is None or session.encrypted:
        return
    found, proof = _secrets(session)
    yield Hit(
        evidence(session.opened, Side.SERVER, f"opens session {session.sid}, in the clear"),
        *proof,
        severity=Severity.WARNING if found else Severity.INFO,
        kind="secrets" if found else "",
        public=public,
        short=", with secrets in it" if found else "",
        secrets=f" Among what can be read: {'; '.join(found)}." if found else "",
    )


def _secrets(session: Session) -> tuple[list[str], list[Evidence]]:
    """What is secret in a session, in words without its value, and where it was seen first."""
    found: list[str] = []
    proof: list[Evidence] = []
    request = session.attempt.request if session.attempt is not None else None
    if request is not None:
        headers, parameters = secret_headers(request), secret_parameters(request)
        if headers:
            found.append(f"the header {', '.join(headers)}")
        if parameters:
            found.append(f"{listed(parameters)} in the URL")
        if found:
            proof.append(evidence(request.place, Side.CLIENT, f"{request.method} {request.path}, with secrets in it"))
    for namespace in session.namespaces.values():
        keys = [key for key in namespace.auth_keys if is_secret(key)]
        if keys and namespace.connect is not None:
            found.append(f"{listed(keys)} in the CONNECT to {namespace.name}")
            proof.append(evidence(namespace.connect, Side.CLIENT, f"joins {namespace.name}, with {listed(keys)}"))
        elif namespace.recovery_offered is not None:
            found.append(f"the private session id (pid) of {namespace.name}, with which missed messages can be fetched")
            proof.append(evidence(namespace.recovery_offered, Side.SERVER, "offers connection state recovery"))
        if len(found) >= 4:
            break
    return found, proof
