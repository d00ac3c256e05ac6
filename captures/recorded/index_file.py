# SPDX-License-Identifier: GPL-2.0-or-later
"""The indexes beside the folders of recordings: an entry a recording, in the order of the scenarios."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def toml(entry: dict[str, Any], *, a_line_each: bool = False) -> str:
    """An entry; `a_line_each`: each item of a list on a line of its own."""

    def value(of: Any) -> str:
        if isinstance(of, dict):
            return "{ " + ", ".join(f"{key} = {value(v)}" for key, v in of.items()) + " }"
        if a_line_each and isinstance(of, list) and of:
            return "[\n" + "".join(f"    {value(v)},\n" for v in of) + "]"
        return json.dumps(of)  # strings, numbers, truth and lists of them look the same in both

    return "[[recording]]\n" + "".join(f"{key} = {value(v)}\n" for key, v in entry.items())


def entries(index: Path) -> list[dict[str, Any]]:
    """The entries of an index, in its order; none if there is no such file yet."""
    found: list[dict[str, Any]] = tomllib.loads(index.read_text())["recording"] if index.exists() else []
    return found


def write_index(
    index: Path, head: str, order: Iterable[str], new: Iterable[dict[str, Any]], *, a_line_each: bool = False
) -> None:
    """Put entries into an index, each at the place that its file has in `order`; others that are not in it go."""
    by_file = {entry["file"]: entry for entry in [*entries(index), *new]}
    kept = [toml(by_file[file], a_line_each=a_line_each) for file in order if file in by_file]
    index.write_text("\n".join([head, *kept]))
