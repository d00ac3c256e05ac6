"""A TLS connection without keys has what looks like the heartbeat of Engine.IO.

## What it reports
Records of TLS, evenly and after silence, that have the sizes of PING and PONG over WebSocket: which side pings, how
often, and which revision of Engine.IO that would be.

## Why it matters
It tells that the connection is Socket.IO, most likely, which side keeps it alive, and that this works. The rest is
encrypted.

## On the wire
A WebSocket frame with one character has 3 bytes from the server, and 7 from the client, which masks (RFC 6455, section
5.2). What seals a record adds a fixed number of bytes, by the cipher suite (17 in TLS 1.3). In Engine.IO 4 the server
sends the 3 bytes every `pingInterval`, and the client answers with 7; up to Engine.IO 3 it is the client that begins.
Pings of WebSocket itself have 2 and 6 bytes or more, PING of HTTP/2 17, of MQTT 2.

## How to fix
Nothing is wrong here. To see what is inside, capture where it is plain, or get the keys: see CAP227.

## When it is silent
For fewer than three beats on a connection, uneven ones, those that are not answered, and where an older cipher (CBC)
hides the sizes. For connections that say something all the time, polling, and WebSocket over HTTP/2, whose sizes tell
nothing. Where the capture holds Engine.IO in clear of other servers, for TLS on ports of other protocols, and where
keys opened it.

## References
- Engine.IO protocol, revisions 3 and 4, heartbeat; RFC 6455, section 5.2; RFC 8446, section 5.2
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import shown
from eiosniff.rules.keys import keys_of_one
from eiosniff.rules.outside import Beats, beats, pairs, usual
from eiosniff.rules.phrases import in_ms

_SHOWN = 3
_WHO = {
    4: "as the server of Engine.IO 4 does",
    3: "as the client of Engine.IO 3 and older does",
}


@rule(
    code="TLS230",
    name="encrypted-heartbeat",
    subject=CaptureSummary,
    severity=Severity.INFO,
    since="0.1.0",
    title="What goes to {where} over TLS looks like Engine.IO {revision} over WebSocket: {who} pings every {period}",
    message="On {count} TLS connection(s) the {who} sends a record with the size of PING every {period}, {like}, and "
    "the {other} answers with one of the size of PONG, {delay} later.",
    why="TLS hides what is said, but not how much and when. Nothing else that is common has these sizes at such "
    "intervals; what is said besides the heartbeat is not known.",
    fix=("{keys}",),
    tolerates_gaps=True,
)
def encrypted_heartbeat(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for pair in pairs(summary):
        by_revision: dict[int, list[Beats]] = {}
        for connection in pair.connections:
            found = beats(connection)
            if found is not None:
                by_revision.setdefault(found.revision, []).append(found)
        for revision, group in by_revision.items():
            side = group[0].rhythm.side
            proof = []
            for each in group[:_SHOWN]:
                first = each.rhythm.tally.first[0]
                proof.append(evidence(first.begun, side, "a record with the size of PING"))
                if first.answer is not None:
                    proof.append(evidence(first.answer, side.other, "a record with the size of PONG"))
            yield Hit(
                *proof,
                certainty=Certainty.POSSIBLE,
                doubt="it is told by sizes and times, as the rest is encrypted",
                occurrences=sum(each.rhythm.tally.count for each in group),
                period_ns=usual(each.period_ns for each in group),
                kind=str(revision),
                client=pair.client,
                server=pair.entry.server,
                where=shown(pair.entry),
                revision="4" if revision == 4 else "3 (or older)",
                who=side.label,
                other=(Side.CLIENT if side is Side.SERVER else Side.SERVER).label,
                period=in_ms(usual(each.period_ns for each in group)),
                like=_WHO[revision],
                delay=in_ms(usual(each.rhythm.delays.median for each in group)),
                count=len(group),
                keys=keys_of_one(pair.entry),
            )
