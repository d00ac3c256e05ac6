"""Something that is not Engine.IO refuses the request for a WebSocket.

## What it reports
A request for a WebSocket that is answered with a redirect or an error as no server of Engine.IO writes it: by a
firewall, a login page, a proxy, a web server.

## Why it matters
A client that began with polling stays there, which costs two requests for each message; a client that only does
WebSocket never gets in. The log of the Socket.IO server shows nothing, for the request never got there.

## On the wire
A GET with `Upgrade: websocket`, answered 3xx, 401, 403, 404, 426 or 5xx with a page of HTML or with nothing, while
polling at the same address works. `Server`, `Via`, `cf-ray` or the page itself tell who wrote it.

## How to fix
Let the box that answers pass such requests on: the same rule of routing, the same exception from the login as for
polling. Where it redirects, give clients the address that it redirects to: WebSockets do not follow redirects.

## When it is silent
When Engine.IO itself refuses, in its own words (an unknown session, the revision, the application). Of handshakes over
WebSocket only 405, 421 and 426 are reported here, and 5xx where polling works at that path and WebSockets never do:
logins, wrong paths and redirects have rules of their own (EIO014, HTTP010, HTTP036).

## References
- RFC 6455, section 4.1; WHATWG, "WebSockets", "Establish a WebSocket connection" (no redirects)
- socket.io documentation, "Troubleshooting connection issues"
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.answers import let_in
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.boxes import UNNAMED, box_of
from eiosniff.rules.upgrades import Answered, answered, gets_in, outcome, refused_over_http2

BAD_REQUEST = 400
SERVER_ERROR = 500
# A handshake may be refused so for being one over WebSocket. Of others nothing tells that, unless polling works there;
# and what a login, a wrong path and a redirect say is judged by rules of their own.
_FOR_WEBSOCKETS = (405, 421, 426)
_REASONS = {
    401: "it wants a login, and WebSockets of a browser cannot answer that",
    403: "it forbids it, as firewalls and login proxies do",
    404: "it has no place for it: requests for a WebSocket are routed otherwise than polling",
    426: "it wants another version of HTTP or of WebSocket",
}


@rule(
    code="HTTP024",
    name="upgrade-rejected",
    subject=(Session, Client),
    severity=Severity.WARNING,
    since="0.1.0",
    title="The request for a WebSocket is refused with {status}, and not by Socket.IO itself",
    message="{client} asks {server} for a WebSocket, and {box} answers {status}{to}: {reason}. {outcome}",
    why="No server of Engine.IO answers so. Something in front of it does, or the web server that it runs in, and lets "
    "polling pass.",
    fix=(
        "Find out who answers (headers Server and Via, the page in the answer), and let it pass requests with "
        "Upgrade: websocket for this path on to the same server as polling.",
    ),
    explains=("stuck-in-polling", "connect-loop", "no-backoff", "polling-no-keepalive"),
    hence="the request for a WebSocket is refused with {status}, and not by Socket.IO itself",
)
def upgrade_rejected(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    for asked in answered(ledger):
        answer = asked.answer
        if not asked.request.upgrade or answer.status < 300 or _is_engineio(asked):
            continue
        if asked.error is None and refused_over_http2(asked.request, answer):  # rule HTTP241
            continue
        if isinstance(ledger, Client) and not _is_for_websockets(ledger, asked):
            continue
        yield Hit(
            *asked.proof,
            severity=Severity.WARNING if gets_in(ledger) else Severity.ERROR,
            occurrences=asked.count,
            period_ns=asked.period_ns,
            kind=f"{answer.status} {asked.of_session}",
            box=_who(answer),
            status=answer.status,
            to=f" to {answer.location}" if answer.location and answer.status < BAD_REQUEST else "",
            reason=_reason(answer),
            outcome=outcome(ledger),
        )


def _is_engineio(asked: Answered) -> bool:
    """Whether the refusal may be one of the server itself: in its words, or as bare as old ones write it."""
    answer = asked.answer
    if asked.error is not None and (asked.error.style != "text" or answer.status == BAD_REQUEST):
        return True
    return answer.status == BAD_REQUEST and not answer.body.lstrip().startswith(b"<")


def _is_for_websockets(client: Client, asked: Answered) -> bool:
    """Whether a handshake was refused for being one over WebSocket."""
    status = asked.answer.status
    if status in _FOR_WEBSOCKETS:
        return True
    return status >= SERVER_ERROR and let_in(client, asked.request.path) and not _lets_websockets_in(client, asked)


def _lets_websockets_in(client: Client, asked: Answered) -> bool:
    """Whether it lets such handshakes in at other times: then the server behind it was away."""
    groups = (group.first[0] for group in client.attempts.values())
    return any(
        one.outcome is Outcome.OPENED and one.request.upgrade and one.request.path == asked.request.path
        for one in groups
    )  # fmt: skip


def _who(answer: AnswerFacts) -> str:
    box = box_of(answer)
    if box != UNNAMED:
        return box
    return f'a server that calls itself "{answer.server}"' if answer.server else "something on the way"


def _reason(answer: AnswerFacts) -> str:
    status = answer.status
    if status < BAD_REQUEST:
        return "WebSockets do not follow redirects"
    if status >= SERVER_ERROR:
        behind = "the server to which it sends requests for a WebSocket fails, or is not there"
        return behind if box_of(answer) != UNNAMED else "it fails on the request"
    return _REASONS.get(status, "it does not let it pass")
