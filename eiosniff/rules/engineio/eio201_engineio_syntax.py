"""A packet or payload that is no Engine.IO.

## What it reports
In the middle of an Engine.IO session: a packet with a type that does not exist, or a polling payload that no revision
can frame.

## Why it matters
Node servers close the session without a reason; over polling after a 200 `ok`, and the next poll gets `1`, or is
refused as of an unknown session (400, code 1). python-engineio ignores the packet.

## On the wire
A text message that does not begin with `0` to `6` (or `b` where base64 is allowed), or a POST body that is neither
length-prefixed nor a list of packets.

## How to fix
Mend the client that wrote it: usually string building by hand (a missing `4` before `2[...]`), memory that was
overwritten on a microcontroller, or another protocol on the same connection.

## When it is silent
A client that never says anything of Engine.IO is a plain WebSocket client (rule WS013). Bodies whose lengths are wrong
(rule EIO069), with a record separator in a text (EIO070) or framed as in another revision (EIO072) are their faults.
Packets with bytes missing in the capture are not judged, nor those of a session that began before the capture, as long
as nothing tells its revision. python-engineio under WSGI answers the poll that waits at the goodbye with nothing at
all.

## References
- Engine.IO protocol, revision 4, "Packet encoding"
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import quoted
from eiosniff.rules.reactions import reaction_to


@rule(
    code="EIO201",
    name="engineio-syntax",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} sends something that is no Engine.IO packet",
    message="The {side} ({client} at {server}) sends {said}, which is no Engine.IO packet; {reaction}.",
    why="Each packet begins with its type, a digit from 0 to 6. A server of Node closes the session at anything else, "
    "without saying why.",
    fix=(
        'Look at how the {side} builds this packet: an event is 42["name",data], with the 4 of Engine.IO before the 2.',
    ),
    explains=("no-connect-packet", "connect-loop", "no-backoff", "ws-abnormal-close", "sid-reused"),
)
def engineio_syntax(session: Session) -> Iterator[Hit]:
    """See the module."""
    if session.gaps or not (session.anomalies or session.odd[Side.CLIENT] or session.odd[Side.SERVER]):
        return
    if session.midstream and session.handshake is None and None in session.revisions:
        return  # in a binary message, a type is the first byte or there is none: nothing told when it came
    for side in SIDES:
        odd = [(one.place, one.text) for one in session.odd[side]]
        count = session.odd[side].count
        for anomaly in session.anomalies:
            if anomaly.kind is AnomalyKind.EIO_BAD_PAYLOAD and anomaly.side is side and not _goodbye(session, anomaly):
                odd.append((anomaly.place, anomaly.found.encode("latin-1", "replace")))
                count += 1
        if not odd:
            continue
        odd.sort()
        proof = [evidence(place, side, quoted(text)) for place, text in odd]
        reaction = reaction_to(session, side, [place for place, _ in odd])
        yield Hit(
            *proof,
            *reaction.proof,
            occurrences=count,
            kind=side.label,
            side=side.label,
            said=quoted(odd[0][1]),
            reaction=reaction.words,
        )


def _goodbye(session: Session, anomaly: Anomaly) -> bool:
    """Whether it is an empty answer to a poll that the session did not outlive (python-engineio under WSGI)."""
    return not anomaly.found and session.closing is not None and session.closing.place < anomaly.place
