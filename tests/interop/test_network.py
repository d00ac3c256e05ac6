"""What TCP shows of the network is what tshark's analysis says."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from eiosniff.model.network import SideFacts
from eiosniff.model.provenance import Side
from tests.cases import RECORDED, report_of

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]

# Of one session over one connection each, captured where what is sent again is seen twice.
RECORDINGS = sorted(
    path
    for pattern in (
        "zero-window-*",
        "slow-consumer-*",
        "loss-latency-*",
        "half-open-short-*",
        "nagle-*",
        "heartbeat-slow-*",
    )
    for folder in ("faulty", "near_miss")
    for path in (RECORDED / folder).glob(f"{pattern}.pcap")
)
FIELDS = (
    "frame.number", "frame.time_epoch", "tcp.dstport", "tcp.len", "tcp.analysis.zero_window",
    "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.ack_rtt", "tcp.window_size_value",
    "tcp.flags.reset", "tcp.flags.syn",
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    number: int
    ns: int
    side: Side
    payload: int
    zero: bool
    again: bool
    ack_rtt_ns: int | None
    window: int
    plain: bool


@cache
def _frames(path: Path) -> list[Frame]:
    words = [word for field in FIELDS for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-d", "tcp.port==3000,http", "-Y", "tcp", "-T", "fields", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    frames = []
    for line in done.stdout.splitlines():
        number, time, port, length, zero, again, disordered, rtt, window, reset, syn = line.split("\t")
        seconds, _, fraction = time.partition(".")
        frames.append(
            Frame(
                int(number),
                int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")),
                Side.CLIENT if port == "3000" else Side.SERVER,
                int(length),
                bool(zero),
                bool(again or disordered) and int(length) > 0,
                round(float(rtt) * 1e9) if rtt else None,
                int(window),
                reset == "0" and syn == "0",
            )
        )
    return frames


def _sides(path: Path) -> tuple[SideFacts, SideFacts]:
    (session,) = report_of(path).sessions
    assert session.network.sides is not None
    return session.network.sides


every_recording = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def test_there_are_some() -> None:
    assert len(RECORDINGS) > 8


@every_recording
def test_closed_windows(path: Path) -> None:
    for side in Side:
        own = [frame for frame in _frames(path) if frame.side is side and frame.plain]
        assert [frame.window == 0 for frame in own] == [frame.zero for frame in own]
        begins = [frame for at, frame in enumerate(own) if frame.zero and not (at and own[at - 1].zero)]
        closed = _sides(path)[side].closed
        assert (closed.count if closed else 0) == len(begins)
        if closed is not None:
            assert closed.first.first.number == begins[0].number
            after = next((frame for frame in own if frame.number > begins[0].number and not frame.zero), None)
            assert after is None or closed.first.last.number == after.number
            assert closed.first.open == (after is None)


@every_recording
def test_what_is_sent_again(path: Path) -> None:
    # Seen from the server: what of the client's is lost, the capture does not have twice.
    again = [frame for frame in _frames(path) if frame.side is Side.SERVER and frame.again]
    assert _sides(path)[Side.SERVER].repeats == len(again)


@every_recording
def test_round_trips(path: Path) -> None:
    """Tshark counts from the last segment that is acknowledged; where several are at once, it is the first here."""
    for side in Side:
        times = _sides(path)[side].round_trips
        acks = [frame for frame in _frames(path) if frame.side is not side and frame.ack_rtt_ns is not None]
        sent = [frame for frame in _frames(path) if frame.side is side]
        for value in (times.minimum, times.maximum, times.median) if times is not None else ():
            ack = next(
                ack for ack in acks if any(abs(ack.ns - frame.ns - value) <= 1_000 for frame in sent if not frame.again)
            )
            assert ack.ack_rtt_ns is not None
            assert ack.ack_rtt_ns <= value + 1_000


@every_recording
def test_segments(path: Path) -> None:
    for side in Side:
        sent = sum(frame.payload > 0 for frame in _frames(path) if frame.side is side)
        assert _sides(path)[side].segments == sent
