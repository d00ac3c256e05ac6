"""Which events of a session ask for an ACK, whether it comes, and how long it takes.

The id of an event says that it wants an ACK, and the ACK repeats it; ids belong to a namespace and to the side that
asks (Socket.IO protocol, "Acknowledgement"). Clients count them up from 0 in each session; socket.io counts those of a
server up for each namespace, over all clients (4.8, lib/socket.ts).
"""

from typing import Final, final
from zlib import crc32

from eiosniff.model.messages import AckFigures, Ask, Lost, MessageFigures, Resent, StrayAck, StrayAcks, Unanswered
from eiosniff.model.provenance import SERVER, PacketRef
from eiosniff.model.session import MAX_NAME, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import NS_PER_S, Tally

MAX_PENDING_ACKS: Final = 1024
MAX_ACK_EVENTS: Final = 64  # names, for each side
MAX_ANSWERED: Final = 8  # the last ones: a second acknowledgement follows soon
MAX_ACKNOWLEDGED: Final = 32  # events by what they say
MAX_LOST: Final = 64  # events without an acknowledgement, of all sessions of a client that ended, for each side
_DIGESTED: Final = 4096  # bytes of an event; of a longer one, its length too
# Who sends an event again gives the first one some time; what is said twice sooner is meant to be.
_LEAST_TIMEOUT_NS: Final = 500_000_000
# What a client sends as soon as it has joined it says in every session: a login, a room to enter.
_JOINING_NS: Final = NS_PER_S


@final
class Acks:
    """The acknowledgements of a session, into its ledger.

    `_answered` are the events that were acknowledged last, by whether the server asked, namespace and id; `_last` is
    the event of the client that asked last.
    """

    __slots__ = ("_answered", "_last", "_messages", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._messages: MessageFigures = session.messages
        self._answered: dict[tuple[bool, str, int], PacketRef] | None = None
        self._last: Ask | None = None

    def asked(self, packet: SioPacket, id: int) -> None:
        """An event asks for an acknowledgement."""
        messages, server = self._messages, packet.side is SERVER
        waiting = messages.waiting
        if waiting is None:
            waiting = messages.waiting = {}
        namespace, event = packet.namespace[:MAX_NAME], (packet.event or "")[:MAX_NAME]
        figures = self._figures(server, event)
        if figures is not None:
            figures.asked += 1
        digest = 0
        if not server and not packet.attachments_expected:
            digest = crc32(packet.data[:_DIGESTED]) ^ (len(packet.data) << 32)
            if messages.acknowledged is not None and digest in messages.acknowledged:
                messages.acknowledged[digest] = True
                digest = 0  # the client says it again and again, acknowledged or not
                self._last = None
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
        if digest:
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
            self._stray(packet, key)
            return
        if ask.more:
            stray = StrayAck(packet.place, namespace, id, ask.place)
            self._strays(packet).ambiguous.add(stray, packet.place.ts_ns)
            ask.more -= 1
            return
        ask.answered = True
        del waiting[key]
        answered = self._answered
        if answered is None:
            answered = self._answered = {}
        answered[key] = ask.place
        if len(answered) > MAX_ANSWERED:
            del answered[next(iter(answered))]
        if ask.digest:
            acknowledged = messages.acknowledged
            if acknowledged is None:
                acknowledged = messages.acknowledged = {}
            acknowledged[ask.digest] = acknowledged.get(ask.digest, False)
            if len(acknowledged) > MAX_ACKNOWLEDGED:
                del acknowledged[next(iter(acknowledged))]
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

    def _stray(self, packet: SioPacket, key: tuple[bool, str, int]) -> None:
        place = packet.place
        asked = self._answered.get(key) if self._answered is not None else None
        strays = self._strays(packet)
        if asked is not None:
            strays.again.add(StrayAck(place, key[1], key[2], asked), place.ts_ns)
            return
        before = self._session.client.unanswered
        lost = before.by_server.pop((key[1], key[2]), None) if before is not None and key[0] else None
        if lost is not None:
            strays.late.add(StrayAck(place, key[1], key[2], lost.place), place.ts_ns)
        else:
            strays.unasked.add(StrayAck(place, key[1], key[2], None), place.ts_ns)

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
            if before.namespace == namespace and place.ts_ns - before.place.ts_ns >= _LEAST_TIMEOUT_NS:
                first = before.place
        else:
            unanswered = self._session.client.unanswered
            lost = unanswered.by_client.pop(ask.digest, None) if unanswered is not None else None
            if lost is not None:
                first, ended = lost.place, lost.ended
        if first is None:
            return
        messages = self._messages
        if messages.resent is None:
            messages.resent = Tally()
        messages.resent.add(Resent(ask.event, ask.digest, first, place, ended), place.ts_ns)


def give_up(session: Session, ended: PacketRef) -> None:
    """A session ends: what it leaves without an answer may be asked, or answered, in the client's next one."""
    waiting = session.messages.waiting
    if not waiting or session.forwarded:
        return
    client = session.client
    if client.unanswered is None:
        client.unanswered = Unanswered()
    by_client, by_server = client.unanswered.by_client, client.unanswered.by_server
    for key, ask in waiting.items():
        lost = Lost(ask.event, ask.place, ended)
        if key[0]:
            by_server[key[1], key[2]] = lost
            if len(by_server) > MAX_LOST:
                del by_server[next(iter(by_server))]
            continue
        namespace = session.namespaces.get(key[1])
        joined = namespace.connected if namespace is not None else None
        if ask.digest and joined is not None and ask.place.ts_ns - joined.ts_ns >= _JOINING_NS:
            by_client[ask.digest] = lost
            if len(by_client) > MAX_LOST:
                del by_client[next(iter(by_client))]
