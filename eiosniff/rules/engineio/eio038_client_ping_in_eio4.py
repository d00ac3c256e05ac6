"""A client sends PING in an Engine.IO 4 session.

## What it reports
A client that sends the Engine.IO packet PING (`2`) in a session whose server speaks Engine.IO 4.

## Why it matters
Engine.IO 4 turned the heartbeat round: the server sends PING, the client answers PONG. A client that still sends PING
keeps the heartbeat of Engine.IO 3. Servers of Node take it as a protocol violation and close the connection at once,
without a reason; the client connects again, and its next PING ends that session too. The period of the disconnections
is that of the client's own timer.

## On the wire
Over WebSocket: a masked text frame `2` of the client, then, within a millisecond, an empty close frame of the server
(`88 00`; engine.io 4.1 and later). Over polling: a POST with the body `2` is still answered 200 `ok`, the pending GET
gets `1`, and later requests are refused with code 1. engine.io 4.0 (socket.io 3.0) and python-engineio ignore the
packet: the session lives as long as the client also answers the server's pings, but a client of Engine.IO 3 closes it
itself when its PING is not answered.

## How to fix
Upgrade the client library to one that speaks Engine.IO 4, or let it open with `EIO=3` against a server that allows it.
In hand-written clients: remove the timer, and answer each `2` with `3`.

## When it is silent
The upgrade probe (`2probe`) is no heartbeat, and a WebSocket PING frame (opcode 9) is another protocol. In a session
of revision 3 the client is meant to ping. A server that answers each such ping (netty-socketio does) is content.

## References
- Engine.IO protocol, revision 4, "Heartbeat" and "From v3 to v4"
- arduinoWebSockets, issues #611 and #620
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Closing, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words, in_ms


@rule(
    code="EIO038",
    name="client-ping-in-eio4",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends PING, which only the server may do in Engine.IO 4",
    message='{client} sends PING ("2") {after} after it connects. The server at {server} {reaction}.',
    why="Engine.IO 4 turned the heartbeat round: the server sends PING and the client answers PONG. This client opens "
    "{claim} and keeps the heartbeat of EIO=3.",
    fix=(
        "Upgrade the client library to one that speaks Engine.IO 4 (Socket.IO 3 and later).",
        'In a hand-written client: remove the timer that sends "2", and answer each "2" of the server with "3".',
    ),
    one_side_tells=True,
    explains=(
        "sid-reused",
        "connect-loop",
        "no-backoff",
        "eio-missing",
        "pong-missing",
        "ping-missing",
        "no-connect-packet",
        "ws-abnormal-close",
    ),
)
def client_ping_in_eio4(session: Session) -> Iterator[Hit]:
    """See the module."""
    pings = session.heartbeats.reversed
    if not pings or session.engineio != 4 or session.pinger is Side.CLIENT:
        return
    if all(beat.pong is not None for beat in pings):
        return
    first = pings.first[0].ping
    proof = [evidence(beat.ping, Side.CLIENT, 'PING "2"') for beat in pings]
    closing = session.closing
    # A client may ping once more before it notices that the server has closed.
    last = [
        beat.ping for beat in pings if closing is None or beat.ping.number < closing.place.number or beat.ping is first
    ][-1]
    closed = closing is not None and _follows(closing, last.ts_ns)
    if closing is not None and closed:
        delay = closing.place.ts_ns - last.ts_ns
        reaction = "closes the connection at once"
        proof.append(evidence(closing.place, Side.SERVER, f"{closing_words(closing)}, {in_ms(delay)} later"))
    else:
        reaction = "ignores it, so the client waits in vain for PONG"
    yield Hit(
        *proof,
        occurrences=pings.count,
        period_ns=pings.period_ns,
        after=in_ms(first.ts_ns - session.opened.ts_ns),
        reaction=reaction,
        closed=closed,
        claim=f"with EIO={session.claimed_eio}" if session.claimed_eio else "without EIO",
    )


def _follows(closing: Closing, ping_ns: int) -> bool:
    """Whether the server closed because of the ping: right after it, with nothing of its own to say."""
    return closing.side is Side.SERVER and 0 <= closing.place.ts_ns - ping_ns <= CLOSED_BECAUSE_NS
