"""A request goes out over an idle connection just as the server ends it.

## What it reports
A poll or POST on a connection that was used before and idle since, which the server had ended when the request came,
or ends before it can have come.

## Why it matters
HTTP keeps connections for the next request, and both sides may end one that is idle. If client and server wait equally
long they meet: the request is lost, nobody is at fault, and it comes back every few hours. A browser sends a GET again
by itself; a POST it must not, and neither does a proxy. The client sees "xhr post error" and loses the session.

## On the wire
An answer, silence for a round time (5 s in Node, where it is `keepAliveTimeout`), then FIN of the server and a request
of the client that cross, and RST. Behind a proxy with connections of its own to the server (nginx `keepalive`, AWS load
balancers) the client gets 502 for it.

## How to fix
The server has to be more patient than whoever asks it: `httpServer.keepAliveTimeout = 65000` in Node, longer than the
idle timeout of the load balancer (60 s at AWS); gunicorn `--keep-alive 65`, uvicorn `--timeout-keep-alive 65`. Over
WebSocket the question does not come up.

## When it is silent
On connections that were idle for less than a second (`idle_ms`), where the server ends the session, or the connection
with its poll, at the same time (it is stopped), and where the request had waited longer than a round
trip takes (`race_ms`): then the server had it. Unless the capture shows that the server had ended the connection
before, the finding is likely at the most, and only if that was after a whole number of seconds. A GET that is repeated
is an information.

## References
- RFC 9112, section 9.3.1 and 9.5; Node documentation, `server.keepAliveTimeout`
- AWS documentation, "HTTP 502: Bad gateway" of Application Load Balancers
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import CutRequest
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, in_ms

_GOODBYES = (CloseHow.EIO_CLOSE, CloseHow.DISCONNECT)
_TOGETHER_NS = 200 * NS_PER_MS
_SLACK_NS = 60 * NS_PER_MS  # of a timer


@rule(
    code="HTTP085",
    name="keepalive-race",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A {method} is lost: the server ends its idle connection just as it is sent",
    message="{client} sends a {method} to {server}{way} over a connection that was idle for {idle}, and the server "
    "ends that connection at the same time{kept}. {outcome}",
    why="The server gives idle connections up after a fixed time, and whoever asks it does not know: a request that is "
    "on its way by then is lost.",
    fix=(
        "Server: keep idle connections longer than clients and proxies do: httpServer.keepAliveTimeout = 65000 (Node), "
        "gunicorn --keep-alive 65, uvicorn --timeout-keep-alive 65.",
        "Or use WebSocket, which needs one connection and no new requests.",
    ),
    explains=("gateway-5xx", "connect-loop", "no-backoff", "ack-missing"),
    limits={"idle_ms": 1000, "race_ms": 1000},
)
def keepalive_race(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for one in (session, *session.hops) if session.hops else (session,):
        for cut in one.polls_cut if one.polls_cut else ():
            if cut.after is None or cut.by is not Side.SERVER or _goes_down(one, cut):
                continue
            if _meets(cut, cut.after, limits):
                yield _hit(session, cut, cut.after, "" if one is session else ", which a proxy passes on")


def _goes_down(session: Session, cut: CutRequest) -> bool:
    """Whether the server ends the session with that connection: it says so, or ends the one with the poll, too."""
    closing = session.closing
    says_so = closing is not None and closing.side is Side.SERVER and closing.how in _GOODBYES
    ends = [closing.place] if closing is not None and says_so else []
    ends += [other.end for other in session.polls_cut if other is not cut and other.by is Side.SERVER]
    return any(abs(end.ts_ns - cut.end.ts_ns) <= _TOGETHER_NS for end in ends)


def _meets(cut: CutRequest, after: PacketRef, limits: Mapping[str, float]) -> bool:
    """Whether request and end crossed."""
    idle_ns = cut.request.ts_ns - after.ts_ns
    if idle_ns < limits["idle_ms"] * NS_PER_MS or cut.waited_ns > limits["race_ms"] * NS_PER_MS:
        return False
    kept_ns = cut.end.ts_ns - after.ts_ns
    return cut.too_late or (kept_ns + _SLACK_NS) % NS_PER_S <= 2 * _SLACK_NS


def _hit(session: Session, cut: CutRequest, after: PacketRef, way: str) -> Hit:
    said = session.last_from[Side.CLIENT]
    goes_on = said is not None and said > cut.end
    method = "POST" if cut.post else "GET"
    kept = f" (it keeps them for {in_ms(cut.end.ts_ns - after.ts_ns)})" if not cut.too_late else ""
    return Hit(
        evidence(after, Side.SERVER, "the last answer on this connection"),
        evidence(cut.request, Side.CLIENT, f"{method}, {in_ms(cut.request.ts_ns - after.ts_ns)} later"),
        evidence(cut.end, Side.SERVER, "the connection is reset" if cut.too_late else "ends the connection"),
        certainty=Certainty.CERTAIN if cut.too_late else Certainty.LIKELY,
        doubt=""
        if cut.too_late
        else "the server ends it after a whole number of seconds, but might have had the request",
        severity=Severity.INFO if goes_on and not cut.post else None,
        kind=method,
        method=method,
        way=way,
        idle=in_ms(cut.request.ts_ns - after.ts_ns),
        kept=kept,
        outcome="The session goes on." if goes_on else "Nothing more comes of the session.",
    )
