"""The one module that knows everything: it joins sources, decoders, rules and knowledge into a report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Report, RuleInfo

# Called now and then with the bytes read so far, and the size of all input if it is known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose. `select` and `ignore` hold codes or names of rules; `None` selects all."""

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()
    path: str | None = None
    max_sessions: int = 10_000
    batch_size: int = 50_000


def analyze(captures: Sequence[str], options: Options, progress: Progress | None = None) -> Report:
    """Read captures (paths, `-` is standard input) and diagnose them. Raises `EiosniffError` for unusable input."""
    raise NotImplementedError


def decode(captures: Sequence[str], options: Options, progress: Progress | None = None) -> Iterator[DecodedPacket]:
    """Every Engine.IO packet of the captures, in order. Raises `EiosniffError` for unusable input."""
    raise NotImplementedError


def rules() -> list[RuleInfo]:
    """All rules, by code."""
    raise NotImplementedError


def find_rule(code_or_name: str) -> RuleInfo | None:
    """The rule with this code (any case) or name."""
    raise NotImplementedError
