"""The heartbeat is slower than a proxy on the way is patient.

## What it reports
A `pingInterval` of more than 25 s, and a connection that is cut for silence before the next ping was due; one that is
longer than what most proxies allow; a GET that a proxy answers itself, as its time was over, before the ping came.

## Why it matters
Proxies, load balancers and NAT gateways cut connections on which nothing was said for a while: nginx, AWS ALB and
Apache after 60 s, Heroku after 55 s, HAProxy after what `timeout tunnel` says. The heartbeat keeps a connection alive
if it is faster than that. A client of a cut connection sees "transport close" again and again, at a constant distance.

## On the wire
Silence for a round number of seconds, then FIN or RST without a close frame, from the side of the proxy, while the next
ping is not due yet. Over polling: the GET that waits is answered by the proxy itself (504, 524, 408), or its connection
ends.

## How to fix
Leave `pingInterval` at 25 s (at 50 s at the most), or raise the proxy's timeout: nginx `proxy_read_timeout`, HAProxy
`timeout tunnel`, the idle timeout of the AWS load balancer.

## When it is silent
When the ping was overdue (then the server fails, see EIO040), when a goodbye or a close frame came before, and when the
silence was not of a round number of seconds: a program that crashes does not look at the clock. When others that had
been silent for other times ended in the same moment (rule PROXY084). A silence of less than half a minute is only a
possible case, unless a proxy says itself that its time was over: hardly anybody sets so little. Cuts in spite of a
`pingInterval` of 25 s or less are told by rule PROXY081. Without a cut, an interval up to 55 s (`interval_ms`) is not
mentioned.

## References
- nginx documentation, "WebSocket proxying" and proxy_read_timeout; HAProxy manual, timeout tunnel
- socket.io documentation, "Behind a reverse proxy"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.cuts import ROUND_NS, SLACK_NS, USUAL_INTERVAL_NS, is_of_an_event, is_round
from eiosniff.rules.heartbeats import proxy_between, proxy_named, times_ns
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, closing_words, in_ms

# The shortest of what boxes have by default: Google's load balancer; the others 50 s and more.
LEAST_USUAL_NS = 30 * NS_PER_S
TIMED_OUT = (408, 504, 524)
_CUT_OFF = (CloseHow.FIN, CloseHow.RST, CloseHow.UNSEEN)
_SAYS_SO = tuple(f"answers the GET by {status}" for status in TIMED_OUT)


@rule(
    code="PROXY045",
    name="heartbeat-vs-proxy",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The heartbeat is too slow for {whom}: {verdict}",
    message="Between {client} and {server}: {detail} The server pings every {interval} (pingInterval).",
    why="Proxies and NAT gateways cut connections on which nothing is said for a while, most after 60 s. The heartbeat "
    "keeps a connection alive only if it is faster.",
    fix=(
        "Server: leave pingInterval at 25000 ms (Python: ping_interval=25), below the timeout of every proxy on the "
        "way.",
        "Or raise the proxy's timeout above pingInterval: nginx proxy_read_timeout, HAProxy timeout tunnel, idle "
        "timeout of the load balancer.",
    ),
    explains=("sid-expired", "connect-loop", "no-backoff", "mass-close", "ws-abnormal-close", "gateway-5xx"),
    limits={"interval_ms": 55000},
)
def heartbeat_vs_proxy(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    times = times_ns(session)
    if times is None:
        return
    interval_ns = times[0]
    last = session.heartbeats.last
    due_ns = (last.ping if last else session.opened).ts_ns + interval_ns
    slow = interval_ns > USUAL_INTERVAL_NS
    cut = (_cut_websocket(session, due_ns) if slow else None) or _cut_poll(session, interval_ns, slow=slow)
    if cut is not None:
        begin, end, side, text, proxy = cut
        silent = f"{round((end.ts_ns - begin.ts_ns) / ROUND_NS) * ROUND_NS // NS_PER_S} s"
        shown = f"; a proxy shows itself ({proxy})" if proxy else ""
        certainty, doubt = Certainty.CERTAIN, ""
        if text not in _SAYS_SO and end.ts_ns - begin.ts_ns < LEAST_USUAL_NS - SLACK_NS:
            certainty, doubt = Certainty.POSSIBLE, "hardly a proxy is set to so little, and it may be chance"
        elif not proxy:
            certainty = Certainty.LIKELY
            doubt = "no proxy shows itself in the capture; but programs do not end after a round time"
        yield Hit(
            evidence(begin, None, "the last packet before the silence"),
            evidence(end, side, text),
            certainty=certainty,
            doubt=doubt,
            severity=Severity.WARNING if certainty is Certainty.POSSIBLE else None,
            kind="cut",
            whom="a proxy on the way",
            verdict=f"it cuts the connection after {silent} of silence",
            detail=f"after {silent} of silence the connection is cut{shown}.",
            interval=in_ms(interval_ns),
            pings="slow" if slow else "usual",
            proxy=proxy,
        )
    elif interval_ns > limits["interval_ms"] * NS_PER_MS:
        yield Hit(
            evidence(session.opened, Side.SERVER, "opens the session"),
            severity=Severity.INFO,
            kind="announced",
            whom="most proxies",
            verdict=f"a ping every {in_ms(interval_ns)}",
            detail="no cut was seen, but most proxies cut after 60 s of silence.",
            interval=in_ms(interval_ns),
            pings="slow",
            proxy="",
        )


def _cut_websocket(session: Session, due_ns: int) -> tuple[PacketRef, PacketRef, Side, str, str] | None:
    """A WebSocket cut in silence: between which packets, by which side, how, and what shows the proxy."""
    closing = session.closing
    if closing is None or closing.after_goodbye or closing.how not in _CUT_OFF:
        return None
    frames = [tally.last for tally in (*session.ws_pings, *session.ws_pongs) if tally.last is not None]
    begin = max([session.last, *frames], key=lambda place: place.ts_ns)
    end = closing.place
    if not session.on_websocket or end.ts_ns >= due_ns or not is_round(end.ts_ns - begin.ts_ns):
        return None
    if is_of_an_event(session.server.fleet, closing):
        return None
    proxy = proxy_between(session, closing.side) or ("both hops were captured" if session.hops else "")
    if closing.side is Side.CLIENT and not proxy:
        return None  # clients of phones come and go
    return begin, end, closing.side, closing_words(closing), proxy


def _cut_poll(session: Session, interval_ns: int, *, slow: bool) -> tuple[PacketRef, PacketRef, Side, str, str] | None:
    """The same of a GET that waits."""
    for refusal in session.refusals:
        waited = refusal.answer.ts_ns - refusal.request.ts_ns
        if refusal.status in TIMED_OUT and waited < interval_ns and is_round(waited):
            named = proxy_named(refusal.answered) or f"status {refusal.status}"
            return refusal.request, refusal.answer, Side.SERVER, _SAYS_SO[TIMED_OUT.index(refusal.status)], named
    for cut in session.polls_cut if slow else ():
        if not cut.post and cut.by is Side.SERVER and cut.waited_ns < interval_ns and is_round(cut.waited_ns):
            return cut.request, cut.end, cut.by, "ends the connection", proxy_between(session, Side.SERVER)
    return None
