"""A client opens TLS connections again and again, each for one request that does not lead to a session.

## What it reports
Connections without keys of one client to one server, each over within two seconds after one request of the same size:
reset by the server without an answer, or answered shortly and opened again as late as clients of Socket.IO wait after a
failure.

## Why it matters
It is what a refused handshake looks like from outside: a version that the server does not take, a path that it does not
know, a connection that something in between does not let through. The client tries for ever.

## On the wire
One short request, one short answer, the end; again after 1 s, 2 s, 4 s and then every 5 s, with a random part
(`reconnectionDelay`, doubled up to `reconnectionDelayMax`). Or a RST of the server's side instead of the answer.

## How to fix
Read what the server answers (with the keys, where it is plain, or in its log); `connect_error` of the client has the
reason, too. With curl: `curl -i "https://HOST/socket.io/?EIO=4&transport=polling"` should answer `0{"sid":...}`.

## When it is silent
For requests at even intervals, as of programs that poll, or a health check; for fewer than five connections (three that
are reset), and where one in five lasts longer or asks for something else. In a capture that holds Engine.IO in clear of
other servers, and where keys opened the connections. For browsers, which keep their connections open.

## References
- socket.io-client, options reconnectionDelay, reconnectionDelayMax, randomizationFactor; RFC 8446, section 5.2
"""

import itertools
from collections.abc import Iterator
from typing import Final

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.outside import is_reset, pairs, possible, refusals, usual
from eiosniff.rules.phrases import in_ms

_SHOWN: Final = 4


@rule(
    code="TLS233",
    name="encrypted-refusals",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Over TLS, a client asks the same again and again, and {verdict}",
    message="{client} opens {count} TLS connection(s) to {where}, one after the other, each for one request: "
    "{verdict}. {pace}",
    why="A handshake of Socket.IO that is refused looks like this from outside: a request, a short answer or none, and "
    "the same again after a growing pause. What is said is encrypted, so it may be another program that fails.",
    fix=(
        'See what the server answers: curl -i "https://HOST/socket.io/?EIO=4&transport=polling" (0{{"sid":...}} is a '
        "session), its log, and connect_error of the client.",
        "Or read what is inside. {keys}",
    ),
    tolerates_gaps=True,
)
def encrypted_refusals(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for pair in pairs(summary):
        found = refusals(pair)
        if not found:
            continue
        reset = is_reset(found[0])
        gaps = [later.opened.ts_ns - each.opened.ts_ns for each, later in itertools.pairwise(found)]
        proof = []
        for each in found[:_SHOWN]:
            proof.append(evidence(each.opened, Side.CLIENT, "opens a connection"))
            if each.ended is not None:
                proof.append(evidence(each.ended, each.ended_by, "resets it" if reset else "ends it"))
        yield possible(
            pair,
            proof,
            len(found),
            period_ns=usual(gaps),
            kind="reset" if reset else "answered",
            verdict="the server resets the connection without an answer"
            if reset
            else "it has a short answer each time",
            pace=f"The pauses are {', '.join(in_ms(gap) for gap in gaps[:5])}.",
        )
