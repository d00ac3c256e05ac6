"""The client is given a session, does not use it, and asks for the next one.

## What it reports
A client that opens sessions by polling, `sessions` (3) or more of them in a row, each soon after the one before
(`quick_return_ms`, 10 s), and never sends a request with the id that it was given.

## Why it matters
The handshake looks fine, 200 each time, and the server counts a new session each time, which it keeps until its ping
time is over. The client did not find the id in the answer, or could not read the answer: to its user it never connects.

## On the wire
`GET ...transport=polling`, 200 with `0{"sid":...}` (up to revision 3 with a length in front), and then no request with
that `sid`, but the next handshake. arduinoWebSockets up to 2.3.0 takes the id from the cookie `io` only, which servers
of Socket.IO 3 and later, of Python and of Go do not set; where it is set with attributes behind it (python-socketio 4),
it puts these into its request as well, and it wants to go on on the same connection, which netty-socketio ends.

## How to fix
Take the `sid` from the body of the answer. arduinoWebSockets: 2.3.3 or later does. For a page: look at its console, the
answer may be there and its script may not be allowed to read it.

## When it is silent
Where the two speak different revisions (rules EIO003 and EIO004): then that is why. Where a page asks another origin,
as browsers keep what its script may not read to themselves. Where the client had hung up before the answer came
(EIO015). For checks at longer intervals. Balancers and monitors check more often, and never use the session: where the
client says that it is one it is a warning, and where it does not say which program it is, only possible.

## References
- arduinoWebSockets, `src/WebSocketsClient.cpp`, the cookie `io`
- recorded with arduinoWebSockets 2.3.0 at ten servers
"""

import re
from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import Attempt, RequestFacts
from eiosniff.model.engineio import POLLING
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS

_COOKIE = "io"
_PICKY = "arduinoWebSockets"
# What balancers and monitors call themselves.
_CHECKS = re.compile(r"health|kube-probe|haproxy|blackbox|monitor|uptime|pingdom|check|googlehc|zabbix", re.IGNORECASE)
_CHECK = (
    " By its name it only checks whether the server is there: let it ask for another address, as each check costs a "
)
_CHECK += "session."
_MAY_CHECK = "a balancer that only checks whether the server is there does the same"


@rule(
    code="EIO211",
    name="session-unused",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client does not use the session that it is given, and asks for the next one",
    message="{client} is given a session by {server}, sends no request with its id, and opens the next one, {count} "
    "times in a row.{hint}",
    why="After the handshake each request has to carry the session id that the server gave. This client did not find "
    "it in the answer, or could not read the answer.",
    fix=(
        "Client: take the sid from the body of the handshake's answer, 0{{...}}, and send it with each request "
        "(sid=...).",
    ),
    explains=("no-connect-packet", "connect-loop", "no-backoff"),
    hence="It never uses the sessions that it is given",
    limits={"sessions": 3, "quick_return_ms": 10_000},
)
def session_unused(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if session.requests_answered > 1 or session.engineio_counts[Side.CLIENT] or session.handshake is None:
        return
    attempt = session.attempt
    if (
        attempt is None
        or attempt.ended is not None
        or attempt.request.transport is not POLLING
        or _is_of_another_origin(attempt.request)
    ):
        return
    if session.upgrade_count or session.refusals or session.polls_cut or session.connection_count > 1:
        return
    if session.midstream or session.gaps or not _same_revision(session):
        return
    quick_ns = limits["quick_return_ms"] * NS_PER_MS
    for row in session.client.loops:
        last = row.lives.last
        if row.lives.count < limits["sessions"] or row.pauses.median > quick_ns or last is None:
            continue
        if attempt.request.place < last.start:
            following = next((life.start for life in row.lives if attempt.request.place < life.start), last.start)
            checks = _CHECKS.search(attempt.request.user_agent or "") is not None
            known = session.client.identity is not None
            yield Hit(
                evidence(session.opened, Side.SERVER, f"opens session {session.sid}"),
                evidence(following, Side.CLIENT, "opens another one"),
                certainty=Certainty.LIKELY if known or checks else Certainty.POSSIBLE,
                doubt="only the client knows why" if known or checks else _MAY_CHECK,
                severity=None if known and not checks else Severity.WARNING,
                kind="checks" if checks else "",
                count=row.lives.count,
                hint=_CHECK if checks else _hint(session, attempt),
            )
            return


def _hint(session: Session, attempt: Attempt) -> str:
    """What may keep a client from going on, as a sentence; empty for libraries of which nothing is known."""
    identity, answered = session.client.identity, attempt.answered
    if identity is None or identity.library != _PICKY or answered is None:
        return ""
    cookie = next((value for name, value in answered.cookies if name == _COOKIE), None)
    if cookie is not None and ";" in cookie:
        return " The cookie io has attributes behind the id, which up to 2.3.0 this client takes for a part of it."
    if session.payloads.hung_up is not None and not answered.last:
        return " The server ends the connection after its answer, and this client only goes on on the same one."
    return "" if cookie else " The server sets no cookie io, and up to 2.3.0 this client looks for the id there only."


def _is_of_another_origin(request: RequestFacts) -> bool:
    """Whether a page of another origin asks: its browser may keep the answer to itself."""
    origin = request.origin
    return origin is not None and origin.startswith("http") and not origin.endswith(f"//{request.host}")


def _same_revision(session: Session) -> bool:
    """Whether the server answers in the revision that the client asks for."""
    spoken = session.revisions[Side.SERVER]
    return spoken is not None and (spoken >= 4) == (session.claimed_eio == "4")
