"""`python -m tests.bench live`: what is lost where packets come fast, and how late a fault is told.

A capture is replayed over a cable between two network namespaces, and one program after the other captures it there.
"""

import json
import re
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.build import LIVE_FAULTS
from tests.bench.compare import build
from tests.bench.veth import Cable, cable
from tests.bench.watched import Watched

RATE, SECONDS = 100_000, 20
BACKENDS = ("dumpcap", "scapy", "tcpdump")
PROGRAMS = (*(f"eiosniff-{backend}" for backend in BACKENDS), "dumpcap", "tcpdump", "scapy")
CAPTURING = ("dumpcap", "tcpdump")
MOST_LATE_MS = 1000
# Packets that are sent between two looks at the clock: it costs as much as sending one.
AT_ONCE = 20
STARTS_WITHIN, ENDS_WITHIN = 20, 120  # seconds
# From the last packet to the end of the capture: what is on its way arrives (s).
SETTLE = 2.0


@dataclass(slots=True)
class Result:
    """What one program made of one replay. `dropped` is what it says itself, None if it does not say it.

    Processor times (s): of all its processes; of the capturing program among them; of its first process. `late_ms` is
    the longest time from the arrival of the packet that proves a fault to the moment when its line could be read, for
    each fault that was built in; `missing` ones were not told of at all.
    """

    program: str
    rate: int
    sent: int = 0
    seconds: float = 0.0
    arrived: int = 0
    seen: int = 0
    dropped: int | None = None
    cpu_seconds: float = 0.0
    capturing_seconds: float = 0.0
    own_seconds: float = 0.0
    memory_mb: float = 0.0
    sessions: int | None = None
    late_ms: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Packets that arrived and were not seen."""
        return self.arrived - self.seen


class Program(ABC):
    """Something that captures on an interface until it is interrupted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def command(self, interface: str) -> list[str]:
        """How it is started."""

    @abstractmethod
    def is_ready(self, watched: Watched) -> bool:
        """Whether it captures by now."""

    @abstractmethod
    def read(self, watched: Watched, result: Result, truth: dict[str, int]) -> None:
        """Note what it says once it is over."""


class Eiosniff(Program):
    """`eiosniff live`."""

    def __init__(self, folder: Path, backend: str, *, write: bool) -> None:
        super().__init__(folder)
        self._backend = backend
        self._write = write

    def command(self, interface: str) -> list[str]:
        """See `Program`."""
        options = ["--backend", self._backend, "--format", "jsonl", "--fail-on", "never"]
        if self._write:
            options += ["--write", str(self.folder / "kept.pcapng")]
        return [sys.executable, "-m", "eiosniff", "live", interface, *options]

    def is_ready(self, watched: Watched) -> bool:
        """See `Program`."""
        return bool(watched.lines)

    def read(self, watched: Watched, result: Result, truth: dict[str, int]) -> None:
        """See `Program`."""
        for at_ns, line in watched.lines:
            event = json.loads(line)
            if event["event"] == "ended":
                result.seen, result.dropped = event["packets"], event["dropped"]
                result.sessions = event["sessions"]
            elif event["event"] == "finding-new" and event["diagnosis"]["name"] in LIVE_FAULTS.values():
                result.late_ms.setdefault(event["diagnosis"]["name"], (at_ns - _proved_ns(event)) / 1e6)
        result.missing = sorted(set(LIVE_FAULTS.values()) - set(result.late_ms))
        if result.seen == result.sent and result.sessions != truth["sessions"]:
            result.wrong.append(f"{result.sessions} sessions instead of {truth['sessions']}")
        if self._write:
            kept = _packets_in(self.folder / "kept.pcapng")
            if kept != result.seen:
                result.wrong.append(f"{kept} packets were written, {result.seen} seen")


