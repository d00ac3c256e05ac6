"""The probe of an upgrade is never answered: what is sent over the WebSocket does not arrive.

## What it reports
A WebSocket for a session that was opened over polling: it is accepted, the client probes it, and no answer comes for 5
s (`answer_ms`), or the other side closes it before that.

## Why it matters
The client cannot use the WebSocket and stays on polling, which costs more and is slower. Some servers hold all messages
back while they are asked to upgrade (python-engineio, which has no time-out for it): then nothing arrives at all.

## On the wire
`101`, the client's `2probe`, and no `3probe`. Node servers close the WebSocket when `upgradeTimeout` (10 s) is over;
the close frame may be held back as well. Behind a proxy the same connection is seen to be answered, or the probe never
arrives: then it is the proxy that holds what goes over the WebSocket.

## How to fix
Look at what is between the two: a proxy, a virus scanner or a firewall that knows the 101 but waits for the end of an
"answer" before it passes anything on. Capture on both sides of it. TLS (`wss://`) keeps most of them from looking
inside. Until then: `transports: ["polling"]`, so that no client tries.

## When it is silent
When the answer is only late, and when the client leaves before it could have come. HTTP inside the WebSocket, and a
second WebSocket for one session, have causes of their own.

## References
- Engine.IO protocol, "Upgrade"; engine.io, `upgradeTimeout`
- socket.io documentation, "Troubleshooting connection issues"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS
from eiosniff.rules.upgrade_tries import (
    duplicate_of,
    end_words,
    ended_by_server,
    ending,
    is_accepted,
    is_heard_after,
    over_ns,
)
from eiosniff.rules.upgrades import AT_ONCE_NS

_OUT_OF_REACH = "after it nothing at all comes from the server: it may be out of reach"


@rule(
    code="EIO027",
    name="probe-unanswered",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="A WebSocket opens, but nothing comes back over it",
    message="{client} opens a WebSocket to {server} for a session that it polls, and sends its probe: it is never "
    "answered, and {ending}.{behind}",
    why="A client tries the WebSocket before it leaves polling: it sends a probe, and the server answers at once. "
    "Something between the two accepts WebSockets and then holds back what is sent over them.",
    fix=(
        "Find the proxy, firewall or virus scanner that holds WebSocket data back, with a capture on each side of it, "
        "and let it pass upgraded connections unread; wss:// keeps most of them from looking inside.",
        'Until then, transports: ["polling"] on the client saves the vain attempts.',
    ),
    explains=("stuck-in-polling", "no-connect-packet", "connect-loop", "no-backoff"),
    limits={"answer_ms": 5000},
)
def probe_unanswered(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        probe, answered = attempted.probe, attempted.answered
        if probe is None or answered is None or not is_accepted(attempted) or duplicate_of(session, attempted):
            continue
        if attempted.probe_answered is not None or attempted.accepted is not None:
            continue
        waited = over_ns(session, attempted) - probe.ts_ns
        enough = AT_ONCE_NS if ended_by_server(session, attempted) else limits["answer_ms"] * NS_PER_MS
        if waited < enough:
            continue
        proof = [
            evidence(attempted.request.place, Side.CLIENT, "asks for a WebSocket for its session"),
            evidence(answered.place, Side.SERVER, f"{answered.status}"),
            evidence(probe, Side.CLIENT, 'probe "2probe"'),
        ]
        if attempted.ended is not None:
            proof.append(evidence(attempted.ended, attempted.ended_by, end_words(attempted)))
        behind = _behind(session, attempted)
        certainty, doubt = Certainty.LIKELY, "a server whose event loop is blocked does not answer, either"
        if behind:
            certainty, doubt = Certainty.CERTAIN, ""
        elif not ended_by_server(session, attempted) and not is_heard_after(session, Side.SERVER, probe):
            certainty, doubt = Certainty.POSSIBLE, _OUT_OF_REACH
        yield Hit(
            *proof,
            certainty=certainty,
            doubt=doubt,
            lasting=attempted.ended is None,
            ending=ending(session, attempted, probe),
            behind=behind,
        )


def _behind(session: Session, attempted: UpgradeTry) -> str:
    """What a capture on both sides of a proxy tells."""
    for hop in session.hops:
        for forwarded in hop.upgrades:
            if forwarded.request.place.ts_ns < attempted.request.place.ts_ns or not is_accepted(forwarded):
                continue
            if forwarded.probe_answered is not None:
                return f" Behind the proxy {hop.server.endpoint} does answer it: the proxy holds the answer back."
            if forwarded.probe is None:
                return f" It never reaches {hop.server.endpoint}, behind the proxy: the proxy holds it back."
    return ""
