"""The rules are right on every recording of which it is known what is wrong, and the page that says so is true."""

import pytest

from tests.accuracy import Accuracy, measure, truth
from tests.accuracy.page import PAGE, page
from tests.cases import HAS_TSHARK, recordings


def test_every_faulty_recording_has_a_cause() -> None:
    known = truth()
    unknown = [
        entry["file"] for entry in recordings("faulty") if not entry["near_miss"] and not known[entry["path"],].cause
    ]
    assert not unknown, "say which in a case.toml: first, or first = false and a cause"


def test_no_rule_is_wrong_on_what_is_recorded() -> None:
    accuracy = measure()
    assert not accuracy.mistakes
    assert _shares(accuracy) == {1.0}


def _shares(accuracy: Accuracy) -> set[float]:
    return {share for score in accuracy.rules.values() for share in (score.precision, score.recall)}


@pytest.mark.interop
@pytest.mark.skipif(not HAS_TSHARK, reason="tshark is not installed: some of the recordings cannot be counted")
def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(measure()), "run `make score`"
