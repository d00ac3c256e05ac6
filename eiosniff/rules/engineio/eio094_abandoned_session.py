"""Many sessions are never closed, and die when the server's patience ends.

## What it reports
A server of whose sessions many (`share`, a fifth, and at least three, `fewest_sessions`) ended because nothing had come
from their clients for as long as it waits.

## Why it matters
Until then the server takes each of these users for present: it holds their memory, sends them events that get nowhere,
and shows them as online. With the defaults that lasts up to 45 s, up to 85 s with Socket.IO 1 and 2.0.

## On the wire
A ping that nobody answers, and the server's close frame after `pingTimeout`; no goodbye of the client, no FIN.

## How to fix
It is the usual end of apps that a phone puts to sleep and of devices that lose power or network. Close the socket when
an app goes to the background (`pause` on mobile, `pagehide` in a page), and connect again when it is back. Whom to show
as online: count on the delay, or make `pingInterval` and `pingTimeout` shorter, at the cost of traffic.

## When it is silent
For fewer than three, or a smaller share of the sessions that ended in the capture.

## References
- Engine.IO protocol, revision 4, "Heartbeat"; socket.io documentation, "disconnect" event, reason "ping timeout"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="EIO094",
    name="abandoned-session",
    subject=Server,
    severity=Severity.INFO,
    since="0.1.0",
    title="{count} of {ended} sessions are never closed by their clients, and die when the server's patience ends",
    message="Of {ended} sessions of {server} that ended in the capture, {count} had been left without a goodbye: the "
    "server gave them up when nothing had come for {patience}.",
    why="For that long each of these users still counts as present, and events are sent to them. It is the usual end "
    "of apps that go to the background and devices that lose their network.",
    fix=(
        "Close the socket when the app goes to the background or the page is left (pagehide), and connect again when "
        "it is back.",
    ),
    hence="{count} of {ended} sessions are given up by the server",
    limits={"fewest_sessions": 3, "share": 0.2},
)
def abandoned_session(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    fleet = server.fleet
    left = fleet.abandoned
    if left is None or left.count < limits["fewest_sessions"] or left.count < limits["share"] * fleet.ended:
        return
    handshake = server.handshake
    patience_ms = (handshake.ping_interval_ms or 0) + (handshake.ping_timeout_ms or 0) if handshake is not None else 0
    yield Hit(
        *(evidence(place, Side.SERVER, "gives a session up") for place in left),
        period_ns=left.period_ns,
        count=left.count,
        ended=fleet.ended,
        patience=in_ms(patience_ms * NS_PER_MS) if patience_ms else "the time of its heartbeat",
    )
