# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario of the variants is, and the play that most of them are: one conversation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab import Lab, LabError, node_env, npm_install, pip_install

PEERS = Path(__file__).resolve().parent
PORT = 3000
PING_INTERVAL_MS = 1000
PING_TIMEOUT_MS = 4000
SILENCE_MS = 2300
PYTHON_PARTS = ("aiohttp==3.14.5", "requests==2.34.2", "websocket-client==1.9.2")
# What socket.io 1.0 to 1.4 want from addresses at GitHub, from npm.
INSTEAD = {
    "xmlhttprequest": "npm:xmlhttprequest-ssl@1.5.1",
    "global": "2.0.1",
    "emitter": "npm:component-emitter@1.1.2",
}
OLD = ("0.", "1.0.", "1.1.", "1.2.", "1.3.", "1.4.")
PYTHON_ENGINES = {"4.6.1": "3.14.2", "5.18.1": "4.15.1"}


@dataclass(frozen=True)
class Peer:
    kind: Literal["node", "python", "chromium", "engine"]
    version: str  # of Socket.IO; of Engine.IO where kind is engine
    parser: str = ""  # package and version of another parser than the library's own
    play: str = ""  # what the name of another script than `client.js`, `server.js` begins with

    def __str__(self) -> str:
        return f"{self.kind}-{self.version}"

    def library(self, side: str) -> str:
        if self.kind == "python":
            return "python-socketio"
        if self.kind == "engine":
            return "engine.io" if side == "server" else "engine.io-client"
        return "socket.io" if side == "server" else "socket.io-client"

    def program(self, side: str) -> tuple[list[str], dict[str, str]]:
        """How to start it (but for the configuration), and with which environment."""
        if self.kind in ("node", "engine"):
            packages = [f"{self.library(side)}@{self.version}"] + [self.parser] * bool(self.parser)
            folder = npm_install(*packages, instead=INSTEAD if self.version.startswith(OLD) else None)
            prefix = "eio_" if self.kind == "engine" else self.play
            return ["node", str(PEERS / f"{prefix}{side}.js")], node_env(folder)
        packages = [f"python-socketio=={self.version}"]
        packages += [f"python-engineio=={PYTHON_ENGINES[self.version]}", *PYTHON_PARTS]
        packages += [self.parser] * bool(self.parser)
        return [str(pip_install(*packages)), "-u", str(PEERS / f"{side}.py")], {}

    def described(self, side: str) -> dict[str, str]:
        entry = {"library": self.library(side), "version": self.version}
        if self.parser:
            entry["parser"] = self.parser
        if self.kind == "chromium":
            entry["runs_in"] = "Chromium"
        return entry


@dataclass(frozen=True)
class Made:
    """What a play leaves: the capture, and logs by the key that they have in the index."""

    capture: Path
    logs: dict[str, Path] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    group: str  # the wire format that it is there for
    server: Peer
    client: Peer
    way: str
    what: str
    variant: str = ""
    play: Callable[[Scenario, Path], Made] | None = None  # None: `converse`
    derived: bool = False  # made from other recordings
    faulty: bool = False  # the peers do not get along
    binary: bool = True
    engineio: int = 4
    truth: str = "truth"  # the key in the index, and what the name ends in
    namespace: str = "/admin"
    server_options: dict[str, Any] = field(default_factory=dict)
    client_options: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # what a special play wants to know

    @property
    def name(self) -> str:
        tail = f"-{self.variant}" if self.variant else ""
        return f"{self.group}--{self.server}--{self.client}--{self.way}{tail}"

    @property
    def described(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "server": self.server.described("server"),
            "client": self.client.described("client"),
            "way": self.way,
            "engineio": self.engineio,
            "faulty": self.faulty,
            "what": self.what,
        }

    def config(self, side: str, peer: Peer, truth: Path, host: str) -> dict[str, Any]:
        if side == "client":
            ways = ["polling", "websocket"] if self.way == "upgrade" else [self.way]
            options = {"transports": ways, **self.client_options}
        elif peer.version.startswith("0.9."):
            options = {"heartbeat interval": 1, "heartbeat timeout": 4, "close timeout": 4}
            options |= {"polling duration": 2, **self.server_options}
        elif peer.kind == "python":
            options = {"ping_interval": PING_INTERVAL_MS // 1000}
            options |= {"ping_timeout": PING_TIMEOUT_MS // 1000, **self.server_options}
        else:
            options = {"pingInterval": PING_INTERVAL_MS, "pingTimeout": PING_TIMEOUT_MS}
            options |= self.server_options
        if peer.kind == "python" and peer.parser.startswith("msgpack"):
            options["serializer"] = "msgpack"
        return {
            "side": side,
            "truth": str(truth),
            "url": f"http://{host}:{PORT}",
            "port": PORT,
            "path": "/socket.io",
            "namespace": self.namespace,
            "silence_ms": SILENCE_MS,
            "binary": self.binary,
            "brief": self.way == "polling",  # whose headers are most of a recording
            "parser": "" if peer.kind == "python" else peer.parser.split("@")[0],
            "options": options,
            **self.more,
        }


def converse(scenario: Scenario, folder: Path) -> Made:
    """One conversation of one client with one server, and the truth of both."""
    serve, server_env = scenario.server.program("server")
    talk, client_env = scenario.client.program("client")
    capture = folder / f"{scenario.name}.pcap"
    logs = [folder / side for side in ("server", "client")]
    for log in logs:
        log.touch()
    with Lab() as lab:
        config = scenario.config("server", scenario.server, logs[0], lab.server_ip)
        server = lab.start("server", [*serve, json.dumps(config)], env=server_env)
        config = scenario.config("client", scenario.client, logs[1], lab.server_ip)
        with lab.capture(capture, filter=f"tcp port {PORT}"):
            try:
                result = lab.run("client", [*talk, json.dumps(config)], env=client_env, timeout=20)
                code, output = result.returncode, result.output
            except LabError as error:
                code, output = -1, str(error)
        server.stop()
    if scenario.faulty:
        return Made(capture)
    if code or not output:
        raise LabError(f"{output}\nserver:\n{server.output}")
    said = json.loads(output.splitlines()[-1])
    if said["heartbeats"] < scenario.more.get("heartbeats", 2):
        raise LabError(f"only {said['heartbeats']} heartbeats")
    kind = scenario.truth
    suffix = kind.replace("_", "-")
    return Made(capture, {kind: merge(folder / f"{scenario.name}.{suffix}.jsonl", logs)}, said)


def merge(target: Path, logs: list[Path]) -> Path:
    """Writes the lines of all logs into one, in the order of their times."""
    lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    with target.open("w") as truth:
        for line in sorted(lines, key=lambda line: float(line["time"])):
            del line["time"]
            truth.write(json.dumps(line, ensure_ascii=False) + "\n")
    return target
