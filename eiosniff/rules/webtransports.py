"""What became of requests for WebTransport that failed: shared by the rules about it."""

from collections.abc import Iterator
from dataclasses import dataclass

from eiosniff.model.attempt import Attempt, Outcome
from eiosniff.model.engineio import WEBTRANSPORT, Transport
from eiosniff.model.finding import Evidence, Severity
from eiosniff.model.peers import Client
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.tally import Tally
from eiosniff.model.trouble import Anomaly, AnomalyKind
from eiosniff.model.webtransport import WtTry
from eiosniff.rules.answers import is_for_webtransport
from eiosniff.rules.api import evidence
from eiosniff.rules.gaps import lacks
from eiosniff.rules.phrases import NS_PER_MS, in_ms

FRAMING = (AnomalyKind.WT_OLD_FRAMING, AnomalyKind.WT_BAD_LENGTH, AnomalyKind.WT_INCOMPLETE)
REFUSED, CLOSED, SILENT, UNSUPPORTED = "refused", "closed", "silent", "unsupported"
_ABOUT_TO_END_NS = 100 * NS_PER_MS
_NAMES = {Transport.POLLING: "polling", Transport.WEBSOCKET: "WebSocket", Transport.WEBTRANSPORT: "WebTransport"}


@dataclass(frozen=True, slots=True)
class Failed:
    """A request for WebTransport of which nothing came, and how: `refused` with a status other than 2xx, `closed` by
    the server after it was accepted and before it said anything, `silent`, or `unsupported` by the server's HTTP/3.

    `count` such requests were alike, with the usual time between them.
    """

    how: str
    proof: list[Evidence]
    status: int | None = None
    server: str = ""
    waited_ns: int = 0
    count: int = 1
    period_ns: int | None = None


def failed(ledger: Session | Client, patience_ns: int) -> Iterator[Failed]:
    """The requests of a session that is to go on over WebTransport, or the handshakes of a client, that failed for
    another reason than what the client says in them. Who waits for less than `patience_ns` may have left by itself."""
    if isinstance(ledger, Session):
        if ledger.transports[-1:] == [WEBTRANSPORT]:
            return  # it got it in the end
        for tried in ledger.webtransports:
            found = _of_session(ledger, tried, patience_ns)
            if found is not None:
                yield found
        return
    for group in ledger.attempts.values():
        if is_for_webtransport(group.first[0]):
            yield from _of_client(group, patience_ns)


def _of_session(session: Session, tried: WtTry, patience_ns: int) -> Failed | None:
    if tried.probe_answered is not None or tried.confirmed is not None:
        return None
    if tried.void or lacks(session, tried.request, tried.ended):
        return None
    if any(anomaly.kind in FRAMING and anomaly.side is Side.CLIENT for anomaly in session.anomalies):
        return None
    ended, closing = tried.ended, session.closing
    over_ns = ended.ts_ns if ended is not None else session.observed_until_ns
    if closing is not None and closing.place.ts_ns <= over_ns + _ABOUT_TO_END_NS:
        return None  # the session was over, or about to be: nobody needed it
    waited_ns = over_ns - (tried.first or tried.request).ts_ns
    if tried.unsupported is not None:
        asked = evidence(tried.request, Side.CLIENT, "HTTP/3 settings that ask for WebTransport")
        answer = evidence(tried.unsupported, Side.SERVER, "HTTP/3 settings without WebTransport")
        return Failed(UNSUPPORTED, [asked, answer])
    proof = [evidence(tried.request, Side.CLIENT, "CONNECT for WebTransport")]
    if tried.status is not None and ended is not None:
        return Failed(REFUSED, [*proof, evidence(ended, Side.SERVER, str(tried.status))], tried.status)
    if tried.accepted is not None:
        proof.append(evidence(tried.accepted, Side.SERVER, "accepts it"))
    if tried.first is not None:
        proof.append(evidence(tried.first, Side.CLIENT, "names its session"))
    if ended is not None and tried.ended_by is Side.SERVER:
        proof.append(evidence(ended, Side.SERVER, "closes it"))
        return Failed(CLOSED, proof, waited_ns=waited_ns)
    if waited_ns < patience_ns:
        return None
    if ended is not None:
        proof.append(evidence(ended, Side.CLIENT, "gives up"))
    return Failed(SILENT, proof, waited_ns=waited_ns)


def _of_client(group: Tally[Attempt], patience_ns: int) -> Iterator[Failed]:
    sample = group.first[0]
    if any(anomaly.kind in FRAMING for anomaly in sample.anomalies):
        return
    proof = [evidence(one.request.place, Side.CLIENT, f"CONNECT {one.request.target}") for one in group]
    answered, count, period_ns = sample.answered, group.count, group.period_ns
    if sample.outcome is Outcome.REFUSED:
        proof += [evidence(one.answer, Side.SERVER, str(one.status)) for one in group if one.answer is not None]
        server = (answered.server or "") if answered is not None else ""
        yield Failed(REFUSED, proof, sample.status, server, count=count, period_ns=period_ns)
        return
    if sample.outcome is not Outcome.UNANSWERED or sample.ended is None:
        return
    since = answered.place if answered is not None else sample.request.place
    waited_ns = sample.ended.ts_ns - since.ts_ns
    by_server = sample.ended_by is Side.SERVER
    if not by_server and waited_ns < patience_ns:
        return
    proof += [evidence(one.answered.place, Side.SERVER, "accepts it") for one in group if one.answered is not None]
    words = "closes it" if by_server else "gives up"
    proof += [evidence(one.ended, one.ended_by, words) for one in group if one.ended is not None]
    yield Failed(CLOSED if by_server else SILENT, proof, waited_ns=waited_ns, count=count, period_ns=period_ns)


def gets_in(ledger: Session | Client) -> bool:
    """Whether the client has a session all the same."""
    if isinstance(ledger, Session):
        return True
    ledgers = (ledger, ledger.partner) if ledger.partner is not None else (ledger,)
    return any(client.sessions for client in ledgers)


def severity(ledger: Session | Client) -> Severity:
    """An error for a client that gets no session at all."""
    return Severity.WARNING if gets_in(ledger) else Severity.ERROR


def outcome(ledger: Session | Client) -> str:
    """What comes of it for the client if it gets no WebTransport, as a sentence with a space before it."""
    if isinstance(ledger, Client):
        return " Over another transport it gets in." if gets_in(ledger) else " It gets no session at all."
    return f" The session goes on over {_NAMES[ledger.transports[-1]]}." if ledger.transports else ""


def ended_words(attempt: Attempt, since: PacketRef) -> str:
    """What became of a WebTransport session without a session in it: `the server closes it 1.0 s later`."""
    if attempt.ended is None or attempt.ended_by is None:
        return "no session is opened"
    verb = "closes it" if attempt.ended_by is Side.SERVER else "gives up"
    return f"the {attempt.ended_by.label} {verb} {in_ms(attempt.ended.ts_ns - since.ts_ns)} later"


def of_framing(anomalies: list[Anomaly]) -> list[Anomaly]:
    """Those that are about how packets are put into the stream."""
    return [anomaly for anomaly in anomalies if anomaly.kind in FRAMING]
