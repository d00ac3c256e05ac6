"""A client connects again and again, and never stays.

## What it reports
Three or more lives of one client at one server in a row (sessions, or handshakes that got none), each short and each
begun soon after the one before had ended.

## Why it matters
Nothing works for longer than a moment, and each round costs both sides a handshake. It nearly always has a cause that
the capture shows; this rule then stands below it as a consequence.

## On the wire
Handshake requests of one client in quick succession, each session closed or refused within seconds.

## How to fix
Mend the cause. If the report names none, look at the last packets of the sessions that end, and at the server's log.

## When it is silent
For clients that leave orderly (`41` or `1`), that stay for half a minute or more (`short_life_ms`), or that take
longer than ten seconds to come back (`quick_return_ms`); what counts are the medians. For fewer than three lives in a
row (`fewest_lives`); a life of more than two minutes, or a pause of more than one, ends a row whatever the limits are.

## References
- socket.io-client issue #1436, arduinoWebSockets issue #546
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="EIO089",
    name="connect-loop",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client connects again and again, and never stays",
    message="{client} connected {count} times to {server}; each time it was over after {length}, and it tried again "
    "{pause} later.",
    why="Something ends each session, or refuses it, right away; the client library tries again for ever.",
    fix=("Look at what comes right before each end (eiosniff decode), and at the server's log of that moment.",),
    explains=("no-backoff", "ws-abnormal-close"),
    hence="{count} connections in a row, each over after {length}; the next try {pause} later",
    limits={"fewest_lives": 3, "short_life_ms": 30_000, "quick_return_ms": 10_000},
)
def connect_loop(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    short_life_ns = limits["short_life_ms"] * NS_PER_MS
    quick_return_ns = limits["quick_return_ms"] * NS_PER_MS
    for loop in client.loops:
        lives = loop.lives
        if lives.count < limits["fewest_lives"]:
            continue
        if loop.lengths.median >= short_life_ns or loop.pauses.median > quick_return_ns:
            continue
        yield Hit(
            *(evidence(life.start, Side.CLIENT, "connects") for life in lives),
            occurrences=lives.count,
            period_ns=lives.period_ns,
            count=lives.count,
            length=in_ms(loop.lengths.median),
            pause=in_ms(loop.pauses.median),
        )
