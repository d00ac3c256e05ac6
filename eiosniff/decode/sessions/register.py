"""The sessions in memory: those that are alive, and the newest of the others; and which are hops of each other."""

from collections import OrderedDict

from eiosniff.decode.sessions import fleet, payload_facts
from eiosniff.decode.sessions.peers import Peers, Retire
from eiosniff.decode.sessions.roster import Roster, Standing
from eiosniff.decode.sessions.session_packets import SessionState
from eiosniff.model.peers import Retired
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import Session
from eiosniff.model.tally import NS_PER_S

# Session ids that are remembered for a while, so that late requests do not look like sessions of their own.
MAX_RETIRED_SIDS = 4_000
# Proxies give up a request after some minutes at most: if there was one in front, it has answered by then.
_LONGEST_ANSWER_NS = 120 * NS_PER_S
MAX_HOPS = 4  # that are kept of a session: nobody stacks as many proxies
MAX_UNMATCHED = 1_000
MAX_ADDRESSES = 16  # of a server, beyond the one that gave out the session id


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
        # That were captured behind a proxy or a NAT, and in front of it not yet, the oldest first; and by their sids.
        self._unmatched: dict[Session, None] = {}
        self._unmatched_by_sid: dict[str, list[Session]] = {}

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
        while self._unmatched:
            hop = next(iter(self._unmatched))
            if now_ns - hop.opened.ts_ns <= _LONGEST_ANSWER_NS and len(self._unmatched) <= MAX_UNMATCHED:
                break
            self.stands_alone(hop)

    def has(self, sid: str) -> Session | None:
        """The session with a sid, at whatever server."""
        return self._by_bare_sid.get(sid)

    def add_server(self, session: Session, server: Endpoint) -> None:
        """A session goes on at another address, as names with several of them bring about."""
        others = self._other_servers.setdefault(session, []) if session.sid else []
        if session.sid and len(others) < MAX_ADDRESSES:
            self.by_sid[server, session.sid] = session
            others.append(server)

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
        for hop in list(self._unmatched_by_sid.get(session.sid, ())):
            self._match_forwarded(hop)

    def _match_forwarded(self, hop: Session) -> None:
        outer = self._by_bare_sid.get(hop.sid or "")
        if outer is None:
            self._unmatched[hop] = None
            self._unmatched_by_sid.setdefault(hop.sid or "", []).append(hop)
            state = self.states[hop]
            state.unheard, state.stands_alone = [], self.stands_alone
            return
        self._is_matched(hop)
        self.states[hop].unheard = None
        if len(outer.hops) < MAX_HOPS:
            outer.hops.append(hop)

    def _is_matched(self, hop: Session) -> None:
        """A hop waits no longer."""
        if hop in self._unmatched:
            del self._unmatched[hop]
            alike = self._unmatched_by_sid[hop.sid or ""]
            alike.remove(hop)
            if not alike:
                del self._unmatched_by_sid[hop.sid or ""]

    def stands_alone(self, session: Session) -> None:
        """What was taken for a hop has nothing in front of it: it is a session of its own after all."""
        if session not in self._unmatched:
            return
        self._is_matched(session)
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
        if now_ns - session.last.ts_ns > fleet.patience_ns(session):
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
        fleet.forget(session)
        self._peers.retired(session)
        if not session.forwarded:
            self._retire(Retired(session, session.server))
