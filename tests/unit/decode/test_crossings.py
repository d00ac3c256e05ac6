"""Packets of two places are matched, and their clocks aligned."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.decode.sides.clocks import align, is_nearer
from eiosniff.decode.sides.matching import match
from eiosniff.model.crossing import Path

SECOND = 1_000_000_000
MS = 1_000_000


def path(digests: Sequence[int], times: Sequence[int]) -> Path:
    made = Path()
    for number, (digest, ts_ns) in enumerate(zip(digests, times, strict=True), start=1):
        made.numbers.append(number)
        made.times.append(ts_ns)
        made.digests.append(digest)
        made.labels.append(str(digest))
    return made


def matched(sent: list[tuple[int, int]], arrived: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(content, seconds) at both places."""
    one, other = (path([digest for digest, _ in each], [at * SECOND for _, at in each]) for each in (sent, arrived))
    return match(one, other, list(one.times), list(other.times), MS)


def test_of_pings_that_are_all_alike_the_one_that_is_missing_is_told_by_its_time() -> None:
    pings = [(2, 25 * at) for at in range(6)]
    assert matched(pings, pings[:2] + pings[3:]) == [(0, 0), (1, 1), (3, 2), (4, 3), (5, 4)]


def test_pings_that_are_held_are_not_lost() -> None:
    assert matched([(2, 0), (2, 25), (7, 26)], [(2, 26), (2, 27), (7, 28)]) == [(0, 0), (1, 1), (2, 2)]


def test_nothing_arrives_before_it_is_sent() -> None:
    assert matched([(2, 10), (2, 20)], [(2, 1), (2, 11), (2, 21)]) == [(0, 1), (1, 2)]


def test_content_that_comes_once_is_an_anchor() -> None:
    assert matched([(1, 0), (5, 1), (6, 2), (1, 3)], [(1, 0), (6, 2), (1, 3)]) == [(0, 0), (2, 1), (3, 2)]


@given(st.lists(st.integers(0, 4), max_size=30), st.lists(st.integers(0, 4), max_size=30))
def test_pairs_are_of_one_content_and_in_order(one: list[int], other: list[int]) -> None:
    pairs = matched([(digest, at) for at, digest in enumerate(one)], [(digest, at) for at, digest in enumerate(other)])
    assert all(one[at] == other[two] for at, two in pairs)
    assert pairs == sorted(pairs)
    assert len({at for at, _ in pairs}) == len({two for _, two in pairs}) == len(pairs)


def test_long_runs_that_are_alike() -> None:
    count = 3000
    sent = [(at % 3, at) for at in range(count)]
    assert len(matched(sent, sent[:1500] + sent[1503:])) > count - 100


@pytest.mark.parametrize("ahead", [0, 3 * SECOND, -7200 * SECOND])
def test_the_quickest_of_each_direction_tell_the_offset(ahead: int) -> None:
    up = [(at, ahead + delay * MS) for at, delay in enumerate((40, 3, 900))]
    down = [(at, ahead - delay * MS) for at, delay in enumerate((70, 1, 5))]
    clocks = align(up, down)
    assert abs(clocks.ahead_ns - ahead) <= (clocks.unsure_ns or 0) == 2 * MS
    assert is_nearer(up, down)
    assert is_nearer([(at, -passed) for at, passed in up], [(at, -passed) for at, passed in down]) is False


def test_one_direction_alone_tells_no_more_than_a_bound() -> None:
    assert is_nearer([(0, 5)], []) is None
    clocks = align([(0, 5), (1, 9)], [])
    assert (clocks.ahead_ns, clocks.unsure_ns, clocks.packets) == (5, None, 2)


def test_drift_is_followed() -> None:
    def ahead(at: int) -> int:
        return 2 * SECOND + at // 10_000  # 100 ppm

    times = [at * SECOND for at in range(0, 3600, 10)]
    clocks = align([(at, ahead(at) + MS) for at in times], [(at, ahead(at) - MS) for at in times])
    assert clocks.drift_ppb == pytest.approx(100_000, rel=0.02)
    for at in times[::30]:
        assert clocks.at_client(at + ahead(at)) == pytest.approx(at, abs=10 * MS)
