# SPDX-License-Identifier: GPL-2.0-or-later
"""Records conversations of real Socket.IO peers in which nothing is wrong, and what they sent.

    record_healthy.py list          the names of all recordings
    record_healthy.py one NAME...   make these again
    record_healthy.py all           make all of them again
    record_healthy.py check         compare each recording with the peers' own log

Beside each recording lies `NAME.truth.jsonl`, one line for each Socket.IO packet that a peer sent,
written by the peers themselves; `healthy.toml` and `lossy.toml` are the indexes. Needs root and a
machine with node, npm, python3, tcpdump, dumpcap, tshark, iproute2 and ethtool; the peers come from
npm and PyPI.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import index_file
from lab import Lab, LabError, RelayPlan, node_env, npm_install, pip_install
from peers.healthy_wire import read

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
WAYS = ("polling", "websocket", "upgrade")
PING_INTERVAL_MS = 1000
# Characters of a report; its lines hold Korean and emoji, so that it is some 70 KB as UTF-8.
REPORT = 58000
MAX_BYTES = 300_000
ATTEMPTS = 10
PARALLEL = 3  # labs at a time; a peer that starves would miss heartbeats
INDEX_HEAD = """\
# Written by record_healthy.py. Of each recording: `truth` lists the Socket.IO packets that the
# peers logged as sent; `heartbeats` are those that the client counted; `compressed_answers` is the
# number of HTTP answers with a Content-Encoding; `last_poll_refused` means a 400 for the poll that
# waited during the goodbye, a poll time-out later, which is how python-engineio ends;
# `after_close_frame` is the number of WebSocket data frames after their sender's own close frame.
"""
PYTHON_PARTS = ("aiohttp==3.14.5", "requests==2.34.2", "websocket-client==1.9.2")
PYTHON_ENGINES = {"4.6.1": "3.14.2", "5.18.1": "4.15.1"}


@dataclass(frozen=True)
class Peer:
    kind: Literal["node", "python"]
    version: str  # of Socket.IO

    def __str__(self) -> str:
        return f"{self.kind}-{self.version}"

    def library(self, side: str) -> str:
        if self.kind == "python":
            return "python-socketio"
        return "socket.io" if side == "server" else "socket.io-client"

    def packages(self) -> tuple[str, ...]:
        """What a Python peer is installed from."""
        return (
            f"python-socketio=={self.version}",
            f"python-engineio=={PYTHON_ENGINES[self.version]}",
            *PYTHON_PARTS,
        )

    def program(self, side: str) -> tuple[list[str], dict[str, str]]:
        """How to start it (but for the configuration), and with which environment."""
        if self.kind == "node":
            env = node_env(npm_install(f"{self.library(side)}@{self.version}"))
            return ["node", str(PEERS / f"healthy_{side}.js")], env
        python = pip_install(*self.packages())
        return [str(python), "-u", str(PEERS / f"healthy_{side}.py")], {}


@dataclass(frozen=True)
class Scenario:
    server: Peer
    client: Peer
    way: str
    variant: str = ""
    note: str = ""
    path: str = "/socket.io"
    port: int = 3000
    ipv6: bool = False
    report: int = REPORT
    rounds: int = 1  # of sending the report there and back
    silence_ms: int = 3300
    ping_timeout_ms: int = 4000
    server_options: dict[str, Any] = field(default_factory=dict)
    client_options: dict[str, Any] = field(default_factory=dict)
    extensions: str = ""  # that the WebSocket must have negotiated
    format: Literal["pcap", "pcap-nanos", "pcapng"] = "pcap"
    relay: RelayPlan | None = None

    @property
    def name(self) -> str:
        tail = f"-{self.variant}" if self.variant else ""
        return f"{self.server}--{self.client}--{self.way}{tail}"

    @property
    def may_refuse_last_poll(self) -> bool:
        """python-engineio answers a poll that waits at the goodbye with 400, a time-out later."""
        return self.server.kind == "python" and self.way == "polling"

    @property
    def collection(self) -> str:
        return "lossy" if self.relay else "healthy"

    @property
    def capture(self) -> Path:
        suffix = "pcapng" if self.format == "pcapng" else "pcap"
        return HERE / self.collection / f"{self.name}.{suffix}.gz"

    @property
    def truth(self) -> Path:
        return HERE / self.collection / f"{self.name}.truth.jsonl"

    def config(self, side: str, peer: Peer, truth: Path, host: str) -> str:
        if side == "client":
            ways = ["polling", "websocket"] if self.way == "upgrade" else [self.way]
            options = {"transports": ways, **self.client_options}
        elif peer.kind == "node":
            options = {"pingInterval": PING_INTERVAL_MS, "pingTimeout": self.ping_timeout_ms}
            options |= self.server_options
        else:
            options = {"ping_interval": PING_INTERVAL_MS // 1000}
            options |= {"ping_timeout": self.ping_timeout_ms // 1000, **self.server_options}
        values = {
            "side": side,
            "truth": str(truth),
            "url": f"http://{host}:{self.port}",
            "port": self.port,
            "path": self.path,
            "report": self.report,
            "rounds": self.rounds,
            "silence_ms": self.silence_ms,
            "options": options,
        }
        return json.dumps(values)


NODE_1, NODE_2, NODE_3_0 = Peer("node", "1.7.4"), Peer("node", "2.5.1"), Peer("node", "3.0.5")
NODE_3_1, NODE_4 = Peer("node", "3.1.2"), Peer("node", "4.8.4")
NODE_2_CLIENT = Peer("node", "2.5.0")  # socket.io-client has no 2.5.1
PYTHON_4, PYTHON_5 = Peer("python", "4.6.1"), Peer("python", "5.18.1")
OLD_CLIENTS = {"allowEIO3": True}


def scenarios() -> list[Scenario]:
    alike = [(NODE_1, NODE_1), (NODE_2, NODE_2_CLIENT), (NODE_3_0, NODE_3_0), (NODE_3_1, NODE_3_1)]
    alike += [(NODE_4, NODE_4), (PYTHON_4, PYTHON_4), (PYTHON_5, PYTHON_5)]
    plain = [Scenario(server, client, way) for server, client in alike for way in WAYS]
    plain += [Scenario(NODE_4, PYTHON_5, way) for way in WAYS]
    plain += [Scenario(PYTHON_5, NODE_4, way) for way in WAYS]
    plain += [Scenario(NODE_2, PYTHON_4, way) for way in WAYS]
    plain += [Scenario(NODE_4, NODE_2_CLIENT, way, server_options=OLD_CLIENTS) for way in WAYS]
    plain += [Scenario(PYTHON_4, NODE_2_CLIENT, "upgrade")]
    plain += [Scenario(NODE_3_1, NODE_4, "upgrade"), Scenario(NODE_4, NODE_3_0, "upgrade")]
    varied = [replace(each, **VARIETY.get(each.name, {})) for each in plain]
    return varied + special() + lossy()


# Such things as a reader of captures must not stumble over.
VARIETY: dict[str, dict[str, Any]] = {
    "node-1.7.4--node-1.7.4--polling": {"report": 40000},  # it encodes UTF-8 twice
    "node-3.1.2--node-3.1.2--polling": {"format": "pcapng"},
    "node-4.8.4--node-4.8.4--upgrade": {"format": "pcap-nanos"},
    "python-5.18.1--node-4.8.4--websocket": {"format": "pcapng"},
    "node-3.0.5--node-3.0.5--websocket": {"path": "/live/sockets", "port": 51234},
    "python-5.18.1--python-5.18.1--upgrade": {"path": "/api/v2/rt", "port": 8765},
}


def special() -> list[Scenario]:
    def deflate(**options: Any) -> dict[str, Any]:
        return {"perMessageDeflate": {"threshold": 1024, **options}}

    return [
        Scenario(NODE_4, NODE_4, "upgrade", "ipv6", ipv6=True),
        Scenario(
            NODE_2,
            NODE_2_CLIENT,
            "websocket",
            "deflate",
            "permessage-deflate; each direction keeps its window from message to message",
            rounds=3,
            server_options=deflate(),
            extensions="permessage-deflate",
        ),
        Scenario(
            NODE_4,
            NODE_4,
            "websocket",
            "deflate-no-takeover",
            "permessage-deflate; each message is compressed by itself",
            rounds=3,
            server_options=deflate(serverNoContextTakeover=True, clientNoContextTakeover=True),
            extensions="permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        Scenario(
            NODE_4,
            NODE_4,
            "websocket",
            "deflate-window-10",
            "permessage-deflate with a window of 1024 bytes in both directions",
            rounds=3,
            server_options=deflate(serverMaxWindowBits=10, clientMaxWindowBits=10),
            extensions="permessage-deflate; client_max_window_bits=10; server_max_window_bits=10",
        ),
    ]


def lossy() -> list[Scenario]:
    """A bad wire and still a good end: TCP repairs all of it, and a reader has to follow."""

    def on_bad_wire(server: Peer, client: Peer, way: str, seed: int) -> Scenario:
        plan = RelayPlan(loss=0.03, reorder=0.03, duplicate=0.02, seed=seed, delay_ms=5)
        note = "3 % of the frames lost, 3 % late, 2 % twice, in each direction"
        return Scenario(server, client, way, "lossy", note, relay=plan, ping_timeout_ms=15000)

    return [
        on_bad_wire(NODE_4, NODE_4, "upgrade", 1),
        on_bad_wire(NODE_2, NODE_2_CLIENT, "polling", 2),
        on_bad_wire(PYTHON_5, PYTHON_5, "websocket", 3),
    ]


def record(scenario: Scenario) -> dict[str, Any]:
    """Make the recording and its truth; returns the entry for the index.

    The synchronous Python client sends its goodbye and closes its WebSocket at the same time, in
    two threads. When the goodbye comes too late it was logged, but never sent, or it met a reset:
    then once more.
    """
    for _ in range(ATTEMPTS):
        said = record_once(scenario)
        complaints = check(scenario)
        if not complaints:
            entry = index_entry(scenario, said)
            seen = read(scenario.capture, scenario.port).heartbeats
            if seen == entry["heartbeats"]:
                return entry
            complaints = [f"{seen} heartbeats, the client counted {entry['heartbeats']}"]
        print(f"{scenario.name}: once more, because of {complaints}", file=sys.stderr)
    raise LabError(f"{scenario.name}: not right in {ATTEMPTS} attempts")


def record_once(scenario: Scenario) -> dict[str, Any]:
    scenario.capture.parent.mkdir(exist_ok=True)
    serve, server_env = scenario.server.program("server")
    talk, client_env = scenario.client.program("client")
    with tempfile.TemporaryDirectory() as folder, Lab(scenario.relay) as lab:
        logs = [Path(folder, side) for side in ("server", "client")]
        host = f"[{lab.server_ip6}]" if scenario.ipv6 else lab.server_ip
        serve.append(scenario.config("server", scenario.server, logs[0], host))
        talk.append(scenario.config("client", scenario.client, logs[1], host))
        server = lab.start("server", serve, env=server_env)
        plain = Path(folder, scenario.capture.stem)
        with lab.capture(plain, format=scenario.format):
            result = lab.run("client", talk, env=client_env)
        server.stop()
        scenario.capture.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
        if result.returncode:
            raise LabError(f"{scenario.name}: {result.output}\nserver:\n{server.output}")
        lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    with scenario.truth.open("w") as truth:
        for line in sorted(lines, key=lambda line: float(line["time"])):
            del line["time"]
            truth.write(json.dumps(line, ensure_ascii=False) + "\n")
    said: dict[str, Any] = json.loads(result.output.splitlines()[-1])
    return said


def check(scenario: Scenario) -> list[str]:
    """What is wrong with a recording."""
    complaints = []
    try:
        wire = read(scenario.capture, scenario.port)
    except ValueError as error:
        return [f"cannot be read: {error}"]
    truth = [json.loads(line) for line in scenario.truth.read_text().splitlines()]
    for side in ("client", "server"):
        logged = (line for line in truth if line["side"] == side)
        for number, (told, seen) in enumerate(zip_longest(logged, wire.packets[side])):
            if told != seen:
                complaints.append(f"{side} packet {number}: logged {told}, on the wire {seen}")
                break
    statuses = {"polling": {200}, "websocket": {101}, "upgrade": {101, 200}}[scenario.way]
    if scenario.may_refuse_last_poll:
        statuses |= wire.statuses & {400}
    expected = {
        "statuses": statuses,
        "sessions": 1,
        "upgraded": scenario.way == "upgrade",
        "after_reset": False,
    }
    for name, value in expected.items():
        if getattr(wire, name) != value:
            complaints.append(f"{name}: {getattr(wire, name)} instead of {value}")
    if scenario.extensions and wire.extensions != scenario.extensions:
        complaints.append(f"WebSocket extensions: {wire.extensions}")
    if wire.heartbeats < 3:
        complaints.append(f"only {wire.heartbeats} heartbeats")
    size = scenario.capture.stat().st_size
    if size > MAX_BYTES:
        complaints.append(f"{size} bytes")
    return complaints


def index_entry(scenario: Scenario, said: dict[str, Any]) -> dict[str, Any]:
    wire = read(scenario.capture, scenario.port)
    return {
        "file": f"{scenario.collection}/{scenario.capture.name}",
        "truth": f"{scenario.collection}/{scenario.truth.name}",
        "server": {
            "library": scenario.server.library("server"),
            "version": scenario.server.version,
        },
        "client": {
            "library": scenario.client.library("client"),
            "version": scenario.client.version,
        },
        "way": scenario.way,
        "engineio": wire.revision,
        "socketio": wire.revision + 1,
        "path": scenario.path,
        "port": scenario.port,
        "upgraded": wire.upgraded,
        "sessions": wire.sessions,
        "ping_interval_ms": PING_INTERVAL_MS,
        "ping_timeout_ms": scenario.ping_timeout_ms,
        "heartbeats": said["heartbeats"],
        "extensions": wire.extensions,
        "compressed_answers": wire.compressed_answers,
        "last_poll_refused": 400 in wire.statuses,
        "after_close_frame": wire.after_close_frame,
        "note": scenario.note,
    }


def write_index(new: dict[str, Any]) -> None:
    """Put the entry into its index, at its place in the list of scenarios."""
    collection = new["file"].split("/")[0]
    index = HERE / f"{collection}.toml"
    index_file.write_index(index, INDEX_HEAD, (f"{s.collection}/{s.capture.name}" for s in scenarios()), [new])


def main() -> int:
    parser = argparse.ArgumentParser(description="Record healthy conversations of real peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("list", "all", "check"):
        commands.add_parser(name)
    commands.add_parser("one").add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    known = {scenario.name: scenario for scenario in scenarios()}
    if arguments.command == "list":
        print(*known, sep="\n")
    elif arguments.command == "check":
        failed = False
        for name, scenario in known.items():
            complaints = check(scenario)
            failed |= bool(complaints)
            print(f"{name}: {'; '.join(complaints) or 'ok'}")
        return int(failed)
    else:
        names = arguments.names if arguments.command == "one" else list(known)
        failed = False
        with ThreadPoolExecutor(PARALLEL) as pool:
            for recording in [pool.submit(record, known[name]) for name in names]:
                try:
                    write_index(recording.result())
                except (LabError, ValueError) as error:
                    failed = True
                    print(error, file=sys.stderr)
        return int(failed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
