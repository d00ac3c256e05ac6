"""A client of Engine.IO 4 at a server that speaks Engine.IO 3.

## What it reports
A session that a client opened with `EIO=4`, and whose server answers in revision 3.

## Why it matters
Servers of Socket.IO 1 and 2 do not look at `EIO`: they answer 200, so the handshake looks fine. The client cannot read
the answer, or waits for a ping that never comes, and starts again for ever.

## On the wire
Over polling the answer begins with a length (`97:0{"sid":...`, often with `2:40` behind it), which a client of revision
4 cannot parse: it never uses that sid, and opens another after a second or so. Over WebSocket the server sends `40` on
its own after `0{...}`, never pings, and closes at `pingInterval` + `pingTimeout`, because the client does not ping
either. To a client that asks to join before the open packet has come (socket.io-client-cpp) that looks like an answer,
but it has no `sid`.

## How to fix
Upgrade the server to Socket.IO 3 or later (netty-socketio 2, python-socketio 5), or use a client of Socket.IO 2.

## When it is silent
A server that answers in revision 4 is none of this, whatever the URL says.

## References
- socket.io issue #4051, netty-socketio issues #809 and #893
- Engine.IO protocol, revision 4, "From v3 to v4"
"""

from collections.abc import Iterator

from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import closing_words


@rule(
    code="EIO003",
    name="eio4-client-on-v2-server",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client speaks Engine.IO 4, the server Engine.IO 3 (Socket.IO 2 or older)",
    message="{client} opens with EIO=4. The server at {server} ignores that and answers in revision {spoken} "
    "({sign}), so {result}.",
    why="A server of Socket.IO 2 or older does not look at EIO, so its 200 is no success. The two revisions frame "
    "packets differently and ping in opposite directions.",
    fix=(
        "Upgrade the server to Socket.IO 3 or later (netty-socketio 2.0, python-socketio 5).",
        "Or pin the client to the server's generation: socket.io-client 2.x, python-socketio 4, Java 1.x, Swift "
        ".version(.two), C# EIO=V3.",
    ),
    explains=("eio3-no-client-ping", "ping-missing", "connect-loop", "no-backoff", "no-connect-packet"),
)
def eio4_client_on_v2_server(session: Session) -> Iterator[Hit]:
    """See the module."""
    spoken = session.revisions[Side.SERVER]
    attempt = session.attempt
    if attempt is None or session.claimed_eio != "4" or spoken is None or spoken >= 4:
        return
    proof = [
        evidence(attempt.request.place, Side.CLIENT, f"{attempt.request.method} {attempt.request.target}"),
    ]
    if session.transports[:1] == [Transport.POLLING]:
        sign = "packets with a length in front"
        result = "the client cannot read it and starts again"
        proof.append(evidence(session.opened, Side.SERVER, "answers in revision 3 framing"))
    else:
        result = "both wait for the other to ping"
        namespace = next((namespace for namespace in session.namespaces.values() if namespace.connected), None)
        joined = namespace.connected if namespace and namespace.connected else session.opened
        if namespace and not namespace.unasked:  # the client asks before the open packet has come
            sign = "it joins the client and gives it no id"
            proof.append(evidence(joined, Side.SERVER, 'sends "40" without a sid'))
        else:
            sign = "it joins the client without being asked"
            proof.append(evidence(joined, Side.SERVER, 'sends "40" unasked'))
        if session.closing is not None:
            proof.append(evidence(session.closing.place, session.closing.side, closing_words(session.closing)))
    yield Hit(*proof, asked="EIO=4", spoken=spoken, sign=sign, result=result)
