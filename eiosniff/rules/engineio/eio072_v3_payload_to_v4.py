"""A client of Engine.IO 4 frames its bodies as Engine.IO 3 does.

## What it reports
A client that asks for `EIO=4`, is answered in revision 4, and posts bodies with a length in front (`2:40`).

## Why it matters
In revision 4 a body begins with the type of its packet. So the first digit of the length is taken for a type: `2:40` is
a ping, which no client may send; `15:42[...]` is a goodbye. The server answers 200 `ok` and ends the session, and the
client is told at its next request, by 400 code 1.

## On the wire
`POST ...EIO=4...` with `2:40`, 200 `ok`; the poll that waits gets `1`, or the next request 400. python-socketio answers
the POST itself with 400 "Bad Request".

## How to fix
Write the packets as they are, with the byte 0x1E between them: `40`, then `42["event",data]`. A library that is of
Engine.IO 3 has to ask for `EIO=3`, and the server to allow it.

## When it is silent
For clients that ask for `EIO=3`, whatever their server says to that: netty-socketio and socket.io with `allowEIO3`
read lengths then.

## References
- Engine.IO protocol, revision 4, "From v3 to v4"
- recorded with a client by hand at socket.io 4.8 and python-socketio 5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import quoted
from eiosniff.rules.reactions import reaction_to

_TAKEN_FOR = {
    "0": "an open packet, which only servers send",
    "1": "a goodbye",
    "2": "a ping, which only servers send",
    "3": "a pong",
    "4": "a message that is no Socket.IO",
    "5": "the end of an upgrade",
    "6": "a packet that says nothing",
}


@rule(
    code="EIO072",
    name="v3-payload-to-v4",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client asks for Engine.IO 4 and writes bodies of Engine.IO 3, with lengths",
    message="{client} asks {server} for EIO=4 and posts {said}. The server takes that for {taken_for}; {reaction}.",
    why="Engine.IO 4 writes no lengths: the first digit of a body is the type of its packet. Code of an older client "
    "was given a new EIO= in its URL, and nothing else.",
    fix=(
        'Client: post packets without a length ("40", not "2:40"), several with the byte 0x1E between them.',
        "Or ask for EIO=3 throughout, and allow that at the server (Node: allowEIO3: true).",
    ),
    explains=(
        "sid-reused",
        "no-connect-packet",
        "sid-unknown-sticky",
        "sid-expired",
        "engineio-syntax",
        "connect-loop",
        "no-backoff",
        "ack-missing",
    ),
)
def v3_payload_to_v4(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.anomalies:
        return
    old = [one for one in session.anomalies if one.kind is AnomalyKind.EIO_OLD_FRAMING]
    if not old:
        return
    result = reaction_to(session, Side.CLIENT, [old[-1].place])
    text = old[0].found
    yield Hit(
        *(evidence(one.place, Side.CLIENT, quoted(one.found.encode("latin-1"))) for one in old),
        *result.proof,
        occurrences=len(old),
        said=quoted(text.encode("latin-1")),
        taken_for=_TAKEN_FOR.get(text[:1], "no packet at all"),
        reaction=result.words,
    )
