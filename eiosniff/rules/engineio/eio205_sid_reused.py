"""A client goes on with the id of a session that is over.

## What it reports
Requests with the `sid` of a session, long after (`grace_ms`, 1 s) the client or the server has closed it, and after the
server has said that it does not know it: `requests` (2) of them at least.

## Why it matters
The id of a session that was closed means nothing any more, and never will again. A client that goes on with it is
refused each time, for ever, until somebody restarts it.

## On the wire
A goodbye: `1` in a POST of the client or in the answer to a poll, or a close frame. Then further requests with the same
`sid`, each answered 400 with code 1 ("Session ID unknown"; python-engineio: "Invalid session").

## How to fix
The client has to begin anew when it has sent or been told `1`, or been refused with code 1: forget the `sid`, and ask
for a new session by a handshake without one. Libraries do that; it is code by hand that keeps the `sid`.

## When it is silent
For what was on its way when the session was closed, and for a single request after that. When nobody closed the session
in this capture: rules EIO016 and EIO017. Where the client has opened a new session meanwhile, it is a warning.

## References
- Engine.IO protocol, revision 4, "Heartbeat" and "Packet types"; engine.io, `lib/server`, error code 1
- recorded with a client by hand at socket.io 4.8 and python-socketio 5
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import let_in_since
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, closing_words, in_ms
from eiosniff.rules.unknown_sids import answer_words, says_unknown


@rule(
    code="EIO205",
    name="sid-reused",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client goes on with a session that the {side} has closed",
    message="The {side} {closes}; {client} still asks {server} with that sid {count} times, up to {later} after it, "
    "and is answered {answer}.",
    why="A session that was closed is gone, and with it its id. The client has to open a new one by a handshake "
    "without sid; asking again never helps.",
    fix=(
        "Client: after a close packet (1), a close frame, or an answer with code 1, forget the sid and open a new "
        "session (a handshake without sid).",
    ),
    explains=("connect-loop", "no-backoff"),
    hence="It goes on with the old sid: {count} requests, up to {later} after the end",
    limits={"requests": 2, "grace_ms": 1000},
)
def sid_reused(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    closing = session.closing
    if not session.refusals or closing is None:
        return
    grace_ns = limits["grace_ms"] * NS_PER_MS
    late = [
        refusal
        for refusal in session.refusals
        if says_unknown(refusal) and refusal.request.ts_ns - closing.place.ts_ns >= grace_ns
    ]
    not_kept = session.refusals.count - len(list(session.refusals))
    if len(late) < limits["requests"]:
        return
    proof = [evidence(closing.place, closing.side, closing_words(closing))]
    for refusal in late:
        proof.append(evidence(refusal.request, Side.CLIENT, "a request of that session"))
        proof.append(evidence(refusal.answer, Side.SERVER, answer_words(refusal)))
    yield Hit(
        *proof,
        severity=Severity.WARNING if let_in_since(session.client, closing.place) else None,
        kind=closing.side.label,
        side=closing.side.label,
        closes=closing_words(closing),
        count=len(late) + not_kept,
        later=in_ms(late[-1].request.ts_ns - closing.place.ts_ns),
        answer=answer_words(late[0]),
    )
