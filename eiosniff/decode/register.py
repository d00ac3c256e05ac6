"""The sessions in memory: those that are alive, and the newest of the others; and which are hops of each other."""

from collections import OrderedDict

from eiosniff.decode import fleet, payload_facts
from eiosniff.decode.peers import Peers, Retire
from eiosniff.decode.roster import Roster, Standing
from eiosniff.decode.session_packets import SessionState
from eiosniff.model.peers import Retired
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import Session
from eiosniff.model.tally import NS_PER_MS, NS_PER_S

# How long a session may be silent before it is over, although nothing ended it: its server's pingInterval and
# pingTimeout, after which it takes the client for dead (rules then say the same of it as at the end of the capture);
# the defaults of socket.io 4 where the capture lacks them.
_DEFAULT_SILENCE_NS = 45 * NS_PER_S
_LEAST_SILENCE_NS = 10 * NS_PER_S
_MOST_SILENCE_NS = 120 * NS_PER_S
# Session ids that are remembered for a while, so that late requests do not look like sessions of their own.
MAX_RETIRED_SIDS = 4_000
# Proxies give up a request after some minutes at most: if there was one in front, it has answered by then.
_LONGEST_ANSWER_NS = 120 * NS_PER_S
MAX_HOPS = 4  # that are kept of a session: nobody stacks as many proxies


class Register:
    """The sessions of one capture, in the order of their opening: `most` of them, and those that are alive."""

    def __init__(self, most: int, peers: Peers, retire: Retire, changed: set[Session] | None = None) -> None:
        self.changed = changed
        self.states: dict[Session, SessionState] = {}
        self.by_sid: dict[tuple[Endpoint, str], Session] = {}
        self.total = 0  # of all that were ever opened
        self._peers = peers
        self._retire = retire
        self._roster = Roster(most, self._standing)
        self._retired_sids: OrderedDict[tuple[Endpoint, str], None] = OrderedDict()
        self.latest: dict[tuple[str, Endpoint], Session] = {}  # between a client's address and a server
        self._by_bare_sid: dict[str, Session] = {}  # not those that are forwarded
        self._other_servers: dict[Session, list[Endpoint]] = {}  # of sessions that have more than one address
        # That were captured behind a proxy or a NAT, and in front of it not yet.
        self._unmatched: dict[Session, None] = {}

    def add(self, session: Session, state: SessionState) -> None:
        """A session begins; old ones may have to make room for it."""
        self._peers.opened(session)
        now_ns = session.opened.ts_ns
        for old in self._roster.admit(session, now_ns):
            self._let_go(old, now_ns)
        self.states[session] = state
        self.latest[session.client_endpoint.address, session.server.endpoint] = session
        if session.sid:
            self.by_sid[session.server.endpoint, session.sid] = session
        if session.forwarded:
            self._match_forwarded(session)
        else:
            self._number(session)
            self._match(session)
        for hop in [hop for hop in self._unmatched if now_ns - hop.opened.ts_ns > _LONGEST_ANSWER_NS]:
            self.stands_alone(hop)

    def has(self, sid: str) -> Session | None:
        """The session with a sid, at whatever server."""
        return self._by_bare_sid.get(sid)

    def add_server(self, session: Session, server: Endpoint) -> None:
        """A session goes on at another address, as names with several of them bring about."""
        if session.sid:
            self.by_sid[server, session.sid] = session
            self._other_servers.setdefault(session, []).append(server)

    def _number(self, session: Session) -> None:
        self.total += 1
        session.index = self.total
        if self.changed is not None:
            self.changed.add(session)

    # ------------------------------------------------------------------ two hops of one conversation

    def _match(self, session: Session) -> None:
        if session.sid is None:
            return
        self._by_bare_sid[session.sid] = session
        for hop in [hop for hop in self._unmatched if hop.sid == session.sid]:
            self._match_forwarded(hop)

    def _match_forwarded(self, hop: Session) -> None:
        outer = self._by_bare_sid.get(hop.sid or "")
        if outer is None:
            self._unmatched[hop] = None
            state = self.states[hop]
            state.unheard, state.stands_alone = [], self.stands_alone
            return
        self._unmatched.pop(hop, None)
        self.states[hop].unheard = None
        if len(outer.hops) < MAX_HOPS:
            outer.hops.append(hop)

    def stands_alone(self, session: Session) -> None:
        """What was taken for a hop has nothing in front of it: it is a session of its own after all."""
        if session not in self._unmatched:
            return
        del self._unmatched[session]
        session.forwarded = False
        self._number(session)
        self._match(session)
        if session.closing is None:
            fleet.opened(session)
        self.states[session].make_heard()

    def close(self) -> None:
        """The capture is over."""
        for session in list(self._unmatched):
            self.stands_alone(session)

    def is_retired(self, server: Endpoint, sid: str | None) -> bool:
        """Whether a session id that is not known is one of a session that was let go."""
        return (server, sid or "") in self._retired_sids

    def _standing(self, session: Session, now_ns: int) -> Standing:
        state = self.states[session]
        busy = state.open_websockets > 0 or state.polls.busy
        if session.closing is not None and not busy:
            return Standing.OVER
        if busy and session.closing is None:
            return Standing.UNDER_WAY
        # A connection whose other side never ends, or a client that may come back to poll.
        if now_ns - session.last.ts_ns > _patience_ns(session):
            return Standing.OVER
        return Standing.UNDER_WAY if busy else Standing.SILENT

    def _let_go(self, session: Session, now_ns: int) -> None:
        """From now on nothing is added to the ledger."""
        self.stands_alone(session)
        state = self.states.pop(session)
        state.finish()
        payload_facts.finish(state)
        peers = session.client_endpoint.address, session.server.endpoint
        if self.latest.get(peers) is session:
            del self.latest[peers]
        sid = session.sid or ""
        if self._by_bare_sid.get(sid) is session:
            del self._by_bare_sid[sid]
        for server in [session.server.endpoint, *self._other_servers.pop(session, [])]:
            if self.by_sid.get((server, sid)) is session:
                del self.by_sid[server, sid]
                self._retired_sids[server, sid] = None
        while len(self._retired_sids) > MAX_RETIRED_SIDS:
            self._retired_sids.popitem(last=False)
        closing = session.closing
        session.observed_until_ns = closing.place.ts_ns if closing else max(session.last.ts_ns, now_ns)
        self._peers.retired(session)
        if not session.forwarded:
            self._retire(Retired(session, session.server))


def _patience_ns(session: Session) -> int:
    handshake = session.handshake
    if handshake is None or handshake.ping_interval_ms is None or handshake.ping_timeout_ms is None:
        return _DEFAULT_SILENCE_NS
    announced = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * NS_PER_MS
    return min(max(announced, _LEAST_SILENCE_NS), _MOST_SILENCE_NS)
