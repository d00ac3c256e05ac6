"""Over TLS, the client does not answer the server's ping, and the server ends the connection.

## What it reports
TLS connections without keys that end the same way: after a silence the server sends a record with the size of PING, the
client says nothing, and the same time later the server ends the connection.

## Why it matters
It is how a client fails that does not know the heartbeat of Engine.IO 4, in which it is the client that answers: the
session lasts `pingInterval` and `pingTimeout` (25 s and 20 s by default), and is then opened again.

## On the wire
A record of the server with a content of 3 bytes, a WebSocket frame with one character, such as PING (`2`); nothing of
the client; after `pingTimeout` a close frame, an alert or FIN of the server.

## How to fix
Read what is inside before anything is changed; if it is PING, upgrade the client to one that speaks Engine.IO 4, or see
why it answers nothing: a blocked event loop, a device that sleeps (see EIO039).

## When it is silent
For one such connection, and for different times; where the client says anything between the ping and the end. Where an
older cipher (CBC) hides the sizes. In a capture that holds Engine.IO in clear of other servers, and where keys opened
the connections.

## References
- Engine.IO protocol, revision 4, heartbeat; RFC 6455, section 5.2; RFC 8446, section 5.2
"""

from collections.abc import Iterator
from typing import Final

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.outside import pairs, pings_left_alone, possible, usual, usual_pause
from eiosniff.rules.phrases import in_ms

_SHOWN: Final = 3


@rule(
    code="TLS234",
    name="encrypted-ping-unanswered",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Over TLS, what looks like the server's ping is not answered, and the server ends the connection",
    message="{count} of {connections} TLS connection(s) to {where} end so: after {silence} of silence a record of the "
    "server with the size of PING, nothing of the client, and {later} later the end.",
    why="In Engine.IO 4 the server pings every pingInterval, and ends the session if no PONG comes for pingTimeout. A "
    "client that knows only older revisions, or that hangs, looks like this. What is said is encrypted.",
    fix=(
        "Find out whether the client library speaks Engine.IO 4 (EIO=4 in its URL is only a claim) and answers pings, "
        "and whether the client is busy or asleep at that time.",
        "Make sure first, and read what is inside. {keys}",
    ),
    tolerates_gaps=True,
)
def encrypted_ping_unanswered(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for pair in pairs(summary):
        found = pings_left_alone(pair)
        if not found:
            continue
        proof = []
        for connection, ping, _ in [*found[:_SHOWN], found[-1]]:
            proof.append(evidence(ping.begun, Side.SERVER, "a record with the size of PING, after silence"))
            if connection.ended is not None:
                proof.append(evidence(connection.ended, connection.ended_by, "the end of the connection"))
        yield possible(
            pair,
            proof,
            len(found),
            period_ns=usual_pause(ping.begun for _, ping, _ in found),
            silence=in_ms(usual(ping.silence_ns for _, ping, _ in found)),
            later=in_ms(usual(waited_ns for _, _, waited_ns in found)),
        )
