"""Something between client and server holds WebSocket messages back.

## What it reports
Engine.IO packets over WebSocket that take a second or more from a capture near the one peer to a capture near the other
one.

## Why it matters
Each event and each heartbeat comes so much later. A ping that is held for longer than pingTimeout ends the session,
although both sides answer at once.

## On the wire
The same packet at both places, by clocks that are aligned: the packets of both directions that were quickest tell how
far they are apart.

## How to fix
Switch buffering, scanning and rate limits off for WebSocket connections in what is between (proxy, virus scanner,
application firewall), or go round it with TLS (wss://).

## When it is silent
For polling, where POLL-BUFFERED speaks of it. With one capture. Where TCP sent something again it is only possible: a
lost segment delays all that comes behind it.

## References
- RFC 5905, section 8 (how clocks are compared); RFC 6455, section 5
"""

from collections.abc import Iterator

from eiosniff.model.crossing import Crossing
from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.crossings import between, both_ends, from_to
from eiosniff.rules.phrases import in_ms


@rule(
    code="PROXY237",
    name="held-back",
    subject=Crossing,
    severity=Severity.WARNING,
    since="0.1.0",
    title="WebSocket messages take up to {worst} from {way}",
    message="{count} of {total} packets from {way} were under way for a second or more, {worst} at the most; the "
    "quickest took {least}. In between is {between}.",
    why="Both peers are quick: the time passes between them. All that a user sees comes so much later, and pings "
    "that take too long end the session.",
    fix=(
        "Proxy, virus scanner or firewall between: no buffering, scanning or rate limit for WebSocket connections.",
        "Leave it out for a test, or use TLS (wss://) from end to end.",
    ),
    explains=("open-late", "heartbeat-slow", "pong-missing", "ack-slow", "connect-loop", "no-backoff"),
)
def held_back(crossing: Crossing) -> Iterator[Hit]:
    """See the module."""
    for side in Side:
        way = crossing.ways.get((Transport.WEBSOCKET, side))
        if way is None or not way.held:
            continue
        certainty, doubt = Certainty.CERTAIN, ""
        if way.held.count == 1:
            certainty, doubt = Certainty.LIKELY, "it is one packet"
        if crossing.clocks.unsure_ns is None:
            certainty, doubt = Certainty.LIKELY, "only one direction tells how far the clocks are apart"
        if crossing.resent[side]:
            certainty, doubt = Certainty.POSSIBLE, "TCP sent something again, and what is lost delays what follows"
        yield Hit(
            *both_ends(way.held),
            certainty=certainty,
            doubt=doubt,
            occurrences=way.held.count,
            kind=side.label,
            way=from_to(side),
            count=way.held.count,
            total=way.delays.count,
            worst=in_ms(way.delays.maximum),
            least=in_ms(way.delays.minimum),
            between=between(crossing),
        )
