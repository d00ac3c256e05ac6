"""A client asks for WebTransport and does not get it.

## What it reports
A request for WebTransport that the server answers with another status than 2xx, accepts and then closes before it has
said a word, or does not answer for a second or more (`silent_ms`); and an HTTP/3 end that does not know WebTransport at
all, at a server that offers it in its open packet.

## Why it matters
A client that began with polling goes on over WebSocket, 200 ms later than without WebTransport, or stays with polling.
One that is set up for WebTransport alone never connects: engine.io-client says "webtransport error" where the request
is refused, and where the server closes without a word nothing at all until its time-out (20 s).

## On the wire
Within HTTP/3, so only with keys: HEADERS with `:method: CONNECT` and `:protocol: webtransport`, answered 404, 403 or
5xx; or 200, and then a capsule CLOSE_WEBTRANSPORT_SESSION. A browser does not even ask where the SETTINGS of the server
lack WebTransport: it closes the connection, and nothing of Engine.IO has been said.

## How to fix
Refused or not supported: what answers QUIC on that port is not the HTTP/3 server of Socket.IO (a CDN, nginx and most
proxies end HTTP/3 and do not pass WebTransport on), or that has no handler for the path. Closed: engine.io 6.6.7 and
later closes each WebTransport session while it has a middleware (`io.engine.use`); a server of several processes does
so where QUIC goes to another one than polling; one of 6.5.0 or 6.5.1 does not understand newer clients. Where it is not
wanted, take `webtransport` out of the `transports` of the server.

## When it is silent
For other applications of WebTransport, by their path; when the session is over at that time anyway; when the client
leaves by itself; when what it says in the stream is at fault (rule EIO245); without keys (rules EIO244 and EIO246);
where the capture lacks packets in between.

## References
- draft-ietf-webtrans-http3, "Establishing a WebTransport-Capable HTTP/3 Connection"; RFC 9220
- engine.io 6.6.12, `server.js`, `onWebTransportSession`; engine.io-client, `transports/webtransport.js`
- fails-components/webtransport issue #448 (middlewares); recorded with engine.io 6.6.12 and aioquic 1.2.0
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms
from eiosniff.rules.webtransports import CLOSED, REFUSED, SILENT, UNSUPPORTED, Failed, failed, outcome, severity

_ADVICE = {
    REFUSED: "Hand WebTransport sessions for the path of Socket.IO over to it (h3Server.sessionStream, "
    "io.engine.onWebTransportSession), in what answers QUIC on that port; see there why it refuses.",
    UNSUPPORTED: "Let UDP on that port go to an HTTP/3 server with WebTransport, and not to a CDN or proxy without.",
    CLOSED: "Server: look for middlewares (io.engine.use), with which WebTransport does not work; let QUIC go to the "
    "process that has the session; have engine.io 6.5.2 or later. DEBUG=engine makes the server say why.",
    SILENT: "See in the server whether the session is handed over to Socket.IO (io.engine.onWebTransportSession).",
}
_WHY = {
    REFUSED: "The HTTP/3 end answers for itself: Socket.IO has no answers by status for WebTransport.",
    UNSUPPORTED: "HTTP/3 alone is not enough: both sides have to say in their settings that they take WebTransport. "
    "Browsers do not ask otherwise.",
    CLOSED: "So a server of Socket.IO closes what it does not take, without a reason: a session that this process does "
    "not know, a first packet that it does not understand, and all of them while it has middlewares.",
    SILENT: "A server of Socket.IO answers the first packet at once, or closes.",
}
_REASONS = {
    401: "it wants a login, and WebTransport has no way to give one",
    403: "it forbids it, as one does that checks the origin",
    404: "nobody has WebTransport at that path",
    405: "it does not know that method",
    501: "it does not know that method",
}


@rule(
    code="EIO247",
    name="webtransport-refused",
    subject=(Session, Client),
    severity=Severity.WARNING,
    since="0.1.0",
    title="The client asks for WebTransport and does not get it: {what}",
    message="{client} asks {server} for WebTransport; {said}.{outcome}",
    why="{because}",
    fix=("{advice}", 'Where WebTransport is not wanted, take "webtransport" out of the transports of the server.'),
    explains=("stuck-in-polling", "connect-loop", "no-backoff"),
    limits={"silent_ms": 1000},
)
def webtransport_refused(ledger: Session | Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    for one in failed(ledger, int(limits["silent_ms"] * NS_PER_MS)):
        what, said = _words(one)
        yield Hit(
            *one.proof,
            certainty=Certainty.LIKELY if one.how == SILENT else Certainty.CERTAIN,
            doubt="whether it reached the server, QUIC does not show" if one.how == SILENT else "",
            severity=severity(ledger),
            occurrences=one.count,
            period_ns=one.period_ns,
            kind=f"{one.how} {one.status or ''}",
            lasting=one.how == SILENT,
            how=one.how,
            what=what,
            said=said,
            because=_WHY[one.how],
            advice=_ADVICE[one.how],
            outcome=outcome(ledger),
        )


def _words(one: Failed) -> tuple[str, str]:
    """What happened, in a few words and in more."""
    if one.how == REFUSED:
        who = f'a server that calls itself "{one.server}"' if one.server else "the server"
        return f"the server answers {one.status}", f"{who} answers {one.status}: {_reason(one.status or 0)}"
    if one.how == UNSUPPORTED:
        what = "the server's HTTP/3 does not offer it"
        return what, f"the open packet offers it, but {what}"
    if one.how == CLOSED:
        what = "the server closes it without a word"
        return what, f"the server accepts it, and closes it without a word {in_ms(one.waited_ns)} later"
    return "no answer", f"for {in_ms(one.waited_ns)} nothing comes back"


def _reason(status: int) -> str:
    if status in _REASONS:
        return _REASONS[status]
    if status < 400:
        return "browsers follow no redirect for WebTransport"
    return "it fails, or what is behind it is not there" if status >= 500 else "it does not let it pass"
