"""A plain WebSocket client at a Socket.IO server.

## What it reports
A session in which the first thing that the client says is no Engine.IO packet.

## Why it matters
The WebSocket opens, and the server greets; then Node servers close at the first message, without a reason, and
python-engineio closes the connection or ignores it.

## On the wire
A masked text frame of the client that does not begin with a packet type (`0` to `6`, `b`): a word, or JSON. Node
answers with an empty close frame; python-engineio drops the TCP connection (seen with 4.15).

## How to fix
Use a Socket.IO client library. By hand: answer `2` with `3`, send `40`, wait for `40{...}`, and write events as
`42["name",data]`.

## When it is silent
A client that speaks Engine.IO and then sends one odd packet has another fault (rule EIO201).

## References
- Engine.IO protocol, revision 4, "Packet encoding"
- arduinoWebSockets issue #546, socket.io issue #4300
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_S, closing_words, in_ms, quoted

CLOSED_BECAUSE_NS = 2 * NS_PER_S


@rule(
    code="WS013",
    name="plain-websocket-client",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client speaks plain WebSocket, not Socket.IO",
    message="{client} says {said} as its first message, which is no Engine.IO packet. The server at {server} "
    "{reaction}.",
    why="Socket.IO is a protocol of its own on top of WebSocket: each message begins with a packet type. A server of "
    "it cannot do anything with others.",
    fix=(
        "Use a Socket.IO client library (on ESP32 and ESP8266: SocketIOclient instead of WebSocketsClient).",
        'By hand: after "0{{...}}" send "40", wait for "40{{...}}", write events as 42["name",data], and answer each '
        '"2" with "3".',
        "Or run a plain WebSocket server for this client.",
    ),
    explains=(
        "no-connect-packet",
        "connect-loop",
        "no-backoff",
        "pong-missing",
        "engineio-syntax",
        "ws-abnormal-close",
    ),
)
def plain_websocket_client(session: Session) -> Iterator[Hit]:
    """See the module."""
    foreign = session.foreign[Side.CLIENT]
    if not foreign or session.midstream or not session.on_websocket:
        return
    proof = [evidence(said.place, Side.CLIENT, quoted(said.text)) for said in foreign]
    closing = session.closing
    last = foreign.last or foreign.first[0]
    reaction = "ignores it"
    if closing is not None and closing.side is Side.SERVER:
        delay = closing.place.ts_ns - last.place.ts_ns
        if delay <= CLOSED_BECAUSE_NS:  # negative where the client goes on before it has noticed
            later = in_ms(max(0, delay))
            proof.append(evidence(closing.place, Side.SERVER, f"{closing_words(closing)}, {later} later"))
            reaction = closing_words(closing)
    yield Hit(*proof, occurrences=foreign.count, said=quoted(foreign.first[0].text), reaction=reaction)
