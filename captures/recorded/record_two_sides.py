# SPDX-License-Identifier: GPL-2.0-or-later
"""Records Socket.IO sessions at two places at once: at the client, and at the server behind a proxy.

    record_two_sides.py list          the names of all scenarios
    record_two_sides.py one NAME...   make these again
    record_two_sides.py all           make all of them again

Three hosts in a row, as for the recordings through proxies: `two_sides/NAME-client.pcap` and
`NAME-server.pcap`. All hosts have one clock here, so that of the server's capture the times are set by
editcap, as if its clock were ahead. Needs what record_proxied.py needs (of the proxies nginx), and editcap.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command_line
import index_file
from lab import LabError, node_env, npm_install
from proxied_peers.proxies import NGINX_UPGRADE, SERVER_PORT, Proxy, _nginx
from record_proxied import ProxyLab

HERE = Path(__file__).resolve().parent
PEERS = HERE / "two_sides_peers"
FOLDER = HERE / "two_sides"
INDEX = HERE / "two_sides.toml"
VERSION = "4.8.4"
AHEAD_S = 3.25
SIDES = ("client", "server")
INDEX_HEAD = """\
# Written by record_two_sides.py: each session twice, at the client and at the server behind a proxy. `ahead_s` is by
# how much the clock of the server's capture is ahead.
"""


@dataclass(frozen=True)
class Scenario:
    """`meddler` is how the proxy of our own meddles; else there is nginx, with these lines in its location."""

    name: str
    what: str
    meddler: str = ""
    nginx: str = ""
    transports: tuple[str, ...] = ("websocket",)
    client: str = "{}"
    prefix: str = ""
    healthy: bool = False
    ahead_s: float = AHEAD_S
    lasts_ms: int = 4000

    def path(self, side: str) -> Path:
        return FOLDER / f"{self.name}-{side}.pcap"


SCENARIOS = (
    Scenario("nginx-upgrade", "nginx, nothing amiss", nginx=NGINX_UPGRADE, transports=("polling", "websocket"),
             healthy=True),
    Scenario("nginx-polling", "nginx, nothing amiss; the clock of the server is behind", nginx=NGINX_UPGRADE,
             transports=("polling",), healthy=True, ahead_s=-7200.5, lasts_ms=2500),
    Scenario("same-clock", "a proxy that passes all on; both clocks agree", meddler="nothing", healthy=True, ahead_s=0),
    Scenario("polls-held", "a proxy holds the answers to polls back for 1.3 s", meddler="hold",
             transports=("polling",), lasts_ms=5000),
    Scenario("messages-held", "a proxy holds each message of the server back for 1.3 s", meddler="hold"),
    Scenario("message-dropped", "a proxy swallows one message of the client", meddler="drop"),
    Scenario("message-altered", "a proxy alters one message of the server", meddler="alter"),
    Scenario("hung-up", "a proxy closes both sides of the WebSocket after 2 s", meddler="hang-up"),
    Scenario("half-closed", "a proxy closes only the side of the server after 2 s", meddler="half", lasts_ms=9500),
    Scenario("path-renamed", "a proxy takes a part of the path and a header away", meddler="rename",
             transports=("polling",), prefix="/chat",
             client=json.dumps({"path": "/chat/socket.io/", "extraHeaders": {"X-Device": "7"}})),
)  # fmt: skip


def record(scenario: Scenario) -> list[dict[str, Any]]:
    """Make both recordings; returns the entries for the index."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ProxyLab() as lab:
        folder = Path(name)
        folder.chmod(0o755)
        modules = node_env(npm_install(f"socket.io@{VERSION}"))
        server = lab.start("server", ["node", str(PEERS / "server.js"), "{}"], env=modules)
        if scenario.meddler:
            argv = [sys.executable, str(PEERS / "meddler.py"), lab.server_ip, str(SERVER_PORT), scenario.meddler]
            lab.start("relay", argv)
        else:
            lab.start_proxy("relay", Proxy("nginx", ("nginx", "-c"), _nginx(scenario.nginx)), folder)
        with ExitStack() as stack:
            stack.enter_context(lab.capture(folder / "client.pcap", side="client"))
            stack.enter_context(lab.capture(folder / "server.pcap", side="server"))
            result = lab.run("client", _client(lab, scenario), env=node_env(npm_install(f"socket.io-client@{VERSION}")))
            if scenario.meddler == "half":
                time.sleep(1)
        server.stop()
        if result.returncode:
            raise LabError(f"{scenario.name}: {result.output}\nserver:\n{server.output}")
        _set_clock(folder / "client.pcap", scenario.path("client"), 0)
        _set_clock(folder / "server.pcap", scenario.path("server"), scenario.ahead_s)
    return [entry(scenario, side) for side in SIDES]


def _client(lab: ProxyLab, scenario: Scenario) -> Sequence[str]:
    options = {"transports": list(scenario.transports), **json.loads(scenario.client)}
    return ["node", str(PEERS / "client.js"), f"http://{lab.proxy_ip}", str(scenario.lasts_ms), json.dumps(options)]


def _set_clock(made: Path, kept: Path, ahead_s: float) -> None:
    argv = ["editcap", "-F", "pcap", "-t", str(ahead_s), str(made), str(kept)]
    subprocess.run(argv, check=True)


def entry(scenario: Scenario, side: str) -> dict[str, Any]:
    return {
        "file": f"two_sides/{scenario.path(side).name}",
        "server": {"library": "socket.io", "version": VERSION},
        "client": {"library": "socket.io-client", "version": VERSION},
        "healthy": scenario.healthy,
        "ahead_s": scenario.ahead_s if side == "server" else 0,
        "what": f"{scenario.what}; at the {side}.",
    }


def write_index(new: list[dict[str, Any]]) -> None:
    files = (f"two_sides/{scenario.path(side).name}" for scenario in SCENARIOS for side in SIDES)
    index_file.write_index(INDEX, INDEX_HEAD, files, new)


def main() -> int:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    return command_line.run(
        "Record sessions at the client and at the server.", known, lambda name: record(known[name]), write_index
    )


if __name__ == "__main__":
    sys.exit(main())
