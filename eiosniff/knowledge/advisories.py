"""Published advisories on servers, and which of them apply to all versions that a server may be of."""

import re
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Final

from eiosniff.knowledge.library import read
from eiosniff.model.peers import Identity

Version = tuple[float, ...]  # major, minor and perhaps patch; `inf` for any
Range = tuple[Version, Version]

_ONE: Final = re.compile(r"(\d+)(?:\.(x|\d+)(?:\.(\d+))?)?\Z")
_ANY: Final = ("x", None)
_FROM_TO: Final = re.compile(r"(\S+) to (\S+)\Z")
_OR_OLDER: Final = re.compile(r"(\S+) or older\Z")
_OLDEST: Final = (1.0, 0.0, 0.0)  # before it there was no Engine.IO


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory. All installations of the versions in `whole` (of the library that a server is taken for) are
    affected; `package`, `affected` and `fixed` are what the advisory itself says, `line` what it is about."""

    id: str
    ghsa: str
    library: str
    package: str
    affected: str
    fixed: str
    whole: tuple[Range, ...]
    line: str
    source: str


@cache
def load() -> tuple[Advisory, ...]:
    """Read the data file of this package."""
    return tuple(
        Advisory(
            entry["id"],
            entry["ghsa"],
            entry["library"],
            entry["package"],
            entry["affected"],
            entry["fixed"],
            tuple((_lowest(first), _highest(last)) for first, last in entry["whole"]),
            entry["line"],
            entry["source"],
        )
        for entry in read("advisories.toml")["advisory"]
    )


def advisories_for(identity: Identity) -> list[Advisory]:
    """The advisories that apply whichever of the versions a server is of, in the order of the file; none where one of
    these versions may have the fix, or nothing tells the version."""
    bound = bound_of(identity.version)
    if bound is None:
        return []
    first, last = bound
    return [
        advisory
        for advisory in load()
        if advisory.library == identity.library and any(low <= first and last <= high for low, high in advisory.whole)
    ]


def bound_of(version: str) -> Range | None:
    """The first and the last version that a bound stands for: `2.1 to 2.4`, `2.3 or older`, `4.7`, `2.0.9`; None where
    it is open towards newer ones (`4.5 or later`) or says nothing."""
    if found := _FROM_TO.match(version):
        first, last = found[1], found[2]
    elif found := _OR_OLDER.match(version):
        first, last = "", found[1]
    else:
        first = last = version
    low, high = _lowest(first) if first else _OLDEST, _highest(last)
    if not low or not high:
        return None
    return (min(low, high), high)


def _lowest(text: str) -> Version:
    """The first version that is called so; empty if the text is none."""
    found = _ONE.match(text)
    if found is None:
        return ()
    return float(found[1]), 0.0 if found[2] in _ANY else float(found[2]), float(found[3] or 0)


def _highest(text: str) -> Version:
    found = _ONE.match(text)
    if found is None:
        return ()
    return float(found[1]), inf if found[2] in _ANY else float(found[2]), float(found[3]) if found[3] else inf
