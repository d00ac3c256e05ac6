"""When judgements are due, by a clock that the test moves."""

import pytest

from eiosniff.live.pace import Pace

MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def pause_after(took_ms: int, *, matters: bool, silent_s: int = 0) -> int:
    """How long after a judgement that took so long the next one is due (ms)."""
    clock = Clock()
    pace = Pace(clock)
    pace.changed(matters=True)
    clock.ns += silent_s * 1000 * MS
    pace.begins()
    clock.ns += took_ms * MS
    pace.ended(took_ms * MS)
    if matters:
        pace.changed(matters=True)
    ended_ns = clock.ns
    while not pace.is_due():
        clock.ns += MS
    return (clock.ns - ended_ns) // MS


@pytest.mark.parametrize(("took", "pause"), [(5, 150), (60, 240), (200, 400), (1_000, 1_000)])
def test_what_matters_is_judged_soon_but_judging_leaves_time_for_the_rest(took: int, pause: int) -> None:
    assert pause_after(took, matters=True) == pause


def test_what_does_not_matter_and_silence_wait_for_a_second() -> None:
    assert pause_after(5, matters=False) == 1_000


def test_a_long_silence_is_looked_at_now_and_then() -> None:
    assert pause_after(5, matters=False, silent_s=100) == 1_000
    assert pause_after(5, matters=False, silent_s=121) == 10_000


def test_one_at_a_time_and_what_comes_meanwhile_is_not_forgotten() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.begins()
    clock.ns += 500 * MS
    assert not pace.is_due()
    pace.changed(matters=True)
    pace.ended(500 * MS)
    clock.ns += 499 * MS
    assert not pace.is_due()
    clock.ns += MS
    assert pace.is_due()
