"""A client sends messages, but no pong.

## What it reports
An Engine.IO 4 session whose client goes on to send packets while a ping of the server waits for its pong, for longer
than `pingTimeout`.

## Why it matters
Servers up to socket.io 4.7 (engine.io 6.5) took any packet of the client for a sign of life, so that such a client
lived as long as it talked. From socket.io 4.8 on (engine.io 6.6) only a pong counts: "worked with 4.7, fails with 4.8".
python-socketio never counted anything else.

## On the wire
`2` of the server, then messages of the client (`4...`), no `3`. The server closes when `pingTimeout` is over, in the
middle of the talk; or it does not, and the client lives by luck.

## How to fix
Answer each `2` with `3`, at once and whatever else there is to send.

## When it is silent
When the client says nothing after the ping (EIO039 tells whether it was frozen), when what it says may have been on its
way when the ping came, when a large message holds the pong up (EIO043), and when the client sends pings itself
(EIO038).

## References
- Engine.IO protocol, revision 4, "Heartbeat"
- engine.io 6.6.0, release notes; socket.io issue #5450
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import TIMER_SLACK, talks_on, times_ns
from eiosniff.rules.phrases import closing_words, in_ms


@rule(
    code="EIO044",
    name="chatty-but-no-pong",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends messages but no pong{luck}",
    message="{client} leaves a ping of the server at {server} unanswered for {waited} (pingTimeout is {limit}) and "
    "sends other packets meanwhile ({answered}). {end}",
    why="In Engine.IO 4 the client must answer each PING with PONG. From socket.io 4.8 on, and in python-socketio, no "
    "other packet counts as a sign of life.",
    fix=('Client: send "3" for each "2" that comes, at once; a client library does so by itself.',),
    explains=("pong-missing", "sid-expired", "connect-loop", "no-backoff", "ws-abnormal-close"),
)
def chatty_but_no_pong(session: Session) -> Iterator[Hit]:
    """See the module."""
    beats, times, heard, closing = (
        session.heartbeats, times_ns(session), session.last_from[Side.CLIENT], session.closing,
    )  # fmt: skip
    if beats.pending is None or times is None or heard is None or not talks_on(session):
        return
    limit_ns = times[1]
    asked = beats.pending.ping
    waited = session.observed_until_ns - asked.ts_ns
    if waited < limit_ns * TIMER_SLACK:
        return
    closed = closing is not None and closing.side is Side.SERVER
    lives = not closed and heard.ts_ns - asked.ts_ns > limit_ns
    proof = [evidence(asked, Side.SERVER, 'PING "2"'), evidence(heard, Side.CLIENT, "still talks")]
    end = "The server takes that for a sign of life: it lives by luck, and would not with a newer one."
    if closed and closing is not None:
        proof.append(evidence(closing.place, Side.SERVER, closing_words(closing)))
        end = f"The server then {closing_words(closing)}."
    elif not lives:
        end = "The server has not closed the session within the capture."
    yield Hit(
        *proof,
        severity=Severity.INFO if lives else Severity.ERROR,
        certainty=Certainty.CERTAIN if closed or lives else Certainty.LIKELY,
        doubt="" if closed or lives else "the capture ends before the server closes",
        kind="lives" if lives else "",
        lasting=not closed,
        luck=", and lives by luck" if lives else "",
        waited=in_ms(waited),
        limit=in_ms(limit_ns),
        answered=f"{beats.pongs} of {beats.pings} pings answered",
        end=end,
    )
