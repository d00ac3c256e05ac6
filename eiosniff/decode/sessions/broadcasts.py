"""Recognises an event that a server sends to many clients at once, by its bytes.

Servers write a broadcast to one client after the other. So the last few events of a server are remembered, one of each
size or nearly so; what comes again for another session at once is on its way to many.
"""

from typing import Final

from eiosniff.model.messages import FEWEST_RECEIVERS, BroadcastFigures, Broadcasts, Round
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import NS_PER_MS

_SLOTS: Final = 32  # a power of two: events whose sizes differ by a multiple of it share one
_MAX_EVENTS: Final = 32
# From one client to the next: a server writes to them in a loop. What takes longer is said to each for itself.
_NEXT_NS: Final = 5 * NS_PER_MS


def take(known: Broadcasts, session: Session, packet: SioPacket, start: bytes) -> None:
    """Take an event of a server; `start` is what is compared of it."""
    index, size = session.index, len(packet.data)
    if not index:  # what is captured again behind a proxy
        return
    rounds = known.rounds
    if rounds is None:
        rounds = known.rounds = [Round() for _ in range(_SLOTS)]
    here = rounds[size & (_SLOTS - 1)]
    now_ns = packet.place.ts_ns
    same = here.size == size and index != here.first_session and 0 <= now_ns - here.last_ns <= _NEXT_NS
    if not same or here.start != start:
        here.start = start
        here.size = size
        here.last_ns = now_ns
        here.first_session = here.last_session = index
        here.receivers = 1
        return
    if index == here.last_session:
        return
    here.last_ns = now_ns
    here.last_session = index
    here.receivers += 1
    if here.receivers >= FEWEST_RECEIVERS:
        _count(known, packet, here.receivers)


def _count(known: Broadcasts, packet: SioPacket, receivers: int) -> None:
    if known.events is None:
        known.events = {}
    event = (packet.event or "")[:MAX_NAME]
    figures = known.events.get(event)
    if figures is None:
        if len(known.events) >= _MAX_EVENTS:
            return
        figures = known.events[event] = BroadcastFigures(packet.place)
    deliveries = 1
    if receivers == FEWEST_RECEIVERS:
        figures.rounds += 1
        deliveries = FEWEST_RECEIVERS
    figures.deliveries += deliveries
    figures.bytes += deliveries * len(packet.data)
    figures.last = packet.place
    figures.most = max(figures.most, receivers)
