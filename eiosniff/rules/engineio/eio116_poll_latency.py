"""A client takes its time until it polls again, and events wait for it.

## What it reports
A session over polling whose client often takes long between the answer to a poll and its next one, how long, and how
many messages came only then.

## Why it matters
A server can send only in the answer to a poll. While none is open, its messages wait; so does its ping, and a client
that is slow enough is taken for dead.

## On the wire
GET, its answer, a pause of half a second or more, the next GET; messages in the answer to that at once.

## How to fix
Send the next GET as soon as the answer is there, before it is worked on: long polling has no interval. In a client of
one's own take out the delay; in a page look for work that blocks its thread, or for a timer that a browser slows down
in the background. WebSocket has no such pause.

## When it is silent
For sessions that go on over WebSocket, for a few late polls (fewer than 5, `late_polls`, or than a quarter of all,
`late_share`), and where the client itself took less than 500 ms in the middle (`pause_ms`): of what is captured near
the server, the way there and back, twice for a new connection, is the network's. A pause in which nothing waited costs
nothing but the delay of what could have come.

## References
- Engine.IO protocol, "HTTP long-polling"
- Chrome, "Heavy throttling of chained JS timers" (timers of pages in the background)
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms


@rule(
    code="EIO116",
    name="poll-latency",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="Events wait until the client polls again, {usual} in the middle",
    message="{client} took longer than a quarter of a second to poll {server} again {late} of {polls} times: {usual} "
    "in the middle, {longest} at most{events}.",
    why="Over polling a server can send only in the answer to a request. While the client has none open, events wait.",
    fix=(
        "Send the next GET as soon as the answer is there, without a timer between the two; or use WebSocket, on which "
        "the server can send at any time.",
    ),
    limits={"late_polls": 5, "late_share": 0.25, "pause_ms": 500},
    hence="events wait until it polls again: {usual} in the middle",
)
def poll_latency(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    late = session.costs.late
    if late is None or session.on_websocket:
        return
    count = late.polls.count
    usual = late.delays.median
    # The way to the client and back, and to set up another connection, as long as the quickest of them took.
    network = 2 * session.costs.set_up_least_ns
    if count < limits["late_polls"] or count < limits["late_share"] * session.polls:
        return
    if usual - network < limits["pause_ms"] * NS_PER_MS:
        return
    proof = []
    for poll in late.polls.first[:2]:
        pause = in_ms(poll.asked.ts_ns - poll.answered.ts_ns)
        proof.append(evidence(poll.answered, Side.SERVER, "answers a poll"))
        proof.append(evidence(poll.asked, Side.CLIENT, f"the next poll, {pause} later"))
    waited = f"; {late.events} messages had been waiting, and came at once" if late.events > 1 else ""
    yield Hit(
        *proof,
        certainty=Certainty.CERTAIN if session.costs.connections else Certainty.LIKELY,
        doubt="" if session.costs.connections else "how long the network takes is not in the capture",
        period_ns=late.polls.period_ns,
        late=count,
        polls=session.polls,
        usual=in_ms(usual),
        longest=in_ms(late.delays.maximum),
        events=waited,
    )
