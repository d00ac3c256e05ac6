# SPDX-License-Identifier: GPL-2.0-or-later
"""Connection state recovery of socket.io 4.6 and later: the network is cut, and then it is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab import Lab, LabError, RelayPlan

from variant_peers.stage import PEERS, PORT, Made, Scenario, merge

DEAD_S = 1.5  # both sides have noticed by then, see the heartbeat in `scenarios.recoveries`


def recover(scenario: Scenario, folder: Path) -> Made:
    """A session, a lost connection, and a second session that may or may not carry on."""
    (_, server_env), (_, client_env) = (
        scenario.server.program("server"),
        scenario.client.program("client"),
    )
    capture = folder / f"{scenario.name}.pcap"
    logs = [folder / side for side in ("server", "client")]
    more = scenario.more
    with Lab(RelayPlan()) as lab:
        config = scenario.config("server", scenario.server, logs[0], lab.server_ip)
        serve = ["node", str(PEERS / "recovery_server.js"), json.dumps(config)]
        config = scenario.config("client", scenario.client, logs[1], lab.server_ip)
        talk = ["node", str(PEERS / "recovery_client.js"), json.dumps(config)]
        server = lab.start("server", serve, env=server_env)
        with lab.capture(capture, filter=f"tcp port {PORT}"):
            client = lab.start("client", talk, env=client_env, ready="CONNECTED")
            since = len(client.output.splitlines())
            if more["news_before"]:
                server.command("news")
                client.wait_for("NEWS 2")
                since = len(client.output.splitlines())
            if more["lost_by"] == "close":
                server.command("close")
            else:
                lab.relay.cut()
                server.command("news")  # sent into the void
                time.sleep(DEAD_S)
                if more["lost_by"] == "restart":
                    server.stop()
                    server = lab.start("server", serve, env=server_env)
                server.command("news")  # nobody is connected
                time.sleep(more.get("wait_s", 0))
                lab.relay.mend()
            client.wait_for("CONNECTED", 15, since=since)
            said = [line for line in client.output.splitlines() if line.startswith("CONNECTED")]
            server.command("news")
            time.sleep(0.5)
            client.command("bye")
            client.wait(10)
        server.stop()
    recovered = said[-1] == "CONNECTED true true"
    if recovered is not more["recovered"]:
        raise LabError(f"{said}")
    truth = merge(folder / f"{scenario.name}.truth.jsonl", logs)
    return Made(capture, {"truth": truth}, {"recovered": recovered})
