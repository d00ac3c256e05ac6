"""Which capture files are parts of one: by their names, and by when their first packets were captured.

What tools call the files of a rotation:
- tcpdump -C: `cap.pcap`, `cap.pcap1`, `cap.pcap2`; with -W a ring `cap.pcap0` ...; with -G what strftime makes of it;
- dumpcap, tshark, Wireshark and `eiosniff live --write`: `cap_00001_20261126100000.pcapng`, or with the counter last;
- editcap -c and -i: the same. All of them may be compressed since.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from itertools import pairwise
from operator import attrgetter
from pathlib import Path, PurePath
from typing import NamedTuple

from eiosniff.capture.source import STDIN, open_source
from eiosniff.errors import CaptureError

_COMPRESSED = re.compile(r"\.(?:gz|zst|zstd)$", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_TRAILING = re.compile(r"\d*$")
# 20261126, 20261126100000, 2026-11-26: the date in a name (of this century, as that of any rotation that is kept).
_DATE = re.compile(r"20\d{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])")
_STAMP_LENGTHS = (6, 8, 10, 12, 14)  # hhmmss, yyyymmdd, seconds since 1970, ...
_COUNTER = 5  # digits that dumpcap and its kin write
# How long it may be from the last packet of a file to the first of the next (ns). Engine.IO is not silent for as long
# as the first; numbers that somebody may have put there by hand have to follow closely.
PAUSE_NS = 600_000_000_000
CLOSE_NS = 30_000_000_000
# Packets of several queues or interfaces are not quite in order of time.
OVERLAP_NS = 1_000_000_000


class Part(NamedTuple):
    """One file of a capture that may have more of them. `first_ns` is the instant of its first packet, None where it
    has none or was not looked at; `order` are the numbers in its name. A HAR is `alone`: it is no part of anything.
    `trouble` says why nothing of it can be read, by what was looked at."""

    path: str
    first_ns: int | None = None
    order: tuple[int, ...] = ()
    alone: bool = False
    trouble: str = ""


class Run(NamedTuple):
    """Files to read in this order, as one for as long as each goes on where the one before ends: `pause_ns` at most
    after it. None: whatever is between them. `counter` is where in the numbers of a name the one is that counts."""

    parts: tuple[Part, ...]
    pause_ns: int | None = 0
    counter: int | None = None


def expand(patterns: Iterable[str]) -> list[str]:
    """Names of files, with those that fit in place of a pattern (`*`, `?`, `[...]`) which is not itself a file's name.
    A file that comes again, by this name or another, is left out.

    Raises `CaptureError` for a pattern that fits none.
    """
    names: list[str] = []
    for pattern in patterns:
        if pattern == STDIN or not has_magic(pattern) or Path(pattern).exists():
            names.append(pattern)
            continue
        found = sorted(name for name in glob(pattern) if not Path(name).is_dir())  # noqa: PTH207 - as the user wrote it
        if not found:
            raise CaptureError(f"{pattern}: there is no such file, nor any that fits this pattern", "check the path")
        names += found
    once: dict[object, str] = {}
    for name in names:
        once.setdefault(_identity(name), name)
    return list(once.values())


def _identity(name: str) -> object:
    """What two names of one file have in common."""
    if name != STDIN:
        with contextlib.suppress(OSError, ValueError):
            status = Path(name).stat()
            return status.st_dev, status.st_ino
    return name


def plan(paths: Sequence[str], *, joined: bool | None = None) -> list[Run]:
    """What to read as one: by the names (`joined` is None), all of them, or none."""
    if len(paths) == 1 or joined is False:
        return [Run((Part(path),)) for path in paths]
    if joined:
        seen = [_look(path) for path in paths]
        together = tuple(_by_time(part for part in seen if not part.alone))
        runs = [Run(together, None, None)] if together else []
        return runs + [Run((part,)) for part in seen if part.alone]
    alike: dict[str, list[Part]] = {}
    for path in paths:
        key, order = _split(path)
        alike.setdefault(key, []).append(Part(path, None, order))
    return [run for parts in alike.values() for run in _runs(parts)]


def _split(path: str) -> tuple[str, tuple[int, ...]]:
    """A name without its numbers, and the numbers."""
    if path == STDIN or not Path(path).is_file():
        return path, ()
    folder, name = os.path.split(path)
    name = _COMPRESSED.sub("", name)
    trailing = _TRAILING.search(name)
    last = trailing[0] if trailing else ""
    name = name[: len(name) - len(last)]
    numbers = _DIGITS.findall(name)
    return os.path.join(folder, _DIGITS.sub("#", name)), (*map(int, numbers), int(last or 0))  # noqa: PTH118 - as given


def _runs(parts: Sequence[Part]) -> list[Run]:
    """Files whose names differ in numbers alone: one run if these say when each comes, else each by itself."""
    apart = [Run((part,)) for part in parts]
    if len(parts) == 1 or len({part.order for part in parts}) < len(parts):
        return apart
    seen = [_look(part.path, part.order) for part in parts]
    if any(part.alone for part in seen):
        return apart
    by_name = sorted(seen, key=attrgetter("order"))
    differing = [at for at in range(len(parts[0].order)) if len({part.order[at] for part in parts}) > 1]
    dated = any(_DATE.search(PurePath(part.path).name) for part in parts)
    trailing = differing == [len(parts[0].order) - 1]  # as tcpdump counts: only its files may be a ring
    if not _in_order(by_name):
        by_name = _turned(by_name)
        if not trailing or not _in_order(by_name):
            return apart
    counter = _counter(by_name, differing, dated=dated)
    named_by_a_tool = dated or trailing or _is_padded(parts)
    return [Run(tuple(by_name), PAUSE_NS if named_by_a_tool else CLOSE_NS, counter)]


def _look(path: str, order: tuple[int, ...] = ()) -> Part:
    """When a file begins."""
    if path == STDIN or not Path(path).is_file():
        return Part(path, None, order)
    try:
        source = open_source(path, batch_size=1)
    except CaptureError as error:  # an empty one may be begun, and not yet written to
        return Part(path, None, order, trouble=PurePath(path).name + error.problem.removeprefix(path))
    with source:
        if source.is_har:
            return Part(path, None, order, alone=True)
        batch = next(iter(source.batches()), None)
        return Part(path, None if batch is None else int(batch.ts_ns[0]), order)


def _by_time(parts: Iterable[Part]) -> list[Part]:
    """In order of their first packets; those without any stay behind the file that they follow."""
    keyed: list[tuple[int, int, Part]] = []
    before = 0
    for at, part in enumerate(parts):
        before = before if part.first_ns is None else part.first_ns
        keyed.append((before, at, part))
    return [part for _, _, part in sorted(keyed)]


def _in_order(parts: Sequence[Part]) -> bool:
    """Whether the first packets rise."""
    begins = [part.first_ns for part in parts if part.first_ns is not None]
    return all(one < other for one, other in pairwise(begins))


def _turned(parts: Sequence[Part]) -> list[Part]:
    """Files of a ring whose counter began again: the oldest one first."""
    begins = [part.first_ns for part in parts]
    known = [begin for begin in begins if begin is not None]
    first = begins.index(min(known)) if known else 0
    return [*parts[first:], *parts[:first]]


def _is_padded(parts: Sequence[Part]) -> bool:
    return all(any(len(number) == _COUNTER for number in _DIGITS.findall(PurePath(part.path).name)) for part in parts)


def _counter(parts: Sequence[Part], differing: Sequence[int], *, dated: bool) -> int | None:
    """Which of the numbers counts the files; None where none does, or none for sure."""
    steps = {at: [other.order[at] - one.order[at] for one, other in pairwise(parts)] for at in differing}
    padded = _is_padded(parts)
    for at in differing:
        lengths = {len(str(part.order[at])) for part in parts}
        stamp = bool(lengths & set(_STAMP_LENGTHS)) if not padded else max(lengths) > _COUNTER
        if (padded or not dated) and not stamp and steps[at].count(1) * 2 >= len(steps[at]):
            return at
    return None
