"""A proxy or load balancer answers in the place of the server, with an error of its own.

## What it reports
A handshake or a poll that is answered 502, 503, 504 or, by Cloudflare, 520 to 530.

## Why it matters
The request got as far as the proxy, and the proxy got no answer from the server. The log of the application shows
nothing. Clients see "xhr poll error"; a page of another origin is told of a CORS error, since the proxy's page does not
allow its origin, and so people look for the fault in the wrong place.

## On the wire
An HTML page in the place of `0{...}`. 502: nothing listens where the proxy looks for the server, or it ended the
connection without an answer. 503: the proxy takes no server for alive (Heroku: also that none answered within 30 s).
504, and 502 of Apache httpd after a second or more: the server did not answer in time, and the time is the timeout.
Cloudflare says more by 521 (refused), 522 (no connection), 523 (no route), 524 (no answer in time), 525 and 526 (TLS).
`Server`, `Via`, `cf-ray` or the page itself tell whose answer it is.

## How to fix
502, 503: is the server running, and where the proxy looks for it (host, port)? Its log tells of crashes and restarts.
504: look why the server does not answer (a blocked event loop, a middleware that never calls back), before you raise
`proxy_read_timeout` or `timeout server`.

## When it is silent
For errors that the application writes itself (go-socket.io says 502 in its own words), and for requests for a WebSocket
where polling gets through (rule HTTP024). Where the client is let in later it is a warning: the server was away for a
while. A poll that is given up because the heartbeat is slower than the proxy is rule PROXY045.

## References
- RFC 9110, section 15.6; nginx, HAProxy and Apache httpd documentation; Cloudflare documentation, "5xx errors"
- sails issue #4269; python-socketio issue #38 (Heroku, H12)
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Attempt, Outcome, RefusedRequest, RequestFacts
from eiosniff.model.engineio import POLLING, ServerError
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import let_in, let_in_after, let_in_since
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import box_of
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.origins import of_a_page
from eiosniff.rules.phrases import NS_PER_S, in_ms
from eiosniff.rules.upgrades import asks_for_websocket

_AWAY, _NONE, _LATE, _TLS, _OTHER = "away", "none", "late", "tls", "other"
_REASONS = {502: _AWAY, 503: _NONE, 504: _LATE, 520: _OTHER, 521: _AWAY, 522: _LATE, 523: _AWAY, 524: _LATE, 525: _TLS,
            526: _TLS, 527: _OTHER, 530: _OTHER}  # fmt: skip
_TIMED_NS = 10 * NS_PER_S  # a 503 after so long is one for a timeout
# What go-socket.io writes itself.
_OF_APPLICATIONS = ("request checker err", "transport accept err")

_WHAT = {
    _AWAY: "it cannot get through to it",
    _NONE: "it knows of none that is alive",
    _LATE: "it had no answer from it within {waited}",
    _TLS: "the two do not agree on TLS",
    _OTHER: "it got no proper answer from it",
}
_WHY = {
    _AWAY: "Nothing listens where the proxy looks for the server, or the server ended the connection: it is not "
    "running, or crashed, or has another port.",
    _NONE: "All servers behind it refused the connection, or failed their health checks.",
    _LATE: "The server took the request and did not answer in time: its event loop is blocked, something that the "
    "handshake waits for never comes, or the proxy's timeout is shorter than a poll.",
    _TLS: "The certificate of the server, or its protocol versions, are not what the proxy accepts.",
    _OTHER: "The server ended the connection, or answered something that the proxy does not understand.",
}
_ADVICE = {
    _AWAY: "See that the server runs, and listens where the proxy looks for it: on the host of the proxy, "
    "curl 'http://<server>:<port>/socket.io/?EIO=4&transport=polling'. The log of the proxy has the address.",
    _NONE: "See that the server runs and passes the health check of the proxy: ask it by curl on the proxy's host.",
    _LATE: "See why the server does not answer (its log, its event loop). A poll waits for up to pingInterval (25 s): "
    "the timeout of the proxy has to be longer.",
    _TLS: "Mend the certificate of the server, or the proxy's setting for TLS to it.",
    _OTHER: "The logs of the server and of the proxy, of this moment, tell more.",
}


@rule(
    code="PROXY083",
    name="gateway-5xx",
    subject=(Client, Session),
    severity=Severity.ERROR,
    since="0.1.0",
    title="{Box} answers {status} in the place of the server: {what}",
    message="{client} sends {request} to {server}. {Box} answers {status} after {waited}{page}.{later}",
    why="{because}",
    fix=("{advice}",),
    explains=("connect-loop", "no-backoff", "sid-expired", "upgrade-rejected", "stuck-in-polling"),
    hence="{box} answers {status} in the place of the server",
)
def gateway_5xx(ledger: Client | Session) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Session):
        for refusal in ledger.refusals:
            if refusal.transport is POLLING and not refusal.inside_websocket and _is_gateways(refusal):
                later = _later(ledger, refusal)
                severity = Severity.WARNING if later else None
                yield _hit(refusal.asked, refusal.answered, _polls(refusal), 1, None, severity, later)
        return
    for group in ledger.attempts.values():
        sample = group.first[0]
        if sample.outcome is not Outcome.REFUSED or sample.answered is None or not _is_gateways(sample):
            continue
        if asks_for_websocket(sample.request) and let_in(ledger, sample.request.path):
            continue
        works = let_in_after(ledger, group.last or sample)
        severity, later = (Severity.WARNING, " It is let in later.") if works else (None, "")
        proof = exchanges(group, lambda attempt: f"{attempt.status}")
        yield _hit(sample.request, sample.answered, proof, group.count, group.period_ns, severity, later)


def _later(session: Session, refusal: RefusedRequest) -> str:
    said = session.last_from[Side.SERVER]
    if said is not None and said > refusal.answer:
        return " The session goes on."
    return " The client gets another session later." if let_in_since(session.client, refusal.answer) else ""


def _is_gateways(refused: Attempt | RefusedRequest) -> bool:
    """Whether an answer is of something between client and server."""
    if refused.status not in _REASONS:
        return False
    error: ServerError | None = refused.error
    return error is None or (error.style == "text" and not error.message.startswith(_OF_APPLICATIONS))


def _hit(
    asked: RequestFacts,
    answer: AnswerFacts,
    proof: list[Evidence],
    count: int,
    period_ns: int | None,
    severity: Severity | None,
    later: str,
) -> Hit:
    box, waited_ns = box_of(answer), answer.place.ts_ns - asked.place.ts_ns
    reason = _REASONS[answer.status]
    # Heroku calls a timeout 503, Apache httpd 502.
    late_ns = {503: _TIMED_NS, 502: NS_PER_S if box == "Apache httpd" else None}.get(answer.status)
    reason = _LATE if late_ns is not None and waited_ns >= late_ns else reason
    masked = of_a_page(asked) and not answer.allow_origin
    return Hit(
        *proof, severity=severity, occurrences=count, period_ns=period_ns, kind=f"{box} {reason}", reason=reason,
        box=box, Box=f"A{box[1:]}" if box.startswith(("a ", "an ")) else box, status=answer.status,
        waited=in_ms(waited_ns),
        what=_WHAT[reason].format(waited=in_ms(waited_ns)), because=_WHY[reason], advice=_ADVICE[reason], later=later,
        request=f"{asked.method} {asked.target}",
        page=", and the browser tells the page of a CORS error, as that answer allows no origin" if masked else "",
    )  # fmt: skip


def _polls(refusal: RefusedRequest) -> list[Evidence]:
    asked = refusal.asked
    return [
        evidence(refusal.request, Side.CLIENT, f"{asked.method} {asked.target}"),
        evidence(refusal.answer, Side.SERVER, f"{refusal.status}"),
    ]
