"""The load test counts what is lost, and knows how late a fault was told."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import live
from tests.bench.build import LIVE_FAULTS
from tests.bench.live import Eiosniff, Result
from tests.bench.watched import Watched, resident_mb

NOW_NS = 1_767_225_600_250_000_000
TRUTH = {"packets": 100, "sessions": 3}


def _watched(*events: dict[str, object]) -> Watched:
    """A program that printed these events, and is over."""
    code = f"for line in {[json.dumps(event) for event in events]!r}: print(line)"
    watched = Watched([sys.executable, "-c", code])
    assert watched.wait(20) == 0
    watched.lines.extend([(NOW_NS, line) for _, line in [watched.lines.popleft() for _ in list(watched.lines)]])
    return watched


def _fault(name: str, *times: str) -> dict[str, object]:
    evidence = [{"time": time} for time in times]
    return {"event": "finding-new", "time": "2026-01-01T00:00:00.240000000Z", "diagnosis": {
        "name": name, "severity": "error", "evidence": evidence,
    }}  # fmt: skip


def _ended(packets: int, sessions: int = 3) -> dict[str, object]:
    return {"event": "ended", "packets": packets, "dropped": 0, "sessions": sessions}


def _read(*events: dict[str, object]) -> Result:
    result = Result("eiosniff-dumpcap", 1000, sent=100, arrived=100)
    Eiosniff(Path(), "dumpcap", write=False).read(_watched(*events), result, TRUTH)
    return result


def test_how_late_a_fault_was_told_counts_from_its_last_packet() -> None:
    times = ["2026-01-01T00:00:00.050000000Z", "2025-12-31T23:59:59.999000001Z"]
    told = [_fault("ws-bad-utf8", *times), _fault("ws-bad-utf8"), _fault("handshake-method"), _fault("another-rule")]
    result = _read(*told, _ended(100))
    assert result.late_ms == {"ws-bad-utf8": pytest.approx(200), "handshake-method": pytest.approx(10)}
    assert len(result.missing) == len(LIVE_FAULTS) - 2
    assert "ws-bad-utf8" not in result.missing


def test_all_is_as_it_is_to_be() -> None:
    result = _read(*(_fault(name, "2026-01-01T00:00:00.100Z") for name in LIVE_FAULTS.values()), _ended(100))
    assert list(live._problems(result)) == []


def test_what_is_not_as_it_is_to_be_is_said() -> None:
    late = [_fault(name, "2025-12-31T23:59:58Z") for name in list(LIVE_FAULTS.values())[1:]]
    problems = "\n".join(live._problems(_read(*late, _ended(90))))
    assert "MISSED, 10 packets were lost" in problems
    assert f"does not tell of {next(iter(LIVE_FAULTS.values()))}" in problems
    assert "ws-bad-utf8 2,250 ms" in problems
    assert "WRONG, 5 sessions instead of 3" in "\n".join(live._problems(_read(*late, _ended(100, 5))))


def test_what_a_program_takes_is_watched() -> None:
    # What is started in the background by a shell is born deaf to Ctrl-C.
    code = (
        "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); held = b'x' * (60 << 20)\n"
        "print('ready', flush=True)\nwhile True: time.perf_counter()"
    )
    watched = Watched([sys.executable, "-c", code])
    try:
        watched.wait_for(lambda: bool(watched.lines), 20)
        assert 60 < watched.memory() < 200
        assert 60 < resident_mb(watched.pid) < 200
        watched.wait_for(lambda: watched.own_cpu > 0.1, 60)
        assert watched.stop(20) != 0
    finally:
        watched.kill()
    assert watched.cpu_seconds >= watched.own_cpu > 0
    assert b"KeyboardInterrupt" in watched.errors[-1][1]
    assert resident_mb(watched.pid) == 0


def test_a_program_that_ends_before_it_is_ready() -> None:
    watched = Watched([sys.executable, "-c", "import sys; sys.exit('no such interface')"])
    with pytest.raises(RuntimeError, match="is not ready: no such interface"):
        watched.wait_for(lambda: False, 20)
    watched.kill()


@pytest.mark.interop
@pytest.mark.skipif(
    os.geteuid() != 0 or None in (shutil.which("tcpreplay"), shutil.which("tcpdump"), shutil.which("ip")),
    reason="a replay takes root, tcpreplay and tcpdump",
)
def test_a_replay() -> None:
    (result,) = live.live(["tcpdump"], [2000], 1, write=False)
    assert result["sent"] == result["arrived"] == result["seen"] > 1500
    assert (result["lost"], result["dropped"]) == (0, 0)
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"eiosniff-a{os.getpid()}" not in spaces
