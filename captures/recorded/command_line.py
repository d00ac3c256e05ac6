# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of a recorder: `list`, `one NAME...` and `all`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import SubprocessError
from typing import Any, Protocol, TypeVar

from faulty_peers import index
from lab import LabError

Entries = list[dict[str, Any]]


class Scenario(Protocol):
    """What is recorded: its name, and the file that it goes into."""

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str: ...


S = TypeVar("S", bound=Scenario)


def run(
    description: str,
    names: Iterable[str],
    record: Callable[[str], Entries],
    write_index: Callable[[Entries], None],
    at_once: int = 1,
) -> int:
    """Do what the arguments of the process ask for; returns its exit code.

    `record` makes the recordings of a name and returns their entries, which go into the index as soon as they are
    there. What fails is said, and the others go on.
    """
    known = list(names)
    parser = argparse.ArgumentParser(description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("list", "all"):
        commands.add_parser(name)
    commands.add_parser("one").add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "list":
        print(*known, sep="\n")
        return 0
    wanted = arguments.names if arguments.command == "one" else known
    if unknown := set(wanted) - set(known):
        parser.error(f"no such recording: {', '.join(sorted(unknown))}")
    failed = False
    with ThreadPoolExecutor(at_once) as pool:
        for pending in [pool.submit(record, name) for name in wanted]:
            try:
                write_index(pending.result())
            except (LabError, OSError, SubprocessError, ValueError) as error:
                failed = True
                print(error, file=sys.stderr)
    return int(failed)


def run_scenarios(
    description: str, scenarios: Sequence[S], record: Callable[[S], dict[str, Any]], path: Path, head: str
) -> int:
    """The same for scenarios with a recording each, and their entries in the index at `path`."""
    known = {each.name: each for each in scenarios}
    files = {each.file for each in scenarios}
    return run(
        description,
        known,
        lambda name: [record(known[name])],
        lambda entries: index.update(path, entries, files, head=head),
    )
