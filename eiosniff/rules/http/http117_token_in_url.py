"""A token stands in the URL.

## What it reports
A session that was opened with a secret among the parameters of its URL: a parameter that is called `token`, `auth`,
`jwt`, `access_token`, `apikey`, `session`, `password` or the like, or a value that looks like a JSON web token. In
Socket.IO 2 also one in the query behind the namespace that the client joins.

## Why it matters
URLs are written into the logs of every proxy, load balancer and server on the way, into error reports and into what
browsers save of their network traffic, where many more people read them than should have the token. Over polling it is
sent, and logged, with each request.

## On the wire
`GET /socket.io/?EIO=4&transport=websocket&token=...`: the option `query` of the client puts it there. Or
`40/chat?token=...` in revision 4 of Socket.IO, where namespaces had a query.

## How to fix
Client: `auth: { token }` in the place of `query: { token }` (socket.io-client 3 and later; `auth=` of `connect()` in
python-socketio 5). It goes in the first packet, and the server finds it in `socket.handshake.auth`. Where the proxy
has to see it: the header `Authorization` (`extraHeaders`; in browsers over polling only). Then make tokens invalid
that were logged.

## When it is silent
For parameters without a value (`token=undefined` is no token), and for the session id, which Engine.IO itself puts
there and which ends with the session. It is an information, and a warning where a proxy shows itself on the way, as
that logs it.

## References
- socket.io documentation, client options `auth` and `query`; "Migrating from 2.x to 3.0"
- RFC 6750, section 5.3 (no bearer tokens in URLs); OWASP, "Information exposure through query strings in URL"
"""

from collections.abc import Iterator

from eiosniff.knowledge.boxes import forwarded_headers
from eiosniff.knowledge.secrets import is_secret, is_secret_parameter
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Namespace, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.exposure import listed, secret_parameters

_WITH_QUERY = 4  # the last revision of Socket.IO in which a namespace had a query


@rule(
    code="HTTP117",
    name="token-in-url",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="A secret stands in the URL: {names}",
    message="{client} sends {names} {where} to {server}{often}.{logged}",
    why="URLs are written to the logs of every proxy and server on the way, and into error reports. Whoever reads "
    "those has the secret.",
    fix=(
        "Send it in the first packet instead: the option auth of the client (socket.io-client 3 and later, "
        "python-socketio 5), or where a proxy needs it, the header Authorization.",
        "Make tokens invalid that were logged, and keep queries out of the log (nginx: a log_format with $uri in the "
        "place of $request).",
    ),
    remark=True,
    hence="the URL holds a secret",
)
def token_in_url(session: Session) -> Iterator[Hit]:
    """See the module."""
    request = session.attempt.request if session.attempt is not None else session.client.polling_request
    names = secret_parameters(request) if request is not None else []
    if request is not None and names:
        sure = any(is_secret(name) or not is_secret_parameter(name) for name in names)  # the latter: by its looks
        polls, proxy = session.costs.requests, bool(session.hops) or bool(forwarded_headers(request))
        yield Hit(
            evidence(request.place, Side.CLIENT, f"{request.method} {request.path}, with {listed(names)} in the URL"),
            severity=Severity.WARNING if proxy else Severity.INFO,
            certainty=Certainty.CERTAIN if sure else Certainty.LIKELY,
            doubt="" if sure else "what is called so may be no secret",
            kind=",".join(names),
            names=listed(names),
            where="in the URL",
            often=f", with each of its {polls} requests" if polls > 1 else "",
            logged=" There is a proxy on the way: its log holds the URL, unless it was told otherwise."
            if proxy
            else "",
        )
    if session.socketio != _WITH_QUERY:
        return
    for namespace in session.namespaces.values():
        also = [name for name in namespace.auth_keys if is_secret_parameter(name) and name not in names]
        if also and namespace.auth_in_query and namespace.connect is not None:
            yield _in_namespace(namespace, also)


def _in_namespace(namespace: Namespace, names: list[str]) -> Hit:
    assert namespace.connect is not None
    return Hit(
        evidence(namespace.connect, Side.CLIENT, f"joins {namespace.name}, with {listed(names)} in its query"),
        severity=Severity.INFO,
        kind=f"namespace {','.join(names)}",
        names=listed(names),
        where=f'in the query of the namespace "{namespace.name}"',
        often="",
        logged="",
    )
