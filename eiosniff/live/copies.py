"""Work on a copy of this process, as it is at an instant, while it goes on: a fork, and a pipe for the result."""

import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from eiosniff.errors import EiosniffError

_BLOCK = 1 << 20
# What a copy does is not to take time from decoding and capturing: what waits there is lost if it waits for too long.
_NICENESS = 19


class CopyFailedError(Exception):
    """A copy did not do its work: a bug of ours, or the system ended it. The text says where."""


class Copy:
    """A child process that does some work and sends bytes. (There are no threads, so a fork is safe.)"""

    def __init__(self, work: Callable[[], bytes]) -> None:
        """Start it. Raises `EiosniffError` where the system has no room for another process."""
        receiving, sending = os.pipe()
        try:
            self._child = os.fork()
        except OSError as error:
            os.close(receiving)
            os.close(sending)
            raise EiosniffError(f"no process can be started: {error.strerror}", "free some memory") from None
        if self._child == 0:
            _work(work, sending)
        os.close(sending)
        self._pipe = receiving
        self._received: list[bytes] = []
        self.worked_ns = 0  # processor time, once it is done

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to `take`; -1 after the end."""
        return self._pipe

    def take(self) -> bytes | None:
        """Read on: what the work gave, when it is complete. Raises `CopyFailedError`."""
        block = os.read(self._pipe, _BLOCK)
        if block:
            self._received.append(block)
            return None
        status = self._end()
        received = b"".join(self._received)
        if status:
            raise CopyFailedError(received.decode("utf-8", "replace") or f"it ended with status {status}")
        return received

    def close(self) -> None:
        """Stop it, if it is not done. Does nothing the second time."""
        if self._pipe >= 0:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self._end()

    def _end(self) -> int:
        os.close(self._pipe)
        self._pipe = -1
        _, status, used = os.wait4(self._child, 0)
        self.worked_ns = round((used.ru_utime + used.ru_stime) * 1_000_000_000)
        return status


def _work(work: Callable[[], bytes], sending: int) -> NoReturn:
    """The life of the child. Whatever happens: the rest of the program is the parent's."""
    status, result = 1, b""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent ends it
            signal.signal(number, signal.SIG_IGN)
        os.nice(_NICENESS)
        try:
            result = work()
            status = 0
        except Exception as bug:
            place = traceback.extract_tb(bug.__traceback__)[-1]
            result = f"{type(bug).__name__} in {Path(place.filename).name}:{place.lineno}: {bug}".encode()
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(result)
    finally:
        os._exit(status)
