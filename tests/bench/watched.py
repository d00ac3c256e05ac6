"""Runs a program that goes on until it is told to stop: what it prints and when, what it takes of the processor, and
how much memory it has."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from tests.bench.measure import PROCESSES, descendants, text_of

LOOK_EVERY = 0.25  # seconds
MEMORY_EVERY = 4  # looks: the kernel walks all pages for it
TICKS = os.sysconf("SC_CLK_TCK")
Line = tuple[int, bytes]  # when it came (ns since 1970)


class Watched:
    """A running program. `lines` are those of its standard output, `errors` those of its standard error: the last of
    them, if `most_lines` says how many."""

    def __init__(self, command: Sequence[str], *, feed: bool = False, most_lines: int | None = None) -> None:
        self.lines: deque[Line] = deque(maxlen=most_lines)
        self.errors: deque[Line] = deque(maxlen=most_lines)
        self.memory_mb = 0.0  # the most that it had, with all that it started; what they share is counted once
        self.cpu_seconds = 0.0  # once it is over, of all that it started too
        self._cpu_of: dict[int, tuple[str, float]] = {}  # by process: its name, and what it took
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self._process.pid
        self.stdin = self._process.stdin
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.errors), daemon=True),
            threading.Thread(target=self._look, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, said: Callable[[], bool], seconds: float) -> None:
        """Raises `RuntimeError` when it ends, or the time does, before `said` is true."""
        end = time.monotonic() + seconds
        while not said():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._process.args!r} is not ready: {self.said()}")
            time.sleep(0.01)

    def said(self) -> str:
        """The end of what it complained about."""
        return b"".join(line for _, line in list(self.errors)[-20:]).decode("utf-8", "replace").strip()

    def settle(self, seconds: float) -> None:
        """Let it go on for a while."""
        self._over.wait(seconds)

    def stop(self, seconds: float = 60) -> int:
        """Ask it to end as Ctrl-C does, and wait for that; returns its exit code, negative for a signal."""
        self._process.send_signal(signal.SIGINT)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait until it is over. Raises `RuntimeError` when that takes too long."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        for thread in self._threads[:2]:
            thread.join()
        _, status, usage = os.wait4(self.pid, 0)
        timer.cancel()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self._close()
        if self._process.returncode == -signal.SIGKILL:
            raise RuntimeError(f"{self._process.args!r} did not end: {self.said()}")
        return self._process.returncode

    def kill(self) -> None:
        """End it at once, if it is still there."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of what it did not read any more
                    pipe.close()

    def cpu_of(self, *names: str) -> float:
        """What the processes of these names took, as far as it was seen."""
        return sum(seconds for name, seconds in self._cpu_of.values() if name in names)

    @property
    def own_cpu(self) -> float:
        """What the process itself took, as far as it was seen."""
        return self._cpu_of.get(self.pid, ("", 0.0))[1]

    def _read(self, pipe: IO[bytes], lines: deque[Line]) -> None:
        for line in pipe:
            lines.append((time.time_ns(), line))

    def _look(self) -> None:
        looks = 0
        while not self._over.wait(LOOK_EVERY):
            looks += 1
            self._note_cpu()
            if looks % MEMORY_EVERY == 0:
                self.memory()

    def _note_cpu(self) -> None:
        for pid in descendants(self.pid):
            name, _, rest = text_of(PROCESSES / str(pid) / "stat").partition(" (")[2].rpartition(") ")
            if rest:
                fields = rest.split()
                self._cpu_of[pid] = (name, (int(fields[11]) + int(fields[12])) / TICKS)

    def memory(self) -> float:
        """The memory that it has now, with all that it started (MB)."""
        memory_mb = sum(map(_proportional_kb, descendants(self.pid))) / 1024
        self.memory_mb = max(self.memory_mb, memory_mb)
        return memory_mb


def resident_mb(pid: int) -> float:
    """The memory of one process that is resident, shared or not; 0 once it is over."""
    _, _, rest = text_of(PROCESSES / str(pid) / "status").partition("VmRSS:")
    return int(rest.split(maxsplit=1)[0]) / 1024 if rest else 0.0


def _proportional_kb(pid: int) -> int:
    """The memory of a process, its share of what it shares; nothing once it is over."""
    _, _, rest = text_of(PROCESSES / str(pid) / "smaps_rollup").partition("\nPss:")
    return int(rest.split(maxsplit=1)[0]) if rest else 0