class Dumping(Program):
    """tcpdump or dumpcap, which write to a file. Both say at the end how many packets they saw."""

    def __init__(self, folder: Path, name: str, options: Sequence[str], ready: bytes, figures: str) -> None:
        super().__init__(folder)
        self._command = [name, *options, "-w", str(folder / "dumped.pcapng")]
        self._ready = ready
        self._figures = re.compile(figures)

    def command(self, interface: str) -> list[str]:
        """See `Program`."""
        return [*self._command, "-i", interface]

    def is_ready(self, watched: Watched) -> bool:
        """See `Program`."""
        return any(self._ready in line for _, line in watched.errors)

    def read(self, watched: Watched, result: Result, truth: dict[str, int]) -> None:
        """See `Program`."""
        said = self._figures.search(watched.said())
        if said is None:
            raise RuntimeError(f"{self._command[0]} does not say what it saw: {watched.said()}")
        result.seen, result.dropped = int(said["seen"]), int(said["dropped"])


class ScapySniff(Program):
    """scapy's `sniff`, which takes each packet apart."""

    def command(self, interface: str) -> list[str]:
        """See `Program`."""
        return [sys.executable, "-m", "tests.bench.scapy_sniff", interface]

    def is_ready(self, watched: Watched) -> bool:
        """See `Program`."""
        return bool(watched.lines)

    def read(self, watched: Watched, result: Result, truth: dict[str, int]) -> None:
        """See `Program`."""
        figures = json.loads(watched.lines[-1][1])
        result.seen, result.dropped = figures["packets"], figures["dropped"]


def _program(name: str, folder: Path, *, write: bool) -> Program:
    if name.startswith("eiosniff-"):
        return Eiosniff(folder, name.removeprefix("eiosniff-"), write=write)
    if name == "tcpdump":
        figures = r"(?s)(?P<seen>\d+) packets captured.*?(?P<dropped>\d+) packets dropped by kernel"
        return Dumping(folder, name, ["-n", "-Z", "root"], b"listening on", figures)
    if name == "dumpcap":
        figures = r"Packets received/dropped on interface .*: (?P<seen>\d+)/(?P<dropped>\d+)"
        return Dumping(folder, name, ["-q"], b"File: ", figures)
    return ScapySniff(folder)


def live(programs: Sequence[str], rates: Sequence[int], seconds: float, *, write: bool) -> list[dict[str, Any]]:
    """Each program at each rate; prints a table, and says of eiosniff whether it is as it is to be.

    Raises `RuntimeError` where something that this takes is missing.
    """
    for needed in ("tcpreplay", "ip"):
        if shutil.which(needed) is None:
            raise RuntimeError(f"{needed} is not installed")
    unknown = sorted(set(programs) - set(PROGRAMS))
    if unknown:
        raise RuntimeError(f"there is no program {unknown[0]}: {', '.join(PROGRAMS)}")
    results = []
    for rate in rates:
        built = build("live", round(rate * seconds), "--rate", str(rate))
        _print_head(rate, built["truth"])
        for name in programs:
            if name in CAPTURING and shutil.which(name) is None:
                print(f"  {name}: not installed")
                continue
            result = _measure(name, rate, Path(built["path"]), built["truth"], write=write)
            _print_row(result)
            results.append(result)
    for problem in (problem for result in results for problem in _problems(result)):
        print(problem)
    return [{**asdict(result), "lost": result.lost, "problems": list(_problems(result))} for result in results]


def _measure(name: str, rate: int, capture: Path, truth: dict[str, int], *, write: bool) -> Result:
    result = Result(name, rate)
    with tempfile.TemporaryDirectory() as folder, cable() as wire:
        program = _program(name, Path(folder), write=write)
        with _running(wire.at_receiver(program.command(wire.receiver[1]))) as watched:
            watched.wait_for(lambda: program.is_ready(watched), STARTS_WITHIN)
            _replay(wire, capture, result)
            result.arrived = wire.arrived()
            watched.settle(SETTLE)
            watched.stop(ENDS_WITHIN)
        program.read(watched, result, truth)
    result.cpu_seconds = watched.cpu_seconds
    result.capturing_seconds = watched.cpu_of(*CAPTURING)
    result.own_seconds = watched.own_cpu
    result.memory_mb = watched.memory_mb
    return result


