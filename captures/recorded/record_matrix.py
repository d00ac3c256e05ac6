# SPDX-License-Identifier: GPL-2.0-or-later
"""Records each client against each server: who gets on with whom, and what a client that does not looks like.

    record_matrix.py list          the names of all recordings that this makes
    record_matrix.py one NAME...   make these again
    record_matrix.py all           make all of them again

`matrix.toml` is the index; entries that say `by_hand` are of libraries that npm and PyPI do not have, and are left as
they are. Clients connect as they do by default (polling, then an upgrade), try three times, and stay for some seconds.
Heartbeats are short, so that a session that gets none ends within the recording. Needs what `lab.py` needs.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import command_line
import index_file
from lab import Lab
from library_peers.cast import Peer, node_client, node_server, python_client, python_server

HERE = Path(__file__).resolve().parent
INDEX = HERE / "matrix.toml"
PORT = 3000
PARALLEL = 4
URL = f"http://{Lab.server_ip}:{PORT}"
INDEX_HEAD = """\
# Each client against each server, as they are by default but for short heartbeats. Written by record_matrix.py, but for
# entries that say `by_hand`: no script makes those again. `way` is how the client was told to connect; `row` and
# `column` are its place in the table of tests/recorded/test_matrix.py; `what` is what the client said, if anything.
"""
QUICK = {"pingInterval": 1000, "pingTimeout": 800}
PYTHON_QUICK: dict[str, Any] = {
    "ping_interval": 1,
    "ping_timeout": 1,
}  # not of 4.x, which has no patience beyond its interval
RETRIES = {"reconnectionDelay": 300, "reconnectionDelayMax": 600, "timeout": 3000}
TALK: dict[str, Any] = {"url": URL, "lifeMs": 4000, "attempts": 3, "hello": {"times": 1, "everyMs": 100}}
SERVERS: dict[str, Peer] = {
    "socket.io 1": node_server("1.7.4", **QUICK),
    "socket.io 2": node_server("2.5.1", **QUICK),
    "socket.io 3.0": node_server("3.0.5", **QUICK),
    "socket.io 3.1": node_server("3.1.2", **QUICK),
    "socket.io 4": node_server("4.8.4", **QUICK),
    "socket.io 4 allowEIO3": node_server("4.8.4", **QUICK, allowEIO3=True),
    "python 4": python_server("4.6.1", "3.14.2", "eventlet", "eventlet==0.40.3"),
    "python 5": python_server("5.18.1", "4.15.1", "eventlet", "eventlet==0.40.3", **PYTHON_QUICK),
}
CLIENTS: dict[str, Peer] = {
    "js 0.9": Peer(
        "socket.io-client", "0.9.17", {"url": URL, "refused": True, "truth": "/dev/null"}, ("socket.io-client@0.9.17",),
        script=str(HERE / "legacy_peers" / "client09.js"), flags=("--ignore-scripts",),
    ),
    "js 1": node_client("1.7.4", **TALK, options=RETRIES),
    "js 2": node_client("2.5.0", **TALK, options=RETRIES),
    "js 4": node_client("4.8.4", **TALK, options=RETRIES),
    "python 4": python_client("4.6.1", "3.14.2", "sync", url=URL, lifeMs=3000, attempts=3),
    "python 5": python_client("5.18.1", "4.15.1", "sync", url=URL, lifeMs=3000, attempts=3),
}  # fmt: skip


def slug(row: str, column: str) -> str:
    """The name of a cell's recording."""
    return f"{row}--{column}".replace(" ", "-")


CELLS = {slug(row, column): (row, column) for row in CLIENTS for column in SERVERS}


def record(name: str) -> dict[str, Any]:
    """Make the recording; returns the entry for the index."""
    row, column = CELLS[name]
    server, client = SERVERS[column], CLIENTS[row]
    return made(name, row, column, server.program(), client.program(), server.entry(), client.entry())


Program = tuple[list[str], dict[str, str]]


def made(
    name: str, row: str, column: str, serve: Program, talk: Program, server: dict[str, str], client: dict[str, str]
) -> dict[str, Any]:
    """Let a client meet a server, whatever comes of it."""
    file = f"matrix/{name}.pcap"
    (HERE / file).parent.mkdir(exist_ok=True)
    with Lab() as lab:
        process = lab.start("server", serve[0], env=serve[1])
        time.sleep(1.0)
        with lab.capture(HERE / file, filter=f"tcp port {PORT}"):
            # A client of 0.9 waits for ever where a server says nothing.
            said = lab.run("client", ["timeout", "40", *talk[0]], env=talk[1]).output
            time.sleep(0.3)
        process.stop()
    lines = [line.removeprefix("LOG ").strip() for line in said.splitlines() if re.match("[A-Z]{3}", line)]
    what = "; ".join(dict.fromkeys(line for line in lines if line != "DONE"))[:200] or "The client says nothing."
    return {
        "file": file,
        "row": row,
        "column": column,
        "server": server,
        "client": client,
        "way": "default",
        "what": what,
    }


def write_index(new: list[dict[str, Any]]) -> None:
    """Put entries into the index, in the order of the table; those by hand come last."""
    by_hand = [entry["file"] for entry in index_file.entries(INDEX) if entry.get("by_hand")]
    index_file.write_index(INDEX, INDEX_HEAD, [*(f"matrix/{name}.pcap" for name in CELLS), *by_hand], new)


def main() -> int:
    return command_line.run(
        "Record each client against each server.", CELLS, lambda name: [record(name)], write_index, PARALLEL
    )


if __name__ == "__main__":
    sys.exit(main())
