"""Packets leave one side and never reach the other.

## What it reports
Engine.IO packets that a capture near the one peer shows leaving, and that a capture near the other peer, of the same
session and time, does not show arriving.

## Why it matters
WebSocket and HTTP run over TCP, which loses nothing: what left and never came was taken out by something that reads
the messages, a proxy, a filter or a virus scanner. The one peer believes that it said it, the other cannot know.

## On the wire
The same session by its sid at both places; before and after the missing packet the same packets in the same order.

## How to fix
Look at what is between the two places: limits on the size of messages, filters, retries. Take it out of the way for a
test, or use TLS (wss://), in which nothing between can take single messages out.

## When it is silent
With one capture, or two that share no session. Where the other capture lacks bytes of the session, began later or ended
within 5 s; and for what is sent just when the other side ends the session, which no longer arrives.

## References
- RFC 9293, section 2.2 (reliable, in order); eiosniff documentation, docs/several-files.md
"""

from collections.abc import Iterator

from eiosniff.model.crossing import Crossing, Passage, Way
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.tally import Tally
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.crossings import between, both_ends, from_to


def _lost(way: Way) -> Tally[Passage]:
    return way.lost


@rule(
    code="PROXY235",
    name="lost-between",
    subject=Crossing,
    severity=Severity.ERROR,
    since="0.1.0",
    title="Packets are lost on the way from {way}",
    message="{count} packet(s) of {share} left on the way from {way} and never arrived, although both places were "
    "captured: {what}. In between is {between}.",
    why="TCP loses nothing: what one side sent and the other never got was taken out by something that reads the "
    "messages between them.",
    fix=(
        "Look at what is between the two places (proxy, filter, virus scanner): its log, and its limits on messages.",
        "Leave it out for a test, or use TLS (wss://) from end to end, in which nothing can take messages out.",
    ),
    explains=("ack-missing", "pong-missing", "no-connect-packet", "binary-incomplete"),
)
def lost_between(crossing: Crossing) -> Iterator[Hit]:
    """See the module."""
    for side in Side:
        ways = [way for (_, sender), way in crossing.ways.items() if sender is side and way.lost]
        lost = [passage for passage in crossing.passages(_lost) if passage.side is side]
        if not lost:
            continue
        count = sum(way.lost.count for way in ways)
        arrived = sum(way.delays.count for (_, sender), way in crossing.ways.items() if sender is side)
        same = not crossing.is_through_proxy
        yield Hit(
            *both_ends(lost),
            certainty=Certainty.LIKELY if same else Certainty.CERTAIN,
            doubt="both captures show the same TCP connections, which lose nothing" if same else "",
            occurrences=count,
            kind=side.label,
            way=from_to(side),
            count=count,
            share=count + arrived,
            what=", ".join(dict.fromkeys(passage.label for passage in lost)),
            between=between(crossing),
        )
