"""What each step of an analysis costs, and what it could not cost less than: `python -m tests.bench limits`.

Works with the decoders compiled too, where `layers` sees nothing. Each step is timed with all steps before it, so that
what it costs itself is the difference.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.decode.stack import Stack
from eiosniff.decode.tcp.segments import SortedSegments
from eiosniff.model.summary import CaptureSummary
from eiosniff.report import as_json
from eiosniff.report.redact import Redactor
from tests.bench.build import BUSY, CHAT, FOLDER, SEED, busy_parts, write
from tests.bench.template import Truth

RUNS = 3
PACKETS = 600_000
BLOCK = 4 << 20
BATCH = app.Options().batch_size
NOWHERE = frozenset({1})  # a port that no connection has: all are dropped by their first bytes
# The parts of the busy capture, each alone.
PARTS = {
    "polling": [name for name in BUSY if "polling" in name],
    "WebSocket": [name for name in BUSY if "websocket" in name],
    "short sessions": [CHAT],
}


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(BLOCK):
            pass


def _walk(path: Path) -> None:
    with open_source(str(path), batch_size=BATCH) as source:
        for _ in source.batches():
            pass


def _columns(path: Path) -> None:
    packets = PacketDecoder()
    with open_source(str(path), batch_size=BATCH) as source:
        for batch in source.batches():
            packets.decode(batch)


def _sort(path: Path) -> None:
    packets = PacketDecoder()
    with open_source(str(path), batch_size=BATCH) as source:
        for batch in source.batches():
            segments = packets.decode(batch)
            SortedSegments(segments, segments.ts_ns // 1_000_000)


def _drop(path: Path) -> None:
    stack = Stack(CaptureSummary(path.name), ports=NOWHERE)
    with open_source(str(path), batch_size=BATCH) as source:
        for batch in source.batches():
            stack.feed(batch)
    stack.close()


def _decode(path: Path) -> None:
    stack = Stack(CaptureSummary(path.name))
    with open_source(str(path), batch_size=BATCH) as source:
        for batch in source.batches():
            stack.feed(batch)
    stack.close()


def _analyze(path: Path) -> None:
    app.analyze([str(path)], app.Options())


def _report(path: Path) -> None:
    as_json.render(app.analyze([str(path)], app.Options()), Redactor(enabled=True))


STEPS: dict[str, Callable[[Path], None]] = {
    "read the file": _read,
    "walk the records": _walk,
    "columns of headers": _columns,
    "sort by connection": _sort,
    "look at each connection, and drop it": _drop,
    "HTTP, WebSocket, Engine.IO, sessions": _decode,
    "rules and libraries": _analyze,
    "JSON": _report,
}


def seconds(step: Callable[[Path], None], path: Path, runs: int = RUNS) -> float:
    """Processor time of the fastest run."""
    best = float("inf")
    gc.disable()  # as good as off in the command, too
    for _ in range(runs):
        gc.collect()
        begun = time.process_time()
        step(path)
        best = min(best, time.process_time() - begun)
    return best


def bare_loop(messages: int) -> float:
    """A loop of plain Python that makes one tuple a message and counts it: nothing that looks at each can be faster."""
    begun = time.process_time()
    counts: dict[int, int] = {}
    for number in range(messages):
        record = (number, number + 1, b"", "message", 4)
        counts[record[4]] = counts.get(record[4], 0) + 1
    return time.process_time() - begun


def limits(path: Path, truth: dict[str, int]) -> dict[str, float]:
    """The steps on one capture; prints a table."""
    print(f"{path.name}: {truth['packets']:,} packets, seconds of processor time")
    before = 0.0
    found: dict[str, float] = {}
    for name, step in STEPS.items():
        total = seconds(step, path)
        found[name] = total
        print(f"  {total:6.2f} s  {total - before:+6.2f} s  {name}", flush=True)
        before = total if name != "read the file" else 0.0
    found["bare loop"] = bare_loop(truth["socketio_packets"])
    print(f"  {found['bare loop']:6.2f} s  a bare loop over {truth['socketio_packets']:,} messages")
    return found


def parts(folder: Path = FOLDER) -> dict[str, dict[str, float]]:
    """What a connection and a message cost, in each part of the busy capture; prints a line for each."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, recordings in PARTS.items():
        path = folder / f"part-{name.replace(' ', '-')}.pcap"
        truth = _build_part(path, recordings)
        spent = seconds(_decode, path) - seconds(_sort, path)
        each = {
            "packet_us": spent / truth.packets * 1e6,
            "connection_us": spent / truth.connections * 1e6,
            "message_us": spent / truth.socketio_packets * 1e6,
        }
        found[name] = each
        print(
            f"  {name}: {truth.packets:,} packets, {truth.connections:,} connections, {truth.socketio_packets:,} "
            f"messages: {each['packet_us']:.1f} us a packet, {each['connection_us']:.0f} us a connection, "
            f"{each['message_us']:.1f} us a message",
            flush=True,
        )
    return found


def _build_part(path: Path, recordings: list[str]) -> Truth:
    rng = np.random.default_rng(SEED)
    chosen = [part for name, part in zip(BUSY, busy_parts(PACKETS, rng), strict=True) if name in recordings]
    return write(path, chosen, rng)
