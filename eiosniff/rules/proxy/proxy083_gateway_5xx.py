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
where polling gets through (rule HTTP024) or for WebTransport (EIO247). For 502 and 503 in a session that ends with
them: a server that restarts is away for a moment. Where the client is let in later it is a warning. Where the answer
names nobody it is likely, and a 503 with a header of a framework (`X-Powered-By`) only possible: then the application
may have written it. A poll that is given up because the heartbeat is slower than the proxy is rule PROXY045.

## References
- RFC 9110, section 15.6; nginx, HAProxy and Apache httpd documentation; Cloudflare documentation, "5xx errors"
- sails issue #4269; python-socketio issue #38 (Heroku, H12)
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Outcome, RefusedRequest, RequestFacts
from eiosniff.model.engineio import POLLING
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import is_for_webtransport, let_in, let_in_after, let_in_since
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import box_of
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.gateways import ADVICE, LATE, REASONS, WHAT, WHY, doubts, is_gateways, reason_of
from eiosniff.rules.origins import of_a_page
from eiosniff.rules.phrases import capital, in_ms
from eiosniff.rules.upgrades import asks_for_websocket


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
    explains=("connect-loop", "no-backoff", "sid-expired", "upgrade-rejected", "stuck-in-polling", "ws-abnormal-close"),
    hence="{box} answers {status} in the place of the server",
)
def gateway_5xx(ledger: Client | Session) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Session):
        if ledger.refusals:
            yield from _of_session(ledger)
        return
    for group in ledger.attempts.values():
        sample = group.first[0]
        if sample.outcome is not Outcome.REFUSED or sample.answered is None or not is_gateways(sample):
            continue
        if is_for_webtransport(sample):
            continue
        if asks_for_websocket(sample.request) and let_in(ledger, sample.request.path):
            continue
        works = let_in_after(ledger, group.last or sample)
        severity, later = (Severity.WARNING, " It is let in later.") if works else (None, "")
        proof = exchanges(group, lambda attempt: f"{attempt.status}")
        yield _hit(sample.request, sample.answered, proof, group.count, group.period_ns, severity, later)


def _of_session(session: Session) -> Iterator[Hit]:
    """The polls and POSTs of a session. A server that restarts looks so too, for a moment: then a poll is answered so,
    and the session is over."""
    refused = [
        refusal
        for refusal in session.refusals
        if refusal.transport is POLLING and not refusal.inside_websocket and is_gateways(refusal)
    ]
    polls_too = any(refusal.asked.method == "GET" and REASONS[refusal.status] != LATE for refusal in refused)
    said = session.last_from[Side.SERVER]
    for refusal in refused:
        goes_on = said is not None and said > refusal.answer
        if polls_too and not goes_on:
            continue
        later = " The session goes on." if goes_on else ""
        if not goes_on and let_in_since(session.client, refusal.answer):
            later = " The client gets another session later."
        yield _hit(
            refusal.asked, refusal.answered, _polls(refusal), 1, None, Severity.WARNING if later else None, later
        )


def _hit(
    asked: RequestFacts, answer: AnswerFacts, proof: list[Evidence], count: int, period_ns: int | None,
    severity: Severity | None, later: str,
) -> Hit:  # fmt: skip
    box, waited_ns = box_of(answer), answer.place.ts_ns - asked.place.ts_ns
    reason = reason_of(answer.status, waited_ns, box)
    certainty, doubt = doubts(answer)
    masked = of_a_page(asked) and not answer.allow_origin
    return Hit(
        *proof, severity=severity, certainty=certainty, doubt=doubt, occurrences=count, period_ns=period_ns,
        kind=f"{box} {reason}", reason=reason,
        box=box, Box=capital(box) if box.startswith(("a ", "an ", "the ")) else box, status=answer.status,
        waited=in_ms(waited_ns),
        what=WHAT[reason].format(waited=in_ms(waited_ns)), because=WHY[reason], advice=ADVICE[reason], later=later,
        request=f"{asked.method} {asked.target}",
        page=", and the browser tells the page of a CORS error, as that answer allows no origin" if masked else "",
    )  # fmt: skip


def _polls(refusal: RefusedRequest) -> list[Evidence]:
    asked = refusal.asked
    return [
        evidence(refusal.request, Side.CLIENT, f"{asked.method} {asked.target}"),
        evidence(refusal.answer, Side.SERVER, f"{refusal.status}"),
    ]
