# SPDX-License-Identifier: GPL-2.0-or-later
"""Records conversations with peers of Socket.IO 0.9, and what these sent.

    record_legacy.py list          the names of all recordings
    record_legacy.py one NAME...   make these again
    record_legacy.py all           make all of them again

Beside a recording lies `NAME.packets.jsonl`, one line for each packet that a peer of 0.9 sent, written by the peers'
own parsers; `legacy.toml` is the index. Needs root and a machine with node, npm, tcpdump, iproute2, ethtool and (for
JSONP) Chromium. The packages of 2014 run on Node 20 as they are: of `ws` 0.4 npm must not build the native part, for
which that package has JavaScript to fall back on.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_line
import index_file
from lab import Lab, LabError, node_env, npm_install

HERE = Path(__file__).resolve().parent
PEERS = HERE / "legacy_peers"
PORT = 3000
SILENCE_MS = 2500
INDEX_HEAD = """\
# Written by record_legacy.py. Of each recording: `way` is what the client asked for, `packets` lists what peers of
# Socket.IO 0.9 logged as sent (there is none where one side is of another generation), `log` is what the client said.
# `unsent` is the number of the last packets of the server that never left: the client hung up on its poll before.
"""


@dataclass(frozen=True)
class Peer:
    version: str  # of Socket.IO

    @property
    def is_legacy(self) -> bool:
        return self.version.startswith("0.9.")

    def library(self, side: str) -> str:
        return "socket.io" if side == "server" else "socket.io-client"

    def program(self, side: str) -> tuple[list[str], dict[str, str]]:
        script = PEERS / f"{side}{'09' if self.is_legacy else '4'}.js"
        options = ["--ignore-scripts"] if self.is_legacy else []
        folder = npm_install(*options, f"{self.library(side)}@{self.version}")
        return ["node", "--no-deprecation", str(script)], node_env(folder)


OLD_SERVER, OLD_CLIENT, NEW = Peer("0.9.19"), Peer("0.9.17"), Peer("4.8.4")
# Chromium writes to a profile, and asks the network for this and that, which the laboratory does not have.
BROWSER = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


@dataclass(frozen=True)
class Scenario:
    name: str
    server: Peer
    client: Peer
    way: str
    what: str
    options: dict[str, Any] = field(default_factory=dict)  # of the client
    server_options: dict[str, Any] = field(default_factory=dict)
    browser: bool = False
    refused: bool = False
    unsent: int = 0

    @property
    def capture(self) -> Path:
        return HERE / "legacy" / f"{self.name}.pcap"

    @property
    def packets(self) -> Path:
        return HERE / "legacy" / f"{self.name}.packets.jsonl"


def scenarios() -> list[Scenario]:
    def pair(way: str, what: str, browser: bool = False, unsent: int = 0) -> Scenario:
        transports = {"transports": [way]}
        return Scenario(f"sio09-{way}", OLD_SERVER, OLD_CLIENT, way, what, {}, transports, browser, unsent=unsent)

    return [
        pair("websocket", "Both speak Socket.IO 0.9; the server sends heartbeats, and the client returns them."),
        pair("xhr-polling", "The same over polling; the server answers a poll with a noop after a second.", unsent=1),
        pair("jsonp-polling", "The browser build in Chromium, from a page of another port, over JSONP.", browser=True),
        Scenario(
            "sio09-client-v4-server", NEW, OLD_CLIENT, "websocket",
            "The handshake of 0.9, GET /socket.io/1/?t=, gets 400 code 0 from a server that misses a transport in it.",
            refused=True,
        ),
        Scenario(
            "v4-client-sio09-server-polling", OLD_SERVER, NEW, "polling",
            'The server of 0.9 takes the handshake for somebody lost: 200 "Welcome to socket.io.".',
            {"reconnectionDelay": 300, "reconnectionDelayMax": 600},
        ),
        Scenario(
            "v4-client-sio09-server-websocket", OLD_SERVER, NEW, "websocket",
            "The server of 0.9 closes the connection without an answer to the request for a WebSocket.",
            {"transports": ["websocket"], "reconnectionDelay": 300, "reconnectionDelayMax": 600},
        ),
        Scenario(
            "v4-pair-path-with-1", NEW, NEW, "upgrade",
            "Nothing of 0.9: the path is /rooms/1/, as a handshake of 0.9 could have it.",
            {"path": "/rooms/1/"}, {"path": "/rooms/1/"},
        ),
    ]  # fmt: skip


def record(scenario: Scenario) -> dict[str, Any]:
    """Make the recording and the log of its packets; returns the entry for the index."""
    scenario.capture.parent.mkdir(exist_ok=True)
    serve, server_env = scenario.server.program("server")
    talk, client_env = scenario.client.program("client")
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        logs = [Path(folder, side) for side in ("server", "client")]
        url = f"http://{lab.server_ip}:{PORT}"
        both = scenario.server.is_legacy and scenario.client.is_legacy
        serving = {"port": PORT, "truth": str(logs[0]), "options": scenario.server_options, "page": scenario.browser}
        serve.append(json.dumps({**serving, "page_truth": str(logs[1])}))
        talking = {"url": url, "truth": str(logs[1]), "silence_ms": SILENCE_MS, "refused": scenario.refused}
        talk.append(json.dumps({**talking, "options": scenario.options}))
        server = lab.start("server", serve, env=server_env)
        with lab.capture(scenario.capture, filter=f"tcp port {PORT}"):
            if scenario.browser:
                page = f"http://{lab.server_ip}:{PORT + 1}/"
                browser = lab.start("client", [*BROWSER, f"--user-data-dir={folder}/profile", page], ready=None)
                server.wait_for("PAGE DONE", 30.0)
                browser.stop(grace=1.0)
                said = ""
            else:
                result = lab.run("client", talk, env=client_env)
                if result.returncode:
                    raise LabError(f"{scenario.name}: {result.output}\nserver:\n{server.output}")
                said = result.output
        server.stop()
        lines = [json.loads(line) for log in logs if log.exists() for line in log.read_text().splitlines()]
    if any("error" in line for line in lines):
        raise LabError(f"{scenario.name}: {lines}")
    if both:
        with scenario.packets.open("w") as packets:
            for line in sorted(lines, key=lambda line: float(line["time"])):
                del line["time"]
                packets.write(json.dumps(line, ensure_ascii=False) + "\n")
    return {
        "file": f"legacy/{scenario.capture.name}",
        **({"packets": f"legacy/{scenario.packets.name}"} if both else {}),
        "server": {"library": scenario.server.library("server"), "version": scenario.server.version},
        "client": {
            "library": scenario.client.library("client"),
            "version": scenario.client.version,
            **({"runs_in": "Chromium"} if scenario.browser else {}),
        },
        "way": scenario.way,
        **({"unsent": scenario.unsent} if scenario.unsent else {}),
        "what": scenario.what,
        "log": sorted({line for line in said.splitlines() if line not in ("DONE", "")}),
    }


def write_index(new: list[dict[str, Any]]) -> None:
    """Put entries into the index, each at its place in the list of scenarios."""
    files = (f"legacy/{scenario.capture.name}" for scenario in scenarios())
    index_file.write_index(HERE / "legacy.toml", INDEX_HEAD, files, new)


def main() -> int:
    known = {scenario.name: scenario for scenario in scenarios()}
    return command_line.run(
        "Record conversations with peers of Socket.IO 0.9.", known, lambda name: [record(known[name])], write_index
    )


if __name__ == "__main__":
    sys.exit(main())
