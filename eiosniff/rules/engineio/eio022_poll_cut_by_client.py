"""The client cuts its own polls: its read time-out is shorter than the time a poll may take.

## What it reports
A client that ends the connection of a polling GET which waits for its answer, sooner than the server has to answer,
and loses the session or packets by it.

## Why it matters
A poll waits until the server has something to say; when nothing happens that is its next ping, up to `pingInterval`
(25 s) later. An HTTP library that gives up after 10 s takes that for a dead server. Node ends the session at once;
python-socketio does not notice and writes the next packets into the connection that is gone. It looks like a
connection that breaks whenever nothing is going on.

## On the wire
A GET with a `sid`, then, a fixed time later (10 s: OkHttp before 2.1.0 of the Java client), FIN or RST of the client
before any answer. The next request gets 400 with code 1, or the client says a bare `1` and opens a new session; with
python-socketio packets are missing, and in the end 400 ("Bad Request") for want of a pong.

## How to fix
A read time-out above `pingInterval` plus a few seconds, or none for polls: Java client 2.1.0 or 1.0.2, JavaScript
without `requestTimeout`, `requests` with `timeout=60`. Or lower `pingInterval` on the server below the time-out. The
same is seen behind a proxy that cuts polls: look there if the client is one.

## When it is silent
When a client leaves: it cuts its poll too, with a goodbye (`41`) or without anything after it, or sooner than after
`shortest_ms` (1 s). When the server had let
`pingInterval` pass without its ping: then the server is the one that is late. At an upgrade to WebSocket.

## References
- socket.io-client-java, History 2.1.0 and 1.0.2; option `requestTimeout` of engine.io-client
- recorded with Node's http, requests and Chromium, at socket.io 4.8 and python-socketio 5
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import CutRequest, RefusedRequest
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms
from eiosniff.rules.unknown_sids import answer_words

SHORTEST_MS = 1000
# Servers ping a little late.
TIMER_SLACK = 0.95
ALIKE = 0.1
_AT_ONCE_NS = NS_PER_S
_CLIENT_ERRORS = range(400, 501)


@rule(
    code="EIO022",
    name="poll-cut-by-client",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client cuts its own poll after {waited}: {verdict}",
    message="{client} ends the connection of a poll that has waited {waited}. The server at {server} may take "
    "{interval} to answer (pingInterval). {outcome}",
    why="A poll waits until the server has something to say, and when nothing happens that is its next ping. A client "
    "that gives up before that loses its session, or the packets that the server writes into the poll.",
    fix=(
        "Client: a read time-out above pingInterval ({interval}) plus a few seconds for polls, or none.",
        "Or a pingInterval on the server below that time-out. If the client is a proxy, its time-out is the one.",
    ),
    explains=("sid-expired", "pong-missing", "connect-loop", "no-backoff"),
    limits={"shortest_ms": SHORTEST_MS},
)
def poll_cut_by_client(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if not session.polls_cut:
        return
    interval = session.handshake.ping_interval_ms if session.handshake is not None else None
    if interval is None or session.upgraded is not None or _leaves(session):
        return
    cuts = [cut for cut in session.polls_cut if _is_early(session, cut, interval * NS_PER_MS)]
    shortest_ns = limits["shortest_ms"] * NS_PER_MS
    found = _outcome(session, cuts, shortest_ns) if cuts else None
    if found is None:
        return
    outcome, after, certainty = found
    proof = []
    for cut in cuts:
        proof.append(evidence(cut.request, Side.CLIENT, "a poll"))
        proof.append(evidence(cut.end, Side.CLIENT, f"ends its connection ({cut.how.name}) without an answer"))
    waited = min(cut.waited_ns for cut in cuts)
    yield Hit(
        *proof,
        *after,
        certainty=certainty,
        doubt="" if certainty is Certainty.CERTAIN else "nothing shows yet what was lost by it",
        occurrences=len(cuts),
        verdict="its read time-out is too short" if waited >= shortest_ns else "it must wait for the answer",
        waited=in_ms(waited),
        interval=in_ms(interval * NS_PER_MS),
        outcome=outcome,
    )


def _is_early(session: Session, cut: CutRequest, interval_ns: int) -> bool:
    """Whether a poll was cut before the server had to answer, by a client that had no reason to."""
    if cut.by is not Side.CLIENT or cut.post or cut.waited_ns >= interval_ns * TIMER_SLACK:
        return False
    closing = session.closing
    if closing is not None and closing.place < cut.end:
        return False
    return not any(refusal.answer < cut.end for refusal in session.refusals)


def _leaves(session: Session) -> bool:
    """Whether the client said goodbye to a namespace: it cuts its poll because it leaves."""
    return any(namespace.disconnected_by is Side.CLIENT for namespace in session.namespaces.values())


def _outcome(
    session: Session, cuts: list[CutRequest], shortest_ns: float
) -> tuple[str, list[Evidence], Certainty] | None:
    """What came of it, what shows that, and how sure it is; None if nothing did, or if it may be the client's leaving
    (that cuts polls after any time)."""
    closing = session.closing
    timed_out = all(cut.waited_ns >= shortest_ns for cut in cuts)
    refusal = next((refusal for refusal in session.refusals if _follows(refusal, cuts[0])), None)
    goodbye = closing is not None and refusal is not None and closing.place == refusal.request
    if refusal is not None and (timed_out or not goodbye):
        after = [
            evidence(refusal.request, Side.CLIENT, "a request of the session"),
            evidence(refusal.answer, Side.SERVER, answer_words(refusal)),
        ]
        return f"The server has then ended the session: {answer_words(refusal)}.", after, Certainty.CERTAIN
    if not timed_out:
        return None
    bare_goodbye = closing is not None and closing.how is CloseHow.EIO_CLOSE and closing.side is Side.CLIENT
    if closing is not None and bare_goodbye and session.namespaces:
        if closing.place.ts_ns - cuts[-1].end.ts_ns <= _AT_ONCE_NS:
            after = [evidence(closing.place, Side.CLIENT, 'gives the session up ("1")')]
            return "It takes that for a lost connection and gives the session up.", after, Certainty.CERTAIN
    elif _one_after_the_other(cuts):
        return "What the server writes into such a poll is lost.", [], Certainty.LIKELY
    return None


def _one_after_the_other(cuts: list[CutRequest]) -> bool:
    """Whether polls were cut in turn, each after the same time."""
    waits = [cut.waited_ns for cut in cuts]
    return cuts[0].end < cuts[-1].request and max(waits) - min(waits) <= ALIKE * max(waits)


def _follows(refusal: RefusedRequest, cut: CutRequest) -> bool:
    return refusal.request > cut.end and refusal.status in _CLIENT_ERRORS
