"""Chooses how packets come that are captured now: by a capturing program, a socket of this process, or a pipe."""

import os
import shlex
import stat
import sys
from pathlib import Path
from typing import Final

from eiosniff.capture.live.devices import closest, names, unknown_interface
from eiosniff.capture.live.opener import Opener
from eiosniff.capture.live.pipes import open_pipe
from eiosniff.capture.live.programs import (
    BackendError,
    NotInstalledError,
    RightsError,
    dumpcap,
    open_program,
    tcpdump,
)
from eiosniff.capture.live.source import LiveSource
from eiosniff.capture.live.surroundings import find_program
from eiosniff.capture.source import STDIN
from eiosniff.errors import CaptureError, EiosniffError

AUTO: Final = "auto"
# In the order in which they are tried (docs/decisions/0012-the-ring-first.md).
BACKENDS: Final = ("scapy", "dumpcap", "tcpdump")

# What libpcap captures from beside interfaces, by how the names begin: those of Linux.
_ANY: Final = "any"
_OTHER_DEVICES: Final = ("nflog", "nfqueue", "usbmon", "bluetooth", "dbus-")


def open_live(
    interface: str, *, backend: str = AUTO, expression: str = "", opener: Opener, user: str = ""
) -> LiveSource:
    """Open an interface (`any`: all of them), standard input ("-") or a named pipe, and wait until packets can come.

    `backend` is one of `BACKENDS`, or "auto" for the first of them that works; `expression` a BPF filter, empty for all
    packets; `user` who this process will be, so that it can still signal a tcpdump that root has started. What is
    opened with rights goes through `opener`. Raises `CaptureError`; a signal handler may raise out of the waiting.
    """
    if is_pipe(interface):
        if expression:
            raise CaptureError("what comes through a pipe cannot be filtered", "filter it where it is captured")
        return open_pipe(interface)
    if backend not in (AUTO, *BACKENDS):
        meant = closest(backend, BACKENDS)
        remedy = f"did you mean {meant}?" if meant else f"there are {AUTO}, {', '.join(BACKENDS)}"
        raise EiosniffError(f"there is no backend {backend!r}", remedy)
    refusals: list[BackendError] = []
    for name in _tried(interface) if backend == AUTO else (backend,):
        try:
            return _open(name, interface, expression, opener, user)
        except BackendError as error:
            refusals.append(error)
    # Of what is not installed, only who asked for it is told.
    raise min(refusals, key=lambda error: isinstance(error, NotInstalledError))


def _tried(interface: str) -> tuple[str, ...]:
    """The backends that may do, of those that are tried in turn."""
    return BACKENDS[1:] if interface.startswith(_OTHER_DEVICES) else BACKENDS


def is_pipe(name: str) -> bool:
    """Whether this is standard input or a named pipe, and not an interface. Raises `CaptureError` where it is none."""
    if name == STDIN:
        return True
    if not name:
        raise CaptureError("the name of the interface is empty", "eiosniff live lists the interfaces")
    if sys.platform == "win32" or name in (*names(), _ANY) or name.startswith(_OTHER_DEVICES):
        return False
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError) as error:
        if os.sep not in name:
            raise unknown_interface(name) from None
        raise CaptureError(f"{name} cannot be opened: {_reason(error)}", "name an interface or a pipe") from None
    if stat.S_ISREG(mode):
        raise CaptureError(f"{name} is a file", f"what is captured already: eiosniff analyze {shlex.quote(name)}")
    if not stat.S_ISFIFO(mode):
        raise CaptureError(f"{name} is neither an interface nor a pipe", "eiosniff live lists the interfaces")
    return True


def _open(name: str, interface: str, expression: str, opener: Opener, user: str) -> LiveSource:
    """Open an interface in one way. Raises `BackendError` where another might do, else `CaptureError`."""
    if name == "scapy":
        return _open_socket(interface, expression, opener)
    found = find_program(name)
    if found is None:
        raise NotInstalledError(f"{name} is not installed", "install it, or leave --backend out")
    if name == "dumpcap":
        return open_program(dumpcap(found.path, interface, expression), opener)
    return open_program(tcpdump(found.path, interface, expression, user), opener)


def _open_socket(interface: str, expression: str, opener: Opener) -> LiveSource:
    try:
        if sys.platform == "linux":
            from eiosniff.capture.live.ring import RingSource  # noqa: PLC0415  (for Linux only)

            return RingSource(interface, expression, opener)
        else:  # noqa: RET505  (mypy passes over the branch of another system)
            from eiosniff.capture.live.portable import PortableSource  # noqa: PLC0415  (scapy takes a while to load)

            return PortableSource(interface, expression, opener)
    except PermissionError:
        raise RightsError(f"{interface} may not be captured by you") from None
    except OSError as error:
        raise BackendError(f"{interface} cannot be captured: {_reason(error)}", "use another --backend") from None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
