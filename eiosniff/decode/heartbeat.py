"""Pings and pongs of a session, into its heartbeat ledger.

Engine.IO protocol, "Heartbeat": in revision 4 the server pings and the client answers; up to revision 3 the client
pings. The upgrade probe (`2probe`, `3probe`) is no heartbeat.
"""

from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, Session


def ping(session: Session, side: Side, place: PacketRef) -> Beat:
    """Record a ping; returns its entry, so that the acknowledgement by TCP can be added when it comes."""
    beat = Beat(place, side)
    ledger = session.heartbeats
    if side is not session.pinger:
        ledger.reversed.add(beat, place.ts_ns)
        return beat
    if ledger.pending is not None:
        ledger.unanswered.add(ledger.pending, ledger.pending.ping.ts_ns)
    before = ledger.last.ping if ledger.last else session.opened
    pause = place.ts_ns - before.ts_ns
    if pause > ledger.pauses.maximum or ledger.longest_pause_before is None:
        ledger.longest_pause_before = place
    ledger.pauses.add(pause)
    ledger.pings += 1
    ledger.pending = ledger.last = beat
    return beat


def pong(session: Session, side: Side, place: PacketRef) -> Beat | None:
    """Record a pong; returns the entry of the ping that it answers, None for one that nobody asked for."""
    ledger = session.heartbeats
    beat = ledger.pending
    if beat is None or beat.side is side:
        return None
    beat.pong = place
    ledger.pending = None
    ledger.pongs += 1
    delay = place.ts_ns - beat.ping.ts_ns
    ledger.delays.add(delay)
    if ledger.slowest is None or delay > (ledger.slowest.delay_ns or 0):
        ledger.slowest = beat
    return beat
