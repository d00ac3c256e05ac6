"""Expectations beside the captures: `captures/rules/<code>_<name>/case.toml`, and the recordings' indices."""

import shutil
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eiosniff import app
from eiosniff.model.finding import Report

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "captures"
RECORDED = CAPTURES / "recorded"
HAS_TSHARK = shutil.which("tshark") is not None


@dataclass(frozen=True)
class Case:
    """One capture (or several of the same sessions), and what a rule is to make of it.

    `bad` captures show the fault: `first` says that it is the root cause (the first diagnosis), else it may also be a
    consequence, and `cause` names the rule of the root cause where no other case of the capture does; `packets` must be
    among the evidence. A good one is a near miss: the rule is silent. `tshark`: without it nothing can be said of the
    captures, as what matters is in QUIC.
    """

    rule: str
    captures: tuple[Path, ...]
    bad: bool
    first: bool
    certainty: str | None
    severity: str | None
    occurrences: int | None
    packets: tuple[int, ...]
    consequences: tuple[str, ...]
    cause: str
    why: str
    tshark: bool

    @property
    def capture(self) -> Path:
        """The first of them."""
        return self.captures[0]

    def __str__(self) -> str:
        return f"{self.rule}:{self.capture.stem}"


def case_file(code: str, name: str) -> Path:
    return CAPTURES / "rules" / f"{code.lower()}_{name.replace('-', '_').replace('.', '_')}" / "case.toml"


@cache
def cases() -> tuple[Case, ...]:
    found: list[Case] = []
    for path in sorted(CAPTURES.glob("rules/*/case.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        for kind in ("bad", "good"):
            found.extend(_case(content["rule"], entry, kind == "bad", path.parent) for entry in content.get(kind, ()))
    return tuple(found)


def _case(rule: str, entry: dict[str, Any], bad: bool, folder: Path) -> Case:
    names = [entry["capture"]] if isinstance(entry["capture"], str) else entry["capture"]
    captures = tuple(CAPTURES / name if "/" in name else folder / name for name in names)
    return Case(
        rule,
        captures,
        bad,
        entry.get("first", bad),
        entry.get("certainty"),
        entry.get("severity"),
        entry.get("occurrences"),
        tuple(entry.get("packets", ())),
        tuple(entry.get("consequences", ())),
        entry.get("cause", rule if entry.get("first", bad) else ""),
        entry.get("why", ""),
        entry.get("tshark", False),
    )


def recordings(index: str) -> list[dict[str, Any]]:
    """The entries of an index of recordings (`healthy`, `faulty`, ...); `path` is added."""
    content = tomllib.loads((RECORDED / f"{index}.toml").read_text(encoding="utf-8"))
    entries: list[dict[str, Any]] = content["recording"]
    for entry in entries:
        candidates = (RECORDED / index / entry["file"], RECORDED / entry["file"])
        entry["path"] = next((path for path in candidates if path.exists()), candidates[0])
    return entries


def healthy() -> list[Path]:
    """All recordings in which nothing is wrong."""
    names = ("healthy", "lossy", "libraries", "proxied", "carriers", "variants", "two_sides")
    entries = [entry for name in names for entry in recordings(name)]
    return [entry["path"] for entry in entries if entry.get("healthy", True) and not _has_a_fault(entry)]


def _has_a_fault(entry: dict[str, Any]) -> bool:
    """Meant, as the refusals of a namespace are, or because a part of the recording is missing."""
    stem = entry["path"].stem
    return bool(entry.get("faulty")) or stem.startswith(("namespaces--", "damaged-", "late-"))


@cache
def report_of(*captures: Path) -> Report:
    return app.analyze([str(capture) for capture in captures], app.Options())
