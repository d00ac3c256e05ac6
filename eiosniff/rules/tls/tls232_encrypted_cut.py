"""TLS connections that look like Socket.IO are ended from the server's side after the same time, again and again.

## What it reports
Three connections without keys, at least, that begin like Socket.IO over WebSocket, that the server's side ends after
the same silence (or at the same age, whatever passes), and that the client opens again at once.

## Why it matters
A proxy or a load balancer gives up connections on which nothing passes for a time that it has, or that are as old as it
allows. Users lose their connection each time, and come back a moment later.

## On the wire
Records with the sizes of Socket.IO's first frames (`40` of the client and the answer to it; the probe of an upgrade),
then silence, then an alert (close_notify), FIN or RST of the server's side. The time is that of a timer: the same to a
hundredth.

## How to fix
As for connections in clear (PROXY081, PROXY082): raise the timeout of the box above the server's `pingInterval`, such
as nginx `proxy_read_timeout 75s`; or let the server ping more often.

## When it is silent
For keep-alive connections of HTTP that a server closes when they are idle, since they do not begin so; for fewer than
three, and for clients that do not come back within 2 s. Where a connection lived through a longer silence, that is not
why it was ended. Where the last thing said was a ping (TLS231, TLS234). Where a client connects to a namespace or with
credentials at once, its first frames have other sizes, and nothing is said.

## References
- RFC 6455, section 5.2; RFC 8446, section 5.2; nginx documentation, proxy_read_timeout
"""

from collections.abc import Iterator
from typing import Final

from eiosniff.knowledge.timeouts import nearest_age, nearest_idle
from eiosniff.model.finding import Severity
from eiosniff.model.opaque import OpaqueConnection
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary
from eiosniff.model.tally import NS_PER_S
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import suspects
from eiosniff.rules.outside import Pair, cuts, pairs, possible, silence_before_end, usual
from eiosniff.rules.phrases import in_ms

_SHOWN: Final = 3
_EXACT: Final = 0.02


@rule(
    code="TLS232",
    name="encrypted-cut",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="TLS connections that look like Socket.IO are ended by the server's side {after}",
    message="{count} of {connections} TLS connection(s) to {where} are ended {after}, from the server's side; the "
    "client opens another one at once.{known}",
    why="A proxy or load balancer in between ends connections after a time that it has set, whatever the two sides "
    "want; it looks like this from outside. What is said is encrypted, so a program may have other reasons.",
    fix=(
        "Look which timeout of the proxy, load balancer or server is {time}, and raise it above the pingInterval of "
        "the server (25 s by default): nginx proxy_read_timeout 75s; HAProxy timeout tunnel 1h. Or set a pingInterval "
        "of half of it.",
        "To make sure, read what is inside. {keys}",
    ),
    tolerates_gaps=True,
)
def encrypted_cut(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    for pair in pairs(summary):
        idle = cuts(pair, by_age=False)
        if idle:
            yield _hit(pair, idle, by_age=False)
        old = cuts(pair, by_age=True)
        if old:
            yield _hit(pair, old, by_age=True)


def _hit(pair: Pair, found: list[OpaqueConnection], by_age: bool) -> Hit:
    taken_ns = usual(each.lifetime_ns if by_age else silence_before_end(each)[1] for each in found)
    _, boxes = (nearest_age if by_age else nearest_idle)(taken_ns / NS_PER_S, _EXACT)
    time = in_ms(taken_ns)
    ends = [(each.before or each.exchange, each.ended) for each in [*found[:_SHOWN], found[-1]]]
    proof = []
    for last, ended in ends:
        if last is not None:
            proof.append(evidence(last.last, None, "the last that is said"))
        if ended is not None:
            proof.append(evidence(ended, Side.SERVER, f"the end, {'at the age of' if by_age else 'after'} {time}"))
    return possible(
        pair,
        proof,
        len(found),
        kind="age" if by_age else "idle",
        after=f"when they are {time} old" if by_age else f"after {time} of silence",
        time=time,
        known=f" That is a timeout of {suspects(boxes)}." if boxes else "",
    )
