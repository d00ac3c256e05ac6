"""A peer puts packets into a WebTransport stream in another way than the other side reads them.

## What it reports
Packets without a length, as engine.io 6.5.0 and 6.5.1 write them; a length of zero, or beyond 2^53; and a stream that
ends in the middle of a packet.

## Why it matters
A stream has no borders between packets, so that each side must say where one ends. Where the two disagree, the server
waits for bytes that never come, or takes them for another packet, and closes; the client hears no reason. A page gets
"timeout" after 20 s, or goes on over WebSocket.

## On the wire
Since engine.io 6.5.2 a byte before each packet: bit 7 for binary, and its length; 126 says that 16 bits follow, 127
that 64 do. Before that, a stream of the client began with `0` or `0{"sid":"..."}` itself: a newer server takes the
digit for a length of 48 and waits, up to its `upgradeTimeout` (10 s), and an older one closes at what begins with a
length. At a length of zero, or above `maxPayload`, a server closes at once ("parse error" in its log). Needs keys.

## How to fix
The same version on both sides, 4.7.2 or later: socket.io in the server, socket.io-client in the page, which may be an
old copy from a CDN or in the bundle. By hand: the header that is described above, and no empty packets.

## When it is silent
When a packet is too large, which is a fault of its own (rule EIO077); when a side ends the whole session in the middle
of a packet; after a gap in the capture. Where both sides write packets without a length it is a warning: that works,
until two packets arrive as one.

## References
- Engine.IO protocol, "WebTransport"; engine.io-parser 5.2.1, `createPacketDecoderStream`
- engine.io, changelog of 6.5.2; recorded with socket.io-client 4.7.1 and by hand, with engine.io 6.6.12
"""

from collections.abc import Iterator

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.finding import Certainty, Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import SIDES, Side
from eiosniff.model.session import Session
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import quoted
from eiosniff.rules.reactions import reaction_to
from eiosniff.rules.webtransports import ended_words, of_framing, severity

_OLD = AnomalyKind.WT_OLD_FRAMING
_SHORT = {
    _OLD: "packets without a length",
    AnomalyKind.WT_BAD_LENGTH: "a packet of a length that there is not",
    AnomalyKind.WT_INCOMPLETE: "a packet that breaks off",
}
_VERSIONS = "socket.io and socket.io-client 4.7.2 or later (engine.io 6.5.2)"
_ADVICE = {
    _OLD: f"The same version on both sides: {_VERSIONS}; a page may load an old copy from a CDN.",
    AnomalyKind.WT_BAD_LENGTH: "By hand: a byte with the length of the packet before each, and no empty packets.",
    AnomalyKind.WT_INCOMPLETE: "By hand: the length of the packet before it, in bytes and not in characters.",
}


@rule(
    code="EIO245",
    name="webtransport-framing",
    subject=(Session, Client),
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} frames packets over WebTransport in a way that the other side does not read: {short}",
    message="{client} talks with {server} over WebTransport. The {side} sends {what}; {reaction}.",
    why="Since engine.io 6.5.2 each packet has its length before it. 6.5.0 and 6.5.1 wrote none, and took for a packet "
    "what one read of the stream gave.",
    fix=("{advice}", 'Or take "webtransport" out of the transports of one side.'),
    explains=("engineio-syntax", "no-connect-packet", "stuck-in-polling", "connect-loop", "no-backoff"),
)
def webtransport_framing(ledger: Session | Client) -> Iterator[Hit]:
    """See the module."""
    if isinstance(ledger, Session):
        yield from _in_session(ledger)
        return
    for group in ledger.attempts.values():
        sample = group.first[0]
        found = of_framing(sample.anomalies)
        if sample.outcome is Outcome.OPENED or not found:
            continue
        first = found[0]
        proof = [item for attempt in group for item in _of_attempt(attempt)]
        both = {anomaly.side for anomaly in found if anomaly.kind is _OLD} == set(SIDES)
        reaction = "the server does so, too, which nobody else can read" if both else ended_words(sample, first.place)
        yield _hit(first, proof, reaction, Severity.WARNING if both else severity(ledger), group.count, group.period_ns)


def _in_session(session: Session) -> Iterator[Hit]:
    if session.gaps:
        return
    for side in SIDES:
        found = [one for one in of_framing(session.anomalies) if one.side is side]
        if not found:
            continue
        first = found[0]
        reaction = reaction_to(session, side, [one.place for one in found], "does nothing about it")
        proof = [evidence(one.place, side, _what(one)) for one in found]
        words, worst = reaction.words, reaction.severity(Severity.WARNING)
        tried = next((one for one in session.webtransports if one.first == first.place), None)
        if tried is not None and tried.ended is not None and tried.ended_by is not None:
            proof.append(evidence(tried.ended, tried.ended_by, "closes the WebTransport session"))
            words, worst = f"the {tried.ended_by.label} closes, and the session goes on as before", Severity.WARNING
        yield _hit(first, [*proof, *reaction.proof], words, worst, len(found), None)


def _of_attempt(attempt: Attempt) -> Iterator[Evidence]:
    for anomaly in of_framing(attempt.anomalies):
        yield evidence(anomaly.place, anomaly.side, _what(anomaly))
    if attempt.ended is not None:
        yield evidence(attempt.ended, attempt.ended_by, "closes the WebTransport session")


def _hit(
    first: Anomaly, proof: list[Evidence], reaction: str, worst: Severity, count: int, period_ns: int | None
) -> Hit:
    cut = first.kind is AnomalyKind.WT_INCOMPLETE
    return Hit(
        *proof, certainty=Certainty.LIKELY if cut else Certainty.CERTAIN,
        doubt="it may have meant to end there" if cut else "", severity=worst, occurrences=count, period_ns=period_ns,
        kind=f"{first.side.label} {first.kind.value}", side=first.side.label, short=_SHORT[first.kind],
        framing=first.kind.value, what=_what(first), reaction=reaction, advice=_ADVICE[first.kind],
    )  # fmt: skip


def _what(anomaly: Anomaly) -> str:
    if anomaly.kind is _OLD:
        whose = "client" if anomaly.side is Side.CLIENT else "server"
        return f"{quoted(anomaly.found.encode('latin-1'))} without a length, as a {whose} of engine.io 6.5.0 or 6.5.1"
    if anomaly.kind is AnomalyKind.WT_BAD_LENGTH:
        return f"a packet of length {anomaly.found}"
    return "the end of the stream in the middle of a packet"
