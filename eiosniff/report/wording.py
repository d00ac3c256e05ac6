"""Sessions in words, as more than one format writes them."""

from typing import Final

from eiosniff.model.engineio import EioType
from eiosniff.model.peers import Identity
from eiosniff.model.session import CloseHow, Closing, Session
from eiosniff.model.socketio import SioType

SOCKETIO_09: Final = 0.9  # what stands for it where a revision of Socket.IO is told

_PROTOCOL_ORDER = {
    name: place for place, name in enumerate([*(kind.label for kind in EioType), *(kind.name for kind in SioType)])
}


def in_protocol_order(counts: dict[str, int]) -> dict[str, int]:
    """Packet counts by the protocol's own numbering, names that it does not number behind."""
    return dict(sorted(counts.items(), key=lambda item: (_PROTOCOL_ORDER.get(item[0], len(_PROTOCOL_ORDER)), item[0])))


def versions(session: Session) -> tuple[int | None, int | float | None]:
    """The revisions of Engine.IO and of Socket.IO that a session speaks; Socket.IO 0.9 has no Engine.IO."""
    return (None, SOCKETIO_09) if session.socketio09 else (session.engineio, session.socketio)


def revisions(session: Session) -> str:
    """The same for a column: `4/5`, `?/-`."""
    engineio, socketio = versions(session)
    return f"{engineio or ('-' if session.socketio09 else '?')}/{socketio or '-'}"


def packets_of(session: Session) -> int:
    """How many packets it has. Of 0.9 what was said are Socket.IO packets; of the others those are part of Engine.IO
    packets."""
    counts = session.socketio_counts if session.socketio09 else session.engineio_counts
    return sum(sum(side.values()) for side in counts)


def close_reason(closing: Closing) -> str:
    """How a session ended, in a few words; the reason that a close frame gives is quoted as sent."""
    how: str = closing.how.value
    if closing.how in (CloseHow.WS_CLOSE, CloseHow.WT_CLOSE):
        code = "no status code" if closing.code is None else f"code {closing.code}"
        reason = f' "{closing.reason}"' if closing.reason else ""
        return f"{how}, {code}{reason}"
    if closing.how in (CloseHow.FIN, CloseHow.RST):
        return f"{how} {'after' if closing.after_goodbye else 'without'} a goodbye"
    return how


def transports(session: Session) -> str:
    """What carried it, in order."""
    return "→".join(transport.value for transport in session.transports) or "?"


def lasted_ns(session: Session) -> int:
    """How long it lasted, as far as the capture shows."""
    end = session.closing.place if session.closing else session.last
    return max(0, end.ts_ns - session.opened.ts_ns)


_SHORT: Final = {
    CloseHow.EIO_CLOSE: "EIO close",
    CloseHow.WS_CLOSE: "WS close",
    CloseHow.WT_CLOSE: "WT close",
    CloseHow.FIN: "FIN",
    CloseHow.RST: "RST",
    CloseHow.DISCONNECT: "disconnect",
    CloseHow.UNSEEN: "WS end",
}


def end_words(session: Session) -> str:
    """Who ended it and how, for a column."""
    closing = session.closing
    if closing is None:
        return "still open"
    code = f" {closing.code}" if closing.code is not None else ""
    return f"{closing.side.label}, {_SHORT[closing.how]}{code}"


def library(identity: Identity | None) -> str:
    """The library of a peer with what is known of its version, empty when it was not recognised."""
    if identity is None:
        return ""
    return f"{identity.name} {identity.version}".strip()
