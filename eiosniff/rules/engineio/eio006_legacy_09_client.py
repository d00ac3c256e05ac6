"""Socket.IO 0.9, the protocol of 2011 to 2014, on one side or on both.

## What it reports
A client of Socket.IO 0.9 whose handshake the server refuses, or answers with something else; a newer client at a server
of 0.9; and, as information, a client and a server that both speak 0.9.

## Why it matters
Socket.IO 1.0 (2014) changed the protocol, and put Engine.IO under it. Neither generation understands the other, and no
option of any server helps. Where both sides speak 0.9 they work, on software that nobody mends any more: eiosniff
labels the packets of such a session, and judges nothing in it.

## On the wire
A client of 0.9 asks for `GET /socket.io/1/?t=<time>`. A server of 0.9 answers with a line such as
`4d4f185e96a7b:60:60:websocket,xhr-polling`, and the session goes on at `/socket.io/1/<transport>/<sid>`, with packets
like `5:::{"name":"chat","args":["hello"]}`. A newer server on Node misses `transport=` in the request and answers 400
with code 0 ("Transport unknown"), others 404 or their own refusal. To a newer client, which asks for
`/socket.io/?EIO=4&transport=polling`, a server of 0.9 says 200 and "Welcome to socket.io.".

## How to fix
Bring both sides to the same generation. In a browser it is often an old copy of `socket.io.js`, from a CDN, a bundle or
a cache, at a server that was upgraded: load `/socket.io/socket.io.js` from the server itself.

## When it is silent
When a handshake of 0.9 gets no answer, and under another resource than `/socket.io` when it is refused: `/1/` is in
many paths. A newer client that opens with WebSocket gets only FIN from a server of 0.9, which names nobody.

## References
- socket.io-spec (LearnBoost), "Socket.IO protocol" revision 1; socket.io 0.9.19, lib/manager.js
- https://github.com/socketio/socket.io/issues/1894
- socket.io documentation, "Migrating from 0.9 to 1.0"
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Severity
from eiosniff.model.peers import Client
from eiosniff.rules.api import Hit, rule
from eiosniff.rules.exchanges import exchanges
from eiosniff.rules.phrases import quoted

WELCOME = b"Welcome to socket.io."
OTHER_PROTOCOL = b"Protocol version not supported."
DENIAL = b"handshake "  # unauthorized, bad origin, error: so a server of 0.9 refuses, and no other


@rule(
    code="EIO006",
    name="legacy-09-client",
    subject=Client,
    severity=Severity.ERROR,
    since="0.1.0",
    title="{what}",
    message="{client} opens with {request}, {whose}. The server at {server} {reaction}.",
    why="{because}",
    fix=("Bring client and server to the same generation of Socket.IO.",),
    explains=("connect-loop", "no-backoff"),
)
def legacy_09_client(client: Client) -> Iterator[Hit]:
    """See the module."""
    for group in client.attempts09.values():
        sample = group.first[0]
        if sample.outcome is Outcome.OPENED:
            situation = "works"
        elif sample.outcome in (Outcome.REFUSED, Outcome.FOREIGN):
            situation = "denied" if DENIAL in sample.body else "refused"
        else:
            continue
        yield Hit(
            *exchanges(group, _answered),
            occurrences=group.count,
            period_ns=group.period_ns,
            kind=situation,
            severity=Severity.INFO if situation == "works" else Severity.ERROR,
            situation=situation,
            what=_WHAT[situation],
            because=_BECAUSE[situation],
            request=f"{sample.request.method} {sample.request.target}",
            whose="as only Socket.IO 0.9 does",
            reaction="opens a session" if situation == "works" else f"answers {_answered(sample)}",
        )
    for group in client.attempts.values():
        sample = group.first[0]
        if not _is_of_09(sample):
            continue
        yield Hit(
            *exchanges(group, _answered),
            occurrences=group.count,
            period_ns=group.period_ns,
            kind="newer",
            situation="newer",
            what=_WHAT["newer"],
            because=_BECAUSE["newer"],
            request=f"{sample.request.method} {sample.request.target}",
            whose="a handshake of Engine.IO",
            reaction=f"answers {_answered(sample)}",
        )


def _is_of_09(attempt: Attempt) -> bool:
    """Whether a handshake of Engine.IO got an answer that only a server of 0.9 gives."""
    body = attempt.body.strip()
    return (attempt.outcome is Outcome.FOREIGN and body == WELCOME) or body == OTHER_PROTOCOL


_APART = "Socket.IO 1.0 changed the protocol from the ground up: neither generation understands the other."
_WHAT = {
    "works": "Client and server speak Socket.IO 0.9, a protocol of 2012",
    "denied": "The server of Socket.IO 0.9 refuses the client",
    "refused": "A client of Socket.IO 0.9 at a server that does not speak it",
    "newer": "The server speaks only Socket.IO 0.9, and the client a later protocol",
}
_BECAUSE = {
    "works": "That works as long as both stay as they are. eiosniff labels the packets of Socket.IO 0.9 and judges no "
    "more of such a session.",
    "denied": "The server's own settings (authorization, origins) decide that, or its application.",
    "refused": _APART,
    "newer": _APART,
}


def _answered(attempt: Attempt) -> str:
    if attempt.outcome is Outcome.OPENED:
        return f"{attempt.status}, a session of Socket.IO 0.9"
    said = attempt.error.message.encode() if attempt.error else attempt.body.strip()
    return f"{attempt.status} {quoted(said)}" if said else f"{attempt.status}"
