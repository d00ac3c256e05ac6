"""Times and memory of the benchmark are those of the program, of what it starts, and of nothing else."""

import subprocess
import sys

import pytest

from tests.bench.measure import Run, in_turn, median_of, run, tree_peak_kb, verdict

HOLD = "held = b'x' * ({} << 20); print('held', flush=True); input()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLD.format(70)!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
{HOLD.format(50)}
child.communicate(b"over")
"""


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_memory_is_that_of_all_processes() -> None:
    with subprocess.Popen(_python(PARENT), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        peak_kb = tree_peak_kb(process.pid)
        process.communicate(b"over\n")
    assert 120 * 1024 < peak_kb < 250 * 1024
    assert tree_peak_kb(process.pid) == 0


def test_memory_of_a_run() -> None:
    assert run(_python("b'x' * (400 << 20)")).peak_mb > 400


def test_a_run_reads_what_another_program_writes() -> None:
    reads = _python("import sys; assert len(sys.stdin.buffer.read()) == 5_000_000")
    figures = run(reads, _python("print('x' * 4_999_999)"))
    assert figures.seconds > 0
    assert figures.cpu_seconds > 0


@pytest.mark.parametrize(
    ("program", "feed", "what"),
    [
        ("import sys; sys.exit('it failed')", None, "ended with 1: it failed"),
        ("import sys; sys.stdin.read()", "import sys; print(1, flush=True); sys.exit(3)", "ended with 3"),
    ],
)
def test_what_fails_is_no_measurement(program: str, feed: str | None, what: str) -> None:
    with pytest.raises(RuntimeError, match=what):
        run(_python(program), _python(feed) if feed else None)


def test_programs_run_in_turn_and_the_median_counts() -> None:
    done = in_turn({"a": _python("pass"), "b": _python("pass")}, 3)
    assert {name: len(runs) for name, runs in done.items()} == {"a": 3, "b": 3}
    runs = [Run(3, 1, 10), Run(1, 2, 30), Run(2, 9, 20)]
    assert median_of({"a": runs}) == {"a": Run(2, 2, 20)}


def test_a_ratio_and_its_limit() -> None:
    assert verdict(3.3, 3.3) == "at most 3.3: met"
    assert verdict(8.01, 8.0) == "at most 8: MISSED"
