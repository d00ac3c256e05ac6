"""Who speaks in these tests: real libraries in the laboratory of captures/recorded, and how each is started."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_peers.peers import CLIENT_4, PYTHON_4, PYTHON_CLIENT, SERVER_4, Peer
from lab import Lab, LabError, Process, Side

HERE = Path(__file__).parent
PORT = 3000
BACKENDS = ("dumpcap", "tcpdump", "scapy")

SERVER_1 = Peer("socket.io", "1.7.4", "sio_server.js", ("socket.io@1.7.4",))
CLIENT_1 = Peer("socket.io-client", "1.7.4", "sio_client.js", ("socket.io-client@1.7.4",))
CLIENT_3 = Peer("socket.io-client", "3.1.3", "sio_client.js", ("socket.io-client@3.1.3",))
PYTHON_4_CLIENT = Peer(
    "python-socketio", "4.6.1", "sio_client.py", (*PYTHON_4.packages[:2], *PYTHON_CLIENT.packages[2:])
)

# Short enough to see some heartbeats, long enough for a busy machine.
BEATS = {"pingInterval": 700, "pingTimeout": 6000}


def url(port: int = PORT) -> str:
    return f"http://{Lab.server_ip}:{port}"


def serve(lab: Lab, peer: Peer = SERVER_4, **plan: Any) -> Process:
    """Start a server; it listens when this returns."""
    return _start(lab, "server", peer, "LISTENING", {"port": PORT, **plan})


def visit(
    lab: Lab, peer: Peer = CLIENT_4, *, ready: str | None = "CONNECTED", port: int = PORT, **plan: Any
) -> Process:
    """Start a client, which is connected when this returns."""
    return _start(lab, "client", peer, ready, {"url": url(port), "lifeMs": 600_000, **plan})


def chat(lab: Lab) -> Process:
    """Start a client that says something ten times a second, and goes on."""
    return visit(lab, hello={"times": 10_000, "everyMs": 100})


def old_arduino(lab: Lab, ping_ms: int) -> Process:
    """Start a client that pings as revision 3 has it, in sessions of revision 4."""
    plan = {"host": Lab.server_ip, "port": PORT, "pingMs": ping_ms}
    return lab.start("client", [sys.executable, str(HERE / "peers" / "old_arduino.py"), json.dumps(plan)], ready=None)


def sessions_of(server: Process) -> dict[str, list[str]]:
    """What a server says of its sessions: what became of each id, in order."""
    told: dict[str, list[str]] = {}
    for line in server.output.splitlines():
        if line.startswith("SESSION "):
            _, sid, what = line.split(maxsplit=2)
            told.setdefault(sid, []).append(what)
    return told


def processes(lab: Lab, side: Side = "server") -> list[str]:
    """What runs in a namespace: the names of the programs."""
    return sorted(Path("/proc", pid, "comm").read_text().strip() for pid in lab.pids(side))


def install(peer: Peer) -> None:
    """Have the packages of a peer in the cache, which may take a while."""
    try:
        peer.argv({})
        peer.env()
    except LabError as error:
        pytest.skip(f"{peer.library} {peer.version} cannot be installed: {error}")


def _start(lab: Lab, side: Any, peer: Peer, ready: str | None, plan: dict[str, Any]) -> Process:
    install(peer)
    return lab.start(side, peer.argv(plan), ready=ready, env=peer.env())
