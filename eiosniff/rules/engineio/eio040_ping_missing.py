"""The server stops sending pings.

## What it reports
An Engine.IO 4 session on a WebSocket in which the server sends no ping for longer than a client waits.

## Why it matters
In revision 4 only the server pings. A client that hears none for `pingInterval` + `pingTimeout` takes the server for
dead and closes: users see "ping timeout" although the network is fine.

## On the wire
The open packet says how often the server means to ping. Then no `2` comes for `pingInterval` + `pingTimeout` (the
Python client waits for the longer of the two and 5 s), and the client closes with a close frame or FIN. TCP
acknowledgements of the server go on: its system is alive, its program is not.

## How to fix
Find what blocks the server's event loop (synchronous work, a huge JSON, a debugger; in Python a single-threaded worker,
or gevent and eventlet without monkey patching), and move it elsewhere.

## When it is silent
When a ping is late but comes before the client gives up, or the client leaves with a goodbye before; over polling,
where a ping needs a request to travel on; when TCP sends the server's last packets again and again, because the network
between the two is gone: pings wait behind them.

## References
- Engine.IO protocol, revision 4, "Heartbeat"
- python-socketio issues #794 and #1111, Flask-SocketIO issue #1713
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, closing_words, in_ms

TIMER_SLACK = 0.95
# python-engineio, client.py: the write loop gives up after max(interval, timeout) and this.
PYTHON_GRACE_NS = 5 * NS_PER_S
# Once may be a lost segment that came through the second time.
REPEATS_INTO_THE_VOID = 2


@rule(
    code="EIO040",
    name="ping-missing",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server stops sending pings: its event loop is blocked, or it does not ping at all",
    message="The server at {server} sends no ping for {silence}, although it announced one every {interval}. {end}",
    why="In Engine.IO 4 only the server sends PING. A client that hears none for pingInterval + pingTimeout takes the "
    "server for dead and closes the connection.",
    fix=(
        "Find what blocks the server's event loop: synchronous work, large JSON, a debugger; in Python a worker "
        "without gevent, eventlet or asyncio, or one without monkey patching.",
    ),
    explains=("connect-loop", "no-backoff"),
)
def ping_missing(session: Session) -> Iterator[Hit]:
    """See the module."""
    handshake = session.handshake
    if handshake is None or not handshake.ping_interval_ms or handshake.ping_timeout_ms is None:
        return
    if session.pinger is not Side.SERVER or not session.on_websocket or session.heartbeats.pending is not None:
        return
    interval_ns = handshake.ping_interval_ms * NS_PER_MS
    timeout_ns = handshake.ping_timeout_ms * NS_PER_MS
    last = session.heartbeats.last
    since = last.ping if last else session.opened
    silence = session.observed_until_ns - since.ts_ns
    closing = session.closing
    patience = interval_ns + timeout_ns
    if closing is not None and not closing.after_goodbye:  # perhaps it gave up, as python-socketio's client does sooner
        patience = min(patience, max(interval_ns, timeout_ns) + PYTHON_GRACE_NS)
    if silence < patience * TIMER_SLACK:
        return
    if closing is not None and closing.side is Side.SERVER:
        return  # it is alive after all
    if session.last_repeats[Side.SERVER] >= REPEATS_INTO_THE_VOID:
        return  # its last words do not arrive, and what it says after them waits in its kernel
    first_text = 'its last PING "2"' if last else "opens the session"
    proof = [evidence(since, Side.SERVER, first_text)]
    end = "The client has not closed the session within the capture."
    if closing is not None:
        proof.append(evidence(closing.place, Side.CLIENT, closing_words(closing)))
        end = f"The client then {closing_words(closing)}."
    yield Hit(
        *proof,
        lasting=closing is None,
        certainty=Certainty.CERTAIN if closing is not None else Certainty.LIKELY,
        doubt="" if closing is not None else "the capture ends before the client gives up",
        silence=in_ms(silence),
        interval=in_ms(interval_ns),
        end=end,
    )
