"""Words and figures on events that several rules need."""

from typing import Final

from eiosniff.model.provenance import Side
from eiosniff.model.session import Namespace, Session

_NAME_SHOWN: Final = 40
# An Ethernet or Wi-Fi header is not counted, nor are the options of TCP: what is spent at least.
_IPV4_AND_TCP: Final = 40
_IPV6_AND_TCP: Final = 60
# RFC 6455, section 5.2, of a message below 126 bytes; a client masks what it sends.
_FRAME_HEADER: Final = (6, 2)
MESSAGE_AND_EVENT: Final = 2  # the types of Engine.IO and Socket.IO, "42"


def named(event: str) -> str:
    """The name of an event, in quotation marks."""
    return f'"{event[:_NAME_SHOWN]}{"..." if len(event) > _NAME_SHOWN else ""}"'


def events_of(session: Session, side: Side) -> int:
    """How many events a side sent."""
    counts = session.socketio_counts[side]
    return counts.get("EVENT", 0) + counts.get("BINARY_EVENT", 0)


def is_joined(namespace: Namespace | None, session: Session) -> bool:
    """Whether the server has let the client into a namespace, as far as the capture shows it."""
    return session.midstream or (namespace is not None and namespace.connected is not None)


def header_bytes(address: str) -> int:
    """The least that IP and TCP add to a packet."""
    return _IPV6_AND_TCP if ":" in address else _IPV4_AND_TCP


def frame_bytes(side: Side) -> int:
    """What WebSocket and the packet types add to a small message of a side."""
    return _FRAME_HEADER[side] + MESSAGE_AND_EVENT


def share(part: float, whole: float) -> str:
    """A part of a whole, in percent."""
    return f"{100 * part / max(whole, 1):.0f} %"
