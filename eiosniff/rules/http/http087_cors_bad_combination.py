"""A browser keeps the answer from a page of another origin, or does not even ask: what it says of CORS does not fit.

## What it reports
A session opened for a page of another origin that nobody ever used, and whose answer allows something else than the
page needs; or a preflight (OPTIONS) before a handshake after which the browser does not send it.

## Why it matters
CORS is configured, somebody has thought of it, and still the page sees "xhr poll error" and tries again for ever. Each
of the headers looks right by itself.

## On the wire
- `Access-Control-Allow-Origin: *` where the page sends cookies (`withCredentials: true`): browsers want the origin by
  name, and `Access-Control-Allow-Credentials: true` with it.
- The header twice, as where application and proxy both add it: never right, even if both say the same.
- Another origin than the page's: `localhost` is not `127.0.0.1`, http not https, and no slash may stand at the end.
- `OPTIONS ...` with `Access-Control-Request-Headers`, for a handshake with extra headers, that is refused (400, 401,
  404, 405) or whose answer does not allow these headers. No GET follows.

## How to fix
Set CORS in one place, the application: `cors: { origin: "<the page's>", credentials: true }`, with `allowedHeaders` if
it is set at all. Take `add_header Access-Control-...` out of the proxy, and let OPTIONS pass its login. Without
`extraHeaders` there are no preflights.

## When it is silent
For clients that are no browsers, for sessions that are used, for preflights of a session (rule PROXY019), and for those
after which the client asks all the same, within a second. Where it gets in later, or over WebSocket, it is a warning.
Whether a page has `withCredentials` shows only if it has a cookie to send; without one the finding is likely, and only
where the same client opens at least three sessions (`sessions`), answered in the revision that it asks for: others it
cannot read.

## References
- Fetch standard, "CORS check", "CORS-preflight fetch"; socket.io documentation, "Handling CORS"
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import AnswerFacts, Preflight
from eiosniff.model.cors import Blocked, headers_denied, preflight_check
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.tally import Tally
from eiosniff.rules import origins
from eiosniff.rules.answers import let_in_since
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import UNNAMED, box_of

_WHAT = {
    Blocked.SEVERAL: "Access-Control-Allow-Origin is there twice",
    Blocked.OTHER: "they allow {allowed}, and the page is of {origin}",
    Blocked.WILDCARD: "Access-Control-Allow-Origin: * is not enough for a page that sends cookies",
    Blocked.CREDENTIALS: "Access-Control-Allow-Credentials: true is missing, and the page sends cookies",
    Blocked.STATUS: "its question whether it may (OPTIONS) is refused with {status}",
    Blocked.HEADERS: "they do not allow the header {denied}",
    Blocked.MISSING: "the answer to its question whether it may (OPTIONS) does not allow its origin",
}
_NAMED = 'Server: cors: {{ origin: "{origin}", credentials: true }}; with the exact names of origins, not with "*".'
_ADVICE = {
    Blocked.SEVERAL: "Let only one of the two say it: take add_header Access-Control-... out of the proxy, or the "
    "option cors out of the application.",
    Blocked.OTHER: 'Server: write the origin as the browser has it, with scheme and port, without a slash: "{origin}".',
    Blocked.WILDCARD: _NAMED,
    Blocked.CREDENTIALS: _NAMED,
    Blocked.STATUS: 'Server: cors: {{ origin: "{origin}" }}, so that it answers OPTIONS; and let no login or filter in '
    "front of it ask for more, since browsers send OPTIONS without cookies and passwords.",
    Blocked.HEADERS: 'Server: allow the header: cors: {{ origin: "{origin}", allowedHeaders: [..., "{denied}"] }}.',
    Blocked.MISSING: 'Server: cors: {{ origin: "{origin}" }}.',
}
_BY_WEBSOCKET = ". It gets in over WebSocket later"
_LATER = ". The client gets a session later"
_UNCERTAIN = "the page has no cookie to send, so that withCredentials does not show"


@rule(
    code="HTTP087",
    name="cors-bad-combination",
    subject=(Session, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title="The browser keeps the server's answers from the page (CORS): {what}",
    message="{client} is a page of {origin} that wants a session at {host}{first}. The server at {server} answers "
    "{said}.",
    why="A browser gives a page of another host or port only answers that allow just what the page needs, and asks by "
    "OPTIONS before it sends a request with extra headers.",
    fix=("{advice}",),
    explains=origins.EXPLAINED,
    hence="the browser keeps the answers from the page: {what}",
    limits={"sessions": 3},
)
def cors_bad_combination(ledger: Session | Client, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Client):
        if ledger.preflights:
            yield from _preflights(ledger)
        return
    found = origins.kept_from_page(ledger)
    if found is None or found[2] is Blocked.MISSING:
        return
    attempt, answer, blocked = found
    certainty, doubt = Certainty.CERTAIN, ""
    if blocked is None:
        if attempt.request.cookies or ledger.client.sessions < limits["sessions"] or not origins.is_readable(ledger):
            return
        blocked = Blocked.WILDCARD if answer.allow_origin == ("*",) else Blocked.CREDENTIALS
        if blocked is Blocked.CREDENTIALS and answer.allow_credentials == "true":
            return  # all that it may need is there
        certainty, doubt = Certainty.LIKELY, _UNCERTAIN
    origin = attempt.request.origin or ""
    values = {"origin": origin, "allowed": " ".join(answer.allow_origin), "status": answer.status, "denied": ""}
    severity, later = (Severity.WARNING, _BY_WEBSOCKET) if origins.gets_in_by_websocket(ledger) else (None, "")
    yield Hit(
        *origins.kept_proof(attempt, answer), severity=severity, certainty=certainty, doubt=doubt,
        kind=f"{blocked.name} {origin}", lasting=True, reason=blocked.name.lower(),
        what=_WHAT[blocked].format(**values), advice=_ADVICE[blocked].format(**values), status=answer.status,
        origin=origin, host=attempt.request.host, first="", box=UNNAMED,
        said=f"{answer.status}, {origins.allows(answer)}, and the page never uses the session that it opens{later}",
    )  # fmt: skip


def _preflights(client: Client) -> Iterator[Hit]:
    """Those of pages, by what keeps the request from being sent."""
    kinds: dict[tuple[Blocked | None, str], list[Preflight]] = {}
    for one in client.preflights:
        if one.asked.origin is not None and origins.of_a_page(one.asked) and not origins.sent_all_the_same(client, one):
            kinds.setdefault((preflight_check(one.asked, one.answered), one.asked.origin), []).append(one)
    for (blocked, origin), alike in kinds.items():
        tally = client.preflights if len(kinds) == 1 else None
        works = let_in_since(client, alike[-1].answered.place)
        yield _asked(alike, blocked or Blocked.STATUS, origin, tally, works)


def _asked(alike: list[Preflight], blocked: Blocked, origin: str, tally: Tally[Preflight] | None, works: bool) -> Hit:
    asked, answer = alike[0].asked, alike[0].answered
    denied = ", ".join(headers_denied(asked, answer))
    values = {"origin": origin, "allowed": " ".join(answer.allow_origin), "status": answer.status, "denied": denied}
    wants = f", wants to send {asked.asks_headers}" if asked.asks_headers else ""
    proof = []
    for one in alike:
        proof.append(evidence(one.asked.place, Side.CLIENT, f"OPTIONS {one.asked.target}, Origin: {origin}{wants}"))
        proof.append(evidence(one.answered.place, Side.SERVER, _said(one.answered, blocked)))
    return Hit(
        *proof, severity=Severity.WARNING if works else None,
        occurrences=tally.count if tally is not None else len(alike),
        period_ns=tally.period_ns if tally is not None else None,
        kind=f"OPTIONS {blocked.name} {origin}", reason=f"preflight-{blocked.name.lower()}",
        what=_WHAT[blocked].format(**values), advice=_ADVICE[blocked].format(**values),
        origin=origin, host=asked.host, first=" and asks first whether it may (OPTIONS)", status=answer.status,
        said=f"{_said(answer, blocked)}, and the request itself is not sent{_LATER if works else ''}",
        box=box_of(answer),
    )  # fmt: skip


def _said(answer: AnswerFacts, blocked: Blocked) -> str:
    status = f"{answer.status} by {box_of(answer)}" if box_of(answer) != UNNAMED else f"{answer.status}"
    if blocked is Blocked.STATUS:
        return status
    headers = f", Access-Control-Allow-Headers: {answer.allow_headers}" if answer.allow_headers else ""
    return f"{status}, {origins.allows(answer)}{headers}"
