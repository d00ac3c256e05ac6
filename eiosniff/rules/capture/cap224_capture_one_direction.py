"""The capture holds only one direction of a connection.

## What it reports
Connections that speak Engine.IO of which the capture holds what one side sends, and not a single packet of the other.

## Why it matters
Half of each conversation cannot tell who was to blame: a ping without a pong may have been answered. Rules that compare
the two sides are silent for such sessions, and findings of the others are only possible.

## On the wire
Segments and acknowledgements of one side only.

## How to fix
Capture where both directions pass: on one of the two hosts; with a mirror port (SPAN) that copies both, "rx" and "tx";
without a filter on source or destination (`tcpdump host A and port N`, not `dst port N`). Where the ways there and back
differ, capture on the host.

## When it is silent
When the other side was captured and only said nothing: its acknowledgements are there.

## References
- pcap-filter(7)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP224",
    name="capture-one-direction",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The capture holds only one direction of a connection",
    message="Connections of Socket.IO of which the capture holds one direction only: {count}.",
    why="What the other side said is not known: it may have answered or not. Most rules cannot judge such sessions, so "
    "that no finding does not mean no fault.",
    fix=(
        "Capture on one of the two hosts, without a filter on source or destination: tcpdump host A and port N, not "
        "dst port N.",
        "On a switch, mirror both directions of the port (rx and tx).",
    ),
    tolerates_gaps=True,
)
def capture_one_direction(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if summary.one_direction:
        yield Hit(
            *(
                evidence(place, None, "the first packet of a connection without its other direction")
                for place in summary.one_direction
            ),
            occurrences=summary.one_direction.count,
            count=summary.one_direction.count,
        )
