"""Which events of a session ask for an ACK, whether it comes, and how long it takes.

The id of an event says that it wants an ACK, and the ACK repeats it; ids belong to a namespace and to the side that
asks (Socket.IO protocol, "Acknowledgement"). Libraries count them up from 0.
"""

from typing import Final, final

from eiosniff.model.messages import AckFigures, Ask, Lost, MessageFigures, Resent, StrayAck, StrayAcks
from eiosniff.model.provenance import CLIENT, SERVER, PacketRef
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import NS_PER_S, Tally

MAX_PENDING_ACKS: Final = 1024
MAX_ACK_EVENTS: Final = 64  # names, for each side
MAX_NAMESPACES_WITH_IDS: Final = 64  # for each side
MAX_LOST: Final = 64  # events of a client that ended without an acknowledgement
# What a client sends as soon as it has joined it says in every session: a login, a room to enter.
_JOINING_NS: Final = NS_PER_S


@final
class Acks:
    """The acknowledgements of a session, into its ledger.

    `_highest` is the highest id that was asked with, by whether the server asks and by namespace; `_last` is the event
    of the client that asked last.
    """

    __slots__ = ("_highest", "_last", "_messages", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._messages: MessageFigures = session.messages
        self._highest: dict[tuple[bool, str], int] | None = None
        self._last: Ask | None = None

    def asked(self, packet: SioPacket, id: int, digest: int = 0) -> None:
        """An event asks for an acknowledgement. `digest`: of its name and arguments, if one was made."""
        messages, server = self._messages, packet.side is SERVER
        waiting = messages.waiting
        if waiting is None:
            waiting = messages.waiting = {}
        namespace, event = packet.namespace[:MAX_NAME], (packet.event or "")[:MAX_NAME]
        figures = self._figures(server, event)
        if figures is not None:
            figures.asked += 1
        self._note_id(server, namespace, id)
        ask = Ask(packet.place, namespace, event, digest)
        key = server, namespace, id
        before = waiting.get(key)
        if before is not None:
            before.more += 1
        else:
            waiting[key] = ask
            if len(waiting) > MAX_PENDING_ACKS:
                del waiting[next(iter(waiting))]
                messages.untracked += 1
        if packet.side is CLIENT and digest:
            self._compare(ask, namespace)

    def answered(self, packet: SioPacket) -> None:
        """An acknowledgement comes."""
        id = packet.id
        if id is None:
            return
        messages, server = self._messages, packet.side is not SERVER  # who asked
        waiting, namespace = messages.waiting, packet.namespace[:MAX_NAME]
        key = server, namespace, id
        ask = waiting.get(key) if waiting is not None else None
        if ask is None or waiting is None:
            self._stray(packet, server, namespace, id)
            return
        if ask.more:
            stray = StrayAck(packet.place, namespace, id, ask.place)
            self._strays(packet).ambiguous.add(stray, packet.place.ts_ns)
            ask.more -= 1
            return
        ask.answered = True
        del waiting[key]
        figures = self._figures(server, ask.event)
        if figures is None:
            return
        delay = packet.place.ts_ns - ask.place.ts_ns
        if not figures.delays.count or delay > figures.delays.maximum:
            figures.slowest_asked, figures.slowest_answered = ask.place, packet.place
        figures.delays.add(delay)

    def _figures(self, server: bool, event: str) -> AckFigures | None:
        """Those of an event, new ones if need be; None if there are too many names."""
        messages = self._messages
        known = messages.acks_of_server if server else messages.acks_of_client
        if known is None:
            known = {}
            if server:
                messages.acks_of_server = known
            else:
                messages.acks_of_client = known
        figures = known.get(event)
        if figures is None and len(known) < MAX_ACK_EVENTS:
            figures = known[event] = AckFigures()
        return figures

    # ------------------------------------------------------------------ acknowledgements of no event

    def _note_id(self, server: bool, namespace: str, id: int) -> None:
        highest = self._highest
        if highest is None:
            highest = self._highest = {}
        key = server, namespace
        if id > highest.get(key, -1) and (key in highest or len(highest) < 2 * MAX_NAMESPACES_WITH_IDS):
            highest[key] = id

    def _stray(self, packet: SioPacket, server: bool, namespace: str, id: int) -> None:
        place = packet.place
        strays, stray = self._strays(packet), StrayAck(place, namespace, id, None)
        highest = self._highest
        if highest is not None and id <= highest.get((server, namespace), -1):
            strays.again.add(stray, place.ts_ns)
        else:
            strays.unasked.add(stray, place.ts_ns)

    def _strays(self, packet: SioPacket) -> StrayAcks:
        known = self._messages.strays
        if known is None:
            known = self._messages.strays = [None, None]
        way = 1 if packet.side is SERVER else 0
        strays = known[way]
        if strays is None:
            strays = known[way] = StrayAcks()
        return strays

    # ------------------------------------------------------------------ events that are sent again

    def _compare(self, ask: Ask, namespace: str) -> None:
        """Whether a client sends what it has just sent, or what the session before this one left without an answer:
        socket.io-client does so by its option `retries`, one event after the other, each with an id of its own."""
        before, place = self._last, ask.place
        self._last = ask
        first: PacketRef | None = None
        ended: PacketRef | None = None
        if before is not None and before.digest == ask.digest and not before.answered:
            if before.namespace == namespace:
                first = before.place
        else:
            resends = self._session.client.lost
            lost = resends.pop(ask.digest, None) if resends else None
            if lost is not None:
                first, ended = lost.place, lost.ended
        if first is None:
            return
        messages = self._messages
        if messages.resent is None:
            messages.resent = Tally()
        messages.resent.add(Resent(ask.event, first, place, ended), place.ts_ns)


def give_up(session: Session, ended: PacketRef) -> None:
    """A session ends: what its client asked in vain it may ask again in the next one."""
    waiting = session.messages.waiting
    if not waiting or session.forwarded:
        return
    client = session.client
    for key, ask in waiting.items():
        namespace = session.namespaces.get(key[1])
        joined = namespace.connected if namespace is not None else None
        if key[0] or not ask.digest or joined is None or ask.place.ts_ns - joined.ts_ns < _JOINING_NS:
            continue
        if client.lost is None:
            client.lost = {}
        client.lost[ask.digest] = Lost(ask.event, ask.place, ended)
        if len(client.lost) > MAX_LOST:
            del client.lost[next(iter(client.lost))]
