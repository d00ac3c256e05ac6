"""Which sessions were opened, went on over WebSocket, and ended since somebody asked last."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Session
from eiosniff.report.figures import counted, duration
from eiosniff.report.wording import close_reason, lasted_ns, packets_of

# What one packet brings about is told in this order. What no packet shows comes after all that one does.
_RANK = {EventKind.SESSION_OPENED: 0, EventKind.SESSION_UPGRADED: 1, EventKind.SESSION_CLOSED: 2}
_Order = tuple[int, int, int]


@dataclass(slots=True)
class _Told:
    """What was told of a session: the number of the packet that upgraded it, and whether it ended."""

    upgraded: int = 0
    closed: bool = False


class SessionTracker:
    """Turns the sessions that changed (see `Stack`) into events, in the order of the packets that show them.

    `open` is how many are open. It looks at no other sessions than those that it is given, and knows those in memory.
    """

    def __init__(self) -> None:
        self.open = 0
        self._told: dict[Session, _Told] = {}

    def update(self, changed: set[Session], gone: Iterable[Session] = ()) -> list[LiveEvent]:
        """What has happened; empties `changed`. `gone` are the sessions that were let go (see `Analysis.fold`).

        One that was seen behind a proxy is no session of its own, until it shows that nothing is in front of it.
        """
        found: list[tuple[_Order, LiveEvent]] = []
        for session in changed:
            if not session.forwarded:
                found.extend((_order(event, session), event) for event in self._news(session))
        changed.clear()
        found.sort(key=itemgetter(0))
        events = [event for _, event in found]
        for session in gone:
            told = self._told.pop(session, None)
            if told is not None and not told.closed:
                self.open -= 1
                events.append(_silent(session))
        return events

    def _news(self, session: Session) -> Iterator[LiveEvent]:
        told = self._told.get(session)
        closing, upgraded = session.closing, session.upgraded
        if told is None:
            told = self._told[session] = _Told()
            self.open += 1
            yield _event(EventKind.SESSION_OPENED, session, session.opened, _opening(session))
        elif told.closed and closing is None:
            told.closed = False
            self.open += 1
            yield _event(EventKind.SESSION_OPENED, session, session.last, "goes on over another connection")
        if upgraded is not None and upgraded.number != told.upgraded:
            told.upgraded = upgraded.number
            after = duration(max(0, upgraded.ts_ns - session.opened.ts_ns))
            yield _event(EventKind.SESSION_UPGRADED, session, upgraded, f"goes on over WebSocket, after {after}")
        if closing is not None and not told.closed:
            told.closed = True
            self.open -= 1
            text = f"closed by the {closing.side.label}: {close_reason(closing)}{_life(session)}"
            yield _event(EventKind.SESSION_CLOSED, session, closing.place, text)


def _event(kind: EventKind, session: Session, place: PacketRef, text: str) -> LiveEvent:
    return LiveEvent(kind, place.ts_ns, text, place.number, session)


def _order(event: LiveEvent, session: Session) -> _Order:
    return event.packet, _RANK[event.kind], session.index


def _opening(session: Session) -> str:
    over = f" over {session.transports[0].value}" if session.transports else ""
    if session.midstream:
        return f"began before the capture, goes on{over}"
    return f"opened{over}{', Socket.IO 0.9' if session.socketio09 else ''}"


def _life(session: Session) -> str:
    """How long it lasted and how much was said, as the end of a sentence."""
    least = "more than " if session.midstream else ""
    return f", after {least}{duration(lasted_ns(session))}, {counted(packets_of(session), 'packet')}"


def _silent(session: Session) -> LiveEvent:
    """A session without an end, which is too silent to be alive."""
    silent = duration(max(0, session.observed_until_ns - session.last.ts_ns))
    text = f"silent for {silent}, no longer followed; nothing shows its end{_life(session)}"
    return LiveEvent(EventKind.SESSION_CLOSED, session.observed_until_ns, text, 0, session)
