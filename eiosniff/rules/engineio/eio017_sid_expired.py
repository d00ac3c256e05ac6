"""A session that the server had to forget: its time was over, or the server was restarted.

## What it reports
A request with a `sid` that the server does not know any more, and why: nothing was heard of the client for longer than
the server waits, or the server process that had the session is gone.

## Why it matters
Mostly it is no fault but what the user sees of one thing: a phone that was locked, a laptop that slept, a deployment.
It is here so that it is not taken for a load balancer without sticky sessions, which is answered with the same words.
It matters where a client polls so seldom that each session is lost, or does not open a new one after it: asking with
the old id again and again (`requests` times, 2) makes it a warning.

## On the wire
A request with a known `sid`, and 400 with code 1 ("Session ID unknown"; python-engineio: "Invalid session", "Session
is disconnected"). Before it, no packet for longer than `pingInterval` and `pingTimeout` together, or a ping of the
server that nobody answered for `pingTimeout`. After a restart: a poll that the server ends without an answer (FIN or
RST), or a gateway's 502 to 504; new session ids whose counter begins again at zero.

## How to fix
After sleep and after a restart there is nothing to mend: the client opens a new session. A hand-written client has to
do so on code 1, instead of asking again with the old id, and must always have a poll pending, as the server's ping
comes in the answer to one. Let a load balancer drain a server before it is stopped.

## When it is silent
When the server said that it closes (an Engine.IO packet `1`), or the client said goodbye. When a session is refused
within its time: rule EIO016.

## References
- Engine.IO protocol, revision 4, "Heartbeat"; engine.io, `lib/server`, error code 1
- socket.io issue #1982, socket.io-client-swift issue #731; recorded with a client that is stopped, with one that polls
  seldom and with restarts of socket.io 4.8
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import CutRequest, RefusedRequest
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.tcp import EndKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import in_ms
from eiosniff.rules.unknown_sids import (
    LUCKY_STREAK,
    answer_words,
    counts_anew,
    dropped_request,
    ended_by_client,
    expired,
    last_before,
    lifetime_ns,
    pinged_out,
    unknown_refusals,
)

# A client may say goodbye to a session that it was told is unknown; one that asks again and again did not listen.
INSISTS = 2

_RESTARTED = "the server was restarted"
_SILENT = "the client was silent for too long"
_TROUBLE = ("The server no longer knows the session", "The client goes on with a session that is over")
_ANEW = "A hand-written client has to open a new session (a handshake without sid) when it is told code 1."
_FIX = {
    _RESTARTED: "After a restart there is nothing to mend: the client opens a new session. A load balancer that drains "
    "a server before it is stopped spares clients that.",
    _SILENT: "A phone or laptop that slept opens a new session: nothing to mend. Else let the client always have a "
    "poll pending: the server's ping comes in the answer to one, and has to be answered.",
}


@rule(
    code="EIO017",
    name="sid-expired",
    subject=Session,
    severity=Severity.INFO,
    since="0.1.0",
    title="{trouble}: {because}",
    message="{client} asks with a session id that the server at {server} no longer knows ({answer}): "
    "{detail}.{insists}",
    why="A server keeps a session as long as the client answers its pings, and only in the memory of its process. "
    "After that its id means nothing, and the client has to open a new session.",
    fix=("{advice}", "{and_then}"),
    limits={"requests": INSISTS},
    hence="Requests with the old session id are refused",
)
def sid_expired(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    unknown = unknown_refusals(session)
    if not unknown or session.midstream:
        return
    first = unknown[0]
    because = _reason(session, first)
    if because is None:
        return
    again = [refusal for refusal in unknown if refusal.request > first.answer and not refusal.after_close]
    not_kept = session.refusals.count - len(list(session.refusals))
    insists = len(again) >= limits["requests"]
    certainty, doubt, proof, detail = because
    kind = _SILENT if expired(session, first) else _RESTARTED
    for refusal in unknown:
        proof.append(evidence(refusal.request, Side.CLIENT, "a request of that session"))
        proof.append(evidence(refusal.answer, Side.SERVER, answer_words(refusal)))
    yield Hit(
        *proof,
        certainty=certainty,
        doubt=doubt,
        severity=Severity.WARNING if insists else Severity.INFO,
        kind=kind,
        because=kind,
        answer=answer_words(first),
        detail=detail,
        insists=f" It asks {len(again) + not_kept} times more with the old id." if insists else "",
        trouble=_TROUBLE[insists],
        advice=_ANEW if insists else _FIX[kind],
        and_then=_FIX[kind] if insists else _ANEW,
    )


_Reason = tuple[Certainty, str, list[Evidence], str]


def _reason(session: Session, refusal: RefusedRequest) -> _Reason | None:
    """How sure it is, why not more, what shows it, and that in words."""
    if expired(session, refusal):
        waiting = session.heartbeats.pending
        if waiting is not None and pinged_out(session, refusal):
            since = in_ms(refusal.request.ts_ns - waiting.ping.ts_ns)
            proof = [evidence(waiting.ping, Side.SERVER, 'PING "2"')]
            return Certainty.CERTAIN, "", proof, f"the server's ping was not answered for {since}"
        idle, limit = in_ms(refusal.idle_ns), in_ms(lifetime_ns(session))
        proof = [evidence(last_before(session, refusal), None, "the last packet of the session until then")]
        return Certainty.CERTAIN, "", proof, f"nothing was heard for {idle}, and the server waits {limit}"
    if ended_by_client(session, refusal):
        return None
    opened, anew = evidence(session.opened, Side.SERVER, f"opens session {session.sid}"), counts_anew(session)
    dropped = dropped_request(session, refusal)
    if dropped is None and (anew is None or session.requests_answered < LUCKY_STREAK):
        return None
    proof, detail = [opened], "the counter in the session ids of the server begins anew"
    if dropped is not None:
        proof.append(evidence(dropped.request, Side.CLIENT, "a request of that session"))
        proof.append(_end(dropped))
        detail = f"before that, {_end_words(dropped)}"
    if anew is not None:
        proof.append(evidence(anew, Side.SERVER, "a new session, of a process that counts from the beginning"))
        return Certainty.CERTAIN, "", proof, detail
    return Certainty.LIKELY, "a proxy that cuts a poll has the same effect", proof, detail


def _end(dropped: CutRequest | RefusedRequest) -> Evidence:
    if isinstance(dropped, CutRequest):
        return evidence(dropped.end, Side.SERVER, f"ends the connection without an answer ({dropped.how.name})")
    return evidence(dropped.answer, Side.SERVER, f"{dropped.status}")


def _end_words(dropped: CutRequest | RefusedRequest) -> str:
    if isinstance(dropped, CutRequest):
        verb = "reset" if dropped.how is EndKind.RST else "ended"
        return f"a request that waited was not answered, its connection was {verb} by the server"
    return f"a proxy answered {dropped.status}, as there was no server behind it"
