"""Why a server does not know a session: shared by the rules about sessions that are lost, expired or misdirected.

The answer is the same each time (400, code 1). What came before it tells the reasons apart: the client ended the
session by its own doing, its time was over, the process that had it is gone, or another process was asked.
"""

from collections.abc import Iterable
from typing import Final

from eiosniff.model.attempt import CutRequest, RefusedRequest
from eiosniff.model.peers import Server
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.rules.phrases import NS_PER_MS

# With two back ends in turn, so many requests in a row get to the right one once in 256 times.
LUCKY_STREAK: Final = 8
_GATEWAY_FAILED: Final = (502, 503, 504)
# What a server answers to a request by which it ends the session, without a word (413: a body that is too large).
_SESSION_ENDED: Final = (400, 413, 500)
_OK: Final = 200


def pair(set_cookie: str) -> str:
    """What comes back of a cookie: without its attributes (RFC 6265, section 4.1)."""
    return set_cookie.partition(";")[0].strip()


def says_unknown(refusal: RefusedRequest) -> bool:
    """Whether the refusal says that the session is not known."""
    return refusal.error is not None and refusal.error.says_unknown_sid


def answer_words(refusal: RefusedRequest) -> str:
    """What the server answered: `400 "Session ID unknown"`."""
    return f'{refusal.status} "{refusal.error.message}"' if refusal.error else f"{refusal.status}"


def unknown_refusals(session: Session) -> list[RefusedRequest]:
    """Requests of the session that were refused as of an unknown one, though nobody had said that it is over. (A
    goodbye that is refused itself says that it was over before.)"""
    closing = session.closing
    return [
        refusal
        for refusal in session.refusals
        if says_unknown(refusal)
        and (not refusal.after_close or (closing is not None and closing.place == refusal.request))
    ]


def lifetime_ns(session: Session) -> int:
    """After so long a silence the server gives the session up; 0 where it is not known."""
    handshake = session.handshake
    times = (handshake.ping_interval_ms, handshake.ping_timeout_ms) if handshake is not None else ()
    return sum(time for time in times if time is not None) * NS_PER_MS


def expired(session: Session, refusal: RefusedRequest) -> bool:
    """Whether the time of the session was over: no packet for as long, or a ping of the server without its pong."""
    return lifetime_ns(session) > 0 and (refusal.idle_ns >= lifetime_ns(session) or pinged_out(session, refusal))


def pinged_out(session: Session, refusal: RefusedRequest) -> bool:
    """Whether the server had waited in vain for a pong: it has ended the session, and could not say so."""
    waiting, handshake = session.heartbeats.pending, session.handshake
    if waiting is None or handshake is None or waiting.side is Side.CLIENT:
        return False
    return refusal.request.ts_ns - waiting.ping.ts_ns >= (handshake.ping_timeout_ms or 0) * NS_PER_MS


def last_before(session: Session, refusal: RefusedRequest) -> PacketRef:
    """The last packet of the session before a refused request, as far as the ledger has it."""
    known = (session.opened, session.last, *session.last_from)
    return max(place for place in known if place is not None and place < refusal.request)


def dropped_request(session: Session, refusal: RefusedRequest) -> CutRequest | RefusedRequest | None:
    """The request before a refusal that the server did not live to answer: its connection was ended, or a proxy says
    that there is no server behind it."""
    for cut in session.polls_cut:
        if cut.by is Side.SERVER and not cut.too_late and cut.end < refusal.request:
            return cut
    for other in session.refusals:
        if other.status in _GATEWAY_FAILED and other.answer < refusal.request:
            return other
    return None


def counts_anew(session: Session) -> PacketRef | None:
    """The first id of a process that took over from the one that opened the session, if ids tell: one after the other,
    and never two at a time."""
    if processes(session.server) > 1:
        return None
    return next((chain.first for chain in session.server.sid_chains if chain.first > session.opened), None)


def processes(server: Server) -> int:
    """How many processes gave out ids at the same time; 1 where ids do not tell of more."""
    chains = server.sid_chains
    return max(1, sum(any(one is not other and one.overlaps(other) for other in chains) for one in chains))


def restarted(session: Session, refusal: RefusedRequest) -> bool:
    """Whether the process that had the session was gone when the refused request came."""
    if dropped_request(session, refusal) is not None:
        return True
    return session.requests_answered >= LUCKY_STREAK and counts_anew(session) is not None


def ended_by_client(session: Session, refusal: RefusedRequest) -> bool:
    """Whether the client had done, before the refused request, what servers end a session for; some of them without a
    word, if no request waits for one."""
    cuts = (cut.end for cut in session.polls_cut if cut.by is Side.CLIENT)
    died = {cut.request for cut in session.polls_cut if cut.by is Side.SERVER}
    overlaps = (other.request for other in session.refusals if other.overlaps is not None)
    ending = (other.answer for other in session.refusals if other.status in _SESSION_ENDED and not says_unknown(other))
    wrong: tuple[Iterable[PacketRef], ...] = (
        (anomaly.place for anomaly in session.anomalies if anomaly.side is Side.CLIENT),
        (said.place for said in session.odd[Side.CLIENT]),
        (said.place for said in session.foreign[Side.CLIENT]),
        (beat.ping for beat in session.heartbeats.reversed if beat.pong is None),
        (place for namespace in session.namespaces.values() for place in namespace.early_events),
        (post.place for post in session.payloads.binary_posts or () if post.status != _OK and post.place not in died),
    )
    return any(place < refusal.request for places in (cuts, overlaps, ending, *wrong) for place in places)
