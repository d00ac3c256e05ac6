"""The clients and servers of a capture, and the handshakes of each client, into their ledgers."""

from eiosniff.decode.lives import LifeTracker
from eiosniff.model.provenance import Endpoint
from eiosniff.model.session import MAX_ATTEMPT_KINDS, Attempt, Client, Connection, Outcome, RequestFacts, Server
from eiosniff.model.tally import Tally


class Peers:
    """All clients and servers of one capture."""

    def __init__(self) -> None:
        self.clients: dict[tuple[str, str, Endpoint], Client] = {}
        self.servers: dict[Endpoint, Server] = {}
        self._lives: dict[Client, LifeTracker] = {}
        self._last_attempt: dict[Client, Attempt] = {}

    def client(self, ledger: Connection, user_agent: str) -> Client:
        """The client of a connection, by the User-Agent of its request."""
        key = (ledger.client.address, user_agent, ledger.server)
        client = self.clients.get(key)
        if client is None:
            client = self.clients[key] = Client(ledger.client.address, user_agent, ledger.server)
        return client

    def server(self, endpoint: Endpoint) -> Server:
        """The server at an endpoint."""
        server = self.servers.get(endpoint)
        if server is None:
            server = self.servers[endpoint] = Server(endpoint)
        return server

    @staticmethod
    def note_request(client: Client, facts: RequestFacts) -> None:
        """Keep the first request of a client over each transport: they tell its library."""
        if facts.upgrade:
            client.websocket_request = client.websocket_request or facts
        else:
            client.polling_request = client.polling_request or facts

    def last_attempt(self, client: Client) -> Attempt | None:
        """The handshake that a client began last."""
        return self._last_attempt.get(client)

    def begin(self, client: Client, attempt: Attempt, busy: bool) -> None:
        """A client begins a handshake. `busy`: the session of the one before still has something under way."""
        self.note_request(client, attempt.request)
        self._last_attempt[client] = attempt
        tracker = self._lives.get(client)
        if tracker is None:
            tracker = self._lives[client] = LifeTracker(client)
        tracker.begin(attempt, busy)

    def settle(self, ledger: Connection, attempt: Attempt, outcome: Outcome) -> None:
        """The handshake has come to its end; from now on it counts as one of its kind."""
        attempt.outcome = outcome
        groups = self.client(ledger, attempt.request.user_agent).attempts
        signature = attempt.signature()
        if signature in groups or len(groups) < MAX_ATTEMPT_KINDS:
            groups.setdefault(signature, Tally()).add(attempt, attempt.request.place.ts_ns)

    def close(self) -> None:
        """The capture is over."""
        for tracker in self._lives.values():
            tracker.close()
