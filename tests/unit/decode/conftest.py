"""What several modules of tests share."""

from collections.abc import Callable

import pytest

from tests.unit.decode.talk_sessions import Talk, played


@pytest.fixture(params=[False, True], ids=["packet by packet", "one batch"])
def play(request: pytest.FixtureRequest) -> Callable[..., Talk]:
    """Plays scripts, in both ways of cutting them into batches: it must make no difference."""
    return lambda *scripts: played(*scripts, late=request.param)
