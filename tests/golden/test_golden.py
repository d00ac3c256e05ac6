"""The result on every recording is the one that was committed, and it does not depend on the size of batches."""

import json
from functools import cache

import pytest

from eiosniff.decode import stack
from tests import golden
from tests.cases import ROOT

HOW = "If the change is meant, `make golden` and look at the difference that git shows."
HOW_DECODED = (
    "To see what differs, run `eiosniff decode --format jsonl {recording}` at the commit before and now. "
    "If it is meant, `make golden`."
)
DEFAULT = 50_000
BATCH_SIZES = (1, 7, 100, 1000)  # no recording has 1000 packets yet
# A batch costs a millisecond however small it is. The recordings of more packets than this (all are polling with
# many connections, as shorter ones are too) would take a third of the time of all if fed packet by packet.
MOST_ONE_BY_ONE = 500

every_recording = pytest.mark.parametrize("recording", golden.RECORDINGS, ids=lambda path: path.split("/", 2)[2])


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports name the files as they were given."""
    monkeypatch.chdir(ROOT)


@cache
def _report(recording: str) -> str:
    return golden.report(recording, DEFAULT)


@cache
def _decoded(recording: str) -> str:
    return golden.decoded(recording, DEFAULT)


def _differing(found: str, known: str) -> str:
    """The first line that differs: all of them would be too much to read."""
    lines = [text.splitlines() for text in (known, found)]
    for number, (old, new) in enumerate(zip(*lines, strict=False), start=1):
        if old != new:
            return f"line {number} was\n  {old[:300]}\nand is\n  {new[:300]}"
    return f"there were {len(lines[0])} lines, and are {len(lines[1])}"


def test_each_recording_has_a_golden_file_and_each_golden_file_a_recording() -> None:
    assert golden.RECORDINGS
    kept = {path for path in golden.REPORTS.rglob("*") if path.is_file()}
    assert kept == {golden.golden_file(recording) for recording in golden.RECORDINGS}, "`make golden` mends it"
    assert list(golden.entries()) == list(golden.RECORDINGS), "`make golden` mends it"


@every_recording
def test_the_report_is_the_golden_one(recording: str) -> None:
    known = golden.golden_file(recording).read_bytes().decode()
    found = _report(recording)
    assert found == known, f"{recording}: {_differing(found, known)}\n{HOW}"


@every_recording
def test_what_is_decoded_has_the_golden_hash(recording: str) -> None:
    found = golden.entry(recording, _decoded(recording))
    assert found == golden.entries()[recording], HOW_DECODED.format(recording=recording)


def _sizes(recording: str) -> tuple[int, ...]:
    """All of them where the decoders are compiled, which is tested too (`make test-compiled`), and one of them where
    they take twice as long."""
    compiled = not stack.__file__.endswith(".py")
    return BATCH_SIZES if compiled else BATCH_SIZES[golden.RECORDINGS.index(recording) % 4 :: 4]


@every_recording
def test_batches_of_any_size_give_the_same_bytes(recording: str) -> None:
    packets = json.loads(_report(recording))["captures"][0]["packets"]
    for size in _sizes(recording):
        if (size == 1 and packets > MOST_ONE_BY_ONE) or size >= packets:  # then all are in one batch, as by default
            continue
        for found, expected in (
            (golden.report(recording, size), _report(recording)),
            (golden.decoded(recording, size), _decoded(recording)),
        ):
            assert found == expected, f"batches of {size}: {_differing(found, expected)}"
