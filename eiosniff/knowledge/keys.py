"""How to get the keys of TLS from this client or that, by what `keys.toml` says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from eiosniff.knowledge.library import read

_MOST_LIKELY = 2


@dataclass(frozen=True, slots=True)
class KeySource:
    """A program, and how it gives its keys. `shapes` are what its ClientHellos look like."""

    of: str
    side: str
    shapes: frozenset[str]
    short: str
    how: str
    source: str


@cache
def load() -> tuple[KeySource, ...]:
    """Read the data file of this package."""
    return tuple(
        KeySource(entry["of"], entry["side"], frozenset(entry["shapes"]), entry["short"], entry["how"], entry["source"])
        for entry in read("keys.toml")["keys"]
    )


def seen(shapes: Mapping[str, int]) -> list[KeySource]:
    """Those whose hellos look so, with how often each was seen; the most frequent first."""
    counts = {each: sum(shapes.get(shape, 0) for shape in each.shapes) for each in load()}
    return sorted((each for each in counts if counts[each]), key=lambda each: -counts[each])


def likely(shapes: Mapping[str, int]) -> list[str]:
    """How to get keys from the clients that these are likely to be, two at the most: a sentence each."""
    return [f"By its ClientHello, the client may be {each.of}: {each.how}." for each in seen(shapes)[:_MOST_LIKELY]]


def are_known(shapes: Mapping[str, int]) -> bool:
    """Whether `likely` speaks of all of them."""
    return bool(shapes) and all(any(shape in each.shapes for each in seen(shapes)[:_MOST_LIKELY]) for shape in shapes)


def others(shapes: Mapping[str, int]) -> str:
    """The same for all others, in a few words each."""
    known = seen(shapes)[:_MOST_LIKELY]
    texts = "; ".join(each.short for each in load() if each not in known)
    return f"{'Others' if known else 'How, by client'}: {texts}."
