"""A session is cut by a TCP reset.

## What it reports
A session on a WebSocket that ends in the middle with a RST: no close frame, no goodbye before it. It says who reset the
connection, and whether it was that peer at all.

## Why it matters
A reset throws away what is on its way. Both programs see "transport close" or "ECONNRESET" and nothing that says why;
the client opens a new session.

## On the wire
One segment with the RST flag, after which nothing more comes. A peer resets when its program ends or closes the socket
with words unread, or when its system knows of no such connection (it was started again). A firewall, a NAT or a load
balancer that has given up a connection resets it in the name of a peer: such a RST has come another way, and arrives
with another TTL (hop limit) than what that peer sent before.

## How to fix
By something in between: find its idle limit, its limit of connections and its log, and let `pingInterval` be shorter
than the idle limit. By a peer: look for a crash, a kill by the system (out of memory) or a restart at that moment.

## When it is silent
When a goodbye or a close frame came before, when the session went on by polling, and for a reset that follows from
another fault, which has a rule of its own. That a client resets by itself is an info: so it looks when someone ends it.
A box whose packets arrive with the TTL of the peer cannot be told from that. The identification of IPv4 is not looked
at: Linux sends 0 with a RST.

## References
- RFC 9293, section 3.10.7; RFC 3360 (resets by firewalls)
- Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets (NDSS 2009)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms

_BOX = "something between the two"


@rule(
    code="TCP102",
    name="tcp-reset",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The connection of a session is reset in the middle: by {who}",
    message="{client} with {server}: a RST in the name of the {side} ends the session after {lasted}, without a close "
    "frame, and {idle} after the last packet of the {side}. {detail}",
    why="A reset ends a connection at once, and what was on its way is lost. The programs only learn that it is gone: "
    "transport close, ECONNRESET.",
    fix=("{advice}",),
    explains=("sid-expired", "connect-loop", "no-backoff", "ws-abnormal-close", "ack-missing"),
)
def tcp_reset(session: Session) -> Iterator[Hit]:
    """See the module."""
    closing = session.closing
    if closing is None or closing.how is not CloseHow.RST or closing.after_goodbye or not session.on_websocket:
        return
    sides = session.network.sides
    reset = sides[closing.side].reset if sides is not None else None
    if reset is None or reset.place != closing.place:
        return
    last = session.last_from[closing.side] or session.opened
    idle = in_ms(reset.place.ts_ns - last.ts_ns)
    proof = [
        evidence(last, closing.side, "its last packet"),
        evidence(reset.place, closing.side, f"RST, TTL {reset.ttl}"),
    ]
    lasted = in_ms(reset.place.ts_ns - session.opened.ts_ns)
    if reset.usual_ttl not in (-1, reset.ttl):
        yield Hit(
            *proof,
            kind=_BOX,
            certainty=Certainty.LIKELY,
            doubt="the way of the packets may have changed at that moment",
            who=_BOX,
            side=closing.side.label,
            lasted=lasted,
            idle=idle,
            detail=f"Its TTL is {reset.ttl}, and that of what the {closing.side.label} sent before was "
            f"{reset.usual_ttl}: it was sent from another place.",
            advice="Find the box in between that gives connections up (firewall, NAT, load balancer, VPN): its idle "
            "limit, its limit of connections, its log of that moment. Let pingInterval be shorter than its idle limit.",
        )
        return
    server = closing.side is Side.SERVER
    yield Hit(
        *proof,
        kind=closing.side.label,
        severity=Severity.ERROR if server else Severity.INFO,
        who=f"the {closing.side.label}",
        side=closing.side.label,
        lasted=lasted,
        idle=idle,
        detail=f"It has the TTL of what the {closing.side.label} sent before ({reset.ttl})."
        if reset.usual_ttl == reset.ttl
        else "",
        advice="Look at what happened to the server at that moment: a crash, a kill by the system (out of memory: "
        "dmesg, docker inspect), a restart or a deployment. A program that ends in order closes its sessions first "
        "(Node: io.close() on SIGTERM)."
        if server
        else "Look at whether the client was ended at that moment, or crashed. One that ends in order calls "
        "socket.disconnect() first.",
    )
