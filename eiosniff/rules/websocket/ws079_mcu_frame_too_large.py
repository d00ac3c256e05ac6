"""A message that is larger than the client takes.

## What it reports
A client that closes its WebSocket with code 1009 ("message too big") because of what the server sends, or, right behind
a large message, with 1011, as microcontrollers do that have no memory for it.

## Why it matters
A microcontroller holds a whole message in its memory, and its library refuses larger ones: arduinoWebSockets takes
15 KB on ESP8266 and ESP32, and 1 KB on AVR; aiohttp, and with it python-socketio's asyncio client, 4 MB. The session is
over; the client connects again, and at the same event it goes the same way.

## On the wire
A frame of the server whose header announces more than the client takes, and the client's close frame with 1009 (`88 82
.. 03 f1`), often before all of it has come.

## How to fix
Send less at once: several events, or only what has changed, or an address from which the client fetches in pieces.
arduinoWebSockets: `-D WEBSOCKETS_MAX_DATA_SIZE=32768` where the memory is there. python-socketio:
`socketio.AsyncClient(websocket_extra_options={"max_msg_size": 0})`.

## When it is silent
For other codes, whatever was sent before. Where the server closes with 1009: rule EIO077.

## References
- RFC 6455, section 7.4.1; arduinoWebSockets, `src/WebSockets.h`; aiohttp documentation, `max_msg_size`
- socket.io-client-java issue #726; recorded with aiohttp and with ws in the place of a microcontroller
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words
from eiosniff.rules.sizes import MESSAGE_TOO_BIG, large_before, since_words, size_words

NO_MEMORY = 1011  # RFC 6455, section 7.4.1: an unexpected condition; arduinoWebSockets' for a failed allocation


@rule(
    code="WS079",
    name="mcu-frame-too-large",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The server sends a message that is too large for the client: {size}",
    message="{server} sends {size} in one message to {client}, which {reaction}.",
    why="A client keeps a message in memory until it is whole, and takes them up to a limit: 15 KB with "
    "arduinoWebSockets on an ESP, 4 MB with aiohttp. It closes at a larger one, and at the next one again.",
    fix=(
        "Server: send it in several events, or only what has changed, or an address from which the client fetches it.",
        "Client: raise its limit, if there is memory for it (arduinoWebSockets: -D WEBSOCKETS_MAX_DATA_SIZE=32768; "
        "aiohttp: max_msg_size).",
    ),
    explains=("connect-loop", "no-backoff"),
    hence="A message of {size} is too large for the client",
)
def mcu_frame_too_large(session: Session) -> Iterator[Hit]:
    """See the module."""
    closing = session.closing
    if closing is None or closing.side is not Side.CLIENT or closing.code not in (MESSAGE_TOO_BIG, NO_MEMORY):
        return
    sent = large_before(session.payloads.from_server, closing)
    certainty, doubt = Certainty.CERTAIN, ""
    if closing.code == NO_MEMORY:
        if sent is None or closing.place.ts_ns - sent.last.ts_ns > CLOSED_BECAUSE_NS:
            return
        certainty, doubt = Certainty.POSSIBLE, "the code says no more than that something failed in the client"
    size = size_words(sent) if sent is not None else "more than it takes"
    begun = (evidence(sent.first, Side.SERVER, f"begins a message of {size}"),) if sent is not None else ()
    yield Hit(
        *begun,
        evidence(closing.place, Side.CLIENT, closing_words(closing)),
        certainty=certainty,
        doubt=doubt,
        size=size,
        reaction=since_words(sent, closing) if sent is not None else closing_words(closing),
    )
