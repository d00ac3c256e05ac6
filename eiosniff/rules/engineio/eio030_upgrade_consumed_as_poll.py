"""The server answers the request for a WebSocket as if it were a poll, and what it says there is lost.

## What it reports
A request for a WebSocket of an open session that is answered 200 with packets of Engine.IO.

## Why it matters
The client waits for a 101 and throws the answer away. The packets in it are gone: often the reply to CONNECT, so that
the client never learns that it is connected.

## On the wire
`GET ...transport=websocket&sid=...` with `Upgrade: websocket`, answered 200 with a body such as `40{"sid":"..."}`. So
does python-engineio before 4.10.0 if the header does not reach it, or if it runs where there are no WebSockets.

## How to fix
Upgrade python-engineio to 4.10.1 or later, which refuses such requests; and see to it that the upgrade works: a proxy
in front has to pass it on, and the server needs a package for WebSockets.

## When it is silent
For a client that polls under the name `transport=websocket` and did not ask for a WebSocket by any header.

## References
- python-engineio issue #367, and its change log, 4.10.0 and 4.10.1 (4.10.0 refuses too much)
"""

import re
from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import box_of, forwarder_of
from eiosniff.rules.phrases import quoted
from eiosniff.rules.upgrades import has_websocket_headers

OK = 200
_PAYLOAD = re.compile(rb"(\d+:)?[0-6b]|\x00")


@rule(
    code="EIO030",
    name="upgrade-consumed-as-poll",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server answers the request for a WebSocket like a poll: what it says there is lost",
    message="{client} asks {server} for a WebSocket, and gets 200 with packets of the session: {said}. It expects a "
    "101 and throws them away.",
    why="The server took the request for a poll, as python-engineio before 4.10.0 does where the header Upgrade does "
    "not reach it or WebSockets are not to be had. Messages in such an answer never reach the application.",
    fix=(
        "Server: pip install --upgrade python-engineio (4.10.1 or later refuses such requests).",
        "Then make the upgrade work: let the proxy pass the headers Upgrade and Connection on; under uvicorn pip "
        'install "uvicorn[standard]"; or offer no upgrade (allow_upgrades=False).',
    ),
    explains=("stuck-in-polling", "connect-loop", "no-backoff"),
    hence="the server answers it like a poll, and what it says there is lost",
)
def upgrade_consumed_as_poll(session: Session) -> Iterator[Hit]:
    """See the module."""
    for attempted in session.upgrades:
        request, answer = attempted.request, attempted.answered
        if answer is None or answer.status != OK or not _PAYLOAD.match(answer.body):
            continue
        if request.method != "GET" or not (request.upgrade or has_websocket_headers(request)):
            continue
        yield Hit(
            evidence(request.place, Side.CLIENT, f"GET {request.target}"),
            evidence(answer.place, Side.SERVER, f"200 {quoted(answer.body)}"),
            said=quoted(answer.body),
            box=box_of(answer) if request.upgrade else forwarder_of(request),
        )
