"""A client opens a session for each namespace.

## What it reports
Three sessions or more (`fewest_sessions`) that a client has at the same time, each of which joined one namespace, and
each another one.

## Why it matters
Namespaces are there so that several parts of an application share one connection. A session each costs a handshake, a
TCP connection, heartbeats and memory at the server as many times as there are namespaces.

## On the wire
Several handshakes of one client one after the other, and then `40/admin,` on one connection and `40/chat,` on another.

## How to fix
JavaScript: the same host string for all (`io("/admin")`, `io("/chat")` share a connection; `io("http://host/admin")`
and `io("http://127.0.0.1/chat")` do not), no `forceNew: true` and no `multiplex: false`; with a Manager of one's own,
`manager.socket("/chat")`. Clients that join only one namespace a connection: none.

## When it is silent
Where two sessions joined the same namespace (rule EIO092), or one of them several, and where a proxy passed the
requests on, as several clients have its address then.

## References
- socket.io documentation, "Namespaces", multiplexing, and client options forceNew and multiplex
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.company import is_passed_on, last_together, runs

_SHOWN = 5


@rule(
    code="SIO093",
    name="no-multiplexing",
    subject=Client,
    severity=Severity.INFO,
    since="0.1.0",
    title="A session for each of {count} namespaces, where one would do for all",
    message="{client} has {count} sessions at {server} at the same time, each for another namespace. They could share "
    "one: {saved} handshakes and connections less, and as many heartbeats.",
    why="Namespaces of one server share a connection by default. Different host strings, forceNew or multiplex: false "
    "open one for each.",
    fix=(
        "The same host string for all namespaces, without forceNew: true and multiplex: false (JavaScript); or one "
        "Manager and manager.socket(name) for each.",
    ),
    remark=True,
    limits={"fewest_sessions": 3},
)
def no_multiplexing(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    company = client.company
    if company is None or company.peak < limits["fewest_sessions"]:
        return
    for run in runs(company):
        names = [stay.namespaces[0] for stay in run if len(stay.namespaces) == 1]
        if len(run) < limits["fewest_sessions"] or len(names) < len(run) or len(set(names)) < len(names):
            continue
        if is_passed_on(run) or not last_together(run):
            continue
        yield Hit(
            *(evidence(stay.opened, Side.SERVER, "opens a session for one namespace") for stay in run[:_SHOWN]),
            certainty=Certainty.LIKELY,
            doubt="several programs at one address look the same",
            count=len(run),
            saved=len(run) - 1,
        )
