"""Two heartbeats run on one connection.

## What it reports
A WebSocket on which PING frames of WebSocket (opcode 9) run beside the pings of Engine.IO.

## Why it matters
Harmless, but twice the cost: one of the two is enough. It matters when the PONG frames (opcode 10) stay away: the side
that sends PING frames then gives up a connection on which the heartbeat of Engine.IO is well. arduinoWebSockets does so
after five misses, aiohttp after the first.

## On the wire
Frames `89 ...` of the client (arduinoWebSockets, recorded from 2.3.0 on: every 60 s; aiohttp with `heartbeat=`,
websocket-client with `ping_interval`), answered by frames `8a ...`; and text frames `2` and `3`. Proxies send PING
frames, too.

## How to fix
Leave it, or turn the heartbeat of WebSocket off. Where PONG frames are missing: a server written by hand must answer
PING frames (RFC 6455 demands it), a proxy must pass them on.

## When it is silent
Where only one of the two was seen. A PONG may stand for several PINGs (RFC 6455, section
5.5.3).

## References
- RFC 6455, sections 5.5.2 and 5.5.3
- arduinoWebSockets, src/SocketIOclient.cpp and enableHeartbeat()
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_S, closing_words, in_ms

# Every peer answers sooner; aiohttp gives up after half of its period.
PATIENCE_NS = NS_PER_S // 2


@rule(
    code="EIO047",
    name="double-heartbeat",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The {who} runs a heartbeat of WebSocket beside that of Engine.IO{trouble}",
    message="{client} with {server}: the {who} sends {count} of WebSocket{period}. {detail}",
    why="Engine.IO has a heartbeat of its own, so one of the two is superfluous. A side that gets no PONG frames gives "
    "up, however well the other heartbeat is.",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff"),
    remark=True,
)
def double_heartbeat(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not (session.ws_pings[Side.CLIENT] or session.ws_pings[Side.SERVER]):
        return
    for side in Side:
        pings, pongs = session.ws_pings[side], session.ws_pongs[side.other]
        if not pings or pings.last is None:
            continue
        waiting = pings.last
        answered = pongs.last is not None and not pongs.last < waiting
        dead = not answered and not pongs and _waited(session, waiting)
        if not dead and not session.heartbeats.pings:
            continue
        proof = [evidence(place, side, "PING frame") for place in dict.fromkeys((pings.first[0], waiting))]
        closing = session.closing
        detail = f"PONG frames in answer: {pongs.count}."
        if dead:
            detail = f"The {side.other.label} does not answer, as it must."
            if closing is not None and closing.side is side and not closing.after_goodbye:
                proof.append(evidence(closing.place, side, closing_words(closing)))
                detail += f" The {side.label} then {closing_words(closing)}."
        yield Hit(
            *proof,
            severity=Severity.WARNING if dead else Severity.INFO,
            kind=f"{side.label}{', dead' if dead else ''}",
            who=side.label,
            trouble=", and gets no answer" if dead else "",
            count=f"{pings.count} PING frames" if pings.count > 1 else "a PING frame",
            period=f", every {in_ms(pings.period_ns)}" if pings.period_ns is not None else "",
            detail=detail,
            advice=f"The {side.other.label} must answer PING frames (opcode 9) with PONG frames (opcode 10), and a "
            f"proxy between the two must pass them; or turn the {side.label}'s heartbeat of WebSocket off."
            if dead
            else f"Nothing needs to be done. To save packets, turn the {side.label}'s heartbeat of WebSocket off.",
        )


def _waited(session: Session, ping: PacketRef) -> bool:
    """Whether a PING frame waited so long that an answer would have come."""
    return session.observed_until_ns - ping.ts_ns >= PATIENCE_NS
