# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers of these recordings: what they are, of which version, and how to start each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import node_env, npm_install, pip_install

HERE = Path(__file__).resolve().parent
NODE_SCRIPTS = HERE.parent / "faulty_peers"
PYTHON_SCRIPTS = HERE


@dataclass(frozen=True)
class Peer:
    library: str
    version: str
    plan: dict[str, Any]
    packages: tuple[str, ...]  # name@version of npm, or name==version of PyPI
    on: str = ""  # what a Python peer speaks through
    script: str = ""  # other than that of its kind
    flags: tuple[str, ...] = field(default=())  # for npm

    def program(self, **more: Any) -> tuple[list[str], dict[str, str]]:
        """How to start it, and with which environment."""
        plan = json.dumps({**self.plan, **more})
        side = "server" if self.library in ("socket.io", "Flask-SocketIO") or "on" in self.plan else "client"
        if "==" in self.packages[0]:
            return [str(pip_install(*self.packages)), str(PYTHON_SCRIPTS / f"{side}.py"), plan], {}
        script = self.script or str(NODE_SCRIPTS / f"sio_{side}.js")
        return ["node", "--no-deprecation", script, plan], node_env(npm_install(*self.flags, *self.packages))

    def entry(self) -> dict[str, str]:
        """For the index."""
        return {"library": self.library, "version": self.version, **({"on": self.on} if self.on else {})}


def node_server(version: str, **options: Any) -> Peer:
    return Peer("socket.io", version, {"options": options}, (f"socket.io@{version}",))


def node_client(version: str, **plan: Any) -> Peer:
    return Peer("socket.io-client", version, plan, (f"socket.io-client@{version}",))


def python_server(version: str, engineio: str, on: str, *packages: str, flask: str = "", **options: Any) -> Peer:
    plan = {"on": on, "flask": bool(flask), "options": options}
    versions = (f"python-socketio=={version}", f"python-engineio=={engineio}", *packages)
    if flask:
        return Peer("Flask-SocketIO", flask, plan, (f"Flask-SocketIO=={flask}", *versions), on)
    return Peer("python-socketio", version, plan, versions, on)


def python_client(version: str, engineio: str, mode: str, **plan: Any) -> Peer:
    parts = {"sync": ("requests==2.34.2", "websocket-client==1.9.2"), "asyncio": ("aiohttp==3.14.5",)}[mode]
    on = {"sync": "requests and websocket-client", "asyncio": "aiohttp"}[mode]
    versions = (f"python-socketio=={version}", f"python-engineio=={engineio}", *parts)
    return Peer("python-socketio", version, {"mode": mode, **plan}, versions, on)
