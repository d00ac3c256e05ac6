"""A bar on stderr for work that takes a while, if somebody is there to see it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from eiosniff.app import Progress

_PATIENCE_S = 0.5


@contextmanager
def progress(*, wanted: bool) -> "Iterator[Progress | None]":
    """What to hand to the application; None when nobody would see it."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    reading = _Reading()
    try:
        yield reading
    finally:
        reading.stop()


class _Reading:
    """Shows how much was read, from the first half second on."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if self._bar is None:
            if time.monotonic() - self._started < _PATIENCE_S:
                return
            self._bar = self._show()
        if self._task is None:
            self._task = self._bar.add_task("reading", total=total)
        self._bar.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _show(self) -> "Bar":
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.start()
        return bar
