"""Runs a program, and says how long it took and how much memory it held."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Run:
    """One run: by the clock, of the processor (user and system), and the most memory that was resident."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run(command: Sequence[str]) -> Run:
    """Run a program to its end. Raises `RuntimeError` with what it said when it fails.

    The kernel counts the memory of the process that starts the program as the program's own: this process must be
    small. (Hence captures are built in another.)
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.strip()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        median(each.seconds for each in runs),
        median(each.cpu_seconds for each in runs),
        median(each.peak_mb for each in runs),
    )
