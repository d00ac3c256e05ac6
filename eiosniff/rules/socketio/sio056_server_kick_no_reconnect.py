"""The server throws the client out of a namespace.

## What it reports
A DISCONNECT of the server, after which the client does not come back within the capture; or DISCONNECTs that come soon
after the client was let in, one after the other, because it does come back.

## Why it matters
After a DISCONNECT of the server, client libraries do not reconnect by themselves: that is by design, for the server's
program said `socket.disconnect()` on purpose. If the program of the client does not know that, it stays out for ever.
If it calls `connect()` at once, it is thrown out again, and so on.

## On the wire
`41` or `41/name,` of the server. The JavaScript client then closes the connection, if it has no other namespace there,
and its "disconnect" handler gets the reason "io server disconnect".

## How to fix
Server: refuse clients in a middleware (`io.use`) rather than let them in and throw them out. Client: where the server
may mean "for now", call `socket.connect()` in the "disconnect" handler when the reason is "io server disconnect".

## When it is silent
When the client came back and was let stay; when it had opened another session before it was thrown out of one in which
it had been for a while (a server that lets each user in once); when a ping was overdue (netty-socketio says goodbye so
to a client that is gone); when the client had left itself; for several clients behind one address that are each thrown
out once, at the same time, as long as others are let in. A warning only for those that were thrown out soon after they
had been let in (`soon_ms`): a logout is only worth an info. Those that come back need so many of them (`kicks`).

## References
- socket.io documentation, "The Socket instance (client-side)", "disconnect"
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from eiosniff.model.departures import Kick
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.rules.answers import same_program
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="SIO056",
    name="server-kick-no-reconnect",
    subject=Client,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The server throws the client out{outcome}",
    message="{server} throws {client} out of the namespace {namespace}{stayed}. {back}",
    why='After a DISCONNECT of the server (reason "io server disconnect") a client library does not reconnect by '
    "itself; the program of the client has to do it, if it is meant to come back.",
    fix=(
        "Server: look for what calls socket.disconnect() there; to keep a client out, refuse it in a middleware, which "
        "gives it a reason (CONNECT_ERROR).",
        'Client: if it is to come back, call connect() when the reason of "disconnect" is "io server disconnect".',
    ),
    explains=("connect-loop", "no-backoff", "namespace-not-joined"),
    hence="the server throws it out of {namespace}{stayed}",
    limits={"soon_ms": 5000, "kicks": 3},
)
def server_kick_no_reconnect(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    kicks = client.kicks
    if kicks is None:
        return
    soon_ns = limits["soon_ms"] * NS_PER_MS
    last = kicks.last or kicks.first[0]
    if last.overdue:
        return
    kept = list(kicks)
    soon = [kick for kick in kicks if kick.stayed_ns is not None and kick.stayed_ns <= soon_ns]
    # After a while it may be for the session that the same client has opened meanwhile.
    since = last.place if last in soon or last.joined is None else last.joined
    returned = last.back is not None or _asks_again(client, since)
    again = kicks.count >= limits["kicks"] and len(soon) == len(kept) and _in_a_row(kept)
    if returned and not again:
        return
    proof = []
    for kick in kicks if again else (last,):
        if kick.joined is not None:
            proof.append(evidence(kick.joined, Side.SERVER, f"lets it into {kick.namespace}"))
        proof.append(evidence(kick.place, Side.SERVER, f"DISCONNECT {kick.namespace}"))
        if kick.back is not None:
            proof.append(evidence(kick.back, Side.CLIENT, f"CONNECT {kick.namespace} again"))
    back = f"This happens {kicks.count} times in a row." if again else "It does not come back."
    if not again and not last.alone:
        back = "It keeps its other namespaces, and does not come back to this one."
    yield Hit(
        *proof,
        severity=None if again or last in soon else Severity.INFO,
        certainty=Certainty.CERTAIN if again else Certainty.LIKELY,
        doubt="" if again else "the client may come back after the end of the capture",
        occurrences=kicks.count if again else 1,
        period_ns=kicks.period_ns if again else None,
        kind="again" if again else "",
        lasting=not again,
        namespace=last.namespace,
        stayed=f", {in_ms(last.stayed_ns)} after it has let it in" if last.stayed_ns is not None else "",
        outcome=" again and again" if again else ", and it does not come back",
        back=back,
    )


def _in_a_row(kicks: list[Kick]) -> bool:
    """Whether the client is let in each time after it was thrown out; otherwise they are several, at one address."""
    return all(
        later.joined is not None and (later.joined > kick.place or later.namespace != kick.namespace)
        for kick, later in pairwise(kicks)
    )


def _asks_again(client: Client, since: PacketRef) -> bool:
    """Whether the client asks for another session after that."""
    return any(
        group.last is not None and group.last.request.place > since
        for ledger in same_program(client)
        for group in ledger.attempts.values()
    )
