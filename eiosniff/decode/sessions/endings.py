"""How one session ends: who says goodbye, and what ended it first."""

from collections.abc import Callable
from typing import final

from eiosniff.decode.conversation import Conversation
from eiosniff.decode.sessions import acks, fleet, heartbeat
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import Beat, CloseHow, Closing, NamespaceState, Session

# Asks TCP for the acknowledgement of a ping or an end: (connection, stream offset after it, the ping or the end).
Watcher = Callable[[Conversation, int, Beat | Closing], None]


@final
class Ending:
    """The end of a session, into its ledger. `goodbyes` are those of each side, until the client joins anew."""

    __slots__ = ("_changed", "_session", "_watch", "goodbyes")

    def __init__(self, session: Session, watch: Watcher, changed: set[Session] | None) -> None:
        self._session = session
        self._watch = watch
        self._changed = changed
        self.goodbyes: list[PacketRef | None] = [None, None]

    def close(self, closing: Closing, conversation: Conversation | None = None, end: int = 0) -> None:
        """Record how the session ended, if that is not known yet; `end` is the stream offset after what ended it."""
        session = self._session
        if session.closing is not None:
            return
        if conversation is not None and heartbeat.is_due(session, closing.place):
            self._watch(conversation, end, closing)
        side = closing.side
        said = self.goodbyes[side.other]
        if self.goodbyes[side] is not None:
            closing.after_goodbye = True
        elif said is not None:  # a peer that only answers a goodbye with its FIN did not end the session
            closing = Closing(side.other, CloseHow.DISCONNECT, said, after_goodbye=True)
        session.closing = closing
        if self._changed is not None:
            self._changed.add(session)
        fleet.ended(session, closing)
        acks.give_up(session, closing.place)

    def goodbye(self, side: Side, place: PacketRef) -> None:
        """A side says that it leaves."""
        self.goodbyes[side] = place
        closing = self._session.closing
        if closing is not None and closing.side is side:  # python-socketio says it after its close frame
            closing.after_goodbye = True

    def left(self, side: Side, place: PacketRef) -> None:
        """A namespace is left; a side that leaves the last one has said goodbye."""
        if all(other.state is not NamespaceState.CONNECTED for other in self._session.namespaces.values()):
            self.goodbye(side, place)

    def joins(self) -> None:
        """The client asks to join a namespace: whatever goodbye was said before is not the last word."""
        self.goodbyes = [None, None]
