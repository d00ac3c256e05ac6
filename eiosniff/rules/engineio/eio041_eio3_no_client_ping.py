"""The client of an Engine.IO 3 server does not ping.

## What it reports
A session of revision 3 that ends because no ping of the client came for `pingInterval` + `pingTimeout`.

## Why it matters
Up to revision 3 the client must ping. A client of revision 4 waits for the server to do so: both wait, until the
server's time is over.

## On the wire
The server speaks revision 3 (its answers carry length prefixes, or it sends `40` without being asked). No `2` of the
client follows, and after `pingInterval` + `pingTimeout` (85 s for socket.io 1.x and 2.0, 30 s for 2.1 to 2.4, 45 s for
2.5) the server closes: an empty close frame, or `1` over polling. A client of revision 4 may be faster: it has waited
the same time for a ping of the server, and closes too. A client that pinged before has stopped: if TCP acknowledges the
server's close, its program is frozen; if that is sent again and again and never acknowledged, the network is gone.

## How to fix
Match the generations: a client of Socket.IO 2 for this server, or a server of Socket.IO 3 or later. A hand-written
client must send `2` every `pingInterval`. A client that stopped was kept from it: by a long task, sleep, or a browser
that slows down the timers of a hidden page (EIO048).

## When it is silent
When the client pings in time, when it says goodbye before the time is over, and when its ping waits behind a large
message (EIO043).

## References
- Engine.IO protocol, revision 3, "Timeouts"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Closing, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import (
    BEHIND_PROXY,
    FROZEN,
    GONE,
    TIMER_SLACK,
    advice_behind_proxy,
    behind_proxy,
    held_up,
    is_lost,
    is_orderly,
    proxy_between,
    times_ns,
)
from eiosniff.rules.phrases import closing_words, in_ms

NEVER = "it never does"


@rule(
    code="EIO041",
    name="eio3-no-client-ping",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends no ping, which it must do in Engine.IO 3: {verdict}",
    message="{client} sends no ping for {silence}. The server at {server} waits {limit} for one; then the {side} "
    "{end}. {detail}",
    why="Up to Engine.IO 3 (Socket.IO 2) the client sends PING and the server answers. {reason}",
    fix=("{advice}",),
    explains=("sid-expired", "connect-loop", "no-backoff", "abandoned-session"),
)
def eio3_no_client_ping(session: Session) -> Iterator[Hit]:
    """See the module."""
    times, closing = times_ns(session), session.closing
    if times is None or session.pinger is not Side.CLIENT or closing is None or is_orderly(closing):
        return
    beats = session.heartbeats
    if beats.pending is not None and closing.side is Side.CLIENT:
        return  # it pinged, and got no pong
    if held_up(session) is not None:
        return
    limit_ns = sum(times)
    last = beats.last
    since = last.ping if last else session.opened
    silence = closing.place.ts_ns - since.ts_ns
    # Servers of this revision start anew with any packet of the client, so one that came later would excuse it.
    heard = session.last_from[Side.CLIENT]
    if silence < limit_ns * TIMER_SLACK or (heard and _late(heard.ts_ns, closing, limit_ns)):
        return
    first_text = 'its last PING "2"' if last else "opens the session"
    proof = [
        evidence(since, Side.CLIENT if last else Side.SERVER, first_text),
        evidence(closing.place, closing.side, closing_words(closing)),
    ]
    verdict, detail, advice = _blame(session, closing)
    if verdict == FROZEN and closing.acked is not None:
        proof.append(evidence(closing.acked, Side.CLIENT, "acknowledges it by TCP only"))
    yield Hit(
        *proof,
        kind=verdict,
        silence=in_ms(silence),
        limit=in_ms(limit_ns),
        side=closing.side.label,
        end=closing_words(closing),
        verdict=verdict,
        detail=detail,
        advice=advice,
        reason="This client waits for the server to ping, as Engine.IO 4 does, so the server takes it for dead."
        if verdict == NEVER
        else "A server that hears nothing for pingInterval + pingTimeout takes the client for dead.",
    )


def _late(heard_ns: int, closing: Closing, limit_ns: int) -> bool:
    """Whether a packet came less than the limit before the end."""
    return 0 <= closing.place.ts_ns - heard_ns < limit_ns * TIMER_SLACK


def _blame(session: Session, closing: Closing) -> tuple[str, str, str]:
    """Whose fault it is, what shows it, and what to do."""
    beats = session.heartbeats
    if beats.last is None:
        return (
            NEVER,
            "It has sent no ping at all.",
            'Use a client of the server\'s generation (Socket.IO 2), which pings by itself (by hand: send "2" every '
            "pingInterval of the handshake), or upgrade the server to Socket.IO 3 or later.",
        )
    if closing.side is Side.SERVER and is_lost(session, closing):
        return (
            GONE,
            "TCP never acknowledged what the server sent then: it did not reach the client.",
            "Look at the path between the two (Wi-Fi, NAT, VPN): the packets do not arrive. A shorter pingInterval "
            "keeps NAT entries alive and notices sooner.",
        )
    proxy = proxy_between(session, Side.CLIENT)
    if proxy and closing.acked is not None:
        return BEHIND_PROXY, behind_proxy(Side.CLIENT, proxy), advice_behind_proxy(Side.CLIENT)
    if closing.side is Side.SERVER and closing.acked is not None:
        shown = "TCP acknowledged the close: the client's system is alive, its program did not run"
        verdict = FROZEN
    else:
        shown, verdict = "The capture does not show whether the client's system was still there", "it has stopped"
    before = f"it had pinged {beats.pings} times before" if beats.pings > 1 else "it had pinged once before"
    return (
        verdict,
        f"{shown} ({before}).",
        "Find what blocks the client: a long task in the event loop, a debugger, sleep, a hidden page of a browser. "
        "Raise pingTimeout on the server only if such pauses cannot be avoided.",
    )
