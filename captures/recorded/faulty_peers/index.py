# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of the recordings, faulty.toml."""

from __future__ import annotations

import fcntl
import json
import tomllib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from faulty_peers.peers import Peer
from faulty_peers.stage import Recording

Entry = dict[str, Any]

_HEAD = """\
# Made by record_faulty.py; change it there.
#
# rule, code  what the recording shows or, where near_miss is true, what it looks like and is not
#             (another rule may well have something to say about a near miss)
# what        what happens on the wire
# proof       the captured packets that decide it, found by display filters when it was recorded
# log         what the peers said themselves
"""


def entry(recording: Recording, proof: list[int], log: list[str]) -> Entry:
    return {
        "file": recording.file,
        "rule": recording.rule.name,
        "code": recording.rule.code,
        "near_miss": recording.near_miss,
        "server": _peer(recording.server),
        "client": _peer(recording.client),
        "what": recording.what,
        "proof": proof,
        "log": log,
    }


def _peer(peer: Peer) -> dict[str, str]:
    where = {"runs_in": peer.runs_in} if peer.runs_in else {}
    return {"library": peer.library, "version": peer.version, **where}


def update(path: Path, entries: Sequence[Entry], known: AbstractSet[str], head: str = _HEAD) -> None:
    """Put the entries into the index, in place of older ones; what is not `known` goes."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a second recorder may end at the same moment
        file.seek(0)
        kept = {e["file"]: e for e in tomllib.loads(file.read()).get("recording", [])}
        kept |= {e["file"]: e for e in entries}
        file.seek(0)
        file.truncate()
        file.write(head + "".join(_table(kept[name]) for name in sorted(known & kept.keys())))


def _table(one: Entry) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in one.items()]
    return "\n[[recording]]\n" + "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """TOML; what JSON writes for strings, numbers and booleans is TOML, too."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
        case list() if value and isinstance(value[0], str):
            return "[\n" + "".join(f"    {_value(v)},\n" for v in value) + "]"
        case list():
            return "[" + ", ".join(_value(v) for v in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
