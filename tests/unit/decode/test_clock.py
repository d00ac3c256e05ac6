"""The clock of a capture, where clocks are set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.packets.clock import STEP_MS, Clock, newer
from tests.streams import batches

SECOND, HOUR = 1_000, 3_600_000
START = 1_767_225_600_000
YEARS = 12 * 365 * 24 * HOUR


def read(times_ms: list[int], cuts: list[int] | None = None) -> list[int]:
    clock = Clock()
    found: list[int] = []
    for start, stop in batches(cuts or [], len(times_ms)):
        found += clock.read(np.array(times_ms[start:stop], np.int64) * 1_000_000).tolist()
    return found


def after(*steps_ms: int) -> list[int]:
    times = [START]
    for step in steps_ms:
        times.append(times[-1] + step)
    return read(times)


def test_time_passes() -> None:
    assert after(5, 10 * SECOND, HOUR) == [0, 5, 10_005, 10_005 + HOUR]


def test_disorder_is_no_time() -> None:
    assert after(10, -4, 4, -8, 20) == [0, 10, 10, 10, 10, 22]


def test_packet_with_a_wrong_time_is_none() -> None:
    assert after(10, YEARS, -YEARS + 10, 10, -YEARS, YEARS + 10, 10) == [0, 10, 10, 10, 20, 20, 20, 30]


def test_two_clocks_in_turn_do_not_race() -> None:
    skew = 5 * HOUR
    assert after(*[skew, -skew + 10] * 20)[-1] == 0
    assert after(*[HOUR // 2, -HOUR // 2 + 10] * 20)[-1] == HOUR // 2 + 19 * 10


@pytest.mark.parametrize("step", [YEARS, 5 * HOUR, -5 * HOUR, -YEARS])
def test_clock_that_is_set_goes_on(step: int) -> None:
    assert after(10, step, 10, 10)[-1] == 30


def test_clock_set_back_a_little_stands_still_for_so_long() -> None:
    assert after(10, -HOUR // 2, HOUR // 2, 10) == [0, 10, 10, 10, 20]


def test_silence_counts_once_another_one_follows() -> None:
    night = 8 * HOUR
    assert after(10, night, 10, night, 10, night) == [0, 10, 10, 20, 20 + STEP_MS, 30 + STEP_MS, 30 + 2 * STEP_MS]


STEPS = st.one_of(
    st.integers(-10, 1000),
    st.integers(-2 * HOUR, 2 * HOUR),
    st.sampled_from([YEARS, -YEARS, 9 * HOUR, -9 * HOUR, 10**13, -(10**13)]),
)


@given(st.lists(STEPS, max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_time_only_grows_however_the_input_is_cut(steps: list[int], cuts: list[int]) -> None:
    times = [START]
    for step in steps:
        times.append(min(max(times[-1] + step, -(9 * 10**12)), 9 * 10**12))
    found = read(times)
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] <= sum(abs(step) for step in steps)
    assert read(times, cuts) == found


def test_no_instant_is_too_far() -> None:
    times = np.array([-(2**63), 2**63 - 1, 0, -(2**63), 2**63 - 1], np.int64)
    found = Clock().read(times).tolist()
    assert found == sorted(found)


def test_newer() -> None:
    hour_ns = HOUR * 1_000_000
    assert newer(5 * hour_ns, 6 * hour_ns) == 6 * hour_ns
    assert newer(5 * hour_ns, 4 * hour_ns) == 5 * hour_ns
    assert newer(5 * hour_ns, 3 * hour_ns) == 3 * hour_ns
