"""What OpenSSL's peers said over TLS is read from the recordings, all of it, whichever side is read first."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.provenance import CLIENT, SERVER
from tests.decrypted import carried, text_of
from tests.streams import BATCH_SIZES, RECORDED

INDEX: list[dict[str, Any]] = tomllib.loads((RECORDED / "decrypted.toml").read_text())["recording"]


def test_all_are_indexed() -> None:
    files = {path.relative_to(RECORDED).as_posix() for path in (RECORDED / "decrypted").iterdir()}
    assert files == {entry["file"] for entry in INDEX}


@pytest.mark.interpreted
@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_what_they_said(entry: dict[str, Any]) -> None:
    connections = carried(RECORDED / entry["file"])
    # In the second connection of those who resume, s_server is mostly asked to end before it says anything.
    for side, key in ((CLIENT, "client"), (SERVER, "server")):
        said = b"".join(text_of(connection, side) for connection in connections).decode().split()
        assert said == " ".join(entry[f"{key}_says"]).split()


@pytest.mark.interpreted
@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_the_order_in_which_sides_are_read_does_not_matter(entry: dict[str, Any]) -> None:
    path = RECORDED / entry["file"]
    expected = carried(path)
    for first in (0, 1):
        read = carried(path, by_side=True, sorted_by=first)
        for one, other in zip(read, expected, strict=True):
            for side in (CLIENT, SERVER):
                assert [each for each in one if each[0] is side] == [each for each in other if each[0] is side]


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)
def test_all_are_decrypted(entry: dict[str, Any]) -> None:
    reports = [app.analyze([str(RECORDED / entry["file"])], app.Options(batch_size=size)) for size in BATCH_SIZES]
    for report in reports:
        (summary,) = report.captures
        assert [(each.connections, each.decrypted, each.undecrypted) for each in summary.encrypted] == [
            (summary.connections, summary.connections, {})
        ]
        assert summary.other == reports[0].captures[0].other
        assert {diagnosis.finding.rule for diagnosis in report.diagnoses}.isdisjoint({"CAP227", "CAP229"})
