"""The client of an Engine.IO 3 server never pings.

## What it reports
A session of revision 3 that ends because no ping of the client came for `pingInterval` + `pingTimeout`.

## Why it matters
Up to revision 3 the client must ping. A client of revision 4 waits for the server to do so: both wait, until the
server's time is over.

## On the wire
The server speaks revision 3 (its answers carry length prefixes, or it sends `40` without being asked). No `2` of the
client follows, and after `pingInterval` + `pingTimeout` (85 s for socket.io 1.x and 2.0, 30 s for 2.1 to 2.4, 45 s for
2.5) the server closes: an empty close frame, or `1` over polling. A client of revision 4 may be faster: it has waited
the same time for a ping of the server, and closes too.

## How to fix
Match the generations: a client of Socket.IO 2 for this server, or a server of Socket.IO 3 or later. A hand-written
client must send `2` every `pingInterval`.

## When it is silent
When the client pings in time, and when it says goodbye before the time is over.

## References
- Engine.IO protocol, revision 3, "Timeouts"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, closing_words, in_ms

TIMER_SLACK = 0.95


@rule(
    code="EIO041",
    name="eio3-no-client-ping",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends no ping, which it must do in Engine.IO 3",
    message="{client} sends no ping for {silence}. The server at {server} waits {limit} for one; then the {side} "
    "{end}.",
    why="Up to Engine.IO 3 (Socket.IO 2) the client sends PING and the server answers. This client waits for the "
    "server to ping, as Engine.IO 4 does, so the server takes it for dead.",
    fix=(
        "Use a client of the server's generation (Socket.IO 2), or upgrade the server to Socket.IO 3 or later.",
        'In a hand-written client: send "2" every pingInterval of the handshake.',
    ),
    explains=("sid-expired", "connect-loop", "no-backoff"),
)
def eio3_no_client_ping(session: Session) -> Iterator[Hit]:
    """See the module."""
    handshake, closing = session.handshake, session.closing
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return
    if session.pinger is not Side.CLIENT or closing is None or closing.after_goodbye:
        return
    limit_ns = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * NS_PER_MS
    last = session.heartbeats.last
    since = last.ping if last else session.opened
    silence = closing.place.ts_ns - since.ts_ns
    # Servers of this revision start anew with any packet of the client, so one that came later would excuse it.
    heard = session.last_from[Side.CLIENT]
    if silence < limit_ns * TIMER_SLACK or (heard and closing.place.ts_ns - heard.ts_ns < limit_ns * TIMER_SLACK):
        return
    first_text = 'its last PING "2"' if last else "opens the session"
    yield Hit(
        evidence(since, Side.CLIENT if last else Side.SERVER, first_text),
        evidence(closing.place, closing.side, closing_words(closing)),
        silence=in_ms(silence),
        limit=in_ms(limit_ns),
        side=closing.side.label,
        end=closing_words(closing),
    )
