"""The clients and servers of a capture, and the handshakes of each client, into their ledgers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eiosniff.decode.packets.clock import newer
from eiosniff.decode.sessions import fleet
from eiosniff.decode.sessions.company import CompanyTracker
from eiosniff.decode.sessions.lives import LONGEST_PAUSE_NS, LifeTracker
from eiosniff.decode.sessions.recoveries import Recoveries
from eiosniff.decode.sessions.roster import Roster, Standing
from eiosniff.decode.sessions.sid_chains import SidChains
from eiosniff.model.attempt import Attempt, Outcome, RequestFacts
from eiosniff.model.engineio import WEBTRANSPORT
from eiosniff.model.peers import Client, Retired, Server
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import MAX_ATTEMPT_KINDS, Connection, Session
from eiosniff.model.tally import Tally

# Clients none of whose sessions is in memory, that may come back: those whose sessions are, are many enough.
MOST_SILENT_CLIENTS: Final = 1_000
# What the polls and the WebSockets of socket.io-client in Node call themselves.
NODE_AGENTS: Final = {"node-XMLHttpRequest": "", "": "node-XMLHttpRequest"}
# Told of each ledger that is let go.
Retire = Callable[[Retired], None]


def _asks_without_name(client: Client) -> bool:
    """Whether it asks for WebTransport and does not say who it is, as browsers do."""
    asked = client.polling_request
    return asked is not None and asked.transport is WEBTRANSPORT and not client.user_agent


@dataclass(slots=True, eq=False)
class _Presence:
    """What is known of a client beyond its ledger, while that is in memory."""

    lives: LifeTracker
    company: CompanyTracker
    last: Attempt | None = None
    under_way: int = 0  # handshakes
    sessions: int = 0  # in memory
    seen_ns: int = 0


class Peers:
    """The clients and servers of one capture: `most` of each, and those that are active. Others are let go."""

    def __init__(self, most: int, retire: Retire) -> None:
        self.clients: dict[tuple[str, str, Endpoint], Client] = {}
        self.servers: dict[Endpoint, Server] = {}
        self.sids = SidChains()
        self.recoveries = Recoveries()
        self._retire = retire
        self._presence: dict[Client, _Presence] = {}
        self._clients_of: Counter[Endpoint] = Counter()  # in memory
        self._client_roster = Roster(most, self._client_standing, min(most, MOST_SILENT_CLIENTS))
        self._server_roster = Roster(most, self._server_standing)
        self._now_ns = 0

    def client(self, ledger: Connection, user_agent: str) -> Client:
        """The client of a connection, by the User-Agent of its request."""
        key = (ledger.client.address, user_agent, ledger.server)
        client = self.clients.get(key)
        if client is None:
            client = Client(ledger.client.address, user_agent, ledger.server)
            for old in self._client_roster.admit(client, self._now_ns):
                self._retire_client(old)
            self.clients[key] = client
            self._pair(client)
            self._presence[client] = _Presence(LifeTracker(client), CompanyTracker(client), seen_ns=self._now_ns)
            self._clients_of[client.server] += 1
        return client

    def _pair(self, client: Client) -> None:
        """Tell a client of the ledger that may be of the same program, and that one of it."""
        other = NODE_AGENTS.get(client.user_agent)
        partner = self.clients.get((client.address, other or "", client.server))
        if partner is not None and (other is not None or _asks_without_name(partner)):
            self.pair(client, partner)

    @staticmethod
    def pair(client: Client, other: Client) -> None:
        """Two ledgers may be of one program."""
        if client is not other:
            client.partner, other.partner = other, client

    def server(self, endpoint: Endpoint) -> Server:
        """The server at an endpoint."""
        server = self.servers.get(endpoint)
        if server is None:
            server = Server(endpoint)
            for old in self._server_roster.admit(server, self._now_ns):
                del self.servers[old.endpoint]
                self.sids.forget(old)
                self._retire(Retired(old, old))
            self.servers[endpoint] = server
        return server

    @staticmethod
    def note_request(client: Client, facts: RequestFacts) -> None:
        """Keep the first request of a client over each transport: they tell its library."""
        if facts.upgrade:
            client.websocket_request = client.websocket_request or facts
        else:
            client.polling_request = client.polling_request or facts

    # ------------------------------------------------------------------ handshakes

    def last_attempt(self, client: Client) -> Attempt | None:
        """The handshake that a client began last."""
        return self._presence[client].last

    def begin(self, client: Client, attempt: Attempt, busy: bool) -> None:
        """A client begins a handshake. `busy`: the session of the one before still has something under way."""
        self.note_request(client, attempt.request)
        presence = self._presence[client]
        presence.last = attempt
        fleet.attempted(client, self.servers.get(client.server), attempt.request.place)
        presence.under_way += 1
        self._see(presence, attempt.request.place.ts_ns)
        if not attempt.socketio09:  # a loop of such a client is nothing that Engine.IO explains
            presence.lives.begin(attempt, busy)

    def settle(self, ledger: Connection, attempt: Attempt, outcome: Outcome) -> None:
        """The handshake has come to its end; from now on it counts as one of its kind."""
        client = self.client(ledger, attempt.request.user_agent)
        presence = self._presence[client]
        if attempt.outcome is Outcome.PENDING:
            presence.under_way -= 1
            self._see(presence, self._now_ns)
        attempt.outcome = outcome
        groups = client.attempts09 if attempt.socketio09 else client.attempts
        signature = attempt.signature()
        if signature in groups or len(groups) < MAX_ATTEMPT_KINDS:
            groups.setdefault(signature, Tally()).add(attempt, attempt.request.place.ts_ns)

    # ------------------------------------------------------------------ sessions

    def opened(self, session: Session) -> None:
        """A session of a client began."""
        session.client.sessions += 1
        session.server.sessions += 1
        presence = self._presence[session.client]
        presence.sessions += 1
        presence.company.opened(session)
        fleet.opened(session)
        self._see(presence, session.opened.ts_ns)

    def retired(self, session: Session) -> None:
        """A session is let go: nothing of its client may hold it any longer."""
        self.recoveries.forget(session)
        presence = self._presence[session.client]
        presence.sessions -= 1
        presence.company.retired(session)
        presence.seen_ns = max(presence.seen_ns, session.observed_until_ns)
        if session.attempt is not None:
            presence.lives.retire(session.attempt)
            session.attempt.session = None

    # ------------------------------------------------------------------ who is let go

    def close(self) -> None:
        """The capture is over."""
        for presence in self._presence.values():
            presence.lives.close()
            presence.company.close()

    def _see(self, presence: _Presence, now_ns: int) -> None:
        self._now_ns = newer(self._now_ns, now_ns)
        presence.seen_ns = self._now_ns

    def _client_standing(self, client: Client, now_ns: int) -> Standing:
        presence = self._presence[client]
        if presence.sessions or presence.under_way:
            return Standing.UNDER_WAY
        # One that comes back sooner may be in a loop.
        return Standing.OVER if now_ns - presence.seen_ns > LONGEST_PAUSE_NS else Standing.SILENT

    def _server_standing(self, server: Server, now_ns: int) -> Standing:
        return Standing.UNDER_WAY if self._clients_of[server.endpoint] else Standing.OVER

    def _retire_client(self, client: Client) -> None:
        self._presence.pop(client).lives.close()
        del self.clients[client.address, client.user_agent, client.server]
        self._clients_of[client.server] -= 1
        if not self._clients_of[client.server]:
            del self._clients_of[client.server]
        self._retire(Retired(client, self.servers.get(client.server)))
