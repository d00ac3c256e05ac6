"""A second WebSocket for a session that has one already.

## What it reports
A client that asks for a WebSocket with the `sid` of a session that has upgraded, or is about to upgrade, to another
one, and is refused.

## Why it matters
A session lives on one WebSocket. The server closes the second one; a client that takes this for the end of its session,
or tries again and again, never settles.

## On the wire
A WebSocket with `sid=`, `2probe`, `3probe` and mostly `5`; then, while it is open, another request with the same `sid`.
Node accepts it (101) and closes it at once without a status code; python-engineio answers 400.

## How to fix
Let the client keep one WebSocket for a session. For a second connection open a second session, without `sid`. Look for
an upgrade that is begun twice: by a timer, by a reconnection that does not close the old connection, by two threads.

## When it is silent
When the first WebSocket is over: then it is a second try, or a session that is gone.

## References
- engine.io, `lib/server`: a session that is upgraded or upgrading; python-engineio, `_upgrade_websocket`
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.upgrade_tries import duplicate_of, end_words, ended_by_server


@rule(
    code="EIO209",
    name="upgrade-duplicate",
    subject=Session,
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client opens a second WebSocket for a session that has one already",
    message="{client} opens another WebSocket to {server} with the sid of a session that {state}. {reaction}",
    why="A session lives on one WebSocket at a time. The server keeps the first and closes the second.",
    fix=(
        "Let the client keep one WebSocket for each session, and open a second session (without sid) where it needs a "
        "second connection.",
        "Look for an upgrade that is begun twice: a timer, or a reconnection that keeps the old connection.",
    ),
    explains=("probe-unanswered", "upgrade-incomplete"),
)
def upgrade_duplicate(session: Session) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        before = duplicate_of(session, attempted)
        if before is None:
            continue
        asked, answered = attempted.request.place, attempted.answered
        proof = [
            evidence(before, None, "the first WebSocket is in use"),
            evidence(asked, Side.CLIENT, f"asks for another one, {in_ms(asked.ts_ns - before.ts_ns)} later"),
        ]
        if attempted.refused and answered is not None:
            proof.append(evidence(answered.place, Side.SERVER, f"refuses: {answered.status}"))
            reaction = f"The server answers {answered.status}."
        elif attempted.ended is not None and ended_by_server(session, attempted):
            proof.append(evidence(attempted.ended, Side.SERVER, end_words(attempted)))
            reaction = f"The server {end_words(attempted)}."
        else:
            continue
        yield Hit(*proof, state="lives on one" if session.upgraded else "is about to move to one", reaction=reaction)
