"""Whether a peer is frozen or gone, and what the capture cannot tell of it: shared by the rules on heartbeats."""

from typing import Final

from eiosniff.knowledge import boxes
from eiosniff.model.attempt import AnswerFacts, Transfer
from eiosniff.model.provenance import Side
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.rules.phrases import NS_PER_MS, NS_PER_S

# Servers are not exact to the millisecond; python-engineio checks in steps.
TIMER_SLACK: Final = 0.95
# Once may be a lost segment that came through the second time.
REPEATS_INTO_THE_VOID: Final = 2

GONE: Final = "the network is gone"
FROZEN: Final = "it was frozen"
BEHIND_PROXY: Final = "a proxy answers for it"


def times_ns(session: Session) -> tuple[int, int] | None:
    """`pingInterval` and `pingTimeout` of the handshake (ns); None where the capture does not show both.

    python-engineio announces 0 for an interval of less than a second.
    """
    handshake = session.handshake
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return None
    return handshake.ping_interval_ms * NS_PER_MS, handshake.ping_timeout_ms * NS_PER_MS


def talks_on(session: Session) -> bool:
    """Whether the client of revision 4 lets a ping wait and sends other things meanwhile."""
    beat, heard, times = session.heartbeats.pending, session.last_from[Side.CLIENT], times_ns(session)
    if beat is None or heard is None or times is None or session.pinger is Side.CLIENT or session.heartbeats.reversed:
        return False
    closing = session.closing
    if closing is not None and closing.side is Side.CLIENT and closing.after_goodbye:
        return False  # what it said was the goodbye
    return heard.ts_ns - beat.ping.ts_ns > _crossing_ns(times[1]) and held_up(session) is None


def _crossing_ns(timeout_ns: int) -> int:
    """What comes within that time may have been on its way already."""
    return min(NS_PER_S, timeout_ns // 2)


def held_up(session: Session) -> Transfer | None:
    """The large message behind which the heartbeat waited when its time was over.

    A pong waits behind what its sender sends, and so does a ping: then that ping was not seen when it was due.
    """
    times = times_ns(session)
    if times is None or not session.transfers:
        return None
    interval_ns, timeout_ns = times
    beats = session.heartbeats
    since = beats.last.ping if beats.last else session.opened
    side, due_ns, patience_ns = session.pinger, since.ts_ns + interval_ns, timeout_ns
    if beats.pending is not None:
        side, due_ns = session.pinger.other, beats.pending.ping.ts_ns
    end_ns = session.observed_until_ns
    if end_ns - due_ns < patience_ns * TIMER_SLACK:
        return None
    own = [transfer for transfer in session.transfers if transfer.side is side and transfer.first.ts_ns < end_ns]
    last = own[-1] if own else None
    if last is None or (last.complete and last.last.ts_ns < due_ns + patience_ns * TIMER_SLACK):
        return None
    # If the wire was free when the heartbeat was due, that did not wait; of many messages not all are kept.
    free = all(transfer.first.ts_ns > due_ns + _crossing_ns(timeout_ns) for transfer in own)
    return None if free and session.transfers.count == len(list(session.transfers)) else last


def nearest(session: Session, side: Side) -> Session:
    """The session as it was captured nearest to a side, where it was captured on several hops."""
    return session.hops[-1] if side is Side.SERVER and session.hops else session


def proxy_between(session: Session, side: Side) -> str:
    """How the capture shows that it is a proxy, not the side itself, at its end of the connection: a few words; empty
    where nothing does."""
    if side is Side.CLIENT:
        if session.proxied_for is not None:
            return "the PROXY protocol"
        if session.attempt is None:
            return ""
        added = boxes.forwarded_headers(session.attempt.request)
        return next((name for name in session.attempt.request.header_names if name.lower() in added), "")
    return proxy_named(session.attempt.answered) if session.attempt is not None else ""


def proxy_named(answer: AnswerFacts | None) -> str:
    """How an answer says that a proxy wrote or forwarded it: a few words; empty where it does not."""
    if answer is None:
        return ""
    if answer.via is not None:
        return f"Via: {answer.via}"
    found = boxes.answered_by(answer)
    if found is None:
        return ""
    box, kind = found
    return f"Server: {answer.server}" if kind == "server" else box.name


def is_orderly(closing: Closing) -> bool:
    """Whether a side left by itself. A server that ends a session over polling says so by "1", whatever the reason."""
    return closing.after_goodbye and not (closing.side is Side.SERVER and closing.how is CloseHow.EIO_CLOSE)


def is_lost(session: Session, closing: Closing) -> bool:
    """Whether what ended a session did not arrive: sent again and again, and not acknowledged."""
    return closing.acked is None and session.repeats[closing.side] >= REPEATS_INTO_THE_VOID


def behind_proxy(side: Side, shown: str) -> str:
    """What is to be said where a proxy acknowledges for a side."""
    return (
        f"TCP acknowledged it, but a proxy did that ({shown}): whether the {side.label} behind it was frozen or the "
        "network to it is gone cannot be seen here."
    )


def advice_behind_proxy(side: Side) -> str:
    """What to do about that."""
    return (
        f"Capture between the proxy and the {side.label} (or on all interfaces of the proxy's host): there the "
        "acknowledgements tell whether the program or the network fails."
    )
