"""Whether time and memory grow with the capture: `python -m tests.bench scale`, `stream`, `handshakes`, `messages`.

Each measures eiosniff on a small input and on a large one of the same kind, and compares the two.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.compare import build, eiosniff
from tests.bench.counts import counted
from tests.bench.measure import Run, middle, run, verdict

MOST_MEMORY = 1.25  # times that of the small input
MOST_TIME = 3.3  # for three times the packets
SCALE, FULL_SCALE = (311_000, 935_000), (935_000, 2_805_000)
GIGABYTE = 1_000_000_000
# Large enough to fill a batch, and the ledgers that are kept: what comes after must cost nothing.
SMALL = {"stream": 1, "handshakes": 100_000, "messages": 200_000}
LARGE = {"stream": 10, "handshakes": 300_000, "messages": 10_000_000}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one input, and what is in it."""

    run: Run
    truth: dict[str, int]


def scale(*, full: bool, runs: int | None) -> list[dict[str, Any]]:
    """The busy capture with three times the packets, from files."""
    captures = [build("busy", packets) for packets in (FULL_SCALE if full else SCALE)]
    done: list[list[Run]] = [[], []]
    for _ in range(runs or 3):
        for built, each in zip(captures, done, strict=True):
            figures, found = _analyze(built["path"])
            each.append(_checked("busy", figures, found, built["truth"]).run)
    small, large = (Measured(middle(each), built["truth"]) for built, each in zip(captures, done, strict=True))
    return [_compared("scale", small, large, MOST_TIME)]


def stream(small: float, large: float) -> list[dict[str, Any]]:
    """So many gigabytes of traffic through standard input, half of it Socket.IO; they are nowhere stored."""
    return [_streamed("stream", round(small * GIGABYTE), round(large * GIGABYTE))]


def handshakes(small: float, large: float) -> list[dict[str, Any]]:
    """Sessions that nobody comes back to: by one client, and each by another."""
    return [_streamed(kind, int(small), int(large)) for kind in ("handshakes-one", "handshakes-each")]


def messages(small: float, large: float) -> list[dict[str, Any]]:
    """Messages of one session over WebSocket."""
    return [_streamed("messages", int(small), int(large))]


STREAMS = {"stream": stream, "handshakes": handshakes, "messages": messages}


def _streamed(kind: str, small: int, large: int) -> dict[str, Any]:
    return _compared(kind, _measure_stream(kind, small), _measure_stream(kind, large))


def _measure_stream(kind: str, size: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "truth.json"
        source = [sys.executable, "-m", "tests.bench.stream_source", kind, str(size), "--truth", str(note)]
        figures, found = _analyze("-", source)
        return _checked(kind, figures, found, json.loads(note.read_text(encoding="utf-8")))


def _analyze(capture: str, source: Sequence[str] | None = None) -> tuple[Run, dict[str, int]]:
    """Run eiosniff, and look what its report counts."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        figures = run(eiosniff(capture, str(output)), source)
        return figures, counted(output)


def _checked(name: str, figures: Run, found: dict[str, int], truth: dict[str, int]) -> Measured:
    """There is no point in the memory of a wrong result. Raises `RuntimeError`."""
    if any(found[what] != truth[what] for what in ("packets", "connections", "sessions")):
        raise RuntimeError(f"{name}: eiosniff finds {found}, but {truth} was written")
    return Measured(figures, truth)


def _compared(name: str, small: Measured, large: Measured, most_time: float | None = None) -> dict[str, Any]:
    """Print both, and how they compare."""
    print(f"\n{name}")
    print(f"  {'packets':>14}{'sessions':>10}{'messages':>12}{'time':>11}{'processor':>12}{'memory':>10}")
    for measured in (small, large):
        truth, figures = measured.truth, measured.run
        print(
            f"  {truth['packets']:14,}{truth['sessions']:10,}{truth['socketio_packets']:12,}"
            f"{figures.seconds:9.2f} s{figures.cpu_seconds:10.2f} s{figures.peak_mb:7.0f} MB"
        )
    more = large.truth["packets"] / small.truth["packets"]
    time, memory = large.run.seconds / small.run.seconds, large.run.peak_mb / small.run.peak_mb
    print(
        f"{name}: {more:.2f} times the packets take {time:.2f} times the time"
        + (f" ({verdict(time, most_time)})" if most_time else "")
        + f" and {memory:.2f} times the memory ({verdict(memory, MOST_MEMORY)})",
        flush=True,
    )
    return {
        "name": name,
        "small": {"truth": small.truth, **asdict(small.run)},
        "large": {"truth": large.truth, **asdict(large.run)},
        "ratios": {"packets": more, "time": time, "memory": memory},
    }
