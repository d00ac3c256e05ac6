"""Recognises an event that a server sends to many clients at once, by its bytes.

Servers write a broadcast to one client after the other. So the last few events of a server are remembered, each by a
digest in one of a few slots; what comes again for another session soon is on its way to many.
"""

from typing import Final

from eiosniff.model.messages import FEWEST_RECEIVERS, BroadcastFigures, Broadcasts
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import NS_PER_MS

_SLOTS: Final = 64  # a power of two
_MAX_EVENTS: Final = 32
# From one client to the next: a server writes to them in a loop. What takes longer is said to each for itself.
_NEXT_NS: Final = 5 * NS_PER_MS


def take(session: Session, packet: SioPacket, digest: int) -> None:
    """Take an event of a server with an audience; `digest` is that of its name and arguments."""
    server = session.server
    known = server.broadcasts
    if known is None:
        known = server.broadcasts = Broadcasts(_SLOTS)
    here = known.rounds[digest & (_SLOTS - 1)]
    now_ns, index = packet.place.ts_ns, session.index
    passed = now_ns - here.last_ns
    if here.digest != digest or index == here.first_session or passed < 0 or passed > _NEXT_NS:
        here.digest = digest
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
