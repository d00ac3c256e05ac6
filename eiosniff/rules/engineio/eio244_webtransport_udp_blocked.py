"""A server offers WebTransport, and nothing comes back over UDP.

## What it reports
Clients that begin QUIC with a server that offers `webtransport` in its open packet, and get not a single datagram back.

## Why it matters
A browser client tries WebTransport first, and WebSocket only 200 ms later; until then it polls. Each session begins
with that detour, and a client that is set up for WebTransport alone never connects.

## On the wire
UDP from the client to the server, in the long header form of QUIC (Initial packets), sent again after 0.3 s, 0.6 s and
so on, and no UDP from the server. Over TCP the same two go on talking. Needs no keys.

## How to fix
Let UDP pass to the port of the server: in the firewall of the server, in its cloud's rules, in the port list of the
container (`443:443/udp`), in the company's network. Where it cannot pass, take `webtransport` out of the `transports`
of the server.

## When it is silent
As soon as one datagram comes back from the server, from whatever client it was asked; where the server does not offer
WebTransport; where the capture ends within a second. It is likely and not certain, since a capture may lack what comes
back by another way.

## References
- RFC 9000, section 17.2.2; RFC 9002, section 6.2 (when it is sent again)
- Engine.IO protocol, "WebTransport"; engine.io-client, which waits 200 ms for it
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.unread import UnreadKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_S, in_ms

_FEWEST = 2  # datagrams: one may get lost


@rule(
    code="EIO244",
    name="webtransport-udp-blocked",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The server offers WebTransport, but nothing comes back over UDP",
    message="{count} datagrams of QUIC go to {address}, which offers WebTransport in its open packet, within {time}: "
    "none is answered, while TCP works.",
    why="WebTransport is QUIC over UDP. Clients try it before WebSocket, so each session begins with a vain attempt, "
    "and one that is set up for WebTransport alone never connects.",
    fix=(
        "Let UDP pass to that port: firewall, rules of the cloud, port list of the container (443:443/udp).",
        'Where it cannot pass, take "webtransport" out of the transports of the server.',
    ),
)
def webtransport_udp_blocked(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for entry in summary.unread:
        if entry.kind is not UnreadKind.QUIC or not entry.webtransport or entry.answers or entry.count < _FEWEST:
            continue
        if (summary.last_ns or 0) - entry.first.ts_ns < NS_PER_S:
            continue
        yield Hit(
            evidence(entry.first, Side.CLIENT, "begins QUIC"),
            evidence(entry.last, Side.CLIENT, "still no answer"),
            certainty=Certainty.LIKELY,
            doubt="the answers may have gone past the place of the capture",
            kind=str(entry.server),
            count=entry.count,
            address=str(entry.server),
            time=in_ms(entry.last.ts_ns - entry.first.ts_ns),
        )
