"""A message that is larger than the server takes.

## What it reports
A message or a POST of a client that the server refuses for its size: with code 1009, with 413, with 400 "Bad Request"
(python-socketio), or by ending the connection (socket.io up to 4.4, which has no answer for it over polling).

## Why it matters
One of the commonest faults, and one of the hardest to see: the client only says "transport close" or "xhr post error",
the server nothing. Images and files in an event are the usual cause, and an upgrade: the limit was 100 MB up to
Socket.IO 2.4, and is 1 MB since 2.5 and 3.0. Most applications send it again after they have connected anew, for ever.

## On the wire
WebSocket: a message whose frames announce more than the limit, and the server's close frame with 1009, often before
all of it was sent. What counts is the size when it is uncompressed. Polling: a POST whose `Content-Length` is above
`maxPayload` in the handshake (1 000 000 where it is not announced), then 413 with an empty body, 400, or FIN.

## How to fix
Raise the limit where that is meant: Node `maxHttpBufferSize: 1e7`, Python `max_http_buffer_size=10_000_000`, netty
`setMaxFramePayloadLength` and `setMaxHttpContentLength`, socketioxide `max_payload`. Better: upload files by plain
HTTP, or send them in pieces, and send their address as an event.

## When it is silent
A 413 with a page is that of a proxy (rule PROXY078). A POST that is only too large because many packets were put into
it is a matter of the client (rule EIO080). A 400 or an end of the connection without a limit that is known is only
reported if the server goes on otherwise, and has ended this session; below 64 KB, the smallest default of a server, it
is only possible.

## References
- socket.io documentation, option `maxHttpBufferSize`; socket.io issues #3946 and #3817; engine.io issue #706
- RFC 6455, section 7.4.1; recorded with socket.io 2.5 and 4.8 and with python-socketio 5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.payloads import Sent
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import closing_words
from eiosniff.rules.sizes import (
    DEFAULT_LIMIT,
    MESSAGE_TOO_BIG,
    SMALLEST_DEFAULT,
    TOO_LARGE,
    in_bytes,
    is_aggregated,
    is_from_proxy,
    is_of,
    large_before,
    refused_post,
    since_words,
    size_words,
    taken,
)

_BAD_REQUEST = "the server does not say how much it takes, and answers other mistakes so, too"
_NO_ANSWER = "the server does not say how much it takes; one that fails over a message, or is stopped, looks alike"


@rule(
    code="EIO077",
    name="payload-too-large",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client sends a message that is too large for the server: {size}",
    message="{client} sends {size} at once to {server}, which {limit}. The server {reaction}.",
    why="A server takes messages up to a limit (maxHttpBufferSize, 1 MB by default) and ends the session at a larger "
    "one. The client is not told why, connects again, and mostly sends the same once more.",
    fix=(
        "Server, if such messages are meant: raise the limit (Node maxHttpBufferSize: 1e7, Python "
        "max_http_buffer_size=10_000_000).",
        "Better: upload files by plain HTTP, or in pieces, and send only their address in an event.",
    ),
    explains=(
        "sid-reused",
        "sid-unknown-sticky",
        "sid-expired",
        "poll-cut-by-client",
        "ping-timeout-during-transfer",
        "connect-loop",
        "no-backoff",
        "ack-missing",
        "ws-abnormal-close",
    ),
    hence="A message of {size} is too large for the server",
)
def payload_too_large(session: Session) -> Iterator[Hit]:
    """See the module."""
    closing, facts = session.closing, session.payloads
    if closing is not None and closing.code == MESSAGE_TOO_BIG and closing.side is Side.SERVER:
        sent = large_before(facts.from_client, closing)
        reaction = closing_words(closing) if sent is None else since_words(sent, closing)
        end = evidence(closing.place, Side.SERVER, closing_words(closing))
        yield _hit(session, sent, closing.place, reaction, (end,), Certainty.CERTAIN, "", "websocket")
    limit = taken(session)
    if closing is not None and closing.how is CloseHow.WT_CLOSE and closing.side is Side.SERVER and limit is not None:
        sent = large_before(facts.from_client, closing)  # a close of WebTransport says nothing of why
        if sent is not None and sent.bytes > limit:
            end = evidence(closing.place, Side.SERVER, closing_words(closing))
            words = since_words(sent, closing)
            yield _hit(session, sent, closing.place, words, (end,), Certainty.CERTAIN, "", "webtransport")
    if facts.post is None and not session.refusals:
        return
    refused = refused_post(session)
    if refused is None or is_aggregated(session, facts.post):
        return
    if any(one.request == refused.place and is_from_proxy(one) for one in session.refusals if one.status == TOO_LARGE):
        return
    sent = facts.post if is_of(facts.post, refused.place) else None
    certainty, doubt = Certainty.CERTAIN, ""
    if refused.status != TOO_LARGE:
        if sent is None or (limit is not None and sent.bytes <= limit):
            return
        if limit is None and refused.status is not None and sent.bytes <= DEFAULT_LIMIT:
            return
        if limit is None:
            certainty = Certainty.LIKELY if sent.bytes >= SMALLEST_DEFAULT else Certainty.POSSIBLE
            doubt = _NO_ANSWER if refused.status is None else _BAD_REQUEST
    yield _hit(session, sent, refused.place, refused.words, refused.proof, certainty, doubt, "polling")


def _hit(
    session: Session,
    sent: Sent | None,
    place: PacketRef,
    reaction: str,
    proof: tuple[Evidence, ...],
    certainty: Certainty,
    doubt: str,
    way: str,
) -> Hit:
    size = size_words(sent) if sent is not None else "more than it takes"
    begun = evidence(sent.first, Side.CLIENT, f"begins a message of {size}") if sent is not None else None
    limit = taken(session)
    return Hit(
        *((begun,) if begun is not None else (evidence(place, Side.CLIENT, "sends it"),) if way == "polling" else ()),
        *proof,
        certainty=certainty,
        doubt=doubt,
        kind=way,
        size=size,
        limit=_limit(limit, sent),
        reaction=reaction,
        way=way,
    )


def _limit(limit: int | None, sent: Sent | None) -> str:
    """What the server takes, as far as it says so."""
    if limit is None:
        return "does not say how much it takes"
    if sent is not None and sent.bytes <= limit:
        return f"announces {in_bytes(limit)} (maxPayload), but something in it or in front of it takes less"
    return f"takes {in_bytes(limit)} (maxPayload)"
