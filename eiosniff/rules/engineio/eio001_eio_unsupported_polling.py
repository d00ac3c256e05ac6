"""The server refuses the client's revision of Engine.IO, over polling.

## What it reports
A polling handshake (no `sid`) that the server refuses because of its `EIO` parameter, or for want of one.

## Why it matters
Client and server are of two generations: Socket.IO 2 and older speaks Engine.IO 3, Socket.IO 3 and later Engine.IO 4.
Nothing is logged on either side by default; the client tries again for ever.

## On the wire
`GET ...EIO=3&transport=polling` is answered 400. Node (engine.io 4.1 and later) answers with the JSON
`{"code":5,"message":"Unsupported protocol version"}`, python-socketio with a JSON string that says the client uses an
unsupported version. socket.io 3.0 does not check and answers in revision 4 (rule EIO004).

## How to fix
Use a client of the server's generation. A server of python-socketio 4 or Flask-SocketIO 4 is the older one, and refuses
`EIO=4`: there the server wants the upgrade. Where the client cannot change, `allowEIO3: true` makes Node servers
(socket.io 3.1 and later) speak revision 3 too; python-socketio has no such option, a server of version 4 speaks
revision 3.

## When it is silent
Refusals for other reasons (transport, origin, authentication, unknown sid) have other codes and other rules.

## References
- socket.io, "Troubleshooting connection issues", "Migrating from 2.x to 3.0", option `allowEIO3`
- socket.io issue #4381, Flask-SocketIO issue #1424
"""

from collections.abc import Iterator
from typing import NamedTuple

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.exchanges import exchanges

UNSUPPORTED_CODE = 5
_PYTHON_TEXT = "unsupported version of the Socket.IO"


def refuses_revision(attempt: Attempt) -> bool:
    """Whether an answer refuses the revision."""
    error = attempt.error
    if error is None:
        return False
    if error.code == UNSUPPORTED_CODE or "Unsupported protocol version" in error.message:
        return True
    return _PYTHON_TEXT in error.message


class _Words(NamedTuple):
    generation: str
    first: str
    second: str


_NEWER_SERVER = _Words(
    "The server is of the newer one and refuses the older by default, without a word in its log.",
    "Use a client library of the server's generation (Socket.IO 3 or later), so that it asks for EIO=4.",
    "Only if the client cannot change: allowEIO3: true on a Node server (socket.io 3.1 or later). Not for ever: it "
    "keeps the old heartbeat, which drops clients whose timers are slow.",
)
_OLDER_SERVER = _Words(
    "The server is of the older one (as python-socketio 4 and Flask-SocketIO 4 are) and refuses the newer.",
    "Upgrade the server to the client's generation (python-socketio 5, Flask-SocketIO 5).",
    "Or use a client of the server's generation (Socket.IO 2), which asks for EIO=3.",
)


@rule(
    code="EIO001",
    name="eio-unsupported-polling",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server refuses the client's protocol version ({asked}): 400 Bad Request",
    message="{client} opens with {asked} ({request}). The server at {server} answers {status}{said}.",
    why="The two are of different generations: Socket.IO 2 and older speaks Engine.IO 3, Socket.IO 3 and later speaks "
    "Engine.IO 4. {generation}",
    fix=("{first}", "{second}"),
    explains=("eio-unsupported-ws", "eio-missing", "connect-loop", "no-backoff"),
)
def eio_unsupported_polling(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts.values():
        sample = group.first[0]
        request = sample.request
        if sample.outcome is not Outcome.REFUSED or request.upgrade or not refuses_revision(sample):
            continue
        words = _OLDER_SERVER if request.eio == "4" else _NEWER_SERVER
        asked = f"EIO={request.eio}" if request.eio else "no EIO"
        yield Hit(
            *exchanges(group, lambda attempt: f"{attempt.status}{_said(attempt)}"),
            occurrences=group.count,
            period_ns=group.period_ns,
            asked=asked,
            request=f"{request.method} {request.path}",
            status=sample.status,
            said=_said(sample),
            kind=asked,
            generation=words.generation,
            first=words.first,
            second=words.second,
            eio=request.eio or "",
        )


def _said(attempt: Attempt) -> str:
    error = attempt.error
    if error is None:
        return ""
    code = f"code {error.code}, " if error.code is not None else ""
    return f' ({code}"{error.message}")'
