"""One client opens connection after connection, and keeps them all.

## What it reports
A client (one address and User-Agent, one origin) that opens a session and then more beside it, four or more in a row
(`fewest_sessions`), one after the other, and closes none in between.

## Why it matters
In nearly all cases the application calls `io()` again where it meant to use the connection it has. Each session costs
the server memory and heartbeats, each event arrives as often as there are sessions, and the number grows as long as the
page is open.

## On the wire
Handshakes of one client at intervals (each rendering, each navigation), and no close between them. When the page goes,
all of them end in the same moment: that is what tells them from several clients behind one address.

## How to fix
Create the socket once, outside of components: `export const socket = io()` in a module of its own. In React: not in the
body of a component; in an effect return `() => socket.disconnect()`, and expect StrictMode to run it twice. No
`forceNew` and no second Manager without need. React Native, hot reloading: close the old socket before.

## When it is silent
For sessions that are opened all at once (within `spacing_ms`, 200), as load tests and gateways do, and for those that
come over more than ten minutes (`within_ms`). For requests that a proxy passed on, as all clients have its address
then, and where nothing shows that the older sessions were still in use. Where the sessions did not end together it is
an info and a possible case only, as several people or devices behind one NAT, or several tabs, look the same: then it
is silent where some came and went before or there were 64.
Where each of the sessions is for another namespace: rule SIO093.

## References
- socket.io documentation, "How to use with React"; socket.io issue #3975, socket.io-client issues #1153 and #1617
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.fleet import MAX_STAYS, Stay
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.company import end_together, is_passed_on, last_together, runs, share_namespaces
from eiosniff.rules.phrases import NS_PER_MS, in_ms

_SHOWN = 5


@rule(
    code="EIO092",
    name="duplicate-connections",
    subject=Client,
    severity=Severity.WARNING,
    since="0.1.0",
    title="One client has {peak} sessions at the same time, and opens more",
    message="{client} opened {count} sessions at {server} within {span}, each beside those that it had ({spacing} "
    "apart), and closed none.{together}",
    why="Mostly an application that creates a socket again and again (in a component, an effect, on navigation) "
    "instead of using the one it has. Each costs memory and heartbeats, and each event arrives as often.",
    fix=(
        "Create the socket once, outside of components, and use it everywhere; close it (socket.disconnect()) where it "
        "is given up. No forceNew without need.",
    ),
    limits={"fewest_sessions": 4, "spacing_ms": 200, "within_ms": 600_000},
)
def duplicate_connections(client: Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    company = client.company
    if company is None or company.peak < limits["fewest_sessions"]:
        return
    for run in runs(company):
        if not _grows(run, limits) or is_passed_on(run) or not share_namespaces(run) or not last_together(run):
            continue
        together = end_together(run)
        usual_ns = _pauses(run)[(len(run) - 1) // 2]
        if not together and (run[0].alive > 1 or company.peak >= MAX_STAYS):
            continue  # a place where many come and go
        yield Hit(
            *(evidence(stay.opened, Side.SERVER, f"opens a session, {stay.alive} at the time")
              for stay in [*run[: _SHOWN - 1], run[-1]]),
            *(evidence(stay.end, stay.by, "they end in the same moment")
              for stay in run[-1:] if together and stay.end is not None),
            certainty=Certainty.LIKELY if together else Certainty.POSSIBLE,
            doubt="a program may want several sessions, and a proxy that adds no header looks the same"
            if together
            else "several people or devices behind one address, or several tabs, look the same",
            severity=None if together else Severity.INFO,
            count=len(run),
            peak=company.peak,
            span=in_ms(run[-1].opened.ts_ns - run[0].opened.ts_ns),
            spacing=in_ms(usual_ns),
            together=" They ended in the same moment, so they are of one page or program." if together else "",
        )  # fmt: skip


def _pauses(run: list[Stay]) -> list[int]:
    return sorted(later.opened.ts_ns - stay.opened.ts_ns for stay, later in pairwise(run))


def _grows(run: list[Stay], limits: Mapping[str, float]) -> bool:
    """Whether enough of them came one after the other."""
    pauses = _pauses(run)
    if len(run) < limits["fewest_sessions"]:
        return False
    apart = sum(pause >= limits["spacing_ms"] * NS_PER_MS for pause in pauses)
    span_ns = run[-1].opened.ts_ns - run[0].opened.ts_ns
    return apart >= limits["fewest_sessions"] - 1 and span_ns <= limits["within_ms"] * NS_PER_MS
