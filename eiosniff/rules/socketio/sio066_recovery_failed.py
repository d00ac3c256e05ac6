"""Clients that come back do not get the state of their connection back.

## What it reports
A server with connection state recovery (socket.io 4.6 and later) that lets a client in, but not with the state that it
had before: how often, and why, as far as the wire shows.

## Why it matters
What the server sent while the client was away is lost to it, and so are its rooms. A program that relies on recovery
(`socket.recovered`) is wrong from then on, without any error.

## On the wire
`40{"pid":...,"offset":...}` of the client. A recovered session gets the same `pid` and `sid` back, and before that what
it missed; others get new ones.

## How to fix
That depends on the cause. Another process: an adapter that keeps the state outside (Redis Streams, MongoDB), or
affinity. Away too long, or no event for longer than that: a larger `maxDisconnectionDuration`. The server had not
noticed yet that the client was gone: a shorter `pingInterval` and `pingTimeout`. In any case the client has to fetch
what it missed when `socket.recovered` is false.

## When it is silent
Where all were recovered, and for clients that left by DISCONNECT, or were thrown out: those are not meant to be. It is
an info as long as few failed (`failures`), or most were recovered (`recovered_share`), or the cause is that the client
had had no event (`offset` is missing), which nothing can change.

## References
- socket.io documentation, "Connection state recovery"
- socket.io-adapter 2.5, SessionAwareAdapter; socket.io issue #4697
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.departures import NotRecovered, Unrecovered
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.model.tally import Tally
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms

_NO_OFFSET, _OTHER = NotRecovered.NO_OFFSET, NotRecovered.OTHER_PROCESS
_LIKELY = frozenset({_OTHER, NotRecovered.STILL_OPEN, NotRecovered.TOO_LATE})


@rule(
    code="SIO066",
    name="recovery-failed",
    subject=Server,
    severity=Severity.WARNING,
    since="0.1.0",
    title="Clients that come back do not get the state of their connection back",
    message="{failed} of {asked} times {server} could not recover the state that a client asked for: {cause}.",
    why="The server gives such a client a new, empty state: what it sent meanwhile is lost to the client, unless its "
    "program looks at socket.recovered and fetches it.",
    fix=(
        "Client: look at socket.recovered on connect, and fetch what was missed when it is false.",
        "Server: connectionStateRecovery needs an adapter that keeps the state (in memory for one process, Redis "
        "Streams or MongoDB for several), and a maxDisconnectionDuration that is long enough.",
    ),
    limits={"failures": 3, "recovered_share": 0.5},
)
def recovery_failed(server: Server, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    recovery = server.recovery
    if recovery is None or not recovery.failures:
        return
    failed = recovery.asked - recovery.recovered
    several = any(one.overlaps(other) for one in server.sid_chains for other in server.sid_chains if one is not other)
    counts = {cause: tally.count for cause, tally in recovery.failures.items()}
    if several and _OTHER in counts:  # the ids of two processes may happen to be in order
        counts[_OTHER] += counts.pop(NotRecovered.UNTOLD, 0)
    without_offset = counts.get(_NO_OFFSET, 0)
    why = max(counts, key=lambda cause: (cause is not _NO_OFFSET, counts[cause]))
    tally = recovery.failures[why]
    often = failed - without_offset >= limits["failures"]
    hurts = often and recovery.recovered < limits["recovered_share"] * (recovery.asked - without_offset)
    words = {cause: _words(cause, recovery.failures[cause], several=several) for cause in counts}
    certain = why is _NO_OFFSET
    yield Hit(
        *_proof(tally),
        severity=None if hurts else Severity.INFO,
        certainty=Certainty.CERTAIN if certain else Certainty.LIKELY if why in _LIKELY else Certainty.POSSIBLE,
        doubt="" if certain else "that it failed is certain; why, the server does not say",
        occurrences=failed,
        client=tally.first[0].client,
        server=server.endpoint,
        failed=failed,
        asked=recovery.asked,
        cause=words[why] if len(counts) == 1 else "; ".join(f"{words[cause]} ({counts[cause]})" for cause in counts),
        why_not=why.value,
    )


def _proof(tally: Tally[Unrecovered]) -> Iterator[Evidence]:
    for failure in tally:
        if failure.lost is not None:
            yield evidence(failure.lost, None, "the last packet of the earlier session")
        yield evidence(failure.asked, Side.CLIENT, f"CONNECT {failure.namespace} with the pid of an earlier session")
        yield evidence(failure.answer, Side.SERVER, "lets it in with another pid: not recovered")


def _words(why: NotRecovered, tally: Tally[Unrecovered], *, several: bool) -> str:
    away = in_ms(max(failure.away_ns or 0 for failure in tally))
    idle = in_ms(max(failure.idle_ns or 0 for failure in tally))
    return {
        _NO_OFFSET: "the client had had no event, and so sends no offset",
        _OTHER: "the client came to another process of the server, which does not have its state"
        if several
        else "the server was restarted in between, or the client came to another process of it",
        NotRecovered.STILL_OPEN: "the server had not noticed that the earlier connection was gone",
        NotRecovered.TOO_LATE: f"too late for the two minutes that a server keeps it by default (away for {away}, the "
        f"last event {idle} ago)",
        NotRecovered.UNKNOWN_SESSION: "the earlier session is not in the capture",
        NotRecovered.UNTOLD: f"away for at most {away}; the server keeps the state not even for so long, or not at all",
    }[why]
