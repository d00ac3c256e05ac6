"""The capture began after the conversation did.

## What it reports
Engine.IO connections whose beginning (SYN, handshake) is not in the capture.

## Why it matters
The handshake says which revision the client asks for, which times hold for the heartbeat, and which library it is.
Without it these are inferred from what follows, or not known.

## On the wire
Data of a connection without its SYN.

## How to fix
Start the capture first, then the client.

## When it is silent
For connections that are not Engine.IO.

## References
- RFC 9293, section 3.5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP222",
    name="capture-starts-midstream",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capture began after the conversation did",
    message="Connections of Socket.IO that were open before the first packet: {count}. Their handshake is not in the "
    "capture.",
    why="The handshake tells the protocol version, the times of the heartbeat and the libraries. Without it they are "
    "inferred from what follows, and findings are only possible.",
    fix=("Start the capture first, then the client.",),
    tolerates_gaps=True,
)
def capture_starts_midstream(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if summary.midstream:
        yield Hit(
            *(
                evidence(place, None, "the first packet of a connection without its beginning")
                for place in summary.midstream
            ),
            occurrences=summary.midstream.count,
            count=summary.midstream.count,
        )
