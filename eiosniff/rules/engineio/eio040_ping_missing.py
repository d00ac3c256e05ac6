"""The server stops sending pings.

## What it reports
An Engine.IO 4 session on a WebSocket in which the server sends no ping for longer than a client waits.

## Why it matters
In revision 4 only the server pings. A client that hears none for `pingInterval` + `pingTimeout` takes the server for
dead and closes: users see "ping timeout".

## On the wire
The open packet says how often the server means to ping. Then no `2` comes for `pingInterval` + `pingTimeout` (the
Python client waits for the longer of the two and 5 s), and the client closes with a close frame or FIN. What becomes of
that tells whose fault it is: if TCP acknowledges it, the server's system is alive and its program is not; if it is sent
again and again and never acknowledged, the network is gone. A server that sends other packets all the time does not
ping, or has no timer for it any more.

## How to fix
Find what blocks the server's event loop (synchronous work, a huge JSON, a debugger; in Python a single-threaded worker,
or gevent and eventlet without monkey patching), and move it elsewhere.

## When it is silent
When a ping is late but comes before the client gives up, or the client leaves with a goodbye before; over polling,
where a ping needs a request to travel on; when TCP sends the server's packets again and again, because the network
between the two is gone: pings wait behind them, as they do behind a large message (EIO043).

## References
- Engine.IO protocol, revision 4, "Heartbeat"
- python-socketio issues #794 and #1111, Flask-SocketIO issue #1713
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import (
    BEHIND_PROXY,
    FROZEN,
    GONE,
    REPEATS_INTO_THE_VOID,
    TIMER_SLACK,
    advice_behind_proxy,
    behind_proxy,
    held_up,
    is_lost,
    nearest,
    proxy_between,
    times_ns,
)
from eiosniff.rules.phrases import NS_PER_S, closing_words, in_ms

# python-engineio, client.py: the write loop gives up after max(interval, timeout) and this.
PYTHON_GRACE_NS = 5 * NS_PER_S
_BLOCKS = (
    "Find what blocks the server's event loop: synchronous work, large JSON, a debugger; in Python a worker without "
    "gevent, eventlet or asyncio, or one without monkey patching."
)


@rule(
    code="EIO040",
    name="ping-missing",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server stops sending pings: {verdict}",
    message="The server at {server} sends {client} no ping for {silence}, although it announced one every {interval}. "
    "{end} {detail}",
    why="In Engine.IO 4 only the server sends PING. A client that hears none for pingInterval + pingTimeout takes the "
    "server for dead and closes the connection.",
    fix=("{advice}",),
    explains=(
        "connect-loop",
        "no-backoff",
        "double-heartbeat",
        "ws-abnormal-close",
        "tcp-reset",
        "ack-missing",
        "ack-slow",
    ),
)
def ping_missing(session: Session) -> Iterator[Hit]:
    """See the module."""
    if session.heartbeats.pending is not None or not session.on_websocket or session.pinger is not Side.SERVER:
        return
    times = times_ns(session)
    if times is None or not times[0]:
        return
    interval_ns, timeout_ns = times
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
    if held_up(session) is not None or session.repeats[Side.SERVER] >= REPEATS_INTO_THE_VOID:
        return  # its words do not arrive, and what it says after them waits in its kernel
    first_text = 'its last PING "2"' if last else "opens the session"
    proof = [evidence(since, Side.SERVER, first_text)]
    end = "The client has not closed the session within the capture."
    if closing is not None:
        proof.append(evidence(closing.place, Side.CLIENT, closing_words(closing)))
        end = f"The client then {closing_words(closing)}."
    verdict, detail, advice, shown = _blame(session, since, interval_ns)
    if shown is not None:
        proof.append(shown)
    yield Hit(
        *proof,
        kind=verdict,
        lasting=closing is None,
        certainty=Certainty.CERTAIN if closing is not None else Certainty.LIKELY,
        doubt="" if closing is not None else "the capture ends before the client gives up",
        silence=in_ms(silence),
        interval=in_ms(interval_ns),
        end=end,
        verdict=verdict,
        detail=detail,
        advice=advice,
    )


def _blame(session: Session, since: PacketRef, interval_ns: int) -> tuple[str, str, str, Evidence | None]:
    """Whose fault it is, what shows it, what to do, and one more packet as evidence."""
    heard, near = session.last_from[Side.SERVER], nearest(session, Side.SERVER)
    if heard is not None and heard.ts_ns - since.ts_ns > interval_ns:
        text = "It sent other packets meanwhile, so it is alive: it has no timer for pings, or lost it."
        advice = "Use a server that speaks Engine.IO 4; look for an error in its log when the session opened."
        return "it does not ping", text, advice, evidence(heard, Side.SERVER, "sends something else")
    closing = near.closing
    if closing is not None and is_lost(near, closing):
        text = "TCP never acknowledged what the client sent when it gave up: it did not reach the server."
        return GONE, text, "Look at the path between the two (Wi-Fi, NAT, VPN): the packets do not arrive.", None
    if closing is None or closing.acked is None:
        text = "The capture does not show whether the server's system is still there."
        return "its program is blocked, or gone", text, _BLOCKS, None
    proxy = proxy_between(near, Side.SERVER)
    if proxy:
        return BEHIND_PROXY, behind_proxy(Side.SERVER, proxy), advice_behind_proxy(Side.SERVER), None
    text = "TCP acknowledged that: the server's system is alive, its program did not run."
    return FROZEN, text, _BLOCKS, evidence(closing.acked, Side.SERVER, "acknowledges it by TCP")
