"""Runs a program, and says how long it took and how much memory it held."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROCESSES = Path("/proc")
LOOK_EVERY = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Run:
    """One run: by the clock, of the processor (user and system), and the most memory that was resident.

    The memory is that of the program and of all processes that it starts, see `_Watch`.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run(command: Sequence[str], feed: Sequence[str] | None = None) -> Run:
    """Run a program to its end; `feed` is another, whose output it reads. Raises `RuntimeError` when either fails.

    The kernel counts the memory of the process that starts the program as the program's own: this process must be
    small. (Hence captures are built in another.)
    """
    begun = time.perf_counter()
    source = None
    if feed:
        source = subprocess.Popen(feed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    process = subprocess.Popen(
        command,
        stdin=source.stdout if source else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if source and source.stdout:
        source.stdout.close()  # so that the source notices when the program ends too early
    assert process.stderr is not None
    with _Watch(process.pid) as watch:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.strip()}")
    if feed and source and source.wait():
        raise RuntimeError(f"{' '.join(feed)} ended with {source.returncode}")
    peak_kb = max(usage.ru_maxrss, watch.peak_kb)
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak_kb / 1024)


class _Watch:
    """Adds up the memory of a process and its descendants while it is at work.

    The kernel's figure at the end (`ru_maxrss`) is that of the largest process, not of all of them. So the peaks of all
    that live at a moment are added up, many times a second, and the largest sum counts. That errs upwards: processes
    need not have their peaks together, and what they share is counted for each. With one process it is the kernel's
    figure.
    """

    def __init__(self, pid: int) -> None:
        self.peak_kb = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self.peak_kb = max(self.peak_kb, tree_peak_kb(self._pid))


def tree_peak_kb(pid: int) -> int:
    """The most memory that a process and its living descendants held until now, added up."""
    return sum(map(_peak_kb, descendants(pid)))


def descendants(pid: int) -> list[int]:
    """A process, and all that it and they started, as far as they live."""
    found = [pid]
    for each in found:  # grows meanwhile
        for threads in (PROCESSES / str(each) / "task").glob("*/children"):
            found += map(int, text_of(threads).split())
    return found


def _peak_kb(pid: int) -> int:
    """Nothing once it is over."""
    _, _, rest = text_of(PROCESSES / str(pid) / "status").partition("VmHWM:")
    return int(rest.split(maxsplit=1)[0]) if rest else 0


def text_of(path: Path) -> str:
    """A file of /proc; empty once the process is over."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # the process ended
        return ""


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        median(each.seconds for each in runs),
        median(each.cpu_seconds for each in runs),
        median(each.peak_mb for each in runs),
    )


def in_turn(commands: dict[str, Sequence[str]], runs: int) -> dict[str, list[Run]]:
    """Run several programs one after the other, so many times: what disturbs the machine meets all of them."""
    done: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            done[name].append(run(command))
    return done


def median_of(done: dict[str, list[Run]]) -> dict[str, Run]:
    """The median of the runs of each program."""
    return {name: middle(measured) for name, measured in done.items()}


def verdict(ratio: float, most: float) -> str:
    """What was aimed at, and whether it is reached."""
    return f"at most {most:g}: {'met' if ratio <= most else 'MISSED'}"
