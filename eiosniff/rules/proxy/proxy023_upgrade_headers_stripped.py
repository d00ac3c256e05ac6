"""A proxy takes the header Upgrade out of requests for a WebSocket.

## What it reports
A request for a WebSocket that loses its header `Upgrade` on the way to the server: seen in front of the proxy by the
answer, behind it by the request.

## Why it matters
Without that header the request is an ordinary one, and no server can make a WebSocket of it. A client that began with
polling stays there, which costs two requests for each message; a client that only does WebSocket never gets in.

## On the wire
In front of the proxy: `Upgrade: websocket` is sent, and the answer is a refusal as only requests without it get: 400
with the JSON `{"code":3,"message":"Bad request"}` (Node), "Invalid websocket upgrade" or "Invalid transport"
(python-engineio). Behind it: a GET with `transport=websocket` and `Sec-WebSocket-Key`, but without `Upgrade`, often as
HTTP/1.0 and with `Connection: close`. Where only the header `Connection` is lost, servers do not look at `Upgrade`.

## How to fix
Tell the proxy to pass WebSockets on. nginx needs three lines (`proxy_http_version 1.1`, the default from 1.29.7 on, and
the headers `Upgrade` and `Connection`), Apache httpd `upgrade=websocket`; several proxies in a row need it each.

## When it is silent
When the refusal is the bare text that a Node server writes to a request with `Upgrade`: then it did arrive, and the
reason is another one (an unknown session, the revision).

## References
- socket.io documentation, "Behind a reverse proxy" and "Troubleshooting connection issues"
- socket.io issues #1942, #2333 and #4343, netty-socketio issue #327, python-socketio issue #686
- RFC 9110, section 7.8; nginx documentation, "WebSocket proxying"
"""

from collections.abc import Iterator

from eiosniff.model.attempt import RequestFacts
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Client
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.boxes import box_of, forwarder_of, is_forwarded
from eiosniff.rules.upgrades import Answered, answered, gets_in, has_websocket_headers, outcome, says_upgrade

BAD_REQUEST = 400
BAD_REQUEST_CODE = 3
_PYTHON_TEXTS = ("Invalid websocket upgrade", "Invalid transport")


@rule(
    code="PROXY023",
    name="upgrade-headers-stripped",
    subject=(Session, Client),
    severity=Severity.WARNING,
    since="0.1.0",
    title="A proxy takes out the header that asks for a WebSocket",
    message="{client} asks {server} for a WebSocket{story}. {outcome}",
    why="A request for a WebSocket is an ordinary one but for its headers Upgrade and Connection. These are not passed "
    "on by a proxy that nobody told to.",
    fix=(
        "Tell each proxy on the way to pass WebSockets on. nginx: proxy_http_version 1.1; proxy_set_header Upgrade "
        '$http_upgrade; proxy_set_header Connection "upgrade"; Apache httpd: ProxyPass ... upgrade=websocket.',
        "AWS: an Application Load Balancer, or a TCP listener (the HTTP listener of a Classic one cannot); Cloudflare: "
        "switch on WebSockets, under Network.",
    ),
    explains=("stuck-in-polling", "upgrade-consumed-as-poll", "connect-loop", "no-backoff", "polling-no-keepalive"),
    hence="a proxy takes out the header that asks for a WebSocket",
)
def upgrade_headers_stripped(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    for asked in answered(ledger):
        request, answer = asked.request, asked.answer
        certainty, doubt = Certainty.CERTAIN, ""
        if not (request.upgrade and says_upgrade(request)):
            if answer.accepts or not (_is_for_no_upgrade(asked) or has_websocket_headers(request)):
                continue
            box = forwarder_of(request)
            lacks = "Connection: upgrade" if request.upgrade else "the header Upgrade"
            story = f", but the request comes without {lacks}, through {box}; the answer is {_said(asked)}"
            certainty, doubt = _was_taken_out(request)
        elif _is_for_no_upgrade(asked):
            box = box_of(answer)
            story = f"; the answer is {_said(asked)}, as for a request without the header Upgrade: {box} takes it out"
        else:
            continue
        works = answer.status >= BAD_REQUEST and gets_in(ledger)
        works = works or certainty is Certainty.POSSIBLE
        yield Hit(
            *asked.proof,
            certainty=certainty,
            doubt=doubt,
            severity=Severity.WARNING if works else Severity.ERROR,
            occurrences=asked.count,
            period_ns=asked.period_ns,
            kind="session" if asked.of_session else "handshake",
            story=story,
            outcome=outcome(ledger),
            box=box,
        )


def _was_taken_out(request: RequestFacts) -> tuple[Certainty, str]:
    """How sure it is that a header was there once, and why it is not."""
    meant, forwarded = has_websocket_headers(request), is_forwarded(request)
    if meant and forwarded:
        return Certainty.CERTAIN, ""
    if meant:
        return Certainty.LIKELY, "no proxy shows in the request: perhaps the client did not send the header"
    doubt = "no other header of a WebSocket handshake is there either: perhaps the client sent none"
    return Certainty.LIKELY if forwarded else Certainty.POSSIBLE, doubt


def _is_for_no_upgrade(asked: Answered) -> bool:
    """Whether a refusal is one that the server only writes to requests without the header."""
    error = asked.error
    if error is None:
        return False
    if error.style == "node":
        return error.code == BAD_REQUEST_CODE
    return error.style == "python" and error.message in _PYTHON_TEXTS[: 2 if asked.of_session else 1]


def _said(asked: Answered) -> str:
    return f'{asked.answer.status} "{asked.error.message}"' if asked.error else str(asked.answer.status)
