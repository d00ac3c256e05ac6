"""Version bounds as the fingerprints write them: `4.5 or later`, `2.x or older`, `3.0 to 4.7`, `older than 2.3.3`."""

import re
from collections.abc import Callable

Version = tuple[int, ...]

_NUMBER = r"(\d+(?:\.\d+)*)(?:\.x)?"
_FORMS: tuple[tuple[str, Callable[[Version, Version, Version], bool]], ...] = (
    (f"{_NUMBER} or later", lambda version, low, _: version >= low),
    (f"{_NUMBER} or older", lambda version, high, _: version[: len(high)] <= high),
    (f"{_NUMBER} to {_NUMBER}", lambda version, low, high: version >= low and version[: len(high)] <= high),
    (f"older than {_NUMBER}", lambda version, limit, _: version < limit),
    (_NUMBER, lambda version, only, _: version[: len(only)] == only),
)


def contains(bound: str, version: str) -> bool:
    """Whether a version lies within a bound. An empty bound excludes nothing; an unknown form is an error."""
    if not bound:
        return True
    for form, within in _FORMS:
        found = re.fullmatch(form, bound)
        if found is not None:
            first, *rest = (_parse(text) for text in found.groups())
            return within(_parse(version), first, rest[0] if rest else ())
    raise ValueError(f"not a bound: {bound!r}")


def _parse(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))
