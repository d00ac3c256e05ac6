"""A client asks with a session id that its server does not know, and the capture does not show why.

## What it reports
Requests with a `sid` that are refused as of an unknown session, where the opening of that session is not in the
capture.

## Why it matters
There are three reasons, and each has another remedy: several server processes without sticky sessions (EIO016), a
session that was over, because its client was silent or the server restarted (EIO017), and a client that goes on with a
session which was closed (EIO205). What tells them apart happened before the capture began.

## On the wire
A request with `sid=`, and 400 with code 1 ("Session ID unknown"; python-engineio: "Invalid session"), without anything
of that session before it, or with answered requests but without its handshake.

## How to fix
Capture from the start of a session on: start the capture, then the client. Then the report names the reason. If the
client asks with the same `sid` again and again, that much is its own mistake: code 1 means that it has to open a new
session, by a handshake without `sid`.

## When it is silent
When the session was opened in the capture. Where the client opens a new session, as it should, it is an info: that is
what happens after each restart of a server. It is an error when it insists (`requests` times, 3, with the same id).

## References
- engine.io, `lib/server`, error code 1; recorded with a client by hand at socket.io 4.8 and python-socketio 5
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import RefusedRequest
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.tally import Tally
from eiosniff.rules.answers import let_in
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.unknown_sids import answer_words, unknown_refusals


@rule(
    code="EIO210",
    name="sid-unknown",
    subject=(Client, Session),
    severity=Severity.ERROR,
    since="0.1.0",
    title="{trouble}, and the capture does not show why",
    message="{client} asks {server} with a session id ({count} times) and is answered {answer}. The opening of that "
    "session is not in the capture.{insists}",
    why="A server does not know a session when another process opened it (no sticky sessions), when its time was over "
    "or the server restarted, or when it was closed. What happened before the capture would tell which.",
    fix=("{advice}", "Start the capture before the client: with the opening of the session, the reason can be told."),
    explains=("connect-loop", "no-backoff"),
    limits={"requests": 3},
)
def sid_unknown(ledger: Client | Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Session):
        if ledger.midstream and ledger.refusals and ledger.closing is None:
            yield from _hits(unknown_refusals(ledger), ledger.refusals, let_in(ledger.client), limits["requests"])
    elif ledger.unknown_sids:
        yield from _hits([*ledger.unknown_sids], ledger.unknown_sids, let_in(ledger), limits["requests"])


_ADVICE = (
    "Nothing to mend if it happened once: the client opens a new session. If it happens again and again, look for "
    "several server processes without sticky sessions, or for restarts.",
    "A client that is told code 1 has to open a new session (a handshake without sid), instead of asking again.",
)


def _hits(
    refused: list[RefusedRequest], all_of: Tally[RefusedRequest], opens_anew: bool, insists_from: float
) -> Iterator[Hit]:
    if not refused:
        return
    count = all_of.count - len([*all_of]) + len(refused)
    same = len({_sid(refusal) for refusal in refused}) == 1
    insists = same and count >= insists_from and not opens_anew
    proof = []
    for refusal in refused:
        proof.append(evidence(refusal.request, Side.CLIENT, "a request with a sid"))
        proof.append(evidence(refusal.answer, Side.SERVER, answer_words(refusal)))
    yield Hit(
        *proof,
        severity=Severity.ERROR if insists else Severity.INFO,
        occurrences=count,
        period_ns=all_of.period_ns,
        kind="insists" if insists else "",
        trouble="The client insists on a session that the server does not know"
        if insists
        else "The server does not know a session that a client asks for",
        count=count,
        answer=answer_words(refused[0]),
        insists=" It never opens a new one." if insists else "",
        advice=_ADVICE[insists],
    )


def _sid(refusal: RefusedRequest) -> str:
    return next((value for name, value in refusal.asked.query if name == "sid"), "")
