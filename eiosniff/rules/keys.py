"""How to get at what TLS hides, for the clients at hand."""

from collections import Counter
from collections.abc import Iterable

from eiosniff.knowledge.keys import are_known, likely, others
from eiosniff.model.unread import Encrypted

_KEEP = "Keep the keys while you capture, and give them to eiosniff (--keylog keys.log)."
_OTHERS = "For others see: eiosniff rules show CAP227."


def keys_of(entries: Iterable[Encrypted]) -> str:
    """How to get the keys of these connections, from the likely clients first, by what their hellos look like; others
    are named if there is a hello that is not recognised."""
    shapes = _shapes(entries)
    return " ".join([_KEEP, *likely(shapes), _OTHERS if are_known(shapes) else others(shapes)])


def keys_of_one(entry: Encrypted) -> str:
    """The same in short: where its client is recognised, the others are left to CAP227."""
    said = likely(entry.shapes)
    more = _OTHERS if said else others(entry.shapes)
    return " ".join([_KEEP, *said, more])


def _shapes(entries: Iterable[Encrypted]) -> Counter[str]:
    shapes: Counter[str] = Counter()
    for entry in entries:
        shapes.update(entry.shapes)
    return shapes
