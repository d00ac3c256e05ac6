"""Keeps of each session what it said, in short: to be compared with the same session as another capture has it."""

from typing import Final

from eiosniff.model.crossing import MAX_LABEL, MAX_OF_A_PATH, MAX_PASSAGES, Path, Trail
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import EioType
from eiosniff.model.session import Session
from eiosniff.model.socketio import SioType

_EIO_LABELS: Final = {int(kind): kind.name for kind in EioType}
_SIO_LABELS: Final = {int(kind): kind.name for kind in SioType}
_MAX_SESSIONS: Final = 10_000


class Trails:
    """The trails of the sessions of one capture, by the index of the session. `take` is a listener of the stack."""

    def __init__(self) -> None:
        self.trails: dict[int, Trail] = {}
        self._left = MAX_PASSAGES

    def take(self, packet: DecodedPacket) -> None:
        """The next packet of Engine.IO."""
        index, sid = packet.session, packet.sid
        if index is None or not sid or packet.engineio.type < 0:
            return
        trail = self.trails.get(index)
        if trail is None:
            if len(self.trails) >= _MAX_SESSIONS:
                return
            trail = self.trails[index] = Trail(sid)
        engineio = packet.engineio
        key = engineio.transport, engineio.side
        path = trail.paths.get(key)
        if path is None:
            path = trail.paths[key] = Path()
        place = packet.completed
        if path.cut_ns is not None:
            return
        if self._left <= 0 or len(path.labels) >= MAX_OF_A_PATH:
            path.cut_ns = place.ts_ns
            return
        self._left -= 1
        path.numbers.append(place.number)
        path.times.append(place.ts_ns)
        path.digests.append(_digest(packet))
        path.labels.append(_label(packet))

    def settle(self, session: Session) -> None:
        """The ledger of a session is filled as far as it will ever be."""
        trail = self.trails.get(session.index)
        if trail is not None:
            trail.session = session


def _digest(packet: DecodedPacket) -> int:
    engineio, socketio = packet.engineio, packet.socketio
    content = hash((engineio.type, engineio.binary, engineio.data))
    if socketio is not None:
        for attachment in socketio.attachments:
            content = hash((content, attachment))
    return content


def _label(packet: DecodedPacket) -> str:
    socketio = packet.socketio
    if socketio is None:
        return _EIO_LABELS.get(packet.engineio.type, "packet")
    label = _SIO_LABELS.get(int(socketio.type), "packet")
    if socketio.event is not None:
        return f'{label} "{socketio.event[:MAX_LABEL]}"'
    return f"{label} {socketio.id}" if socketio.id is not None else label
