"""What sessions and clients that were let go told of their peers is not lost."""

from pathlib import Path

import pytest

from eiosniff import knowledge
from eiosniff.knowledge import observe
from eiosniff.model.peers import Client, Retired, Server
from eiosniff.model.session import Session
from tests.streams import RECORDINGS
from tests.unit.knowledge.peers import identified


@pytest.mark.parametrize("capture", RECORDINGS, ids=lambda path: path.stem)
def test_peers_show_the_same_when_their_sessions_were_let_go(capture: Path) -> None:
    found = identified(capture)
    clients, servers, sessions = list(found.clients.values()), list(found.servers.values()), found.sessions
    seen = _observed(clients, servers, sessions)
    for session in sessions:
        knowledge.fold(Retired(session, session.server))
    assert _observed(clients, servers, []) == seen
    for client in clients:
        identity = client.identity
        knowledge.fold(Retired(client, found.servers.get(client.server)))
        assert client.identity == identity
    assert _observed([], servers, []) == seen[len(clients) :]


def _observed(clients: list[Client], servers: list[Server], sessions: list[Session]) -> list[dict[str, str]]:
    of_clients = [
        observe.of_client(client, [session for session in sessions if session.client is client]) for client in clients
    ]
    of_servers = [
        observe.of_server(
            server,
            [session for session in sessions if session.server is server],
            [client for client in clients if client.server == server.endpoint],
        )
        for server in servers
    ]
    return of_clients + of_servers
