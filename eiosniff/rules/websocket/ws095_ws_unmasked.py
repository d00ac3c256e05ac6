"""WebSocket frames that are not masked as they must be.

## What it reports
Frames of the client without a mask, or frames of the server with one.

## Why it matters
A client must mask each frame and a server must not. Servers of Node close at the first frame that is not masked, with
code 1002; aiohttp takes it. A client that gets a masked frame has to close as well.

## On the wire
The first bit of the second byte of a frame: `81 05 ...` of a client (it should be `81 85`, and four bytes of key), `81
85 ...` of a server. Then a close frame with 1002.

## How to fix
Use a WebSocket library. By hand: a client sets the bit, writes a random key of four bytes behind the length, and
combines each byte of the data with the key (XOR).

## When it is silent
When the first faulty frame has something else wrong as well: then it is no frame at all (rule WS202).

## References
- RFC 6455, sections 5.1 and 5.3
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.frame_faults import FrameFault, faulty_frames
from eiosniff.rules.reactions import reaction_to


@rule(
    code="WS095",
    name="ws-unmasked",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends WebSocket frames {how}",
    message="The {side} ({client} at {server}) sends a frame {how}, which WebSocket forbids; {reaction}.",
    why="In WebSocket a client masks every frame with a key, and a server masks none. Who gets it the other way round "
    "has to close the connection (code 1002).",
    fix=(
        "Let a WebSocket library write the frames of the {side}; its own code, or a device between the two, writes "
        "them {how}.",
    ),
    explains=("no-connect-packet", "plain-websocket-client", "connect-loop", "no-backoff", "ws-abnormal-close"),
)
def ws_unmasked(session: Session) -> Iterator[Hit]:
    """See the module."""
    for faulty in faulty_frames(session, FrameFault.MASK):
        side, places = faulty.side, [anomaly.place for anomaly in faulty.anomalies]
        how = "without a mask" if side is Side.CLIENT else "with a mask"
        reaction = reaction_to(session, side, places, "takes it all the same")
        yield Hit(
            *(evidence(place, side, f"a frame {how}") for place in places),
            *reaction.proof,
            severity=reaction.severity(Severity.INFO),
            occurrences=len(places),
            kind=side.label,
            side=side.label,
            how=how,
            reaction=reaction.words,
        )
