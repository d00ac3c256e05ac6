"""`python -m tests.bench compare`: time and memory of eiosniff and of tshark on the same captures, in turn."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.counts import counted
from tests.bench.measure import Run, in_turn, median_of, run

RECORDED = Path(__file__).parents[2] / "captures" / "recorded"
CAPTURES = ("busy", "haystack")
# What a person would ask tshark for: every HTTP request, body and WebSocket message.
FIELDS = ("frame.number", "tcp.stream", "http.request.uri", "http.file_data", "websocket.payload")
PORTS = {"busy": (3000,), "haystack": (3000, 8080)}
ALL_SESSIONS = "1000000000"


def eiosniff(capture: Path | str, output: str = os.devnull) -> list[str]:
    """The command that is measured."""
    options = ["--format", "json", "--output", output, "--fail-on", "never"]
    return [sys.executable, "-m", "eiosniff", "analyze", *options, str(capture)]


def tshark(program: str, name: str, capture: Path) -> list[str]:
    """The command that it is compared with."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    ports = [word for port in PORTS[name] for word in ("-d", f"tcp.port=={port},http")]
    return [program, "-r", str(capture), *ports, "-T", "fields", *fields]


def build(name: str, packets: int | None, *options: str) -> dict[str, Any]:
    """Build a capture, or find it built, in a process of its own (see `measure.run`)."""
    command = [sys.executable, "-m", "tests.bench.build", name, *options]
    if packets:
        command += ["--packets", str(packets)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} could not be built: {done.stderr.strip()}")
    built: dict[str, Any] = json.loads(done.stdout)
    return built


def check(capture: Path, truth: dict[str, int]) -> None:
    """There is no point in the speed of a wrong result. Raises `RuntimeError`."""
    output = capture.with_suffix(".report.json")
    run([*eiosniff(capture, str(output)), "--max-sessions", ALL_SESSIONS])
    found = counted(output)
    output.unlink()
    if found != {**truth, "complaints": 0}:
        raise RuntimeError(f"{capture.name}: eiosniff finds {found}, but {truth} was written")


def compare(name: str, packets: int | None, runs: int) -> dict[str, Any]:
    """Measure both programs on one capture, in turn; print a table."""
    built = build(name, packets)
    capture, truth = Path(built["path"]), built["truth"]
    size = capture.stat().st_size / 1e6
    print(
        f"\n{name}: {truth['packets']:,} packets, {size:,.0f} MB, {truth['connections']:,} connections, "
        f"{truth['sessions']:,} sessions, {truth['socketio_packets']:,} Socket.IO packets"
        f" (ready after {built['seconds']:.1f} s)",
        flush=True,
    )
    check(capture, truth)
    commands: dict[str, Sequence[str]] = {"eiosniff": eiosniff(capture)}
    program = shutil.which("tshark")
    if program:
        commands["tshark"] = tshark(program, name, capture)
    done = in_turn(commands, runs)
    result = median_of(done)
    _print_table(result, truth["packets"])
    return {
        "capture": {"name": name, "bytes": capture.stat().st_size, **truth},
        "median": {each: asdict(figures) for each, figures in result.items()},
        "runs": {each: [asdict(figures) for figures in measured] for each, measured in done.items()},
    }


def _print_table(result: dict[str, Run], packets: int) -> None:
    print(f"  {'':10}{'time':>10}{'processor':>12}{'memory':>10}{'packets/s':>12}")
    for each, figures in result.items():
        print(
            f"  {each:10}{figures.seconds:8.2f} s{figures.cpu_seconds:10.2f} s{figures.peak_mb:7.0f} MB"
            f"{packets / figures.seconds:12,.0f}"
        )


def summary(name: str, result: dict[str, dict[str, float]]) -> str:
    """One line: how many times faster, and how much less memory."""
    ours, theirs = result["eiosniff"], result.get("tshark")
    if theirs is None:
        return f"{name}: eiosniff {ours['seconds']:.2f} s, {ours['peak_mb']:.0f} MB; tshark is not installed"
    times, memory = theirs["seconds"] / ours["seconds"], ours["peak_mb"] / theirs["peak_mb"]
    return f"{name}: {times:.2f} times as fast as tshark, with {memory:.2f} times its memory"


def machine() -> dict[str, Any]:
    """Where the figures are from."""
    program = shutil.which("tshark")
    version = "not installed"
    if program:
        said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        version = said.split()[2]  # TShark (Wireshark) 4.0.17 (...
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tshark": version,
        "load": round(os.getloadavg()[0], 2),
    }


def compare_all(names: Sequence[str], packets: int | None, runs: int) -> list[dict[str, Any]]:
    """Measure on each capture, and end with a line for each."""
    results = [compare(name, packets, runs) for name in names]
    print()
    for result in results:
        print(summary(result["capture"]["name"], result["median"]))
    return results
