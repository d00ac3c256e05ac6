"""An upgrade waits for a poll that is not answered.

## What it reports
A client whose probe was answered, and whose last poll is then answered only a second (`stall_ms`) or more later, or not
at all.

## Why it matters
The client may not leave polling while a poll is under way, and sends nothing until then: all events of both directions
wait, often for one `pingInterval` (25 s). If it takes longer than `upgradeTimeout` (10 s), the server closes the
WebSocket, and some clients never recover.

## On the wire
`2probe`, `3probe`, and a GET under way; its answer (`6`) comes late, and the client's `5` right after it. A server has
to end every poll that comes while it is asked to upgrade. Some end only one: a client that learns of the probe's answer
a little later has begun the next poll, which then hangs. Or a proxy is slow with the answers.

## How to fix
Upgrade the server library: python-engineio 3.12, engineioxide 0.17.1 (of socketioxide), another server in the place of
googollee's go-socket.io. Node servers end each poll within 100 ms: there it is a proxy that holds answers back; turn
its buffering off. Or use WebSocket only.

## When it is silent
When the poll is answered at once, however long it had been under way before the probe, however late the client confirms
then, and however long the rest of that answer takes.

## References
- Engine.IO protocol, "Upgrade"; python-engineio, pull request #161; socketioxide, pull request #487
- engine.io-client, issue #18; go-engine.io, issue #33
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms
from eiosniff.rules.upgrade_tries import end_words, ending, is_accepted, stalled_ns


@rule(
    code="EIO028",
    name="upgrade-stalled-poll",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The upgrade to WebSocket waits for a poll that is not answered",
    message="{client} has the answer to its probe from {server}, but its last poll {lasts}. {outcome}",
    why="A client leaves polling only when its last poll has ended, and sends nothing meanwhile. The server has to end "
    "every poll at once while it is asked to upgrade.",
    fix=(
        "Upgrade the server library: it ends one poll for an upgrade and not the next one (fixed in python-engineio "
        "3.12 and in engineioxide 0.17.1).",
        "If the server does answer at once: a proxy holds answers to polls back; turn its response buffering off.",
        'Or skip the upgrade: transports: ["websocket"] on the client.',
    ),
    explains=("stuck-in-polling", "connect-loop", "no-backoff", "ping-missing", "pong-missing", "no-connect-packet"),
    limits={"stall_ms": 1000},
)
def upgrade_stalled_poll(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        poll, probe_answered = attempted.poll, attempted.probe_answered
        if poll is None or probe_answered is None or not is_accepted(attempted):
            continue
        stalled = stalled_ns(session, attempted)
        if stalled < limits["stall_ms"] * NS_PER_MS:
            continue
        proof = [
            evidence(probe_answered, Side.SERVER, 'answers the probe: "3probe"'),
            evidence(poll, Side.CLIENT, "the poll under way"),
        ]
        if attempted.poll_answered is not None:
            proof.append(evidence(attempted.poll_answered, Side.SERVER, f"answers it, {in_ms(stalled)} later"))
            lasts = f"is answered only {in_ms(stalled)} later"
        else:
            lasts = f"is not answered for {in_ms(stalled)}"
        if attempted.confirmed is not None:
            proof.append(evidence(attempted.confirmed, Side.CLIENT, 'confirms the upgrade: "5"'))
            outcome = "Until then, no event goes either way."
        else:
            if attempted.ended is not None:
                proof.append(evidence(attempted.ended, attempted.ended_by, end_words(attempted)))
            outcome = f"The upgrade is never confirmed: {ending(session, attempted, probe_answered)}."
        yield Hit(
            *proof,
            severity=Severity.WARNING if attempted.confirmed is not None else Severity.ERROR,
            kind="late" if attempted.confirmed is not None else "never",
            lasting=attempted.confirmed is None and attempted.ended is None,
            lasts=lasts,
            outcome=outcome,
        )
