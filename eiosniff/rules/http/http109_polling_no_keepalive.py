"""A client opens a new TCP connection for nearly every poll.

## What it reports
A session over polling most of whose requests (80 % or more: `new_share`) come on a TCP connection of their own, who it
is that ends them, and what that costs.

## Why it matters
Before each request a connection is set up: a round trip, two or three with TLS, in which a message waits. Each one
takes seven packets or more without a byte of payload, a port of the client, and memory at the side that closed it for
a minute (TIME_WAIT); behind a NAT or a load balancer ports run out.

## On the wire
SYN before each GET and POST, and FIN after each answer. `Connection: close` in the request (socket.io-client in Node
without an agent), in the answer (some servers, netty-socketio for one), or HTTP/1.0 (proxies that were not told
otherwise).

## How to fix
WebSocket needs one connection. For polling keep connections alive: in Node give the client an agent, in nginx tell the
upstream to (`proxy_http_version 1.1`, `proxy_set_header Connection ""`, `keepalive`), at the server leave keep-alive
on.

## When it is silent
For sessions of fewer than 100 such connections (`connections`) or 30 of them a minute (`minute_connections`): a
session that moves on to WebSocket, or says little, loses nothing. And for a client that uses one connection for polls
and one for its POSTs, as browsers do. It is an information, and a warning for 20 connections or more
(`slow_connections`) that took 50 ms or more each (`set_up_ms`, by the quickest of them) and a twentieth of the life of
the session together (`lost_share`): then messages are late for it.

## References
- Node.js, `http.Agent`, option `keepAlive`; socket.io documentation, client option `agent`
- nginx, `ngx_http_upstream_module`, `keepalive`; RFC 9112, section 9.3; RFC 9293, section 3.6 (TIME-WAIT)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.costs import Costs
from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms
from eiosniff.rules.polling_cost import cost_of

_MINUTE_NS = 60 * NS_PER_S
_BY_CLIENT, _BY_SERVER, _BY_HTTP10 = "client", "server", "HTTP/1.0"
_WHO = {
    _BY_CLIENT: "as it asks for with Connection: close",
    _BY_SERVER: "as the server ends each with Connection: close",
    _BY_HTTP10: "as the server, or a proxy on the way, answers in HTTP/1.0, which ends each",
    "": "though nobody says that it must end",
}


@rule(
    code="HTTP109",
    name="polling-no-keepalive",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="A new TCP connection for nearly every poll",
    message="{client} opens {connections} connections to {server} for {requests} requests, {pace} a minute, {who}. "
    "Setting them up took {each} or more before each request, {lost} in all; two that stay open would do.",
    why="Before each request goes out a connection has to be set up, and with TLS a key agreed on. Messages wait for "
    "that, and the side that closes keeps each connection in memory for a minute.",
    fix=(
        "Let the client use WebSocket, which is one connection; or let connections stay open: an agent with keep-alive "
        "in the client, keep-alive at the server and at each proxy.",
    ),
    limits={
        "connections": 100,
        "minute_connections": 30,
        "new_share": 0.8,
        "slow_connections": 20,
        "set_up_ms": 50,
        "lost_share": 0.05,
    },
    remark=True,
    hence="it opens {connections} TCP connections for {requests} requests",
)
def polling_no_keepalive(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    costs = session.costs
    if costs.connections < limits["slow_connections"] or costs.connections < limits["new_share"] * costs.requests:
        return
    lost_ns = costs.set_up_least_ns * costs.connections
    lived_ns = max(cost_of(session).lived_ns, NS_PER_S)
    slow = costs.set_up_least_ns >= limits["set_up_ms"] * NS_PER_MS
    hurts = slow and lost_ns >= limits["lost_share"] * lived_ns
    minute = costs.connections * _MINUTE_NS / lived_ns
    if not hurts and (costs.connections < limits["connections"] or minute < limits["minute_connections"]):
        return
    by = _ended_by(costs)
    uses = session.connections
    yield Hit(
        evidence(session.opened, None, f"opens session {session.sid}"),
        *(evidence(use.first, None, "a request on a connection of its own") for use in uses[1:3]),
        evidence(session.last, None, "the last of the session"),
        severity=Severity.WARNING if hurts else Severity.INFO,
        kind=by,
        by=by,
        who=_WHO[by],
        connections=costs.connections,
        requests=costs.requests,
        pace=f"{minute:,.0f}",
        each=in_ms(costs.set_up_least_ns),
        lost=in_ms(lost_ns),
    )


def _ended_by(costs: Costs) -> str:
    """Who says that the connections end."""
    if 2 * costs.closed_by_client > costs.requests:
        return _BY_CLIENT
    if 2 * costs.http10 > costs.requests:
        return _BY_HTTP10
    return _BY_SERVER if 2 * costs.closed_by_server > costs.requests else ""
