"""Reserved bits in WebSocket frames, mostly of compression that was not agreed on.

## What it reports
A frame with a reserved bit (RSV1, RSV2, RSV3) that no extension of the handshake gives a meaning to.

## Why it matters
The other side has to close the connection (code 1002, "RSV1 must be clear", "Invalid frame header"). Where a proxy
takes `Sec-WebSocket-Extensions` out of the server's 101, the server compresses and the client does not know: small
messages may pass, and the first larger one ends the session.

## On the wire
A first byte of `c1` or `c2` (RSV1 with text or binary data), and a 101 without `Sec-WebSocket-Extensions`. The content
is compressed (permessage-deflate), which eiosniff undoes all the same.

## How to fix
Pass `Sec-WebSocket-Extensions` on both ways in the proxy (IIS and ARR, some appliances), or take it out of the request
as well; or switch compression off at the server (`perMessageDeflate: false`). A client written by hand leaves the bits
at 0.

## When it is silent
When the bit was agreed on. When what follows the 101 is HTTP and no frame (rules WS031 and EIO002), or a frame in which
more is wrong (rule WS202).

## References
- RFC 6455, section 5.2; RFC 7692, section 6
- ws issue #1140
"""

from collections.abc import Iterator

from eiosniff.model.attempt import AnswerFacts, RequestFacts
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.frame_faults import Faulty, FrameFault, faulty_frames
from eiosniff.rules.reactions import reaction_to

_EXTENSIONS = "sec-websocket-extensions"
_DEFLATE = "permessage-deflate"


@rule(
    code="WS096",
    name="ws-rsv-set",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends {what}",
    message="The {side} ({client} at {server}) sends {what}{circumstances}; {reaction}.",
    why="Compression must be agreed on in the handshake. To a side that knows nothing of it such a frame is broken, "
    'and it closes the connection ("RSV1 must be clear", code 1002).',
    fix=(
        "If a proxy is between the two, let it pass Sec-WebSocket-Extensions on unchanged, in requests and answers.",
        "Or switch compression off at the {side} (perMessageDeflate: false, compression=None).",
    ),
    explains=(
        "engineio-syntax",
        "plain-websocket-client",
        "no-connect-packet",
        "stuck-in-polling",
        "probe-unanswered",
        "upgrade-incomplete",
        "connect-loop",
        "no-backoff",
        "ws-abnormal-close",
    ),
)
def ws_rsv_set(session: Session) -> Iterator[Hit]:
    """See the module."""
    for faulty in faulty_frames(session, FrameFault.RESERVED_BITS):
        side, places = faulty.side, [anomaly.place for anomaly in faulty.anomalies]
        deflated = (session.frames.deflated or [None, None])[side]
        what = "compressed messages that were not agreed on" if deflated else "frames with reserved bits set"
        reaction = reaction_to(session, side, places, "takes it all the same")
        request, answer = _handshake(session)
        circumstances, proof = _circumstances(faulty, request, answer) if deflated else ("", [])
        yield Hit(
            *proof,
            *(evidence(anomaly.place, side, f"reserved bits {anomaly.found}") for anomaly in faulty.anomalies),
            *reaction.proof,
            severity=reaction.severity(Severity.WARNING),
            occurrences=len(places),
            kind=f"{side.label}{', compressed' if deflated else ''}",
            side=side.label,
            what=what,
            circumstances=circumstances,
            reaction=reaction.words,
            compressed=str(bool(deflated)),
        )


def _handshake(session: Session) -> tuple[RequestFacts | None, AnswerFacts | None]:
    """The request for the WebSocket, and its 101."""
    if session.upgrades:
        return session.upgrades[-1].request, session.upgrades[-1].answered
    attempt = session.attempt
    return (attempt.request, attempt.answered) if attempt is not None else (None, None)


def _circumstances(
    faulty: Faulty, request: RequestFacts | None, answer: AnswerFacts | None
) -> tuple[str, list[Evidence]]:
    if request is None or answer is None or any(name.lower() == _EXTENSIONS for name in answer.header_names):
        return "", []
    offered = _DEFLATE in (request.extensions or "").lower()
    asks = f"asks {'for' if offered else 'without'} {_DEFLATE}"
    proof = [
        evidence(request.place, Side.CLIENT, asks),
        evidence(answer.place, Side.SERVER, f"{answer.status} without Sec-WebSocket-Extensions"),
    ]
    if offered and faulty.side is Side.SERVER:
        return ", although the 101 says nothing of them (a proxy may have taken that header away)", proof
    return f", although the {'server did not agree to' if offered else 'client did not ask for'} compression", proof
