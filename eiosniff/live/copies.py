"""Work on a copy of this process, as it is at an instant, while it goes on: a fork, and a pipe for the result."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_BLOCK = 1 << 20
# What a copy does is not to take time from decoding and capturing: what waits there is lost if it waits for too long.
_NICENESS = 19
# One that takes longer than this will not end by itself (a rule of others may wait for ever).
_LONGEST_S = 120.0


class CopyFailedError(Exception):
    """A copy did not do its work: a bug of ours, or something ended it. The text says where, or what."""


class Copy:
    """A child process that does some work and sends bytes. (There are no threads, so a fork is safe.)

    It ends within `longest_s`, whatever becomes of its parent: it holds all that this one has opened.
    """

    def __init__(self, work: Callable[[], bytes], longest_s: float = _LONGEST_S) -> None:
        """Start it. Raises `OSError` where the system has no room for another process."""
        receiving, sending = os.pipe()
        try:
            self._child = os.fork()
        except OSError:
            os.close(receiving)
            os.close(sending)
            raise
        if self._child == 0:
            _work(work, sending, longest_s)
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
            raise CopyFailedError(received.decode("utf-8", "replace") if status > 0 and received else _ended(status))
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
        return os.waitstatus_to_exitcode(status)


def _ended(status: int) -> str:
    match -status:
        case signal.SIGALRM:
            return "it took too long"
        case signal.SIGKILL:
            return "it was killed; perhaps there was too little memory"
        case number if number > 0:
            return f"it was ended by signal {number}"
    return f"it ended with status {status}"


def _work(work: Callable[[], bytes], sending: int, longest_s: float) -> NoReturn:
    """The life of the child. Whatever happens: the rest of the program is the parent's."""
    status, result = 1, b""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent ends it
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, longest_s)
        os.nice(_NICENESS)
        # What a rule of others prints would be among the events, or on the screen.
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (open to the end)
        try:
            result = work()
            status = 0
        except BaseException as bug:  # a rule of others may even try to end the program
            place = traceback.extract_tb(bug.__traceback__)[-1]
            result = (
                f"{type(bug).__name__} in {Path(place.filename).name}:{place.lineno}: {bug}; please report it".encode(
                    "utf-8", "backslashreplace"
                )
            )
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(result)
    finally:
        os._exit(status)
