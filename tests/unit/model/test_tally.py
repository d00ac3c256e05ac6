"""Running figures: exact for few values, within 2 % for many, of bounded size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff.model.tally import Sketch, Tally

SHARES = (0.0, 0.01, 0.5, 0.95, 1.0)


def _sketch(values: list[int]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@pytest.mark.parametrize(
    ("values", "median", "minimum", "maximum"),
    [
        ([], 0, 0, 0),
        ([7], 7, 7, 7),
        ([3, 1], 1, 1, 3),
        ([3, 1, 2], 2, 1, 3),
        ([0, 0, 5], 0, 0, 5),
        ([-4, 2, 3], 2, 0, 3),  # a clock was set back
        ([5] * 10_000, 5, 5, 5),
        ([0] * 10_000, 0, 0, 0),
    ],
)
def test_figures(values: list[int], median: int, minimum: int, maximum: int) -> None:
    sketch = _sketch(values)
    assert (sketch.median, sketch.minimum, sketch.maximum) == (median, minimum, maximum)
    assert (sketch.count, sketch.total) == (len(values), sum(max(0, value) for value in values))


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=600))
def test_quantiles_are_within_two_percent(values: list[int]) -> None:
    sketch, ordered = _sketch(values), sorted(values)
    for share in SHARES:
        exact = ordered[max(1, -(-round(share * 1000) * len(ordered) // 1000)) - 1]
        assert sketch.quantile(share) == pytest.approx(exact, rel=0.021, abs=1)
    assert ordered[0] <= sketch.quantile(0) <= sketch.median <= sketch.quantile(1) <= ordered[-1]


def test_a_sketch_does_not_grow_with_what_it_counts() -> None:
    sketch = _sketch([2**power + step for power in range(63) for step in range(0, 2**power, 2**power // 64 + 1)])
    assert sketch.count > 2000
    assert sketch._values is None
    assert len(sketch._buckets) < 2300


@pytest.mark.parametrize(
    ("count", "kept"), [(0, []), (1, [0]), (5, [0, 1, 2, 3, 4]), (6, [0, 1, 2, 3, 4, 5]), (900, [0, 1, 2, 3, 4, 899])]
)
def test_a_tally_keeps_the_first_few_and_the_last(count: int, kept: list[int]) -> None:
    tally: Tally[int] = Tally()
    for item in range(count):
        tally.add(item, 1000 * item)
    assert list(tally) == kept
    assert (tally.count, bool(tally)) == (count, count > 0)
    assert tally.last == (kept[-1] if kept else None)
    assert tally.pauses.count == max(0, count - 1)
    assert tally.pauses.median == (1000 if count > 1 else 0)


@given(*[st.lists(st.integers(0, 10**6), max_size=size) for size in (300, 600)])
def test_merged_sketches_are_as_one(some: list[int], more: list[int]) -> None:
    merged, at_once = _sketch(some), _sketch(some + more)
    merged.merge(_sketch(more))
    figures = [
        (each.count, each.total, each.minimum, each.maximum, *(each.quantile(share) for share in SHARES))
        for each in (merged, at_once)
    ]
    assert figures[0] == figures[1]
