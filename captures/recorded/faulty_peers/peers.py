# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that play in the recordings, and how to start each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import node_env, npm_install, pip_install

Plan = Mapping[str, Any]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Peer:
    library: str
    version: str  # "raw" for a client that speaks the protocol by hand, over `library`
    script: str = ""
    packages: tuple[str, ...] = ()
    runs_in: str = ""  # a browser

    def argv(self, plan: Plan) -> list[str]:
        interpreter = "node" if self.script.endswith(".js") else str(pip_install(*self.packages))
        return [interpreter, str(HERE / self.script), json.dumps(plan)]

    def env(self) -> dict[str, str]:
        return node_env(npm_install(*self.packages)) if self.script.endswith(".js") else {}


def _server(version: str) -> Peer:
    return Peer("socket.io", version, "sio_server.js", (f"socket.io@{version}",))


def _client(version: str) -> Peer:
    return Peer("socket.io-client", version, "sio_client.js", (f"socket.io-client@{version}",))


def _python(version: str, engineio: str) -> Peer:
    packages = (f"python-socketio=={version}", f"python-engineio=={engineio}", "aiohttp==3.14.5")
    return Peer("python-socketio", version, "sio_server.py", packages)


SERVER_2 = _server("2.5.1")
SERVER_3_0 = _server("3.0.5")  # the last with Engine.IO 4.0, which looks at no EIO
SERVER_3_1 = _server("3.1.2")
SERVER_4 = _server("4.8.4")
PYTHON_4 = _python("4.6.1", "3.14.2")
PYTHON_5_11 = _python("5.11.4", "4.9.1")
PYTHON_5 = _python("5.18.1", "4.15.1")

FLASK = Peer(
    "Flask-SocketIO",
    "5.7.0",
    "flask_server.py",
    ("Flask-SocketIO==5.7.0", "python-socketio==5.18.1", "python-engineio==4.15.1"),
)
FLASK_5_1 = Peer(  # before python-engineio came with a package for WebSockets
    "Flask-SocketIO",
    "5.1.2",
    "flask_server.py",
    ("Flask-SocketIO==5.1.2", "python-socketio==5.4.1", "python-engineio==4.2.1", "Flask==2.0.3", "Werkzeug==2.0.3"),
)
ASGI = Peer(
    "python-socketio",
    "5.18.1",
    "asgi_without_websockets.py",
    ("python-socketio==5.18.1", "python-engineio==4.15.1", "uvicorn==0.54.0"),
)

CLIENT_2 = _client("2.5.0")  # the last 2.x of the client: there is no 2.5.1
CLIENT_4 = _client("4.8.4")
BROWSER_4 = Peer("socket.io-client in Chromium", "4.8.4", "sio_browser.js", ("socket.io-client@4.8.4",))
PYTHON_5_POLLS = Peer(
    "python-socketio",
    "5.18.1",
    "sio_client.py",
    ("python-socketio==5.18.1", "python-engineio==4.15.1", "requests==2.34.2"),
)

_WS = "ws@8.23.0"
RAW_WS = Peer(_WS, "raw", "raw_ws.js", (_WS,))
RAW_POLLING = Peer("node:http", "raw", "raw_polling.js", (_WS,))
PLAIN_SERVER = Peer("ws", "8.23.0", "plain_server.js", (_WS,))
ENGINE_SERVER = Peer("engine.io", "6.6.12", "eio_pair.js", ("engine.io@6.6.12",))
ENGINE_CLIENT = Peer("engine.io-client", "6.6.8", "eio_pair.js", ("engine.io-client@6.6.8",))
ONE_CONNECTION = Peer("node:net", "raw", "one_connection.js", (_WS,))
CURL = Peer("curl", "7.88.1")
NOBODY = Peer("none", "none")  # nothing listens, or nothing comes of it
