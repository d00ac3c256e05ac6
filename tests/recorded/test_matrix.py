"""Each cell of the table in `tests/matrix.py` is what its recording shows."""

from functools import cache
from typing import Any

import pytest

from eiosniff.model.finding import Severity
from tests.cases import recordings, report_of
from tests.matrix import CELLS


@cache
def _recordings() -> dict[tuple[str, str], dict[str, Any]]:
    return {(entry["row"], entry["column"]): entry for entry in recordings("matrix")}


def test_each_cell_has_a_recording_and_each_recording_a_cell() -> None:
    assert _recordings().keys() == CELLS.keys()


@pytest.mark.parametrize(("cell", "expected"), CELLS.items(), ids=[f"{row} at {column}" for row, column in CELLS])
def test_first_line(cell: tuple[str, str], expected: str) -> None:
    report = report_of(_recordings()[cell]["path"])
    if expected == "yes":
        loud = [diagnosis for diagnosis in report.diagnoses if diagnosis.finding.severity >= Severity.WARNING]
        assert not [diagnosis.finding.summary for diagnosis in loud]
        assert report.sessions
    else:
        assert report.diagnoses
        assert report.diagnoses[0].finding.rule == expected
