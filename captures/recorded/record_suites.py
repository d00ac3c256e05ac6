# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the protocol test suites of Socket.IO at real servers, and what their client said and heard.

    record_suites.py list                          the names of all recordings
    record_suites.py one NAME... --suites FOLDER   make these again
    record_suites.py all --suites FOLDER           make all of them again

FOLDER is a clone of https://github.com/socketio/socket.io; the suites are in its docs/*-protocol.
They run as they are, with `peers/suites_imports.mjs` in the place of their node-imports.js: it gives
each test a client address of its own and writes beside each recording `NAME.tests.jsonl`, a line for
each test. `suites.toml` is the index. Needs root and a machine with git, node, npm, python3, tcpdump,
iproute2 and ethtool; everything else comes from npm and PyPI.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import index_file
from lab import Lab, LabError, node_env, npm_install, pip_install

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
FOLDER = HERE / "suites"
INDEX = HERE / "suites.toml"
PORT = 3000  # which the suites expect
MAX_BYTES = 300_000
ATTEMPTS = 5
NETWORK, FIRST, MOST_TESTS = "10.77.0", 101, 60  # the clients' addresses; the server is 10.77.0.2
# The versions that the suites' package-lock.json name.
TOOLS = ("chai@4.3.6", "chai-string@1.5.0", "mocha@9.2.1", "node-fetch@3.2.0", "ws@8.21.0")
INDEX_HEAD = """\
# Written by record_suites.py. Of each recording: `suite` is where the test suite is in the socket.io
# repository, at `commit`; `tests` has a line of JSON for each of its tests, with what its client sent
# and received. Of the tests of the suite `passed` is how many the server passed; `failed` and `skipped`
# name those that it did not, and those that the suite itself leaves out.
"""


@dataclass(frozen=True)
class Scenario:
    suite: str
    engineio: int
    library: str
    version: str
    packages: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """Such as "Engine.IO 3"; a suite is at docs/engine.io-protocol/v3-test-suite."""
        _, protocol, folder = self.suite.split("/")
        name = "Socket.IO" if protocol.startswith("socket.io") else "Engine.IO"
        return f"{name} {folder.split('-')[0].removeprefix('v')}"

    @property
    def name(self) -> str:
        short = self.protocol.lower().replace(".", "").replace(" ", "-v")
        return f"{short}--{self.library}-{self.version}"

    @property
    def capture(self) -> Path:
        return FOLDER / f"{self.name}.pcap"

    @property
    def tests(self) -> Path:
        return FOLDER / f"{self.name}.tests.jsonl"

    def program(self) -> tuple[list[str], dict[str, str]]:
        """How to start the server, and with which environment."""
        config = json.dumps({"library": self.library, "port": PORT, "options": self.options})
        if self.library.startswith("python-"):
            python = pip_install(*self.packages)
            return [str(python), "-u", str(PEERS / "suites_server.py"), config], {}
        return ["node", str(PEERS / "suites_server.js"), config], node_env(npm_install(*self.packages))


ENGINEIO_3 = "docs/engine.io-protocol/v3-test-suite"
ENGINEIO_4 = "docs/engine.io-protocol/v4-test-suite"
SOCKETIO_5 = "docs/socket.io-protocol/v5-test-suite"
# As the protocol documents ask for, under "Test suite".
NODE_OPTIONS = {"pingInterval": 300, "pingTimeout": 200, "cors": {"origin": "*"}}
PYTHON_OPTIONS = {"ping_interval": 0.3, "ping_timeout": 0.2, "cors_allowed_origins": "*"}


def scenarios() -> list[Scenario]:
    def node(suite: str, engineio: int, library: str, version: str, **options: Any) -> Scenario:
        packages = (f"{library}@{version}",)
        return Scenario(suite, engineio, library, version, packages, NODE_OPTIONS | options)

    def python(suite: str, engineio: int, library: str, version: str, engine: str) -> Scenario:
        packages = [f"{library}=={version}", "aiohttp==3.14.5"]
        if engine:
            packages.append(f"python-engineio=={engine}")
        return Scenario(suite, engineio, library, version, tuple(packages), PYTHON_OPTIONS)

    return [
        node(ENGINEIO_3, 3, "engine.io", "3.6.2"),
        node(ENGINEIO_3, 3, "engine.io", "6.6.12", allowEIO3=True),
        node(ENGINEIO_4, 4, "engine.io", "6.6.12"),
        node(SOCKETIO_5, 4, "socket.io", "4.8.4", connectTimeout=1000),
        python(ENGINEIO_3, 3, "python-engineio", "3.14.2", ""),
        python(ENGINEIO_4, 4, "python-engineio", "4.15.1", ""),
        python(SOCKETIO_5, 4, "python-socketio", "5.18.1", "4.15.1"),
    ]


