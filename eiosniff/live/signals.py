"""Signals, as something that a loop can wait for."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

# Ctrl-C, `kill`, and a terminal that goes away.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
RESIZED = getattr(signal, "SIGWINCH", None)


@contextmanager
def unwinding() -> Iterator[None]:
    """What stops a program while it begins does so as Ctrl-C does: nothing that it started stays behind.

    And the ends of child processes can be waited for, also where who started us has set them to be forgotten.
    """
    before = {number: signal.signal(number, _unwind) for number in STOPPING if _is_wanted(number)}
    if hasattr(signal, "SIGCHLD"):
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwind(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_wanted(number: int) -> bool:
    """Whether a signal is to stop us: nohup(1) wants us to outlive the terminal."""
    return number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN


class Signals:
    """Catches the signals that stop a capture, and those of a terminal that has another size, while it is entered.

    `at_once` is called for the second one that stops: the user does not want to wait.
    """

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._at_once = at_once
        self._stopping = False
        self._resized = False
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._reading, self._writing = socket.socketpair()

    def __enter__(self) -> Self:
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        for number in filter(_is_wanted, STOPPING):
            self._before[number] = signal.signal(number, self._stop)
        if RESIZED is not None:
            self._before[RESIZED] = signal.signal(RESIZED, self._resize)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reading.close()
        self._writing.close()

    def fileno(self) -> int:
        """A descriptor that is readable when a signal came."""
        return self._reading.fileno()

    def clear(self) -> None:
        """Wait for the next one."""
        with suppress(BlockingIOError):
            while os.read(self._reading.fileno(), 4096):
                pass

    @property
    def stopping(self) -> bool:
        """Whether the capture is to end."""
        return self._stopping

    def resized(self) -> bool:
        """Whether the terminal has another size than when this was asked last."""
        resized, self._resized = self._resized, False
        return resized

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            self._at_once()
        self._stopping = True

    def _resize(self, _number: int, _frame: FrameType | None) -> None:
        self._resized = True
