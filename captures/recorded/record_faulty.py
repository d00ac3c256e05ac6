# SPDX-License-Identifier: GPL-2.0-or-later
"""Record real peers in the act of the commonest faults, and near misses that are healthy.

    record_faulty.py list
    record_faulty.py one NAME...     records these, and updates their entries in faulty.toml
    record_faulty.py all             records everything, several laboratories at the same time

Every recording is proved with tshark before it is kept: the packets that must be there are, in
order, and those that must not be there are not. Needs what `lab.py` needs, tshark, curl, openssl
and haproxy.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faulty_peers import index, quality, scenarios
from faulty_peers.stage import Recording, Stage, prove
from lab import Lab

HERE = Path(__file__).resolve().parent
AT_ONCE = 6  # they mostly wait, but what holds an event loop needs a core to itself


def record(recording: Recording) -> index.Entry:
    """Make the recording and keep it if it shows what it is said to show."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-faulty-") as folder:
        capture = Path(folder) / Path(recording.file).name
        log: list[str] = []
        if recording.derive:
            source = HERE / quality.WHOLE_SESSION.file
            capture.write_bytes(recording.derive(source.read_bytes()))
        else:
            with Lab(recording.relay) as lab:
                stage = Stage(lab, recording, capture, Path(folder))
                recording.play(stage)
                log = stage.testimony()
        try:
            proof = prove(recording, capture)
        except ValueError:
            kept = shutil.copy(capture, tempfile.gettempdir())
            print(f"--- {recording.name}: not proved, see {kept}", *log, sep="\n", file=sys.stderr)
            raise
        target = HERE / recording.file
        target.parent.mkdir(exist_ok=True)
        shutil.copy(capture, target)
    return index.entry(recording, proof, log)


def record_all(recordings: Sequence[Recording]) -> int:
    """Record them, derived ones last; returns how many failed."""
    failures = 0
    entries: list[index.Entry] = []
    for group in (
        [r for r in recordings if not r.derive],
        [r for r in recordings if r.derive],
    ):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            pending = [(r, pool.submit(record, r)) for r in group]
            for recording, future in pending:
                if error := future.exception():
                    failures += 1
                    print(f"FAILED   {recording.name}: {error}")
                else:
                    entries.append(future.result())
                    print(f"recorded {recording.name}, proof {future.result()['proof']}")
    index.update(HERE / "faulty.toml", entries, known={r.file for r in scenarios.RECORDINGS})
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("all")
    commands.add_parser("one").add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for recording in scenarios.RECORDINGS:
            print(recording.file)
        return 0
    if arguments.command == "all":
        return bool(record_all(scenarios.RECORDINGS))
    wanted = set(arguments.names)
    if unknown := wanted - {r.name for r in scenarios.RECORDINGS}:
        parser.error(f"no such recording: {', '.join(sorted(unknown))}")
    return bool(record_all([r for r in scenarios.RECORDINGS if r.name in wanted]))


if __name__ == "__main__":
    sys.exit(main())
