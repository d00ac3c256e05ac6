"""`python -m tests.bench live-flat`: whether `eiosniff live` can go on for days.

Hours of traffic come through its standard input as fast as it takes them, each with new addresses, ports, session ids
and instants, and with faults in them. What it holds must not grow once what it keeps is full.
"""

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import IO, Any

from tests.bench.measure import verdict
from tests.bench.stream_source import Hours
from tests.bench.template import Truth
from tests.bench.watched import Watched, resident_mb

HOURS, PACKETS = 24, 300_000
BLOCK_PACKETS = 50_000
FULL_AFTER = 3  # hours
MOST_GROWTH = 1.05
LOOK_EVERY = 0.1  # seconds
ENDS_WITHIN = 300  # seconds


@dataclass(slots=True)
class Hour:
    """What was written until its end, how long that took, and the most memory that eiosniff had meanwhile."""

    packets: int = 0
    sessions: int = 0
    seconds: float = 0.0
    memory_mb: float = 0.0


def live_flat(hours: int, packets: int) -> dict[str, Any]:
    """Feed it, print a line an hour, and compare. `packets` are those of an hour. Raises `RuntimeError`."""
    options = ["--format", "jsonl", "--fail-on", "never"]
    command = [sys.executable, "-m", "eiosniff", "live", "-", *options]
    source = Hours(packets, max(1, round(packets / BLOCK_PACKETS)))
    watched = Watched(command, feed=True, most_lines=100)
    print(f"  {'hour':>6}{'packets':>14}{'sessions':>11}{'time':>10}{'memory':>10}")
    done: list[Hour] = []
    try:
        assert watched.stdin is not None
        watched.stdin.write(source.start().data)
        for number in range(1, hours + 1):
            done.append(_feed(watched, watched.stdin, source, max(1, round(packets / BLOCK_PACKETS))))
            hour = done[-1]
            print(
                f"  {number:6}{hour.packets:14,}{hour.sessions:11,}{hour.seconds:8.1f} s{hour.memory_mb:7.0f} MB",
                flush=True,
            )
        watched.stdin.close()
        if watched.wait(ENDS_WITHIN):
            raise RuntimeError(f"eiosniff failed: {watched.said()}")
    except BrokenPipeError:
        watched.wait(ENDS_WITHIN)
        raise RuntimeError(f"eiosniff ended too early: {watched.said()}") from None
    finally:
        watched.kill()
    _check(watched, source.truth)
    return _compared(done, watched)


def _feed(watched: Watched, pipe: IO[bytes], source: Hours, blocks: int) -> Hour:
    """Write one hour, and look at the memory meanwhile."""
    hour = Hour()
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY):
            hour.memory_mb = max(hour.memory_mb, resident_mb(watched.pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    begun = time.perf_counter()
    for _ in range(blocks):
        pipe.write(source.block().data)
    pipe.flush()
    over.set()
    looking.join()
    hour.seconds = time.perf_counter() - begun
    hour.memory_mb = max(hour.memory_mb, resident_mb(watched.pid))
    hour.packets, hour.sessions = source.truth.packets, source.truth.sessions
    return hour


def _check(watched: Watched, truth: Truth) -> None:
    """There is no point in the memory of a wrong result. Raises `RuntimeError`."""
    ended = next((event for event in map(_event, watched.lines) if event.get("event") == "ended"), {})
    found = {"packets": ended.get("packets"), "sessions": ended.get("sessions")}
    if found != {"packets": truth.packets, "sessions": truth.sessions}:
        raise RuntimeError(f"eiosniff finds {found}, but {truth} was written")


def _event(line: tuple[int, bytes]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line[1])
    return event


def _compared(done: list[Hour], watched: Watched) -> dict[str, Any]:
    first = max(hour.memory_mb for hour in done[:FULL_AFTER])
    rest = max((hour.memory_mb for hour in done[FULL_AFTER:]), default=first)
    growth = rest / first
    print(
        f"live-flat: {rest:.0f} MB after hour {FULL_AFTER}, {growth:.2f} times what it had by then "
        f"({verdict(growth, MOST_GROWTH)}); with the processes that judge {watched.memory_mb:.0f} MB, "
        f"{done[-1].packets / sum(hour.seconds for hour in done):,.0f} packets/s"
    )
    return {
        "name": "live-flat",
        "hours": [asdict(hour) for hour in done],
        "growth": growth,
        "problems": ["the memory grows"] if growth > MOST_GROWTH else [],
    }
