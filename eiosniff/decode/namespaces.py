"""What CONNECT and CONNECT_ERROR say of a namespace, into its ledger."""

from typing import Final

from eiosniff.decode.socketio import connect_details, error_message
from eiosniff.model.session import MAX_NAME, Namespace, NamespaceState
from eiosniff.model.socketio import SioPacket

_MAX_KEYS: Final = 32
_REFUSAL_LENGTH: Final = 300
_QUOTED: Final = 80


def ask(namespace: Namespace, packet: SioPacket) -> str | None:
    """The client asks to join; returns the `pid` with which it asks for the state of an earlier session, if it does.

    Up to revision 4 there is no auth object; what identifies the client is in the query behind the namespace then.
    """
    place = packet.place
    namespace.connects += 1
    namespace.connect = namespace.connect or place
    if namespace.state is not NamespaceState.CONNECTED:
        namespace.state = NamespaceState.CONNECTING
    details = connect_details(packet.data)
    if not namespace.auth_keys:
        keys = details.keys or tuple(pair.partition("=")[0] for pair in packet.query.split("&")[:_MAX_KEYS] if pair)
        namespace.auth_keys = tuple(key[:MAX_NAME] for key in keys)
    if details.pid is not None:
        namespace.recovery_asked = namespace.recovery_asked or place
        namespace.recovery_offset = details.offset is not None
    return details.pid


def join(namespace: Namespace, packet: SioPacket, asked_pid: str | None) -> bool:
    """The server lets the client join; `asked_pid` is what it asked with. Returns whether it has an id there.

    It is recovered if the `pid` is the one that it asked with: so decides socket.io-client, and socket.io repeats it
    with the socket id and gives both anew otherwise. What it missed came before this packet.
    """
    place = packet.place
    namespace.connected = namespace.connected or place
    namespace.state = NamespaceState.CONNECTED
    details = connect_details(packet.data)
    if details.sid:
        namespace.socket_id = details.sid[:MAX_NAME]
    if details.pid is not None:
        namespace.recovery_offered = namespace.recovery_offered or place
    if asked_pid is not None:
        namespace.recovery_answer = place
        namespace.recovered = details.pid == asked_pid
    return details.sid is not None


def refuse(namespace: Namespace, packet: SioPacket) -> None:
    """The server does not let the client join."""
    if namespace.state is NamespaceState.CONNECTED:
        return  # an ERROR of revision 4, or python-socketio on a second CONNECT: the client is in all the same
    namespace.state = NamespaceState.REFUSED
    namespace.refused = namespace.refused or packet.place
    beginning = packet.data[:_QUOTED].decode("utf-8", "replace")
    namespace.refusal = namespace.refusal or error_message(packet.data)[:_REFUSAL_LENGTH] or beginning
