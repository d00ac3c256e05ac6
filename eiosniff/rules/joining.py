"""Who joined which namespace, and what came of a packet that a server does not want: shared by the rules about that."""

from eiosniff.model.finding import Evidence
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Namespace, Session
from eiosniff.rules.api import evidence
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, closing_words, in_ms

# What the libraries say by themselves when a namespace does not exist: socket.io, netty-socketio and others;
# python-socketio.
NOT_OF_THE_APPLICATION = ("Invalid namespace", "Unable to connect")


def closes_at(session: Session, place: PacketRef) -> Evidence | None:
    """The server's closing as evidence, if it follows a packet of the client at once."""
    closing = session.closing
    if closing is None or closing.side is not Side.SERVER:
        return None
    delay = closing.place.ts_ns - place.ts_ns
    if not 0 <= delay <= CLOSED_BECAUSE_NS:
        return None
    return evidence(closing.place, Side.SERVER, f"{closing_words(closing)}, {in_ms(delay)} later")


def ignored_words(session: Session, place: PacketRef) -> str:
    """What came of an event of the client that the server did not close for."""
    if session.observed_until_ns - place.ts_ns <= CLOSED_BECAUSE_NS:
        return "has done nothing about it yet when the session or the capture ends"
    return "ignores it: the event is lost"


def joins_another(session: Session, namespace: Namespace) -> bool:
    """Whether the client joins, or asks to join, another namespace than this one."""
    return any(
        other is not namespace and (other.connect is not None or other.connected is not None)
        for other in session.namespaces.values()
    )


def joined_names(session: Session, beside: Namespace) -> str:
    """The other namespaces that the server let the client join, as text; empty if there is none."""
    spaces = (namespace for namespace in session.namespaces.values() if namespace is not beside)
    names = [namespace.name for namespace in spaces if namespace.connected is not None]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def let_in_later(session: Session, namespace: Namespace) -> PacketRef | None:
    """The packet with which the server lets a client in that it had refused, in this session or a later one.

    A client that has several sessions at a time may be several behind one address: then another one may be let in.
    """
    refused, let_in, client = namespace.refused, namespace.let_in, session.client
    if refused is None:
        return None
    if let_in is not None and refused < let_in:
        return let_in
    joined = client.joined.get(namespace.name) if client.joined is not None and client.company is None else None
    return joined if joined is not None and refused < joined else None
