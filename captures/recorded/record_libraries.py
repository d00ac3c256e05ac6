# SPDX-License-Identifier: GPL-2.0-or-later
"""Records short healthy talks of libraries of many versions: what each is recognised by.

    record_libraries.py list          the names of all recordings that this makes
    record_libraries.py one NAME...   make these again
    record_libraries.py all           make all of them again

`libraries.toml` is the index. It also holds recordings of libraries in Java, C++ and Go, and for microcontrollers,
which npm and PyPI do not have: they were made once, by hand, and their entries, which say `by_hand`, are left alone.
Needs what `lab.py` needs; the peers come from npm and PyPI.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command_line
import index_file
from lab import Lab, LabError
from library_peers.cast import Peer, node_client, node_server, python_client, python_server

HERE = Path(__file__).resolve().parent
INDEX = HERE / "libraries.toml"
PORT = 3000
PARALLEL = 3
URL = f"http://{Lab.server_ip}:{PORT}"
INDEX_HEAD = """\
# Healthy talks, each with a library of another kind or version: a handshake, a join, an event and its answer.
# Written by record_libraries.py, but for entries that say `by_hand`: no script makes those again. Of a peer, `on` is
# what it speaks HTTP and WebSocket through. `way` is how the client was told to connect.
"""
# The releases of socket.io of which the wire shows that they are not the one before.
NODE_VERSIONS = (
    ("1.7.4", "1.7.4"), ("2.0.4", "2.0.4"), ("2.1.1", "2.1.1"), ("2.3.0", "2.3.0"), ("2.4.1", "2.4.0"),
    ("2.5.1", "2.5.0"), ("3.0.5", "3.0.5"), ("3.1.2", "3.1.3"), ("4.0.2", "4.0.2"), ("4.4.1", "4.4.1"),
    ("4.5.4", "4.5.4"), ("4.6.2", "4.6.2"), ("4.7.5", "4.7.5"), ("4.8.4", "4.8.4"),
)  # fmt: skip
NODE_TALK: dict[str, Any] = {"url": URL, "lifeMs": 900, "hello": {"times": 1, "everyMs": 100}}
PYTHON_TALK: dict[str, Any] = {"url": URL, "lifeMs": 900}
TORNADO, UVICORN, EVENTLET = "tornado==6.5.2", "uvicorn==0.54.0", "eventlet==0.40.3"
GEVENT, FLASK = "gevent==25.9.1", ("Flask==3.1.2", "Werkzeug==3.1.3")
CURRENT = ("5.18.1", "4.15.1")


@dataclass(frozen=True)
class Scenario:
    server: Peer
    client: Peer
    way: str
    what: str = ""

    @property
    def name(self) -> str:
        return "--".join((*(_slug(peer) for peer in (self.server, self.client)), self.way))

    @property
    def file(self) -> str:
        return f"libraries/{self.name}.pcap"


def _slug(peer: Peer) -> str:
    on = {"requests and websocket-client": "sync"}.get(peer.on, peer.on)
    return "-".join(filter(None, (peer.library, peer.version, on)))


def scenarios() -> list[Scenario]:
    node = [
        Scenario(node_server(server), node_client(client, **NODE_TALK), "upgrade", "Default options on both sides.")
        for server, client in NODE_VERSIONS
    ]
    clients = [
        Scenario(python_server(version, engineio, *served), client, way)
        for version, engineio, *served in (
            ("4.6.1", "3.14.2", "eventlet", EVENTLET),  # its asynchronous server needs a Python before 3.11
            ("5.11.4", "4.9.1", "uvicorn", UVICORN, "websockets==15.0.1"),
            (*CURRENT, "uvicorn", UVICORN, "websockets==15.0.1"),
        )
        for mode in ("sync", "asyncio")
        for way, only in (("upgrade", None), ("websocket", ["websocket"]))
        for client in [python_client(version, engineio, mode, transports=only, **PYTHON_TALK)]
    ]
    talker = node_client("4.8.4", **NODE_TALK)
    servers = [
        python_server(*CURRENT, "tornado", TORNADO),
        python_server(*CURRENT, "eventlet", EVENTLET),
        python_server(*CURRENT, "gevent", GEVENT, "gevent-websocket==0.10.1"),
        python_server(*CURRENT, "werkzeug", *FLASK, "simple-websocket==1.1.0", flask="5.7.0"),
        python_server(*CURRENT, "eventlet", *FLASK, EVENTLET, flask="5.7.0"),
        python_server("5.0.4", "4.0.0", "eventlet", EVENTLET),
    ]
    poller = node_client("4.8.4", **NODE_TALK, options={"transports": ["polling"]})
    goodbye = "The poll that waits at the goodbye is answered with nothing."
    polled = [Scenario(python_server(*CURRENT, "eventlet", EVENTLET), poller, "polling", goodbye)]
    return node + clients + [Scenario(server, talker, "upgrade") for server in servers] + polled


def record(scenario: Scenario) -> dict[str, Any]:
    """Make the recording; returns the entry for the index."""
    capture = HERE / scenario.file
    capture.parent.mkdir(exist_ok=True)
    serve, server_env = scenario.server.program()
    talk, client_env = scenario.client.program()
    with Lab() as lab:
        server = lab.start("server", serve, env=server_env)
        time.sleep(1.0)  # some say that they listen right before they do
        with lab.capture(capture, filter=f"tcp port {PORT}"):
            said = lab.run("client", talk, env=client_env).output
            time.sleep(0.3)
        if "acknowledged: well received" not in said or "greeting word 1 to you" not in said:
            raise LabError(f"{scenario.name}: {said}\nserver:\n{server.output}")
    entry = {"file": scenario.file, "server": scenario.server.entry(), "client": scenario.client.entry()}
    return {**entry, "way": scenario.way, "what": scenario.what or "A short talk."}


def write_index(new: list[dict[str, Any]]) -> None:
    """Put entries into the index, in the order of the scenarios; those by hand come last."""
    by_hand = [entry["file"] for entry in index_file.entries(INDEX) if entry.get("by_hand")]
    index_file.write_index(INDEX, INDEX_HEAD, [*(scenario.file for scenario in scenarios()), *by_hand], new)


def main() -> int:
    known = {scenario.name: scenario for scenario in scenarios()}
    return command_line.run(
        "Record healthy talks of libraries of many versions.",
        known,
        lambda name: [record(known[name])],
        write_index,
        PARALLEL,
    )


if __name__ == "__main__":
    sys.exit(main())
