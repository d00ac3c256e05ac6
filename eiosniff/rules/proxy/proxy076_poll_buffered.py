"""A proxy holds the answers to polls back.

## What it reports
Answers to polls that leave the server, and get to the client a second or more later, in a capture of both hops of a
proxy, or in two captures of the same sessions, one near the client and one near the server.

## Why it matters
Over polling each event waits for the answer to a poll. What a proxy adds to each answer comes on top of every event,
every acknowledgement and every ping; a client may be taken for dead although both sides are quick.

## On the wire
The same answer twice: from the server to the proxy, and a second or more later from the proxy to the client. Virus
scanners and filters read an answer to its end before they let it pass, some for a fixed time; `limit_rate` of nginx
counts the bytes of headers, too.

## How to fix
Let the proxy pass `/socket.io/` on as it comes: `proxy_buffering off;` and no `limit_rate` there (nginx), no scanning
of that path, no compression by the proxy. Or let clients upgrade to WebSocket, which is passed on frame by frame.

## When it is silent
When only one place was captured: a server that answers late looks alike from there. When half of the answers or more
pass within a second (`held_ms`): a lost packet is no proxy's fault. If only one was seen on both sides it is likely.

## References
- nginx documentation, `proxy_buffering`, `limit_rate`; socket.io documentation, "Behind a reverse proxy"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.crossing import Crossing
from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.crossings import both_ends
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="PROXY076",
    name="poll-buffered",
    subject=(Session, Crossing),
    severity=Severity.WARNING,
    since="0.1.0",
    title="A proxy holds the answers to polls back for {usual}",
    message="Between {server} and {client} answers to polls take {usual} from one side of a proxy to the other, "
    "{worst} at the most ({seen} on both sides).",
    why="Over polling every event waits for the answer to a poll, and so for the proxy. Without it they would arrive "
    "{usual} earlier.",
    fix=(
        "Proxy: pass /socket.io/ on as it comes: no buffering, no rate limit, no scanning or compression of that path "
        "(nginx: proxy_buffering off; and no limit_rate in its location).",
        "Or let WebSocket pass, so that clients upgrade.",
    ),
    explains=("heartbeat-slow", "pong-missing", "connect-loop", "no-backoff"),
    limits={"held_ms": 1000},
)
def poll_buffered(ledger: Session | Crossing, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Crossing):
        yield from _between_captures(ledger, limits["held_ms"] * NS_PER_MS)
    else:
        yield from _on_both_hops(ledger, limits["held_ms"] * NS_PER_MS)


def _between_captures(crossing: Crossing, held_ns: float) -> Iterator[Hit]:
    """The answers left the server in one capture, and came to the client in another."""
    way = crossing.ways.get((Transport.POLLING, Side.SERVER))
    if way is None or way.slowest is None or way.delays.median < held_ns:
        return
    sure = way.delays.count > 1 and crossing.clocks.unsure_ns is not None and not crossing.resent[Side.SERVER]
    yield Hit(
        *both_ends([*way.held.first, way.slowest]),
        certainty=Certainty.CERTAIN if sure else Certainty.LIKELY,
        doubt="" if sure else "a packet may have been lost on the way, or the clocks are not known well enough",
        occurrences=way.delays.count,
        usual=in_ms(way.delays.median),
        worst=in_ms(way.delays.maximum),
        seen=f"{way.delays.count} packets were seen",
    )


def _on_both_hops(session: Session, held_ns: float) -> Iterator[Hit]:
    held, slowest = session.polling.held, session.polling.slowest
    if held is None or slowest is None or held.median < held_ns:
        return
    yield Hit(
        evidence(slowest.left, Side.SERVER, "sends the answer to the proxy"),
        evidence(slowest.arrived, Side.SERVER, f"the answer gets to the client, {in_ms(slowest.held_ns)} later"),
        certainty=Certainty.CERTAIN if held.count > 1 else Certainty.LIKELY,
        doubt="" if held.count > 1 else "it is one answer, of which a packet may have been lost on the way",
        occurrences=held.count,
        usual=in_ms(held.median),
        worst=in_ms(held.maximum),
        seen=f"{held.count} were seen" if held.count > 1 else "one was seen",
    )
