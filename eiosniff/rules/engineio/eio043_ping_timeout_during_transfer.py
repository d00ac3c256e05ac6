"""A large message held the heartbeat up until the session was taken for dead.

## What it reports
A session that ends by ping timeout while a large message (64 KB or more) is on its way, behind which the ping or the
pong had to wait.

## Why it matters
Over a slow link a message of a few hundred kilobytes takes seconds. Packets of one connection stay in order, so the
pong waits behind it; the server hears nothing for `pingTimeout`, closes, and the upload is lost. The client connects
again, sends it again, and so on.

## On the wire
Over WebSocket: `2` of the server, then only segments of one message of the client, no `3`, and after `pingTimeout` the
close frame of the server in the middle of it. Over polling: a POST that takes longer than `pingTimeout`; the pong needs
a POST of its own, after it. The other way round as well: what the server sends holds its own pings up, in its kernel,
and the client hears none. Up to revision 3 pings and pongs change sides.

## How to fix
Send in pieces that take less than a second each, or by a plain HTTP upload beside Socket.IO. Raise `pingTimeout` on the
server to what the slowest link needs.

## When it is silent
When the message was through before the time was over: then something else kept the pong. When the message began only
long after the heartbeat was due.

## References
- socket.io documentation, "Troubleshooting connection issues", ping timeout
- socket.io issue #4501
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import held_up, is_orderly, times_ns
from eiosniff.rules.phrases import closing_words, in_ms


@rule(
    code="EIO043",
    name="ping-timeout-during-transfer",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A large message of the {who} holds the heartbeat up until the session times out",
    message="{client} with {server}: a message of {size} of the {who} is on its way for {taken}; the {held} waits "
    "behind it, pingTimeout ({limit}) is over. {end}",
    why="Packets of one connection arrive in order: while a large message is sent over a slow link, neither ping nor "
    "pong can pass it. The other side takes that for silence.",
    fix=(
        "Send in pieces that take less than a second each on the slowest link, or upload by plain HTTP beside "
        "Socket.IO.",
        "Raise pingTimeout on the server (Node: pingTimeout: 60000; Python: ping_timeout=60) so that the largest "
        "message fits into it.",
    ),
    explains=(
        "pong-missing",
        "ping-missing",
        "eio3-no-client-ping",
        "chatty-but-no-pong",
        "heartbeat-slow",
        "sid-expired",
        "connect-loop",
        "no-backoff",
        "loss-latency",
    ),
)
def ping_timeout_during_transfer(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.transfers:
        return
    transfer, times, closing = held_up(session), times_ns(session), session.closing
    if transfer is None or times is None or (closing is not None and is_orderly(closing)):
        return
    pending = session.heartbeats.pending
    proof = [evidence(transfer.first, transfer.side, "begins a large message")]
    end = "The session has not been closed within the capture."
    if pending is not None:
        proof.insert(0, evidence(pending.ping, session.pinger, 'PING "2"'))
    if closing is not None:
        proof.append(evidence(closing.place, closing.side, closing_words(closing)))
        end = f"The {closing.side.label} then {closing_words(closing)}."
    if transfer.complete:
        proof.append(evidence(transfer.last, transfer.side, "ends it, too late"))
    until_ns = transfer.last.ts_ns if transfer.complete else session.observed_until_ns
    yield Hit(
        *proof,
        certainty=Certainty.CERTAIN if closing is not None else Certainty.LIKELY,
        doubt="" if closing is not None else "the capture ends before the session does",
        who=transfer.side.label,
        size=f"{transfer.bytes / 1000:.0f} KB" if transfer.complete else f"more than {transfer.bytes / 1000:.0f} KB",
        taken=in_ms(until_ns - transfer.first.ts_ns),
        held="pong" if pending is not None else "ping",
        limit=in_ms(times[1]),
        end=end,
    )
