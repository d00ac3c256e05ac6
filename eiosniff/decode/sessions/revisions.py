"""Which Engine.IO revision a side of a session speaks, by what it says.

`EIO=` in the URL is what the client claims, and a server may take no notice of it. Each direction is read for itself,
so that a client and a server that disagree are both decoded.
"""

from typing import Final

from eiosniff.decode.sessions import heartbeat
from eiosniff.model.provenance import CLIENT, SERVER, Side
from eiosniff.model.session import Session

_CLAIMS: Final = ("1", "2", "3", "4")
_TYPE_BYTE: Final = b"\x04"


def revision_of(session: Session, side: Side) -> int:
    """The revision in which to read what a side says: what it showed, else what it claims, else the other side's, else
    4."""
    revision = session.revisions[side]
    if revision is not None:
        return revision
    claimed = session.claimed_eio
    claim = int(claimed) if claimed is not None and claimed in _CLAIMS else None
    if side is CLIENT and claim is not None:
        return claim
    return session.revisions[side.other] or claim or 4


def show(session: Session, side: Side, revision: int) -> None:
    """What a side says shows which revision it speaks, whatever its framing or the client's claim said."""
    pinger = session.pinger
    session.revisions[side] = revision
    if session.pinger is not pinger:
        heartbeat.turn(session)


def of_binary(session: Session, side: Side, payload: bytes) -> int:
    """The revision in which to read a binary message over WebSocket.

    Up to revision 3 its first byte is 4, the type of a message; whoever leaves it out speaks revision 4, unless other
    things that were said show the contrary. Where nothing was said that tells, as when the capture began late, the byte
    itself does: of other data one in 256 begins so. netty-socketio (to 2.0.x) writes it in revision 4 too; only there
    the Engine.IO sid is the Socket.IO id as well (PacketEncoder.java, AuthPacket.java).
    """
    revision = revision_of(session, side)
    typed = payload.startswith(_TYPE_BYTE)
    if session.claimed_eio is None and session.revisions[0] is None and session.revisions[1] is None:
        revision = 3
    if revision <= 3:
        if payload and not typed and session.revisions[side] is None:
            show(session, side, 4)
            return 4
    elif typed and side is SERVER and session.sid:
        for namespace in session.namespaces.values():
            if namespace.socket_id == session.sid:
                return 3
    return revision
