"""Which events of a session ask for an ACK, and how long it takes to come."""

from typing import Final, final

from eiosniff.model.provenance import SERVER
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import Sketch

MAX_PENDING_ACKS: Final = 1024
MAX_ACK_EVENTS: Final = 64


@final
class Acks:
    """The acknowledgements of a session, into its ledger.

    `waiting` holds since when, and the event; by whether the server asks, namespace and id; in the order in which they
    were asked.
    """

    __slots__ = ("_session", "waiting")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.waiting: dict[tuple[bool, str, int], tuple[int, str]] = {}

    def asked(self, packet: SioPacket, id: int) -> None:
        """An event asks for an acknowledgement."""
        waiting = self.waiting
        event = (packet.event or "")[:MAX_NAME]
        waiting[packet.side is SERVER, packet.namespace[:MAX_NAME], id] = (packet.place.ts_ns, event)
        if len(waiting) > MAX_PENDING_ACKS:
            del waiting[next(iter(waiting))]

    def answered(self, packet: SioPacket) -> None:
        """An acknowledgement comes."""
        if packet.id is None:
            return
        asked = self.waiting.pop((packet.side is not SERVER, packet.namespace[:MAX_NAME], packet.id), None)
        if asked is None:
            return
        since, event = asked
        delays = self._session.ack_delays
        if event not in delays:
            if len(delays) >= MAX_ACK_EVENTS:
                return
            delays[event] = Sketch()
        delays[event].add(packet.place.ts_ns - since)
