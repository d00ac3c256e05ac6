"""`python -m tests.bench`: time and memory of eiosniff and of tshark on the same captures, in turn.

`python -m tests.bench profile busy` says in which layer of eiosniff the time goes.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.measure import Run, middle, run

CAPTURES = ("busy", "haystack")
# What a person would ask tshark for: every HTTP request, body and WebSocket message.
FIELDS = ("frame.number", "tcp.stream", "http.request.uri", "http.file_data", "websocket.payload")
PORTS = {"busy": (3000,), "haystack": (3000, 8080)}
ALL_SESSIONS = "1000000000"


def eiosniff(capture: Path, output: str = os.devnull) -> list[str]:
    """The command that is measured."""
    options = ["--format", "json", "--output", output, "--fail-on", "never"]
    if output != os.devnull:
        options += ["--max-sessions", ALL_SESSIONS]
    return [sys.executable, "-m", "eiosniff", "analyze", *options, str(capture)]


def tshark(program: str, name: str, capture: Path) -> list[str]:
    """The command that it is compared with."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    ports = [word for port in PORTS[name] for word in ("-d", f"tcp.port=={port},http")]
    return [program, "-r", str(capture), *ports, "-T", "fields", *fields]


def build(name: str, packets: int | None) -> dict[str, Any]:
    """Build a capture, or find it built, in a process of its own (see `measure.run`)."""
    command = [sys.executable, "-m", "tests.bench.build", name]
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
    run(eiosniff(capture, str(output)))
    report = json.loads(output.read_text(encoding="utf-8"))
    output.unlink()
    summary = report["summary"]
    counts = [session["packets"][side]["socketio"] for session in report["sessions"] for side in ("client", "server")]
    found = {
        "packets": report["captures"][0]["packets"],
        "connections": summary["connections"],
        "sessions": summary["sessions"],
        "socketio_packets": sum(sum(count.values()) for count in counts),
    }
    if found != truth or summary["errors"] or summary["warnings"]:
        raise RuntimeError(f"{capture.name}: eiosniff finds {found} and {summary}, but {truth} was written")


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
    commands = {"eiosniff": eiosniff(capture)}
    program = shutil.which("tshark")
    if program:
        commands["tshark"] = tshark(program, name, capture)
    done: dict[str, list[Run]] = {each: [] for each in commands}
    for _ in range(runs):
        for each, command in commands.items():
            done[each].append(run(command))
    result = {each: middle(measured) for each, measured in done.items()}
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


def profile(names: list[str], packets: int | None) -> None:
    """Say where the time goes."""
    for name in names:
        subprocess.run([sys.executable, "-m", "tests.bench.layers", build(name, packets)["path"]], check=True)


def compare_all(names: list[str], packets: int | None, runs: int, file: Path | None) -> None:
    """Measure on each capture, and end with a line for each."""
    here = machine()
    print(", ".join(f"{key}: {value}" for key, value in here.items()))
    results = [compare(name, packets, runs) for name in names]
    print()
    for result in results:
        print(summary(result["capture"]["name"], result["median"]))
    if file:
        file.write_text(json.dumps({"machine": here, "results": results}, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, or profile."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["compare", "profile"], default="compare")
    parser.add_argument("capture", nargs="?", choices=CAPTURES, help="only this one")
    parser.add_argument("--only", choices=CAPTURES, help="only this capture")
    parser.add_argument("--packets", type=int, help="build captures of about so many packets")
    parser.add_argument("--runs", type=int, default=3, help="of each program; the median counts (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file too")
    chosen = parser.parse_args()
    only = chosen.capture or chosen.only
    names = [only] if only else list(CAPTURES)
    try:
        if chosen.what == "profile":
            profile(names, chosen.packets)
        else:
            compare_all(names, chosen.packets, max(1, chosen.runs), chosen.json)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
