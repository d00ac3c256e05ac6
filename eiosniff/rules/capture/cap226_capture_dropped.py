"""The capturing host dropped packets.

## What it reports
Bytes of Socket.IO connections that are missing from the capture, where the file counts packets that were dropped while
it was made; and of `eiosniff live`, by the counters of the kernel.

## Why it matters
What is missing was on the wire: it was lost on its way into the file, and not between client and server. So nobody
needs to look for a fault of the network; but what was in it is not known, and findings that span it are only possible.

## On the wire
Nothing: the counters are in the file. pcapng keeps them in its Interface Statistics Blocks (`isb_ifdrop`: by the
interface, `isb_osdrop`: by the operating system), which dumpcap and Wireshark write at the end.

## How to fix
Capture less: a filter on host and port, a snap length that is enough. Give it room: `dumpcap -B 64` (MB), `tcpdump -B
65536` (KB), a fast disk, no display while capturing. tcpdump says at its end how many were "dropped by kernel".

## When it is silent
When nothing of a Socket.IO connection is missing, whatever else was dropped; and for files without counters, as all of
the older format (pcap): what they lack is CAPTURE-GAP.

## References
- draft-ietf-opsawg-pcapng, "Interface Statistics Block"; pcap_stats(3PCAP)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP226",
    name="capture-dropped",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capturing host dropped packets, and Socket.IO connections lack some",
    message="{dropped} packet(s) were dropped while capturing, by its counters; Socket.IO connections lack "
    "{bytes} bytes, in {count} place(s).",
    why="The packets were on the wire, and the capturing host was too slow for them: no fault of the network. Findings "
    "that span such a place are only possible.",
    fix=(
        "Capture with a filter on host and port and with a larger buffer (dumpcap -B 64, tcpdump -B 65536), to a fast "
        "disk.",
    ),
    tolerates_gaps=True,
)
def capture_dropped(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    missing = summary.gap_bytes - summary.cut_bytes
    if summary.dropped and missing > 0:
        yield Hit(
            *(evidence(place, None, "bytes before this packet are missing") for place in summary.gaps),
            occurrences=summary.gaps.count,
            dropped=summary.dropped,
            bytes=missing,
            count=summary.gaps.count,
        )
