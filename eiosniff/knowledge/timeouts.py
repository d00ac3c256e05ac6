"""Which boxes cut a connection after how long, by what `timeouts.toml` says."""

from dataclasses import dataclass
from functools import cache

from eiosniff.knowledge.library import read


@dataclass(frozen=True, slots=True)
class Timeout:
    """What cuts connections after so many seconds: of silence (`idle`), or of age, whatever passes."""

    of: str
    idle: tuple[int, ...]
    age: tuple[int, ...]
    setting: str
    source: str


@cache
def load() -> tuple[Timeout, ...]:
    """Read the data file of this package."""
    return tuple(
        Timeout(entry["of"], tuple(entry.get("idle", ())), tuple(entry.get("age", ())), entry["setting"],
                entry["source"])
        for entry in read("timeouts.toml")["timeout"]
    )  # fmt: skip


def nearest_idle(seconds: float, share: float) -> tuple[int, list[Timeout]]:
    """The known timeout for silence that is nearest to a time and within this share of it, and those that have it; 0
    and nothing if there is none."""
    return _nearest(seconds, share, [(value, timeout) for timeout in load() for value in timeout.idle])


def nearest_age(seconds: float, share: float) -> tuple[int, list[Timeout]]:
    """The same of the age of a connection."""
    return _nearest(seconds, share, [(value, timeout) for timeout in load() for value in timeout.age])


def _nearest(seconds: float, share: float, known: list[tuple[int, Timeout]]) -> tuple[int, list[Timeout]]:
    near = [value for value, _ in known if abs(seconds - value) <= share * value]
    if not near:
        return 0, []
    best = min(near, key=lambda value: abs(seconds - value))
    return best, [timeout for value, timeout in known if value == best]
