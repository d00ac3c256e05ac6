# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of a recorder: `list`, `one NAME...` and `all`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab import LabError

Entries = list[dict[str, Any]]


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
            except (LabError, ValueError) as error:
                failed = True
                print(error, file=sys.stderr)
    return int(failed)
