# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the wire formats that the healthy recordings do not have, from real peers.

    record_variants.py list          the names of all recordings
    record_variants.py one NAME...   make these again (a name may end in `*`)
    record_variants.py all           make all of them again

Beside a recording lies what its peers logged: `NAME.truth.jsonl` has a line for each Socket.IO packet
that a peer sent, as beside the healthy recordings; there `binary` lists the byte strings inside a
packet whose parser writes them in place (msgpack) and `query` what stood after `?` in its namespace.
`variants.toml` is the index. Needs what record_healthy.py needs, and Chromium for the browsers.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from index_file import toml
from lab import LabError
from variant_peers.derived import DERIVED
from variant_peers.scenarios import RECORDED
from variant_peers.stage import Scenario, converse

SCENARIOS = [*RECORDED, *DERIVED]
HERE = Path(__file__).resolve().parent
FOLDER = HERE / "variants"
INDEX = HERE / "variants.toml"
MAX_BYTES = 70_000
ATTEMPTS = 3
PARALLEL = 3  # labs at a time; a peer that starves would miss heartbeats
INDEX_HEAD = """\
# Written by record_variants.py. Of each recording: `group` is the wire format that it is there for;
# `truth` lists the Socket.IO packets that the peers logged as sent, `eio_truth` the Engine.IO messages
# where nothing speaks Socket.IO, `atmost_truth` what was sent of which the capture lacks a part;
# `faulty` says that the peers did not get along, and then there is no truth; `said` is what the client
# counted itself.
"""


def record(scenario: Scenario) -> dict[str, Any]:
    """Make the recording and what lies beside it; returns the entry for the index."""
    FOLDER.mkdir(exist_ok=True)
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="eiosniff-variants-") as folder:
            try:
                made = (scenario.play or converse)(scenario, Path(folder))
            except (LabError, ValueError) as error:
                print(f"{scenario.name}, attempt {attempt + 1}: {error}", file=sys.stderr)
                continue
            entry: dict[str, Any] = {"file": f"variants/{made.capture.name}", **scenario.described}
            for kind, path in [("", made.capture), *made.logs.items()]:
                target = FOLDER / path.name
                target.write_bytes(path.read_bytes())
                if kind:
                    entry[kind] = f"variants/{target.name}"
            if made.said:
                entry["said"] = made.said
            size = made.capture.stat().st_size
            if size > MAX_BYTES:
                print(f"{scenario.name}: {size} bytes", file=sys.stderr)
            return entry
    raise LabError(f"{scenario.name}: not right in {ATTEMPTS} attempts")


def write_index(new: dict[str, Any]) -> None:
    """Put the entry into the index, at its place in the list of scenarios."""
    old = tomllib.loads(INDEX.read_text())["recording"] if INDEX.exists() else []
    entries = {Path(entry["file"]).stem: entry for entry in [*old, new]}
    known = [scenario.name for scenario in SCENARIOS]
    kept = [toml(entries[name]) for name in known if name in entries]
    INDEX.write_text("\n".join([INDEX_HEAD, *kept]))


def record_all(scenarios: Sequence[Scenario]) -> int:
    """Record them, derived ones last; returns how many failed."""
    failures = 0
    for derived in (False, True):
        with ThreadPoolExecutor(PARALLEL) as pool:
            chosen = [scenario for scenario in scenarios if scenario.derived is derived]
            for scenario, pending in [(s, pool.submit(record, s)) for s in chosen]:
                try:
                    write_index(pending.result())
                    print(f"recorded {scenario.name}", flush=True)
                except (LabError, ValueError, OSError) as error:
                    failures += 1
                    print(f"FAILED   {scenario.name}: {error}", flush=True)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("all")
    commands.add_parser("one").add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "list":
        print(*(scenario.name for scenario in SCENARIOS), sep="\n")
        return 0
    if arguments.command == "all":
        return bool(record_all(SCENARIOS))
    chosen = [
        scenario for scenario in SCENARIOS if any(fnmatch.fnmatchcase(scenario.name, name) for name in arguments.names)
    ]
    if not chosen:
        parser.error("no such recording")
    return bool(record_all(chosen))


if __name__ == "__main__":
    sys.exit(main())
