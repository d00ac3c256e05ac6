"""Which boxes cut a connection after how long."""

import pytest

from eiosniff.knowledge import timeouts


def test_each_timeout_says_where_it_is_set_and_where_that_is_from() -> None:
    for timeout in timeouts.load():
        assert timeout.idle or timeout.age, timeout.of
        assert all(seconds > 0 for seconds in (*timeout.idle, *timeout.age))
        assert timeout.of
        assert timeout.setting
        assert timeout.source


def test_names_are_used_once() -> None:
    names = [timeout.of for timeout in timeouts.load()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("seconds", "nearest", "of"),
    [
        (60.0, 60, "nginx"),
        (61.0, 60, "nginx"),
        (56.0, 55, "the Heroku router"),
        (52.0, 50, "HAProxy"),
        (98.0, 100, "Cloudflare"),
        (355.0, 350, "AWS NLB or a NAT gateway"),
    ],
)
def test_the_nearest_is_found(seconds: float, nearest: int, of: str) -> None:
    found, known = timeouts.nearest_idle(seconds, 0.1)
    assert found == nearest
    assert known[0].of == of


def test_what_is_near_to_none_has_no_name() -> None:
    assert timeouts.nearest_idle(75.0, 0.1) == (0, [])
    assert timeouts.nearest_idle(61.0, 0.01) == (0, [])
    assert timeouts.nearest_age(60.0, 0.02) == (0, [])
    assert [timeout.of for timeout in timeouts.nearest_age(3600.0, 0.02)[1]] == ["Google Cloud Run"]
