"""Bytes of Engine.IO connections are missing from the capture.

## What it reports
Holes in the byte streams of connections that speak Engine.IO: segments that the receiver acknowledged and the capture
does not hold, or that were not sent again for longer than a retransmission takes.

## Why it matters
What was in a hole is not known. Findings whose evidence spans one are only possible; packets and attachments may be
missing from the counts.

## On the wire
A jump in the sequence numbers that no later segment fills, while the peer's acknowledgements go on past it.

## How to fix
Capture with a larger buffer (`tcpdump -B 16384`), write to a fast disk, filter on the host and port, and capture on one
of the two hosts rather than on a mirror port.

## When it is silent
For losses on the network that were sent again: TCP mends them, and so does eiosniff. For what nobody had acknowledged
when the capture or the connection ended: it may have been lost on the way. For what a snap length cut, which
is `capture-snaplen`, and where the file counts what was dropped, which is `capture-dropped`.

## References
- Wireshark, "TCP previous segment not captured" and "ACKed unseen segment"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP221",
    name="capture-gap",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capture lacks bytes of Socket.IO connections",
    message="Bytes missing: {bytes}, in {count} place(s). What was in them is not known.",
    why="Findings that span such a place are only possible, and packets may be missing from the counts.",
    fix=("Capture on one of the two hosts, with a larger buffer (tcpdump -B 16384) and a filter on host and port.",),
    tolerates_gaps=True,
)
def capture_gap(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if summary.gap_bytes > summary.cut_bytes and not summary.dropped:
        yield Hit(
            *(evidence(place, None, "bytes before this packet are missing") for place in summary.gaps),
            occurrences=summary.gaps.count,
            bytes=summary.gap_bytes - summary.cut_bytes,
            count=summary.gaps.count,
        )
