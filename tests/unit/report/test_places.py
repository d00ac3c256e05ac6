"""Packets of captures of several files, and entries of a HAR, as reports show them."""

import json
from functools import partial
from typing import Any

import pytest

from eiosniff.model.finding import Diagnosis, Evidence
from eiosniff.model.numbering import Entries, Numbering, Parts
from eiosniff.model.summary import CaptureProblem
from eiosniff.report.as_json import render
from eiosniff.report.decode_lines import TextLines, json_line
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import START, capture, finding, report, session
from tests.unit.report.test_decode_lines import packet
from tests.unit.report.test_terminal import rendered as text_of

SERIES = "d/cap0 … cap1 (2 files)"


def parts() -> Parts:
    made = Parts()
    made.add("d/cap0", 0)
    made.add("d/cap1", 30)
    return made


def entries() -> Entries:
    made = Entries("page.har")
    for number in range(40):
        made.add(number // 10 + 1, number % 10)
    return made


def made(numbering: Numbering, name: str, proof: tuple[int, ...]) -> Any:
    place = partial(Evidence, ts_ns=START, who="client", text="PING")
    fault = finding(capture=name, evidence=[place(packet=number) for number in proof])
    summary = capture(name, numbering=numbering, problems=[CaptureProblem("capture-truncated", "is cut", 35)])
    one = session(2)
    return report(captures=[summary], diagnoses=[Diagnosis(fault)], sessions=[one], capture_of={one: summary})


def test_json_names_the_file_of_each_packet() -> None:
    document = json.loads(render(made(parts(), SERIES, (32, 33, 29)), Redactor()))
    diagnosis = document["diagnoses"][0]
    assert [(each["packet"], each["capture"]) for each in diagnosis["evidence"]] == [
        (2, "d/cap1"), (3, "d/cap1"), (29, "d/cap0"),
    ]  # fmt: skip
    assert (diagnosis["capture"], diagnosis["display_filter"]) == ("d/cap1", "frame.number in {2, 3}")
    assert document["captures"][0]["files"] == ["d/cap0", "d/cap1"]
    assert document["captures"][0]["problems"][0]["packet"] == 5
    assert document["captures"][0]["problems"][0]["capture"] == "d/cap1"
    assert document["sessions"][0]["connections"][0] == {
        "stream": 1, "first_packet": 20, "last_packet": 29, "first_capture": "d/cap0", "last_capture": "d/cap0",
    }  # fmt: skip


def test_json_tells_entries_and_their_messages() -> None:
    document = json.loads(render(made(entries(), "page.har", (1, 26)), Redactor()))
    diagnosis = document["diagnoses"][0]
    assert [(each["packet"], each.get("message")) for each in diagnosis["evidence"]] == [(1, None), (3, 5)]
    assert (diagnosis["capture"], diagnosis["display_filter"]) == ("page.har", "")


def test_the_text_has_a_line_for_each_file() -> None:
    text = text_of(made(parts(), SERIES, (29, 32, 33)))
    proof = [line.strip() for line in text[text.index("Proof") :].splitlines()]
    assert proof[1:6] == [
        "cap0", "29    0.000  client  PING", "cap1", "2    0.000  client  PING", "3    0.000  client  PING",
    ]  # fmt: skip
    assert "Wireshark, cap0: frame.number in {29}\n" in text
    assert "Wireshark, cap1: frame.number in {2, 3}\n" in text
    assert "is cut (packet 5 of cap1)" in text


def test_the_text_shows_entries() -> None:
    text = text_of(made(entries(), "page.har", (1, 26)))
    assert "entry     time" in text
    assert " 3.5    0.000  client  PING" in text
    assert "Wireshark" not in text
    assert "is cut (entry 4.4)" in text


@pytest.mark.parametrize(
    ("numbering", "expected"),
    [
        (parts(), {"packet": 2, "packets": [1, 2], "capture": "d/cap1",
                   "packets_before": [{"packet": 30, "capture": "d/cap0"}]}),
        (entries(), {"packet": 4, "packets": [3, 4], "capture": "page.har", "message": 1}),
    ],
)  # fmt: skip
def test_decoded_packets(numbering: Numbering, expected: dict[str, Any]) -> None:
    decoded = packet(number=32, numbering=numbering)
    decoded.engineio.packets = (30, 31, 32)
    record = json.loads(json_line(decoded, Redactor(), name_capture=True))
    keys = ("packet", "packets", "capture", "message", "packets_before")
    assert {key: record[key] for key in keys if key in record} == expected
    number = "4.1" if "message" in expected else "2"
    assert TextLines(Redactor()).line(decoded).startswith(f"{number:>6} ")
