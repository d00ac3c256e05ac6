# SPDX-License-Identifier: GPL-2.0-or-later
"""A Chromium without a screen as the client: its page has the browser build of socket.io-client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab import Lab, LabError, npm_install

from variant_peers.stage import PEERS, PORT, Made, Scenario, merge

PAGE_PORT = 8000  # is not recorded
CHROMIUM = (
    "chromium",
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
BUILDS = ("dist/socket.io.js", "socket.io.js")  # since 1.5, before


def build(version: str) -> Path:
    """The file of socket.io-client that pages load."""
    package = npm_install(f"socket.io-client@{version}") / "node_modules" / "socket.io-client"
    return next(package / name for name in BUILDS if (package / name).exists())


def browse(scenario: Scenario, folder: Path) -> Made:
    """One conversation of a page with a server, and the truth of both."""
    serve, server_env = scenario.server.program("server")
    capture = folder / f"{scenario.name}.pcap"
    logs = [folder / side for side in ("server", "client")]
    for log in logs:
        log.touch()
    with Lab() as lab:
        config = scenario.config("server", scenario.server, logs[0], lab.server_ip)
        server = lab.start("server", [*serve, json.dumps(config)], env=server_env)
        page: dict[str, Any] = {
            "port": PAGE_PORT,
            "truth": str(logs[1]),
            "library": str(build(scenario.client.version)),
            "page": scenario.config("client", scenario.client, logs[1], lab.server_ip),
            "script": scenario.more.get("script", ""),
        }
        pages = lab.start("server", ["node", str(PEERS / "page_server.js"), json.dumps(page)])
        with lab.capture(capture, filter=f"tcp port {PORT}"):
            profile = folder / "profile"
            argv = [*CHROMIUM, f"--user-data-dir={profile}", f"http://{lab.server_ip}:{PAGE_PORT}/"]
            chromium = lab.start("client", argv, ready=None, env={"HOME": str(folder)})
            try:
                pages.wait_for("DONE", 6 if scenario.faulty else 40)
            except LabError:
                if not scenario.faulty:
                    raise
            finally:
                chromium.stop(grace=2)
        server.stop()
        if scenario.faulty:
            return Made(capture)
        said = json.loads(pages.output.splitlines()[1])
    if "error" in said:
        raise LabError(f"{said['error']}\nserver:\n{server.output}")
    return Made(capture, {"truth": merge(folder / f"{scenario.name}.truth.jsonl", logs)}, said)
