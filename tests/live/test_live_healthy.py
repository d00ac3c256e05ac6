"""Healthy peers of every generation, seen live: each session is told of as the server itself tells, and nothing is
blamed at any moment."""

import pytest
from faulty_peers.peers import CLIENT_2, CLIENT_4, PYTHON_4, PYTHON_5, PYTHON_CLIENT, SERVER_2, SERVER_3_1, SERVER_4
from lab import RelayPlan

from tests.live.cast import BEATS, CLIENT_1, CLIENT_3, PYTHON_4_CLIENT, SERVER_1, install, serve, sessions_of, visit
from tests.live.watcher import blamed

pytestmark = pytest.mark.interop

# Of each generation: its peers, the revision of Engine.IO, and what is told of client and server.
GENERATIONS = {
    3001: (SERVER_1, CLIENT_1, 3, ("socket.io-client (Node)", "2.x or older"), ("socket.io", "2.3 or older")),
    3002: (SERVER_2, CLIENT_2, 3, ("socket.io-client (Node)", "2.x or older"), ("socket.io", "2.3 to 2.5")),
    3003: (SERVER_3_1, CLIENT_3, 4, ("socket.io-client (Node)", "3.0 to 4.7"), ("socket.io", "3.0 to 4.4")),
    3004: (SERVER_4, CLIENT_4, 4, ("socket.io-client (Node)", "4.8 or later"), ("socket.io", "4.7 or later")),
    3005: (PYTHON_4, PYTHON_4_CLIENT, 3, ("python-socketio (client)", "4 or older"), ("python-socketio", "4 or older")),
    3006: (PYTHON_5, PYTHON_CLIENT, 4, ("python-socketio (client)", "5 or later"), ("python-socketio", "5 or later")),
}
TALK = {"hello": {"times": 8, "everyMs": 250}, "lifeMs": 3500}
PYTHON_BEATS = {"ping_interval": 1, "ping_timeout": 6}


KINDS = ("session-opened", "session-upgraded", "session-closed")


def port_of(event):
    return event["session"]["server"]["port"]


def all_visit(lab, watch, generations, **more):
    """Have a client of each generation talk to its server; the watcher, the servers and the clients, by port."""
    for _, client, *_ in generations.values():
        install(client)
    servers = {}
    for port, (peer, *_) in generations.items():
        options = PYTHON_BEATS if peer.library == "python-socketio" else BEATS
        servers[port] = serve(lab, peer, port=port, options=options)
    watcher = watch()
    clients = {
        port: visit(lab, peer, port=port, ready=None, **TALK, **more) for port, (_, peer, *_) in generations.items()
    }
    for client in clients.values():
        assert client.wait(30).returncode == 0, client.output
    for port in generations:
        watcher.wait_for(lambda event, p=port: event["event"] == "session-closed" and port_of(event) == p)
    return watcher, servers, clients


def test_all_generations_at_once(lab, watch):
    watcher, servers, clients = all_visit(lab, watch, GENERATIONS)
    report = watcher.end()
    assert blamed(watcher) == []
    assert not [each for each in report["diagnoses"] if each["severity"] != "info"]
    assert len(report["sessions"]) == len(GENERATIONS)
    for port, (_, _, revision, client, server) in GENERATIONS.items():
        (sid,) = sessions_of(servers[port])
        events = [event for event in watcher.of(*KINDS) if port_of(event) == port]
        assert [(event["event"], event["session"]["sid"]) for event in events] == [(kind, sid) for kind in KINDS]
        assert f"SESSION {sid} ends over websocket" in clients[port].output
        closed = events[-1]["session"]
        assert closed["engineio"] == revision
        assert closed["transports"] == ["polling", "websocket"]
        assert closed["closed_by"] == "client"
        assert (closed["client"]["library"], closed["client"]["version"]) == client
        assert (closed["server"]["library"], closed["server"]["version"]) == server
        # The clients of Python say goodbye in one thread and close in another: DISCONNECT may come too late.
        (namespace,) = closed["namespaces"]
        assert namespace["name"] == "/"
        assert namespace["state"] == "disconnected" or client[0].startswith("python")


@pytest.mark.parametrize("lab", [RelayPlan(loss=0.05, reorder=0.05, delay_ms=5)], ids=["loss"], indirect=True)
def test_a_bad_wire(lab, watch):
    watcher, servers, clients = all_visit(
        lab, watch, {port: GENERATIONS[port] for port in (3002, 3004, 3006)}, goodbyeMs=1500
    )
    watcher.end()
    assert [line for line in blamed(watcher) if "certain" in line] == []
    assert not [e for e in watcher.of("finding-new") if e["diagnosis"]["rule"].startswith("CAP")], "it lacks nothing"
    for port, server in servers.items():
        (sid,) = sessions_of(server)
        events = [event for event in watcher.of(*KINDS) if port_of(event) == port]
        assert {event["session"]["sid"] for event in events} == {sid}
        told = [event["event"] for event in events]
        # Where losses delay the upgrade, the client may leave before it.
        upgraded = f"SESSION {sid} ends over websocket" in clients[port].output
        assert told == list(KINDS) or (told == [KINDS[0], KINDS[2]] and not upgraded)
