"""Pings and pongs of a session, into its heartbeat ledger.

Engine.IO protocol, "Heartbeat": in revision 4 the server pings and the client answers; up to revision 3 the client
pings. The upgrade probe (`2probe`, `3probe`) is no heartbeat.
"""

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, Heartbeats, Session
from eiosniff.model.tally import NS_PER_MS


def ping(session: Session, side: Side, place: PacketRef) -> Beat:
    """Record a ping, if the session is not over; returns its entry, so that the acknowledgement by TCP can be added
    when it comes."""
    beat = Beat(place, side)
    ledger = session.heartbeats
    if side is not session.pinger:
        ledger.reversed.add(beat, place.ts_ns)
        return beat
    if session.closing is not None:
        return beat
    if ledger.pending is None:
        ledger.pending = beat
    else:
        ledger.unanswered.add(beat, place.ts_ns)
    before = ledger.last.ping if ledger.last else session.opened
    ledger.pauses.add(place.ts_ns - before.ts_ns)
    ledger.pings += 1
    ledger.last = beat
    return beat


def pong(session: Session, side: Side, place: PacketRef) -> Beat | None:
    """Record a pong; returns the entry of the ping that it answers, None for one that nobody waits for.

    It answers the oldest ping that waits, and with it all that waited: pongs do not say which ping they are for.
    """
    ledger = session.heartbeats
    beat = ledger.pending
    if side is session.pinger:
        beat = ledger.reversed.last
        if beat is not None:
            beat.pong = beat.pong or place
            if not beat.is_slow:
                beat.ping_acked = None
        return beat
    if beat is None or session.closing is not None:
        return None
    beat.pong = place
    if not beat.is_slow:
        beat.ping_acked = None
    ledger.pending = None
    ledger.pongs += 1
    delay = place.ts_ns - beat.ping.ts_ns
    ledger.delays.add(delay)
    if ledger.slowest is None or delay > (ledger.slowest.delay_ns or 0):
        ledger.slowest = beat
    return beat


def is_due(session: Session, place: PacketRef) -> bool:
    """Whether a ping should have come by then, so that its absence may be why the session ends."""
    handshake, last = session.handshake, session.heartbeats.last
    if handshake is None or handshake.ping_interval_ms is None:
        return False
    since = last.ping if last is not None else session.opened
    return place.ts_ns - since.ts_ns >= handshake.ping_interval_ms * NS_PER_MS


def turn(session: Session) -> None:
    """The revision turned out to be another one: the pings so far were those of the side that must not, and back."""
    before = session.heartbeats
    after = session.heartbeats = Heartbeats()
    for beat in before.reversed:
        after.pings += 1
        after.last = beat
        if beat.pong is None:
            after.pending = after.pending or beat
        else:
            after.pongs += 1
    kept = dict.fromkeys(beat for beat in (before.pending, *before.unanswered, before.last) if beat is not None)
    for beat in sorted(kept, key=lambda beat: beat.ping):
        after.reversed.add(beat, beat.ping.ts_ns)
