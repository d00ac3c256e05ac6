"""What is said about a namespace of a session, and the first events in it, into its ledger."""

from typing import Final

from eiosniff.decode.sessions import heartbeat
from eiosniff.decode.socketio.packets import connect_details, error_message
from eiosniff.model.departures import Kick
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import MAX_NAME, MAX_NAMESPACES, Namespace, NamespaceState, Session
from eiosniff.model.socketio import SioPacket
from eiosniff.model.tally import Tally

_MAX_KEYS: Final = 32
_REFUSAL_LENGTH: Final = 300
_QUOTED: Final = 80
# What python-socketio says when it has no such namespace, or a client joins again.
UNABLE: Final = "Unable to connect"
# What @socket.io/admin-ui (0.1 to 0.5) and the one of python-socketio send as soon as a client joins, and every two
# seconds, with a field that others have no use for: the names alone are such as applications use.
_ADMIN_EVENTS: Final = {"config": b'"supportedFeatures"', "server_stats": b'"serverId"'}
LOOKED_AT: Final = 8
_JUST_NOW_NS: Final = 20_000_000

_CONNECTED: Final = NamespaceState.CONNECTED
_CONNECTING: Final = NamespaceState.CONNECTING
_DISCONNECTED: Final = NamespaceState.DISCONNECTED


def ask(namespace: Namespace, packet: SioPacket) -> str | None:
    """The client asks to join; returns the `pid` with which it asks for the state of an earlier session, if it does.

    Up to revision 4 there is no auth object; what identifies the client is in the query behind the namespace then.
    """
    place = packet.place
    state = namespace.state
    # The first one is none too many where the server had let the client in unasked.
    if namespace.doubled is None and namespace.connects > 0 and _is_doubled(namespace, place):
        namespace.doubled = place
    if namespace.kick is not None and namespace.kick.back is None:
        namespace.kick.back = place
    namespace.connects += 1
    namespace.connect = namespace.connect or place
    if state is not _CONNECTED:
        namespace.state = _CONNECTING
    details = connect_details(packet.data)
    if not namespace.auth_keys:
        keys = details.keys or tuple(pair.partition("=")[0] for pair in packet.query.split("&")[:_MAX_KEYS] if pair)
        namespace.auth_keys = tuple(key[:MAX_NAME] for key in keys)
        namespace.auth_in_query = not details.keys and len(keys) > 0
    if details.pid is not None:
        namespace.recovery_asked = namespace.recovery_asked or place
        namespace.recovery_offset = details.offset is not None
    return details.pid[:MAX_NAME] if details.pid is not None else None


def _is_doubled(namespace: Namespace, place: PacketRef) -> bool:
    """Whether the client is in, has asked already, or left only just now: Node reads both before it acts."""
    left = namespace.disconnected
    if namespace.state is _DISCONNECTED and left is not None and namespace.disconnected_by is Side.CLIENT:
        return place.ts_ns - left.ts_ns <= _JUST_NOW_NS
    return namespace.state is _CONNECTED or namespace.state is _CONNECTING


def join(namespace: Namespace, packet: SioPacket, asked_pid: str | None) -> str | None:
    """The server lets the client join; `asked_pid` is what it asked with. Returns the `pid` that the client has now.

    It is recovered if the `pid` is the one that it asked with: so decides socket.io-client, and socket.io repeats it
    with the socket id and gives both anew otherwise. What it missed came before this packet.
    """
    place = packet.place
    if namespace.state is _CONNECTED and namespace.doubled is not None:
        namespace.double_answer = namespace.double_answer or place
    namespace.connected = namespace.connected or place
    namespace.let_in = place
    namespace.state = _CONNECTED
    details = connect_details(packet.data)
    namespace.socket_id = details.sid[:MAX_NAME] if details.sid else namespace.socket_id
    pid = details.pid[:MAX_NAME] if details.pid is not None else None
    if pid is not None:
        namespace.recovery_offered = namespace.recovery_offered or place
    if asked_pid is not None:
        namespace.recovery_answer = place
        namespace.recovered = pid == asked_pid
    return pid


def note_joined(session: Session, name: str, place: PacketRef) -> None:
    """The server lets the client join, whatever came of it in other sessions."""
    if session.forwarded:
        return
    client = session.client
    if client.joined is None:
        client.joined = {}
    if name in client.joined or len(client.joined) < MAX_NAMESPACES:
        client.joined[name] = place


def refuse(namespace: Namespace, packet: SioPacket) -> None:
    """The server does not let the client join."""
    message = error_message(packet.data)
    is_in = namespace.state is _CONNECTED
    # python-socketio refuses the second CONNECT, maybe before it lets the first one in.
    if namespace.doubled is not None and namespace.double_answer is None and (is_in or message == UNABLE):
        namespace.double_answer = packet.place
        namespace.double_refused = True
        return
    if is_in:
        return  # an ERROR of revision 4, of a middleware for packets: the client is in all the same
    namespace.state = NamespaceState.REFUSED
    namespace.refused = namespace.refused or packet.place
    beginning = packet.data[:_QUOTED].decode("utf-8", "replace")
    namespace.refusal = namespace.refusal or message[:_REFUSAL_LENGTH] or beginning


def leave(session: Session, namespace: Namespace, side: Side, place: PacketRef) -> None:
    """A side ends the client's stay in a namespace."""
    closing = session.closing
    # A server that has not seen yet that the client is gone may say goodbye to it: that throws nobody out.
    gone = closing is not None and closing.side is Side.CLIENT
    if side is Side.SERVER and namespace.state is _CONNECTED and not gone and not session.forwarded:
        pending = session.heartbeats.pending
        overdue = pending is not None or (session.pinger is Side.CLIENT and heartbeat.is_due(session, place))
        others = (other.state for other in session.namespaces.values() if other is not namespace)
        kick = Kick(place, namespace.name, namespace.let_in, overdue=overdue, alone=_CONNECTED not in others)
        namespace.kick = kick
        client = session.client
        if client.kicks is None:
            client.kicks = Tally()
        client.kicks.add(kick, place.ts_ns)
    namespace.state = _DISCONNECTED
    namespace.disconnected = place
    namespace.disconnected_by = side


def client_event(namespace: Namespace, place: PacketRef) -> None:
    """The client sends an event in a namespace that it is not in, or not yet."""
    if namespace.connected is None and namespace.refused is None:
        namespace.early_events.add(place, place.ts_ns)
    elif namespace.state is not _CONNECTING:
        if namespace.outside_events is None:
            namespace.outside_events = Tally()
        namespace.outside_events.add(place, place.ts_ns)


def server_event(namespace: Namespace, packet: SioPacket) -> None:
    """One of the first events of a server in a namespace."""
    field = _ADMIN_EVENTS.get(packet.event or "")
    if field is not None and packet.data.find(field) >= 0:
        namespace.admin_event = namespace.admin_event or packet.place
