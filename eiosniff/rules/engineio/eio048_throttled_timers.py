"""A browser slows down the timers of a hidden page.

## What it reports
The page of a browser whose heartbeat suffers as it does when the page is hidden: pings at distances of a minute, or
pings (pongs) that stop.

## Why it matters
Browsers wake the timers of a page in the background once a second, and after five minutes once a minute. A heartbeat
that hangs on such a timer comes too late, and the server closes: users find the page disconnected when they come back.

## On the wire
Up to Engine.IO 3 the client pings: the pauses between its `2` grow to multiples of 60 s, or no `2` comes and the server
closes at `pingInterval` + `pingTimeout`, while TCP acknowledges. Chromium of today does so to interval timers and to
timers that set each other; those of socket.io-client 2.x are set by each pong, and only come on whole seconds. In
Engine.IO 4 the client answers at once, but socket.io-client before 4.1.3 waits for a timer after each packet that it
sends: a page that sends from an interval timer then cannot send its pong, and the server closes.

## How to fix
socket.io-client 4.1.3 or later. With 2.x: a `pingTimeout` of 60 s and more on the server, or the socket in a Web
Worker, whose timers run on. By hand: set the next ping when the pong comes, and not by an interval timer.

## When it is silent
For clients that are no browser, and where the pings of a hidden page come on whole seconds, but in time.

## References
- socket.io documentation, "Troubleshooting connection issues"; socket.io issue #4040, engine.io-client pull request
  #670
- Chrome developers, "Heavy throttling of chained JS timers beginning in Chrome 88"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import TIMER_SLACK, held_up, is_orderly, times_ns
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, closing_words, in_ms

MINUTE_NS = 60 * NS_PER_S
SLACK_NS = 1500 * NS_PER_MS
REGULAR_PINGS = 3  # so many show that its timer worked at first
FIXED = "4.8"  # the first version from 4.1.3 on that shows itself
_BROWSER = "Mozilla/"
_LOOKS_THE_SAME = "a page that computes for so long, or a computer that sleeps, looks the same"


@rule(
    code="EIO048",
    name="throttled-timers",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The browser slows down the timers of a hidden page{outcome}",
    message="{client}, a page in a browser, {what}. {end}",
    why="Browsers wake the timers of a page in the background once a second, and after five minutes once a minute. A "
    "heartbeat that hangs on such a timer comes too late for the server.",
    fix=("{advice}",),
    explains=("pong-missing", "eio3-no-client-ping", "heartbeat-slow", "sid-expired", "connect-loop", "no-backoff"),
)
def throttled_timers(session: Session) -> Iterator[Hit]:
    """See the module."""
    times = times_ns(session)
    if times is None or not session.client.user_agent.startswith(_BROWSER) or held_up(session) is not None:
        return
    closing = session.closing
    died = closing is not None and closing.side is Side.SERVER and not is_orderly(closing)
    if session.pinger is Side.CLIENT:
        found = _late_pings(session, *times, died=died)
    else:
        found = _stuck_pong(session, *times) if died else None
    if found is None:
        return
    what, certainty, advice = found
    beat = session.heartbeats.last
    proof = [evidence(beat.ping, session.pinger, 'the last PING "2"')] if beat is not None else []
    end = "The server is patient enough for that."
    if died and closing is not None:
        proof.append(evidence(closing.place, closing.side, closing_words(closing)))
        end = f"The server then {closing_words(closing)}."
        if closing.acked is not None:
            proof.append(evidence(closing.acked, Side.CLIENT, "acknowledges it by TCP only"))
    yield Hit(
        *proof,
        severity=None if died else Severity.INFO,
        certainty=certainty,
        doubt=_LOOKS_THE_SAME if certainty is Certainty.POSSIBLE else "",
        kind="died" if died else "",
        outcome=", and the server takes it for dead" if died else "",
        what=what,
        end=end,
        advice=advice,
    )


def _late_pings(
    session: Session, interval_ns: int, timeout_ns: int, *, died: bool
) -> tuple[str, Certainty, str] | None:
    """A client that pings by itself: what it does, how sure it is, what to do."""
    beats = session.heartbeats
    advice = (
        "Server: raise pingTimeout to 60000 ms or more. Client: run the socket in a Web Worker, or set each ping "
        "when the pong before it comes (as socket.io-client does), not by an interval timer; or move to Socket.IO 4."
    )
    longest = beats.pauses.maximum
    by_the_minute = longest > MINUTE_NS - SLACK_NS and (longest + SLACK_NS) % MINUTE_NS <= 2 * SLACK_NS
    if by_the_minute and longest > interval_ns + SLACK_NS:
        what = f"pings after {in_ms(longest)} instead of {in_ms(interval_ns)}: browsers wake hidden pages by the minute"
        return what, Certainty.LIKELY, advice
    silent = beats.last is not None and session.observed_until_ns - beats.last.ping.ts_ns
    regular = beats.pings >= REGULAR_PINGS and beats.pauses.median <= interval_ns + SLACK_NS
    if not died or not regular or not silent or silent < (interval_ns + timeout_ns) * TIMER_SLACK:
        return None
    if session.closing is None or session.closing.acked is None:
        return None  # perhaps it is gone
    what = f"sent {beats.pings} pings in time and then none for {in_ms(silent)}, although its system is alive"
    return what, Certainty.POSSIBLE, advice


def _stuck_pong(session: Session, interval_ns: int, timeout_ns: int) -> tuple[str, Certainty, str] | None:
    """A client that should only answer, and said something of its own just before: as above."""
    beats, identity, heard = session.heartbeats, session.client.identity, session.last_from[Side.CLIENT]
    pending = beats.pending
    if pending is None or pending.ping_acked is None or not beats.pongs or heard is None:
        return None
    if identity is not None and identity.version.startswith(FIXED):
        return None
    if session.observed_until_ns - pending.ping.ts_ns < timeout_ns * TIMER_SLACK:
        return None
    # Servers ping so long after the last pong: what came later was something else.
    if not pending.ping.ts_ns - interval_ns < heard.ts_ns - NS_PER_MS < pending.ping.ts_ns:
        return None
    what = f"answered {beats.pongs} pings, sent something, and does not answer the next ping, although TCP does"
    return what, Certainty.POSSIBLE, "Client: npm install socket.io-client@4 (4.1.3 or later: its pong needs no timer)."
