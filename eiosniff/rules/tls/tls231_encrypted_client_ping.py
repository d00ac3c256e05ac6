"""Over TLS, the server closes each time when the client says something short after a silence.

## What it reports
TLS connections without keys that end the same way: the client, after the same silence each time, sends a record with
the size of PING, and the server closes at once.

## Why it matters
It is how a client that keeps the heartbeat of Engine.IO 3 fails at a server of Engine.IO 4: from outside, the session
is lost every 20 or 25 s and opened again, for ever.

## On the wire
A record of the client with a content of 7 bytes, which is a masked WebSocket frame with one character, such as PING
(`2`); within a second a record of the server with the size of a close frame without a status code, or of an alert, and
FIN or RST. In Engine.IO 4 only the server may send PING: it closes when a client does.

## How to fix
Read what is inside before anything is changed, with the keys or where it is plain; if it is PING, upgrade the client,
or let it open with `EIO=3` and set `allowEIO3: true` at the server (see EIO038).

## When it is silent
For one such connection, for different silences, for any other size, and where the server answers with the size of PONG.
In a capture that holds Engine.IO in clear of other servers, and where keys opened the connections. Where an older
cipher (CBC) hides the sizes.

## References
- Engine.IO protocol, revision 4, heartbeat; RFC 6455, sections 5.2 and 5.5.1; RFC 8446, section 5.2
- socketio/socket.io-client-cpp and arduinoWebSockets issues on "transport close" every 25 s (EIO038)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.outside import pairs, pings_of_clients, possible, usual, usual_pause
from eiosniff.rules.phrases import in_ms

_SHOWN = 3


@rule(
    code="TLS231",
    name="encrypted-client-ping",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Over TLS, the server closes when the client says something as short as PING after {silence} of silence",
    message="{count} of {connections} TLS connection(s) to {where} end so: {silence} of silence, a record of the "
    "client with the size of PING over WebSocket, and {later} later the server closes.",
    why="A client that keeps the heartbeat of Engine.IO 3 at a server of Engine.IO 4 looks like this: there only the "
    "server may send PING, and it closes when a client does (client-ping-in-eio4, EIO038). What is said is hidden.",
    fix=(
        "Find out which version the client library has, and whether it opens with EIO=4 in the URL. If it sends PING "
        "by itself, upgrade it; if it cannot be, let it open with EIO=3 and set allowEIO3: true at the server.",
        "Make sure first, and read what is inside. {keys}",
    ),
    tolerates_gaps=True,
)
def encrypted_client_ping(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for pair in pairs(summary):
        found = pings_of_clients(pair)
        if not found:
            continue
        proof = []
        for connection, ping in [*found[:_SHOWN], found[-1]]:
            proof.append(evidence(ping.begun, Side.CLIENT, "a record with the size of PING, after silence"))
            closes = ping.answer or connection.ended
            if closes is not None:
                proof.append(evidence(closes, Side.SERVER, "closes"))
        yield possible(
            pair,
            proof,
            len(found),
            period_ns=usual_pause(ping.begun for _, ping in found),
            silence=in_ms(usual(ping.silence_ns for _, ping in found)),
            later=in_ms(usual((ping.answer or ping.last).ts_ns - ping.begun.ts_ns for _, ping in found)),
        )
