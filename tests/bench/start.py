"""`python -m tests.bench start`: how long eiosniff takes before it has done anything, next to Python itself."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.compare import RECORDED, eiosniff
from tests.bench.measure import in_turn, median_of, verdict

RUNS = 11
SMALL = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"
PYTHON = "python -c pass"
# How many times the time of Python alone each may take.
LIMITS = {"eiosniff --version": 8.0, "eiosniff analyze": 25.0}


def start(runs: int | None) -> dict[str, Any]:
    """Measure; print a line for each command."""
    commands: dict[str, Sequence[str]] = {
        PYTHON: [sys.executable, "-c", "pass"],
        "eiosniff --version": [sys.executable, "-m", "eiosniff", "--version"],
        "eiosniff analyze": eiosniff(SMALL),
    }
    result = median_of(in_turn(commands, runs or RUNS))
    print(f"\nstart: analyze reads {SMALL.name}, {SMALL.stat().st_size:,} bytes")
    for name, figures in result.items():
        print(f"  {name:20}{figures.seconds * 1000:8.0f} ms{figures.peak_mb:7.0f} MB")
    ratios = {name: result[name].seconds / result[PYTHON].seconds for name in LIMITS}
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times {PYTHON} ({verdict(ratio, LIMITS[name])})")
    return {"median": {name: asdict(figures) for name, figures in result.items()}, "ratios": ratios}
