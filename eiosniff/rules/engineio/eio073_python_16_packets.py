"""More than 16 packets in one polling body, which python-engineio drops as a whole.

## What it reports
A polling body with more packets than python-engineio reads (16), sent to a server or a client of that library.

## Why it matters
A server of python-socketio answers 200 `OK` and throws all of them away; only its log has "Too many packets in
payload". Events are lost and acknowledgements never come, and to the client all seems well. It happens when a client
sends many events at once: it may only have one POST under way, and puts all that has gathered into the next one. A
client of python-socketio gives the session up ("Unexpected packet from server, aborting").

## On the wire
A POST with 16 or more separators (0x1E), 200 `OK`, and no `43` for any of its events within `answer_ms` (1 s). The
other way round: the answer to a poll with as many, and then nothing more of the client until it connects anew.

## How to fix
On the server, before it starts: `from engineio.payload import Payload; Payload.max_decode_packets = 64`, or more. Or
let clients use WebSocket, where each packet has a frame of its own, or send one event with a list instead of many.

## When it is silent
When an acknowledgement shows that packets of such a body were read: the limit was raised. For other libraries, none of
which has such a limit. Where nothing in the body asks for an acknowledgement it is likely, and not certain; and only
possible where a client is silent after it for less than `answer_ms`, up to the end of the capture.

## References
- python-engineio, `engineio/payload.py` and issue #142; Flask-SocketIO issue #1226; engine.io issue #599
- recorded with python-socketio 4 and 5, as a server and as a client
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.payloads import MANY_PACKETS, Crowded
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import NS_PER_MS, in_ms

# What answers a POST: python-engineio writes it in capitals.
_ANSWER = "OK"
_PYTHON_CLIENT = "python-socketio-client"


@rule(
    code="EIO073",
    name="python-16-packets",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="python-engineio drops a polling body with {packets} packets: it reads {most} at most",
    message="{sender} in one body; {loss}.",
    why="python-engineio reads 16 packets of a polling body. One with more is thrown away as a whole, and its sender "
    "is not told.",
    fix=("{advice}", "Or let clients use WebSocket, or send one event with a list in the place of many events."),
    explains=("sid-expired", "connect-loop", "no-backoff", "ack-missing"),
    limits={"answer_ms": 1000},
)
def python_16_packets(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    crowds = session.payloads.crowded
    if crowds is None:
        return
    patience_ns = limits["answer_ms"] * NS_PER_MS
    for side in Side.CLIENT, Side.SERVER:
        bodies = [crowded for crowded in crowds if crowded.side is side]
        if not bodies:
            continue
        by = _by_server if side is Side.CLIENT else _by_client
        found = by(session, bodies, patience_ns)
        if found is None:
            continue
        dropped, loss, certainty, doubt, after = found
        first = dropped[0]
        who = "{} puts {} packets" if side is Side.CLIENT else "The server at {} puts {} packets"
        peer = session.client.address if side is Side.CLIENT else session.server.endpoint
        yield Hit(
            *(evidence(body.place, side, f"a body with {body.packets} packets") for body in dropped),
            *after,
            certainty=certainty,
            doubt=doubt,
            occurrences=len(dropped),
            kind=side.label,
            packets=max(body.packets for body in dropped),
            most=MANY_PACKETS,
            sender=who.format(peer, first.packets),
            loss=loss,
            advice=_ADVICE[side],
        )


_ADVICE = {
    Side.CLIENT: "Server, before it starts: from engineio.payload import Payload; Payload.max_decode_packets = 64 (or "
    "more).",
    Side.SERVER: "Client, before it connects: from engineio.payload import Payload; Payload.max_decode_packets = 64 "
    "(or more).",
}
_Found = tuple[list[Crowded], str, Certainty, str, list[Evidence]]


def _by_server(session: Session, bodies: list[Crowded], patience_ns: float) -> _Found | None:
    """What a server of python-socketio has dropped."""
    if session.server.marks.get("post-ok") != _ANSWER or any(body.unanswered < body.asked for body in bodies):
        return None
    asking = [body for body in bodies if body.asked]
    if asking:
        waited_ns = session.observed_until_ns - asking[-1].place.ts_ns
        certain = waited_ns >= patience_ns
        count = sum(body.asked for body in asking)
        what = "the acknowledgement that is asked for does" if count == 1 else f"none of {count} acknowledgements"
        loss = f"the server answers OK, but {what}{' not come' if count == 1 else ' comes'}, within {in_ms(waited_ns)}"
        return asking, loss, *((Certainty.CERTAIN, "") if certain else (Certainty.LIKELY, "the capture ends soon")), []
    doubt = "nothing in it asks for an answer, and the server may have been told to read more"
    return bodies, "the server answers OK, and drops them", Certainty.LIKELY, doubt, []


def _by_client(session: Session, bodies: list[Crowded], patience_ns: float) -> _Found | None:
    """What a client of python-socketio has given its session up for: nothing comes of it any more."""
    identity, last = session.client.identity, bodies[-1].place
    if identity is None or identity.library != _PYTHON_CLIENT:
        return None
    if any(use.last > last for use in session.connections) or session.observed_until_ns == last.ts_ns:
        return None
    waited_ns = session.observed_until_ns - last.ts_ns
    loss = f"nothing more comes of the client in that session, for {in_ms(waited_ns)}"
    doubt = "only its log tells why (Unexpected packet from server, aborting)"
    return bodies[-1:], loss, Certainty.LIKELY if waited_ns >= patience_ns else Certainty.POSSIBLE, doubt, []
