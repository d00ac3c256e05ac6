"""A client that comes back at once, each time.

## What it reports
A client that tries again at a constant interval of a second or less, four times or more in a row.

## Why it matters
When a server restarts, all such clients come back in the same instant, over and over: they keep it from coming up.

## On the wire
The pauses between the end of one attempt and the start of the next are all alike, and short. Client libraries of
Socket.IO wait longer each time, with a random part, up to 5 s.

## How to fix
Wait longer each time, with a random part. arduinoWebSockets: `setReconnectInterval(5000)` plus `random(...)` (its
default is a constant 500 ms). JavaScript: leave `reconnectionDelay`, `reconnectionDelayMax` and `randomizationFactor`
at their defaults.

## When it is silent
For fewer than four attempts (`fewest_lives`), for pauses longer than a second (`short_pause_ms`), and for pauses that
grow or vary.

## References
- socket.io documentation, client options `reconnectionDelay` and `randomizationFactor`
- arduinoWebSockets, `setReconnectInterval`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms

# Pauses within this share of each other are one constant, not chance.
ALIKE = 0.25


@rule(
    code="EIO091",
    hence="it comes back after a constant {pause}, without back-off",
    name="no-backoff",
    subject=Client,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client comes back after a constant {pause}, without back-off",
    message="{client} tried {count} times in a row, each {pause} after the end of the one before.",
    why="Clients that come back at once and in step keep a server from coming up again after a restart.",
    fix=(
        "Let the client wait longer each time, with a random part (JavaScript: the defaults of reconnectionDelay and "
        "randomizationFactor; arduinoWebSockets: setReconnectInterval(5000 + random(5000))).",
    ),
    limits={"fewest_lives": 4, "short_pause_ms": 1000},
)
def no_backoff(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for loop in client.loops:
        pauses = loop.pauses
        if loop.lives.count < limits["fewest_lives"] or pauses.maximum > limits["short_pause_ms"] * NS_PER_MS:
            continue
        if pauses.maximum - pauses.minimum > ALIKE * pauses.maximum:
            continue
        yield Hit(
            *(evidence(life.start, Side.CLIENT, "connects") for life in loop.lives),
            occurrences=loop.lives.count,
            period_ns=loop.lives.period_ns,
            count=loop.lives.count,
            pause=in_ms(pauses.median),
        )