def record(scenario: Scenario, suites: Path) -> dict[str, Any]:
    """Make the recording and its log; returns the entry for the index.

    The suites are written for the servers in JavaScript, which pass all of their tests; but some tests
    are a race with the server, 5 ms long: whoever loses it tries again.
    """
    for _ in range(ATTEMPTS):
        record_once(scenario, suites)
        entry = index_entry(scenario, suites)
        size = scenario.capture.stat().st_size
        if size > MAX_BYTES:
            raise LabError(f"{scenario.name}: {size} bytes")
        if not entry["failed"] or scenario.library.startswith("python-"):
            return entry
        print(f"{scenario.name}: once more, {', '.join(entry['failed'])} failed", file=sys.stderr)
    raise LabError(f"{scenario.name}: not passed in {ATTEMPTS} attempts")


def record_once(scenario: Scenario, suites: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    serve, environment = scenario.program()
    tools = npm_install(*TOOLS)
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        place = Path(folder)
        (place / "package.json").write_text('{"type": "module"}')
        (place / "node_modules").symlink_to(tools / "node_modules")
        shutil.copy(suites / scenario.suite / "test-suite.js", place)
        shutil.copy(PEERS / "suites_imports.mjs", place / "node-imports.js")
        for number in range(FIRST, FIRST + MOST_TESTS):
            lab.run_ip("client", ["address", "add", f"{NETWORK}.{number}/24", "dev", "eth0"])
        server = lab.start("server", serve, env=environment)
        with lab.capture(scenario.capture):
            env = {
                "SUITES_SERVER": f"{lab.server_ip}:{PORT}",
                "SUITES_NETWORK": NETWORK,
                "SUITES_FIRST": str(FIRST),
                "SUITES_LOG": str(scenario.tests),
            }
            mocha = [str(place / "node_modules/.bin/mocha"), str(place / "test-suite.js")]
            result = lab.run("client", mocha, env=env)
        server.stop()
    print(result.output)


def index_entry(scenario: Scenario, suites: Path) -> dict[str, Any]:
    tests = [json.loads(line) for line in scenario.tests.read_text().splitlines()]
    if len(tests) > MOST_TESTS:
        raise LabError(f"{scenario.name}: {len(tests)} tests, and only {MOST_TESTS} addresses")
    commit = subprocess.run(
        ["git", "-C", str(suites), "rev-parse", "--short=12", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    )

    def titles(state: str) -> list[str]:
        return [test["title"] for test in tests if test["state"] == state]

    passed, failed, skipped = titles("passed"), titles("failed"), titles("skipped")
    ran = len(passed) + len(failed)
    return {
        "file": f"suites/{scenario.capture.name}",
        "tests": f"suites/{scenario.tests.name}",
        "server": {"library": scenario.library, "version": scenario.version},
        "suite": scenario.suite,
        "commit": commit.stdout.strip(),
        "engineio": scenario.engineio,
        "what": f"{scenario.protocol}, the official test suite: {len(passed)} of {ran} tests pass",
        "passed": len(passed),
        "failed": failed,
        "skipped": skipped,
    }


def write_index(new: dict[str, Any]) -> None:
    """Put the entry into the index, at its place in the list of scenarios."""
    files = (f"suites/{scenario.capture.name}" for scenario in scenarios())
    index_file.write_index(INDEX, INDEX_HEAD, files, [new], a_line_each=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Record the protocol test suites of Socket.IO.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    one, every = commands.add_parser("one"), commands.add_parser("all")
    one.add_argument("names", nargs="+", metavar="NAME")
    for each in (one, every):
        each.add_argument("--suites", type=Path, required=True, help="a clone of the repository of socket.io")
    arguments = parser.parse_args()
    known = {scenario.name: scenario for scenario in scenarios()}
    if arguments.command == "list":
        print(*known, sep="\n")
        return 0
    for name in arguments.names if arguments.command == "one" else known:
        write_index(record(known[name], arguments.suites))
    return 0


if __name__ == "__main__":
    sys.exit(main())
