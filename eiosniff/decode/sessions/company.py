"""The sessions that one client has at the same time, into its ledger."""

from eiosniff.model.fleet import MAX_STAY_NAMESPACES, MAX_STAYS, Company, Stay
from eiosniff.model.peers import Client
from eiosniff.model.provenance import CLIENT
from eiosniff.model.session import NamespaceState, Session
from eiosniff.model.tally import NS_PER_MS, NS_PER_S

# A session over polling that nobody ends is over when its server takes the client for dead; that of socket.io 4.
_DEFAULT_SILENCE_NS = 45 * NS_PER_S


class CompanyTracker:
    """Follows the sessions of one client. Most clients have one at a time."""

    __slots__ = ("_alive", "_client", "_stays")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._alive: list[Session] = []
        self._stays: dict[Session, Stay] | None = None

    def opened(self, session: Session) -> None:
        """One more session begins."""
        if session.forwarded or session.socketio09 or session.proxied_for is not None:
            return
        now_ns = session.opened.ts_ns
        if self._alive:
            self._alive = [other for other in self._alive if _is_alive(other, now_ns)]
        if len(self._alive) >= MAX_STAYS:
            return  # a proxy, perhaps: who counts so many looks at each of them for each that comes
        self._alive.append(session)
        alive = len(self._alive)
        if alive == 1:
            return
        company = self._client.company = self._client.company or Company()
        company.peak = max(company.peak, alive)
        if alive == 2:
            self._add(company, self._alive[0], 1)
        self._add(company, session, alive)

    def _add(self, company: Company, session: Session, alive: int) -> None:
        stays = self._stays = self._stays or {}
        if session in stays or len(company.stays) >= MAX_STAYS:
            return
        stay = Stay(session.opened, alive)
        stays[session] = stay
        company.stays.append(stay)

    def retired(self, session: Session) -> None:
        """A session is let go: nothing may hold it any longer."""
        if session in self._alive:
            self._alive.remove(session)
        stay = self._stays.pop(session, None) if self._stays is not None else None
        if stay is not None:
            _settle(stay, session)

    def close(self) -> None:
        """The capture is over."""
        for session, stay in (self._stays or {}).items():
            _settle(stay, session)
        self._stays = None
        self._alive = []


def _is_alive(session: Session, now_ns: int) -> bool:
    if session.closing is not None:
        return False
    handshake = session.handshake
    patience_ns = _DEFAULT_SILENCE_NS
    if handshake is not None and handshake.ping_interval_ms is not None and handshake.ping_timeout_ms is not None:
        patience_ns = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * NS_PER_MS
    return now_ns - session.last.ts_ns <= patience_ns


def _settle(stay: Stay, session: Session) -> None:
    """The facts of a session that are known at its end."""
    closing = session.closing
    if closing is not None:
        stay.end, stay.by = closing.place, closing.side
    else:  # over polling a program that ends only drops the poll that waits
        cut = session.polls_cut.last
        if cut is not None and cut.by is CLIENT and not cut.end < session.last:
            stay.end, stay.by = cut.end, CLIENT
    if session.attempt is not None:
        stay.request = session.attempt.request
    stay.last = session.last
    stay.refused = len(session.refusals.first) > 0
    joined = [name for name, space in session.namespaces.items() if space.state is not NamespaceState.REFUSED]
    stay.namespaces = tuple(joined[:MAX_STAY_NAMESPACES])
