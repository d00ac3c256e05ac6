"""The faces that are streams of events: what they write where, and when."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eiosniff.cli.analyze import show
from eiosniff.cli.output import Output
from eiosniff.cli.streams import JsonLines, Lines, Stream
from eiosniff.errors import EiosniffError
from eiosniff.live.face import Face
from eiosniff.model.finding import Report
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import report
from tests.unit.report.live_events import NOW, events

EVENTS = list(events().values())


def test_each_event_is_a_line_that_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with Stream(str(path), encoding="utf-8") as place:
        face = JsonLines(place, Redactor())
        face.tell(EVENTS[:1])
        assert json.loads(path.read_text("utf-8"))["event"] == "started"
        face.tell(EVENTS[1:])
        face.tell([])
        face.report(report(), NOW)
        kinds = [json.loads(line)["event"] for line in path.read_text("utf-8").splitlines()]
    assert kinds == [*(event.kind.value for event in EVENTS), "report"]


def test_a_file_that_is_there_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with Stream(str(path), encoding="utf-8") as place:
            JsonLines(place, Redactor()).tell(EVENTS[:2])
    assert len(path.read_text("utf-8").splitlines()) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["events.jsonl"], "nothing is written beside it"


def as_text(made: Report, place: Output) -> None:
    show(made, place, "text")


def lines(place: Stream, redactor: Redactor) -> Lines:
    return Lines(place, redactor, as_text)


def test_lines_for_people_end_with_the_report(tmp_path: Path) -> None:
    path = tmp_path / "events.txt"
    with Stream(str(path)) as place:
        face = lines(place, Redactor())
        face.tell(EVENTS)
        before = path.read_text("utf-8")
        face.report(report(), NOW)
    assert len(before.splitlines()) == len(EVENTS) + 1, "and a line with the date"
    text = path.read_text("utf-8")
    assert text.startswith(f"{before}\n")
    assert "ERROR  The client sends PING" in text
    assert "\x1b" not in text


def test_a_word_to_the_user_is_no_part_of_the_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.jsonl"
    with Stream(str(path)) as place:
        JsonLines(place, Redactor()).say("the report is in report.json")
    assert capsys.readouterr().err == "eiosniff: the report is in report.json\n"
    assert not path.read_text()


@pytest.mark.parametrize("face", [JsonLines, lines])
def test_it_asks_for_no_pictures_and_no_keys(face: Callable[[Stream, Redactor], Face], tmp_path: Path) -> None:
    with Stream(str(tmp_path / "x")) as place:
        made = face(place, Redactor())
        assert (made.shows_views, made.fileno(), made.typed()) == (False, -1, ())
        made.close()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(EiosniffError, match=r"cannot write to .*: Is a directory"), Stream(str(tmp_path)):
        pass
    with pytest.raises(EiosniffError, match="make the directory") as problem, Stream(str(tmp_path / "no" / "file")):
        pass
    assert str(tmp_path / "no") in str(problem.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_of_in_one_line() -> None:
    with pytest.raises(EiosniffError, match="cannot write to /dev/full: No space left"), Stream("/dev/full") as place:
        JsonLines(place, Redactor()).tell(EVENTS)


def test_a_reader_of_a_named_pipe_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: os.close(os.open(path, os.O_RDONLY)))
    reader.start()
    after: list[str] = []
    with Stream(str(path)) as place:
        reader.join()
        JsonLines(place, Redactor()).tell(EVENTS)
        after.append("told")
    assert not after, "the loop learns that nobody reads any more"


SCRIPT = """
from eiosniff.cli.streams import JsonLines, Stream
from eiosniff.report.redact import Redactor
from tests.unit.report.live_events import events
told = list(events().values())
with Stream(None, encoding="utf-8") as place:
    face = JsonLines(place, Redactor())
    for _ in range(100_000):
        face.tell(told)
"""


def test_head_ends_the_stream_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "started"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0
