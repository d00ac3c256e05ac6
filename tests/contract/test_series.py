"""The files of a rotation are one capture: what is found does not depend on where one ends and the next begins."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.capture.writer import PcapngWriter, Rotation
from eiosniff.report.decode_lines import json_line
from eiosniff.report.redact import Redactor
from tests.parts import joined, records, report, split
from tests.streams import BATCH_SIZES, RECORDED

STORY = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"
MAGICS = (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")  # of this byte order
# Those that end inside a packet say which packet of the file that is.
WHOLE = [path for path in sorted(RECORDED.rglob("*.pcap")) if not {"damaged", "truncated"} & set(path.stem.split("-"))]
SAMPLE = [path for path in WHOLE if path.read_bytes()[:4] in MAGICS][::12]


def cuts_of(capture: Path, most: int) -> list[int]:
    count = len(records(capture)[1])
    chosen = random.Random(capture.name).sample(range(1, count), min(most, count - 1))
    return sorted(chosen)


@pytest.mark.parametrize("capture", SAMPLE, ids=lambda path: path.stem)
@pytest.mark.parametrize("most", [1, 4])
def test_a_capture_in_parts_gives_the_same_report(capture: Path, most: int, tmp_path: Path) -> None:
    cuts = cuts_of(capture, most)
    files = split(capture, tmp_path, cuts)
    before = dict(zip(files, (0, *cuts), strict=True))
    random.Random(capture.name).shuffle(files)
    assert joined(report(files), before) == joined(report([str(capture)]), {})


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_batches_end_with_files_and_that_changes_nothing(batch_size: int, tmp_path: Path) -> None:
    cuts = [5, 32, 33, 100]
    files = split(STORY, tmp_path, cuts)
    found = report(files, batch_size=batch_size)
    assert joined(found, dict(zip(files, (0, *cuts), strict=True))) == joined(report([str(STORY)]), {})
    assert found["captures"][0]["file"] == f"{files[0]} … cap_00005.pcap (5 files)"
    assert found["captures"][0]["files"] == files


def decoded(captures: list[str]) -> list[dict[str, Any]]:
    lines = (json_line(each, Redactor(), name_capture=True) for each in app.decode(captures, app.Options()))
    return [json.loads(line) for line in lines]


def test_decode_reads_parts_as_one(tmp_path: Path) -> None:
    cuts = [30, 33, 90]
    files = split(STORY, tmp_path, cuts)
    before = dict(zip(files, (0, *cuts), strict=True))
    parts, whole = decoded(files), decoded([str(STORY)])
    assert [each["packet"] + before[each["capture"]] for each in parts] == [each["packet"] for each in whole]
    for each in (*parts, *whole):
        for key in ("packet", "packets", "packets_before", "capture"):
            each.pop(key, None)
    assert parts == whole


def test_files_that_live_writes_are_one(tmp_path: Path) -> None:
    with open_source(str(STORY)) as source, PcapngWriter(
        str(tmp_path / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=4000)
    ) as writer:  # fmt: skip
        for batch in source.batches():
            writer.write(batch)
    files = sorted(str(path) for path in tmp_path.iterdir())
    assert len(files) > 3
    (capture,) = report(files)["captures"]
    assert capture["files"] == files
    assert report(files)["summary"] == report([str(STORY)])["summary"]
    assert len(report(files, joined=False)["captures"]) == len(files)
