"""Messages that are too large for their receiver: shared by the rules about sizes."""

from typing import NamedTuple

from eiosniff.model.attempt import CutRequest, RefusedRequest
from eiosniff.model.finding import Evidence
from eiosniff.model.payloads import Sent
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.rules.answers import is_page
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words, in_ms
from eiosniff.rules.unknown_sids import answer_words, counts_anew, says_unknown

TOO_LARGE = 413  # RFC 9110, section 15.5.14
MESSAGE_TOO_BIG = 1009  # RFC 6455, section 7.4.1
BAD_REQUEST = 400
# maxHttpBufferSize of socket.io since 2.5 and 3.0, max_http_buffer_size of python-socketio since 5.
DEFAULT_LIMIT = 1_000_000
# The smallest limit that is the default of a server (netty-socketio); below it somebody must have set one.
SMALLEST_DEFAULT = 65_536


def in_bytes(count: int) -> str:
    """A size: `3015 bytes`, `64 KB`, `1.2 MB` (thousands, as limits are given)."""
    if count < 10_000:
        return f"{count} bytes"
    if count < 999_500:
        return f"{count / 1000:.0f} KB"
    return f"{count / 1_000_000:.1f} MB"


def size_words(sent: Sent) -> str:
    """The size of a message, as far as it is known."""
    return f"more than {in_bytes(sent.bytes)}" if sent.compressed and not sent.complete else in_bytes(sent.bytes)


class Refusal(NamedTuple):
    """A POST that its server did not take: what it answered or did, and what shows that."""

    place: PacketRef
    words: str
    proof: tuple[Evidence, ...]
    status: int | None


def refused_post(session: Session) -> Refusal | None:
    """The first POST of a session that was answered as one that is too large may be: 413, or 400 that ends the session
    (python-socketio), or no answer but the end of its connection (socket.io up to 4.4)."""
    for refusal in session.refusals:
        if refusal.asked.method != "POST":
            continue
        too_large = refusal.status == TOO_LARGE
        bad_request = refusal.status == BAD_REQUEST and not says_unknown(refusal) and refusal.overlaps is None
        if too_large or (bad_request and refusal.error is not None and refusal.error.style == "python"):
            words = answer_words(refusal)
            proof = evidence(refusal.answer, Side.SERVER, words)
            return Refusal(refusal.request, f"answers {words}", (proof,), refusal.status)
    if any(refusal.overlaps is not None for refusal in session.refusals):
        return None  # that is why it was cut
    for cut in session.polls_cut:
        after = _lives_on(session, cut) if cut.post and cut.by is Side.SERVER else None
        if after is not None:
            end = evidence(cut.end, Side.SERVER, f"ends the connection without an answer ({cut.how.name})")
            return Refusal(cut.request, "ends the connection of the POST without an answer", (end, after), None)
    return None


def _lives_on(session: Session, cut: CutRequest) -> Evidence | None:
    """What shows that a server which cut a POST has ended the session, and is there still."""
    closing = session.closing
    if closing is not None and closing.how is CloseHow.EIO_CLOSE and closing.side is Side.SERVER:
        delay = closing.place.ts_ns - cut.end.ts_ns
        if abs(delay) <= CLOSED_BECAUSE_NS:
            return evidence(closing.place, Side.SERVER, closing_words(closing))
    if counts_anew(session) is not None:
        return None  # another process took over: that one died
    for refusal in session.refusals:
        if refusal.request > cut.request and says_unknown(refusal):
            return evidence(refusal.answer, Side.SERVER, answer_words(refusal))
    return None


def is_of(sent: Sent | None, place: PacketRef) -> bool:
    """Whether a captured packet belongs to a message."""
    return sent is not None and sent.first.number <= place.number <= sent.last.number


def is_from_proxy(refusal: RefusedRequest) -> bool:
    """Whether a 413 was written by something in front of the server: those of Engine.IO servers have no body."""
    return bool(refusal.answered.body.strip()) or is_page(refusal.answered.body)


def taken(session: Session) -> int | None:
    """What the server says that it takes of one message (`maxPayload`)."""
    return session.handshake.max_payload if session.handshake is not None else None


def is_aggregated(session: Session, sent: Sent | None) -> bool:
    """Whether a body is too large only because of how many packets were put into it."""
    limit = taken(session)
    return sent is not None and limit is not None and sent.packets > 1 and sent.longest <= limit < sent.bytes


def large_before(sent: Sent | None, closing: Closing) -> Sent | None:
    """The largest message of a side, if it began before the session was closed; one that was taken, long before that,
    was not too large."""
    if sent is None or not sent.first < closing.place:
        return None
    return sent if not sent.complete or closing.place.ts_ns - sent.last.ts_ns <= CLOSED_BECAUSE_NS else None


def since_words(sent: Sent, closing: Closing) -> str:
    """What a side did about a message, and how long after it had begun."""
    return f"{closing_words(closing)}, {in_ms(closing.place.ts_ns - sent.first.ts_ns)} after it began"
