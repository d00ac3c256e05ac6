"""The capture holds packets more than once.

## What it reports
Connections that speak Engine.IO and of which at least two packets with data, and a fifth of the bytes, were captured
twice or more often.

## Why it matters
Nothing is wrong with the connections: copies are told from retransmissions, and counted once. But other programs take
them for retransmissions, and the file is larger than it need be.

## On the wire
The same IP packet again, within microseconds as a rule: equal identification, sequence and acknowledgement numbers. The
MAC addresses may differ, and behind a router the TTL.

## How to fix
Capture on one interface instead of `any` (`tcpdump -i eth0`), on one port of a bridge, or have the switch mirror one
direction of each port only. `editcap -d` removes copies from a file if all their bytes are equal: not behind a router.

## When it is silent
For single packets that a network doubled, and for retransmissions. Where addresses are translated on the way (NAT), the
two sides are two connections.

## References
- Wireshark wiki, "Duplicate Packets"; editcap(1), `-d`, `-D` and `-w`
- RFC 6864 (what the identification of IPv4 is unique for)
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule


@rule(
    code="CAP225",
    name="capture-duplicates",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="The capture holds packets of Socket.IO connections more than once",
    message="Packets with data that are copies of others: {packets}, in {count} connection(s). They were counted once.",
    why="The capture listened at several places that a packet passes, such as all interfaces of a bridge or a router. "
    "Nothing is wrong with the connections, but other programs show the copies as retransmissions.",
    fix=("Capture on one interface instead of any (tcpdump -i eth0), or on one side of the bridge, router or mirror.",),
    tolerates_gaps=True,
)
def capture_duplicates(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    if summary.duplicates:
        yield Hit(
            *(evidence(place, None, "the same packet as one just before it") for place in summary.duplicates),
            occurrences=summary.duplicates.count,
            packets=summary.duplicate_packets,
            count=summary.duplicates.count,
        )
