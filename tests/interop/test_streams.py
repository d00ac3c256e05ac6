"""What is decoded does not depend on how the input is cut into batches: for every recording, events and ledgers."""

from functools import cache
from pathlib import Path

import pytest

from tests.streams import BATCH_SIZES, RECORDED, RECORDINGS, Decoded, decode

pytestmark = pytest.mark.interpreted


@cache
def _whole(path: Path) -> Decoded:
    return decode(path, max(BATCH_SIZES))


def test_there_are_recordings() -> None:
    assert RECORDINGS


@pytest.mark.parametrize("batch_size", BATCH_SIZES[:-1])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: str(path.relative_to(RECORDED)))
def test_batches(path: Path, batch_size: int) -> None:
    expected, found = _whole(path), decode(path, batch_size)
    assert found.events == expected.events
    assert found.ledgers == expected.ledgers
