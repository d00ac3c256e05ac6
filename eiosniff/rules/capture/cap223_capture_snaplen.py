"""The capture holds only the beginning of each packet.

## What it reports
Captured packets that are shorter than they were on the wire, in a capture in which connections that speak Engine.IO
lack bytes for it, or in which there is no Engine.IO to be seen.

## Why it matters
The limit (the snap length, `-s`) keeps the headers and cuts what the peers say. An HTTP request that is cut shows
neither its session id nor the library; of a handshake's answer, the session id and the times of the heartbeat are gone.
Short WebSocket messages stay whole.

## On the wire
Nothing: the capture file says of each packet how long it was, and holds less.

## How to fix
Capture again without a limit: `tcpdump -s 0`, which is the default of current versions; in Wireshark, take the tick
from "Limit each packet".

## When it is silent
When what was cut does not concern Engine.IO: connections of others, while all of its own is there.

## References
- tcpdump(1), option `-s`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP223",
    name="capture-snaplen",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capture holds only the beginning of each packet",
    message="Packets that were cut: {count}, at {length} bytes. What was behind that is not known.",
    why="A limit (the snap length) cut them as they were captured. What the peers said is lost but for its beginning, "
    "so that sessions and packets are missing here, and findings are only possible.",
    fix=("Capture again with whole packets: tcpdump -s 0, or in Wireshark without 'Limit each packet'.",),
    tolerates_gaps=True,
)
def capture_snaplen(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if summary.cut is not None and (summary.cut_bytes or not summary.engineio_connections):
        yield Hit(
            evidence(summary.cut, None, "the first packet of which the end is missing"),
            severity=None if summary.engineio_connections else Severity.WARNING,
            count=summary.cut_packets,
            length=summary.cut_length,
        )