@contextmanager
def _running(command: Sequence[str]) -> Iterator[Watched]:
    watched = Watched(command)
    try:
        yield watched
    finally:
        watched.kill()


def _replay(wire: Cable, capture: Path, result: Result) -> None:
    """Send a capture at a steady rate, whatever its own is. Raises `RuntimeError`."""
    options = ["--quiet", "--preload-pcap", "--no-flow-stats", f"--pps={result.rate}", f"--pps-multi={AT_ONCE}"]
    sender = Watched(wire.at_sender(["tcpreplay", *options, "--intf1", wire.sender[1], str(capture)]))
    code = sender.wait(600)
    said = b"".join(line for _, line in sender.lines).decode()
    sent = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", said)
    if code or sent is None:
        raise RuntimeError(f"tcpreplay ended with {code}: {said} {sender.said()}")
    result.sent, result.seconds = int(sent[1]), float(sent[2])


def _proved_ns(event: dict[str, Any]) -> int:
    """When the last packet that proves a finding was captured: what its evidence says, or the event itself."""
    times = [each["time"] for each in event["diagnosis"]["evidence"] if each["time"]]
    return _instant_ns(max(times, default=event["time"]))


def _instant_ns(text: str) -> int:
    """An instant as reports have it: in UTC, with nanoseconds."""
    seconds, _, rest = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp())
    return whole * 1_000_000_000 + int(rest.ljust(9, "0") or 0)


def _packets_in(capture: Path) -> int:
    """How many packets a capture has; read in another process, since this one must be small."""
    code = "import sys; from eiosniff.capture.source import open_source; print(sum(map(len, open_source(sys.argv[1]))))"
    watched = Watched([sys.executable, "-c", code, str(capture)])
    if watched.wait(ENDS_WITHIN):
        raise RuntimeError(f"{capture} cannot be read: {watched.said()}")
    return int(watched.lines[0][1])


def _print_head(rate: int, truth: dict[str, int]) -> None:
    print(f"\n{rate:,} packets a second: {truth['packets']:,} packets, {truth['sessions']:,} sessions")
    print(
        f"  {'':18}{'arrived':>11}{'seen':>11}{'lost':>10}{'dropped':>10}{'cores':>7}{'capture':>9}{'memory':>9}"
        f"{'latest':>10}",
        flush=True,
    )


def _print_row(result: Result) -> None:
    dropped = "?" if result.dropped is None else f"{result.dropped:,}"
    late = f"{max(result.late_ms.values()):,.0f} ms" if result.late_ms else ""
    print(
        f"  {result.program:18}{result.arrived:11,}{result.seen:11,}{result.lost:10,}{dropped:>10}"
        f"{result.cpu_seconds / result.seconds:7.2f}{result.capturing_seconds / result.seconds:9.2f}"
        f"{result.memory_mb:6.0f} MB{late:>10}",
        flush=True,
    )


def _problems(result: Result) -> Iterator[str]:
    """What is not as it is to be, of eiosniff."""
    if not result.program.startswith("eiosniff"):
        return
    name = f"{result.program} at {result.rate:,} packets a second"
    if result.dropped or result.lost:
        yield f"{name}: MISSED, {result.lost:,} packets were lost ({result.dropped} dropped by its own account)"
    if result.missing:
        yield f"{name}: MISSED, it does not tell of {', '.join(result.missing)}"
    late = {rule: at for rule, at in result.late_ms.items() if at > MOST_LATE_MS}
    if late:
        yield f"{name}: MISSED, it is late: {', '.join(f'{rule} {at:,.0f} ms' for rule, at in sorted(late.items()))}"
    for wrong in result.wrong:
        yield f"{name}: WRONG, {wrong}"
