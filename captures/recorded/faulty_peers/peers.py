# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that play in the recordings, and how to start each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
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


def _refusing(version: str) -> Peer:
    return Peer("socket.io", version, "refusing_server.js", (f"socket.io@{version}", "express@4.21.2"))


def two_handlers(version: str, *others: str) -> Peer:
    """A server of socket.io, and something else that handles upgrades, too, of these packages."""
    return Peer("socket.io", version, "two_handlers.js", (f"socket.io@{version}", *others))


def _client(version: str) -> Peer:
    return Peer("socket.io-client", version, "sio_client.js", (f"socket.io-client@{version}",))


def _page(version: str) -> Peer:
    return Peer("socket.io-client", version, "sio_page.js", (f"socket.io-client@{version}",), "Chromium")


def _tab(version: str) -> Peer:
    return Peer("socket.io-client in Chromium", version, "tab.js", (f"socket.io-client@{version}",))


def _python(version: str, engineio: str) -> Peer:
    packages = (f"python-socketio=={version}", f"python-engineio=={engineio}", "aiohttp==3.14.5")
    return Peer("python-socketio", version, "sio_server.py", packages)


SERVER_2 = _server("2.5.1")
SERVER_3_0 = _server("3.0.5")  # the last with Engine.IO 4.0, which looks at no EIO
SERVER_3_1 = _server("3.1.2")
SERVER_4_7 = _server("4.7.5")
SERVER_4 = _server("4.8.4")
CLUSTER = Peer("socket.io", "4.8.4", "cluster_server.js", ("socket.io@4.8.4",))
REFUSING_2 = _refusing("2.5.1")
REFUSING_4 = _refusing("4.8.4")
ENGINE_SERVER = Peer("engine.io", "6.6.12", "eio_pair.js", ("engine.io@6.6.12",))

# The last whose server ends one poll for an upgrade, and no more.
PYTHON_4_OLD = _python("4.5.1", "3.11.2")
PYTHON_4 = _python("4.6.1", "3.14.2")
PYTHON_5_11 = _python("5.11.4", "4.9.1")
PYTHON_5 = _python("5.18.1", "4.15.1")
_SOCKETIO_5 = ("python-socketio==5.18.1", "python-engineio==4.15.1")
ASGI = Peer("python-socketio", "5.18.1", "asgi_server.py", (*_SOCKETIO_5, "uvicorn==0.54.0"))
ASGI_MOUNTED = Peer(
    "python-socketio",
    "5.18.1",
    "asgi_server.py",
    (*_SOCKETIO_5, "fastapi==0.128.0", "uvicorn==0.40.0", "websockets==15.0.1"),
)
REFUSING_ENGINE = Peer("python-engineio", "4.15.1", "refusing_engine.py", PYTHON_5.packages)
FLASK = Peer("Flask-SocketIO", "5.7.0", "flask_server.py", ("Flask-SocketIO==5.7.0", *_SOCKETIO_5))
FLASK_5_1 = Peer(  # before python-engineio came with a package for WebSockets
    "Flask-SocketIO",
    "5.1.2",
    "flask_server.py",
    ("Flask-SocketIO==5.1.2", "python-socketio==5.4.1", "python-engineio==4.2.1", "Flask==2.0.3", "Werkzeug==2.0.3"),
)

FLEET_SERVER = Peer("socket.io", "4.8.4", "fleet_server.js", ("socket.io@4.8.4",))
FLEET = Peer("socket.io-client", "4.8.4", "fleet_client.js", ("socket.io-client@4.8.4",))
LEAKY_PAGE = Peer("socket.io-client in Chromium", "4.8.4", "leaky_page.js", ("socket.io-client@4.8.4",))
FLEET_2 = Peer("socket.io-client", "2.5.0", "fleet_client.js", ("socket.io-client@2.5.0",))

CLIENT_2 = _client("2.5.0")  # the last 2.x of the client: there is no 2.5.1
CLIENT_4 = _client("4.8.4")
PAGE_2 = _page("2.5.0")
PAGE_4 = _page("4.8.4")
BROWSER_4 = replace(PAGE_4, library="socket.io-client in Chromium", runs_in="")
TAB_2 = _tab("2.5.0")
TAB_4_1 = _tab("4.1.2")
TAB_4 = _tab("4.8.4")
ENGINE_CLIENT = Peer("engine.io-client", "6.6.8", "eio_pair.js", ("engine.io-client@6.6.8",))
PYTHON_CLIENT = Peer(
    "python-socketio",
    "5.18.1",
    "sio_client.py",
    (*_SOCKETIO_5, "requests==2.32.5", "websocket-client==1.9.0"),
)
PYTHON_CLIENT_POLLS = Peer("python-socketio", "5.18.1", "sio_client.py", (*_SOCKETIO_5, "requests==2.34.2"))
PYTHON_CLIENT_AIOHTTP = replace(PYTHON_5, script="aiohttp_client.py")

WS = "ws@8.23.0"
RAW_WS = Peer(WS, "raw", "raw_ws.js", (WS,))
RAW_FRAMES = Peer("TCP", "raw", "raw_frames.js", (WS,))
RAW_TAB = Peer("WebSocket in Chromium", "raw", "tab.js", (WS,))
RAW_POLLING = Peer("node:http", "raw", "raw_session.js", (WS,))
RAW_UPGRADE = Peer(WS, "raw", "raw_session.js", (WS,))
RAW_REQUEST = Peer("TCP", "raw", "raw_request.js", (WS,))
RAW_TCP = Peer("TCP", "raw", "early_frame.js", (WS,))
ONE_CONNECTION = Peer("node:net", "raw", "one_connection.js", (WS,))
PIECEMEAL = Peer("TCP", "raw", "piecemeal_client.js", (WS,))
REQUESTS = Peer("requests", "2.34.2", "requests_client.py", ("requests==2.34.2",))
CURL = Peer("curl", "7.88.1")

# Servers of something else.
PLAIN_SERVER = Peer("ws", "8.23.0", "plain_server.js", (WS,))
WEB_PAGE = Peer("node:http", "20", "page_server.js", (WS,))
VITE = Peer("vite", "5.4.21", "vite_server.js", ("vite@5.4.21",))
DEV_PROXY = Peer("http-proxy-middleware", "3.0.5", "dev_proxy.js", ("http-proxy-middleware@3.0.5", "express@4.21.2"))
NGINX = Peer("nginx", "1.22.1")
NOBODY = Peer("none", "none")  # nothing listens, or nothing comes of it
