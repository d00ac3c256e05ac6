"""The client never sends the Socket.IO CONNECT packet.

## What it reports
A Socket.IO 5 session (Engine.IO 4) in which the client joins no namespace: no `40` of the client after the open packet.

## Why it matters
From Socket.IO 3 on nothing happens until the client asks to join a namespace: the server's "connection" handler does
not run, no event arrives, and after `connectTimeout` (45 s) the server closes. The heartbeat is healthy all the while,
so that everything looks connected.

## On the wire
`0{...}` of the server, then pings and pongs, and no `40`. Node closes with an empty close frame after 45 s;
python-socketio keeps the session for ever.

## How to fix
Send `40` (or `40/namespace,{auth}`) after the open packet. In arduinoWebSockets:
`socketIO.send(sIOtype_CONNECT, "/")` when the connection comes up.

## When it is silent
In sessions of revision 3, which the server joins by itself; for clients that speak only Engine.IO (path `/engine.io/`,
or messages that are not Socket.IO); when the capture ends, or the session falls silent, within the first seconds
(`patience_ms`; a client library sends CONNECT within milliseconds).

## References
- Socket.IO protocol, revision 5, "Connection to a namespace" and "Changes between v4 and v5"
- socket.io issue #4300, socket.io-client-java issue #632, arduinoWebSockets issue #620
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.heartbeats import times_ns
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S, closing_words, in_ms

# A server that closes sooner than any sensible `connectTimeout` has another reason.
SHORTEST_TIMEOUT_NS = NS_PER_S


@rule(
    code="SIO049",
    name="no-connect-packet",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client never sends CONNECT (40), so it joins no namespace",
    message="{client} opens the session and then sends no CONNECT for {waited}. {end}",
    why='From Socket.IO 3 on the client must ask to join a namespace; the server\'s "connection" handler does not run '
    "before it does, and the server closes after connectTimeout (45 s by default).",
    fix=('After the open packet "0{{...}}" send "40" (with auth: 40{{"token":"..."}}; for a namespace: 40/name,).',),
    explains=("connect-loop", "no-backoff", "ws-abnormal-close", "sid-reused"),
    limits={"patience_ms": 5000},
)
def no_connect_packet(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if session.namespaces or session.engineio != 4 or session.midstream or session.claimed_eio not in (None, "4"):
        return
    if (session.path or "").startswith("/engine.io") or session.foreign[Side.CLIENT]:
        return
    said_other = session.engineio_counts[Side.CLIENT].get("message", 0)
    if said_other or not (session.on_websocket or session.last_from[Side.CLIENT]):
        return
    closing = session.closing
    silent = closing is None and _fell_silent(session)
    waited = (session.last.ts_ns if silent else session.observed_until_ns) - session.opened.ts_ns
    closed_by_server = closing is not None and closing.side is Side.SERVER
    if waited < (SHORTEST_TIMEOUT_NS if closed_by_server else limits["patience_ms"] * NS_PER_MS):
        return
    proof = [evidence(session.opened, Side.SERVER, 'opens the session, "0{...}"')]
    end = "The heartbeat goes on, but no event can arrive."
    if silent:
        end = "Then the session falls silent."
    elif closing is not None:
        proof.append(evidence(closing.place, closing.side, closing_words(closing)))
        end = f"The {closing.side.label} then {closing_words(closing)}."
    yield Hit(
        *proof, lasting=closing is None, certainty=Certainty.CERTAIN if closed_by_server else Certainty.LIKELY,
        doubt="" if closed_by_server else "the server has not given up within the capture",
        waited=in_ms(waited), end=end,
    )  # fmt: skip


def _fell_silent(session: Session) -> bool:
    """Whether the session died without a word: a client that polls may just not come back."""
    times = times_ns(session)
    return times is not None and session.observed_until_ns - session.last.ts_ns > sum(times)
