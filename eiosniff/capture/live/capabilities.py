"""Capabilities of Linux: what a process or a program file may do of what root may (capabilities(7), prctl(2)).

On other systems, and where the kernel does not say, all of it answers None or does nothing.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

# linux/capability.h
DAC_OVERRIDE: Final = 1
NET_ADMIN: Final = 12
NET_RAW: Final = 13

_STATUS: Final = Path("/proc/self/status")
# linux/prctl.h
_SET_PDEATHSIG: Final = 1
_SET_KEEPCAPS: Final = 8
_SET_NO_NEW_PRIVS: Final = 38
_AMBIENT: Final = 47
_AMBIENT_IS_SET: Final = 1
_AMBIENT_RAISE: Final = 2
# linux/capability.h: the version of capset(2) with 64 bits, and a file's capabilities as an extended attribute.
_VERSION_3: Final = 0x20080522
_FILE_ATTRIBUTE: Final = "security.capability"
_FILE_EFFECTIVE: Final = 1


class Held(NamedTuple):
    """Capabilities of a process, as bits by number. `bounding` is what a program that it starts may get at most, and
    with `no_new_privileges` no program gets more than the process has."""

    effective: int
    permitted: int
    bounding: int
    no_new_privileges: bool

    def may(self, capability: int) -> bool:
        """Whether the process may use a capability now."""
        return bool(self.effective >> capability & 1)


def held(status: Path = _STATUS) -> Held | None:
    """What this process has (proc_pid_status(5))."""
    try:
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        effective, permitted, bounding = (int(fields[name], 16) for name in ("CapEff", "CapPrm", "CapBnd"))
        return Held(effective, permitted, bounding, fields.get("NoNewPrivs", "0").strip() == "1")
    except (OSError, KeyError, ValueError):
        return None


def of_file(path: str) -> int:
    """What whoever runs a program gets by its file, as bits by number; 0 for most files, and where none can tell."""
    if sys.platform != "linux":
        return 0
    try:
        value = os.getxattr(path, _FILE_ATTRIBUTE)
        revision, low = struct.unpack_from("<II", value)
    except (OSError, ValueError, struct.error):
        return 0
    # A program that knows nothing of capabilities uses them only if they are effective from its start.
    return int(low) if revision & _FILE_EFFECTIVE else 0


def can_be_handed_on() -> bool:
    """Whether a process that is not root can hand capabilities to the programs that it starts (Linux 4.3)."""
    return sys.platform == "linux" and held() is not None and _prctl(_AMBIENT, _AMBIENT_IS_SET, NET_RAW) >= 0


def survive_change_of_user() -> None:
    """Stay permitted what is permitted now when this process becomes another user. Raises `OSError`."""
    _check(_prctl(_SET_KEEPCAPS, 1))


def keep_only(capabilities: frozenset[int], handed_on: frozenset[int] = frozenset()) -> None:
    """Give up all capabilities but some, and hand some of these on to programs that are started. Raises `OSError`.

    Those that the process does not have stay out."""
    have = held()
    permitted = 0 if have is None else have.permitted
    kept = permitted & sum(1 << each for each in capabilities)
    passed = kept & sum(1 << each for each in handed_on)
    header = struct.pack("=Ii", _VERSION_3, 0)
    words = [(bits >> shift) & 0xFFFFFFFF for shift in (0, 32) for bits in (kept, kept, passed)]
    _check(_libc().capset(header, struct.pack("=6I", *words)))
    for each in handed_on:
        if passed >> each & 1:
            _check(_prctl(_AMBIENT, _AMBIENT_RAISE, each))


def gain_no_more() -> None:
    """Let no program that this process starts have more rights than the process, as far as the kernel knows that."""
    if sys.platform == "linux":
        _prctl(_SET_NO_NEW_PRIVS, 1)


def signal_when_parent_dies(number: int) -> None:
    """Get a signal when the process that started this one is gone, where the kernel can do that. To be asked for again
    after a change of user."""
    if sys.platform == "linux":
        _prctl(_SET_PDEATHSIG, number)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, first: int, second: int = 0) -> int:
    wide = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    return int(_libc().prctl(option, *wide))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
