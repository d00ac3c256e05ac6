"""Which recordings are compared with tshark.

It takes a second to start, and there are hundreds of recordings whose packets and connections are alike. So those are
compared in which anything below HTTP is out of the ordinary, and every 30th of the others; all of them if
EIOSNIFF_INTEROP is "all" in the environment.
"""

import os
from collections.abc import Iterable
from pathlib import Path

_OUT_OF_THE_ORDINARY = ("carriers/", "lossy/", "variants/damaged-", "capture-")
_EVERY = 30


def sample(paths: Iterable[Path]) -> list[Path]:
    """Of the recordings, those that are to be compared, in order."""
    all_of_them = sorted(paths)
    if os.environ.get("EIOSNIFF_INTEROP") == "all":
        return all_of_them
    chosen = [path for path in all_of_them if any(part in path.as_posix() for part in _OUT_OF_THE_ORDINARY)]
    others = [path for path in all_of_them if path not in set(chosen)]
    return sorted([*chosen, *others[::_EVERY]])
