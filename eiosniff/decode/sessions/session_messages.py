"""The Socket.IO packets of one session, whole and in order, into its ledger."""

from typing import Final, final

from eiosniff.decode.sessions import namespaces, revisions
from eiosniff.decode.sessions.acks import Acks
from eiosniff.decode.sessions.endings import Ending
from eiosniff.decode.sessions.frames import note_event
from eiosniff.decode.sessions.message_figures import Figures
from eiosniff.decode.sessions.recoveries import Recoveries
from eiosniff.decode.socketio.packets import ACK_OF_REVISION_3
from eiosniff.model.engineio import EioPacket, Transport
from eiosniff.model.provenance import CLIENT, SERVER
from eiosniff.model.session import MAX_NAME, MAX_NAMESPACES, Namespace, NamespaceState, Session
from eiosniff.model.socketio import Parser, SioPacket, SioType

_LABELS: Final = [kind.name for kind in SioType]
_CONNECT: Final = int(SioType.CONNECT)
_EVENT: Final = int(SioType.EVENT)
_ACK: Final = int(SioType.ACK)
_BINARY_EVENT: Final = int(SioType.BINARY_EVENT)
_BINARY_ACK: Final = int(SioType.BINARY_ACK)
_CONNECTED: Final = NamespaceState.CONNECTED


@final
class Messages:
    """What is said in the namespaces of a session. `recoveries` are those of the capture, None where nobody counts."""

    __slots__ = ("_asked_pids", "_ending", "_figures", "_session", "acks", "recoveries")

    def __init__(self, session: Session, ending: Ending) -> None:
        self._session = session
        self._ending = ending
        self._asked_pids: dict[str, str] = {}  # until the server answers; by namespace
        self.acks = Acks(session)
        self.recoveries: Recoveries | None = None
        self._figures = Figures(session)

    def take(self, packet: SioPacket, carrier: EioPacket) -> None:
        """Take one packet; `carrier` is the message that it came in, or that began it."""
        label = _LABELS[packet.type]
        counts = self._session.socketio_counts[packet.side]
        known = counts.get(label)
        if known is None:
            self._first_of_its_kind(packet, carrier)
            known = 0
        counts[label] = known + 1
        kind = packet.type
        if kind in (_EVENT, _BINARY_EVENT):
            self.event(packet, carrier.transport)
        elif kind in (_ACK, _BINARY_ACK):
            self.acks.answered(packet)
        else:
            self._namespace_packet(packet)

    def _first_of_its_kind(self, packet: SioPacket, carrier: EioPacket) -> None:
        session, side = self._session, packet.side
        if session.parsers[side] is None:
            session.parsers[side] = Parser.DEFAULT
        if packet.type == _ACK and ACK_OF_REVISION_3.match(carrier.data) and not carrier.binary:
            session.socketio_shown = 3

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that name, a new one if need be; None if there are too many."""
        known = self._session.namespaces
        name = name[:MAX_NAME]
        namespace = known.get(name)
        if namespace is None and len(known) < MAX_NAMESPACES:
            namespace = known[name] = Namespace(name)
        return namespace

    def event(self, packet: SioPacket, transport: Transport | None = None) -> None:
        """Take an event; `transport` is None in Socket.IO 0.9, where nobody asks for more figures."""
        note_event(self._session.frames, packet)
        namespace = self.namespace(packet.namespace)
        if namespace is not None:
            namespace.events += 1
            if packet.side is SERVER:
                namespace.last_event = packet.place
                if namespace.events <= namespaces.LOOKED_AT:
                    namespaces.server_event(namespace, packet)
            elif namespace.state is not _CONNECTED:
                namespaces.client_event(namespace, packet.place)
        if transport is not None:
            self._figures.event(packet, transport)
        if packet.id is not None:
            self.acks.asked(packet, packet.id)

    def _namespace_packet(self, packet: SioPacket) -> None:
        namespace = self.namespace(packet.namespace)
        if namespace is None:
            return
        session, side, place = self._session, packet.side, packet.place
        if packet.type == _CONNECT and side is CLIENT:
            self._ending.joins()
            pid = namespaces.ask(namespace, packet)
            if pid is not None:
                self._asked_pids[namespace.name] = pid
        elif packet.type == _CONNECT:
            if namespace.connect is None and not session.midstream:
                namespace.unasked = True
            asked_pid = self._asked_pids.pop(namespace.name, None) if self._asked_pids else None
            pid = namespaces.join(namespace, packet, asked_pid)
            namespaces.note_joined(session, namespace.name, place)
            if self.recoveries is not None and (pid is not None or asked_pid is not None):
                self.recoveries.answered(session, namespace, asked_pid, pid)
            has_id = namespace.socket_id is not None
            if session.socketio_shown is None:
                session.socketio_shown = 5 if has_id else 4
            if session.revisions[side] is None:
                if not has_id:
                    revisions.show(session, side, 3)  # only Socket.IO 5 gives an id with it
                elif session.claimed_eio is None and session.midstream:
                    revisions.show(session, side, 4)
        elif packet.type == SioType.CONNECT_ERROR:
            if side is SERVER:  # a client has nothing to refuse
                namespaces.refuse(namespace, packet)
        elif packet.type == SioType.DISCONNECT:
            namespaces.leave(session, namespace, side, place)
            self._ending.left(side, place)
