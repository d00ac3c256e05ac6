"""Who ended a WebSocket of which a HAR tells only when it ended, and not by whom."""

from collections.abc import Sequence

from eiosniff.model.provenance import CLIENT, SERVER, PacketRef, Side
from eiosniff.model.session import Session
from eiosniff.model.tally import NS_PER_MS


def who(session: Session, goodbyes: Sequence[PacketRef | None], place: PacketRef) -> Side:
    """The side that most likely ended the WebSocket of a session at a place.

    Whoever says goodbye ends it, and the other side then is the one that only hangs up. A client of Engine.IO gives up
    when it heard nothing for pingInterval and pingTimeout together (engine.io-client, `onHeartbeat`), and else says
    goodbye first. All other ends come from the server, or from a proxy on its side.
    """
    if goodbyes[CLIENT] is not None:
        return SERVER
    if goodbyes[SERVER] is not None:
        return CLIENT
    handshake = session.handshake
    heard = session.last_from[SERVER] or session.opened
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return SERVER
    patience_ns = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * NS_PER_MS
    return CLIENT if place.ts_ns - heard.ts_ns >= patience_ns else SERVER
