"""Connection state recovery: which sessions a server could recover, and what became of those that asked for it.

A server of socket.io 4.6 or later that has it on gives each client a `pid` in its CONNECT; the client sends it with the
offset of the last event when it comes back (Socket.IO documentation, "Connection state recovery"). The server finds the
state if it is the same process (or its adapter keeps the state outside), knows that the client was gone, and has kept
both the state and the event of that offset: for two minutes unless it is told otherwise (`maxDisconnectionDuration`).
"""

from typing import Final, final

from eiosniff.decode.sessions.sid_chains import counter_of
from eiosniff.model.departures import NotRecovered, Recovery, Unrecovered
from eiosniff.model.provenance import PacketRef
from eiosniff.model.session import Namespace, NamespaceState, Session
from eiosniff.model.tally import Tally

KEPT_NS: Final = 120_000_000_000  # by default
_MAX_OFFERS: Final = 10_000
_MAX_OFFERS_OF_SESSION: Final = 64


@final
class _Offer:
    """What the server could recover: a namespace of a session. Of one that was let go, only what its end was."""

    __slots__ = ("counter", "end_ns", "last", "last_event", "left", "namespace", "server", "session")

    def __init__(self, session: Session, namespace: Namespace) -> None:
        self.session: Session | None = session
        self.namespace: Namespace | None = namespace
        self.server = session.server
        self.counter = counter_of(session.sid or "")
        self.last: PacketRef | None = None
        self.last_event: PacketRef | None = None
        self.end_ns: int | None = None
        self.left = False

    def settle(self) -> None:
        """Take what is known of the session by now."""
        session, namespace = self.session, self.namespace
        if session is None or namespace is None:
            return
        self.last = session.last
        self.last_event = namespace.last_event
        self.end_ns = session.closing.place.ts_ns if session.closing is not None else None
        self.left = namespace.state is NamespaceState.DISCONNECTED


@final
class Recoveries:
    """Those of one capture, into the ledgers of its servers."""

    def __init__(self) -> None:
        self._offers: dict[str, _Offer] = {}  # by pid, the oldest first
        self._of_session: dict[Session, list[_Offer]] = {}

    def answered(self, session: Session, namespace: Namespace, asked: str | None, given: str | None) -> None:
        """The server lets a client in that asked with a `pid`, or gives it one."""
        if session.forwarded:
            return
        if asked is not None:
            self._note(session, namespace, self._offers.pop(asked, None), recovered=asked == given)
        if given is None:
            return
        offer = _Offer(session, namespace)
        self._offers[given] = offer
        offers = self._of_session.setdefault(session, [])
        offers.append(offer)
        if len(offers) > _MAX_OFFERS_OF_SESSION:
            self._let_go(offers.pop(0))
        if len(self._offers) > _MAX_OFFERS:
            del self._offers[next(iter(self._offers))]

    def forget(self, session: Session) -> None:
        """The ledger of a session is let go."""
        for offer in self._of_session.pop(session, ()):
            self._let_go(offer)

    @staticmethod
    def _let_go(offer: _Offer) -> None:
        offer.settle()
        offer.session = offer.namespace = None

    def _note(self, session: Session, namespace: Namespace, offer: _Offer | None, *, recovered: bool) -> None:
        asked, answer = namespace.recovery_asked, namespace.recovery_answer
        if offer is not None:
            offer.settle()
        if asked is None or answer is None or (offer is not None and offer.left and not recovered):
            return
        server = session.server
        ledger = server.recovery
        if ledger is None:
            ledger = server.recovery = Recovery()
        ledger.asked += 1
        if recovered:
            ledger.recovered += 1
            return
        away: int | None = None
        idle: int | None = None
        if offer is not None and offer.last is not None:
            away = asked.ts_ns - (offer.end_ns if offer.end_ns is not None else offer.last.ts_ns)
            idle = asked.ts_ns - offer.last_event.ts_ns if offer.last_event is not None else None
        lost = offer.last if offer is not None else None
        failure = Unrecovered(asked, answer, namespace.name, session.client.address, lost, away, idle)
        why = _why(session, namespace, offer, failure)
        ledger.failures.setdefault(why, Tally()).add(failure, asked.ts_ns)


def _why(session: Session, namespace: Namespace, offer: _Offer | None, failure: Unrecovered) -> NotRecovered:
    if not namespace.recovery_offset:
        return NotRecovered.NO_OFFSET
    if offer is None:
        return NotRecovered.UNKNOWN_SESSION
    counter = counter_of(session.sid or "")
    other_server = offer.server is not session.server
    if other_server or (counter is not None and offer.counter is not None and counter <= offer.counter):
        return NotRecovered.OTHER_PROCESS
    if max(failure.away_ns or 0, failure.idle_ns or 0) > KEPT_NS:
        return NotRecovered.TOO_LATE
    return NotRecovered.STILL_OPEN if offer.end_ns is None else NotRecovered.UNTOLD
