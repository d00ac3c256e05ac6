"""A client begins an upgrade to WebSocket, and does not go through with it.

## What it reports
A WebSocket for a session that was opened over polling, on which the first packet is neither a probe nor a confirmation,
or whose probe is answered and never confirmed: the server closes it, or nothing follows for 5 s (`confirm_ms`).

## Why it matters
Until it is confirmed, the WebSocket is not part of the session. What the client sends over it is lost, or the server
closes it. python-engineio has no time-out for that, and holds all messages to the client back while it waits.

## On the wire
After the `101`: an event (`42...`), a CONNECT (`40`) or something else where `2probe` has to be, and the server closes
at once (Node: no status code, python-engineio: 1000). Or `2probe`, `3probe`, and no `5`: Node closes when
`upgradeTimeout` (10 s) is over; python-engineio waits for ever, and answers each poll at once with `6`.

## How to fix
On a WebSocket for a session that exists: `2probe`, wait for `3probe`, `5`, and only then packets; nothing over polling
after the `5`. Or leave polling out: open with `transport=websocket` and no `sid`, and wait for `0{...}`.

## When it is silent
When the client leaves, or the session ends, before it could confirm. When it waits for its last poll, which is another
fault, and when the probe is not answered. When the capture lacks some of what was said.

## References
- Engine.IO protocol, "Upgrade"; engine.io, `lib/socket`, `upgradeTimeout`
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import UpgradeTry
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.gaps import lacks
from eiosniff.rules.phrases import NS_PER_MS, quoted
from eiosniff.rules.upgrade_tries import (
    duplicate_of,
    end_words,
    ended_by_server,
    ending,
    is_accepted,
    is_heard_after,
    over_ns,
    stalled_ns,
)
from eiosniff.rules.upgrades import AT_ONCE_NS


@rule(
    code="EIO208",
    name="upgrade-incomplete",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client does not go through with its upgrade to WebSocket: {what}",
    message="{client} opens a WebSocket to {server} for a session that it polls. {said}; {ending}.",
    why='A WebSocket becomes part of a session in three steps: the client sends "2probe", the server answers "3probe", '
    'and the client confirms with "5". Before that, nothing else may be sent over it.',
    fix=(
        'Let the client send "2probe", wait for "3probe", send "5", and only then its packets.',
        "Or leave polling out: open with transport=websocket and without a sid, and wait for the open packet.",
    ),
    explains=("stuck-in-polling", "event-before-connect", "no-connect-packet", "connect-loop", "no-backoff"),
    limits={"confirm_ms": 5000},
)
def upgrade_incomplete(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        answered = attempted.answered
        if answered is None or attempted.confirmed is not None or not is_accepted(attempted):
            continue
        if duplicate_of(session, attempted) or stalled_ns(session, attempted) >= AT_ONCE_NS:
            continue
        step = _last_step(attempted)
        if step is None:
            continue
        place, what, said = step
        if lacks(session, answered.place, attempted.ended):
            continue
        waited = over_ns(session, attempted) - place.ts_ns
        if not ended_by_server(session, attempted) and waited < limits["confirm_ms"] * NS_PER_MS:
            continue
        proof = [evidence(answered.place, Side.SERVER, f"{answered.status}")]
        if attempted.first is not None:
            proof.append(evidence(attempted.first, Side.CLIENT, f"sends {quoted(attempted.first_text)}"))
        if attempted.probe_answered is not None:
            proof.append(evidence(attempted.probe_answered, Side.SERVER, 'answers the probe: "3probe"'))
        if attempted.ended is not None:
            proof.append(evidence(attempted.ended, attempted.ended_by, end_words(attempted)))
        gone = attempted.ended is None and not is_heard_after(session, Side.CLIENT, place)
        yield Hit(
            *proof,
            certainty=Certainty.POSSIBLE if gone else Certainty.CERTAIN,
            doubt="after it nothing at all comes from the client: it may be out of reach" if gone else "",
            kind=what,
            lasting=attempted.ended is None,
            what=what,
            said=said,
            ending=ending(session, attempted, place),
        )


def _last_step(attempted: UpgradeTry) -> tuple[PacketRef, str, str] | None:
    """The last thing that was done right or wrong, its name, and a sentence about it; None if it is another fault."""
    if attempted.probe_answered is not None:
        return attempted.probe_answered, "no confirmation", 'Its probe is answered, and it sends no confirmation ("5")'
    if attempted.first is not None and attempted.probe is None:
        said = f"The first thing that it sends over it is {quoted(attempted.first_text)}, and not a probe"
        return attempted.first, "no probe", said
    return None
