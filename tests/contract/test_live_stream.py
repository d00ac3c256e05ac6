"""What `eiosniff live --format jsonl` writes of recorded captures follows its schema to the letter."""

import json
import os
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from eiosniff import app
from eiosniff.capture.live.pipes import PIPE_SIZE, PipeSource
from eiosniff.cli.streams import JsonLines, Stream
from eiosniff.live.loop import Limits, Loop
from eiosniff.live.signals import Signals
from eiosniff.report.redact import Redactor
from tests.streams import RECORDED, RECORDINGS

PLAIN = [path for path in RECORDINGS if path.suffix in (".pcap", ".pcapng") and path.stat().st_size < PIPE_SIZE // 2]
CAPTURES = PLAIN[:: len(PLAIN) // 20]
PCAP_HEADER, RECORD_HEADER, HEADERS = 24, 16, 66  # and those of Ethernet, IP and TCP
ODD = (
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\x1b[2J",
    b"\0",
    b"\x0c",
    b"\xf4\x90\x80\x80",
    b"\\ud800",
)
SCHEMAS = {
    name: json.loads((files("eiosniff") / f"report/schema/{name}-1.json").read_text("utf-8"))
    for name in ("live", "report")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMAS["live"], registry=REGISTRY)


def stream_of(data: bytes, folder: Path) -> bytes:
    """What is written of a capture that comes through a pipe."""
    reading, writing = os.pipe()
    path = folder / "events.jsonl"
    options = app.Options(max_sessions=500, kept_sessions=500)
    with (
        PipeSource("pipe", reading, owned=True) as source,
        Stream(str(path), encoding="utf-8") as place,
        Signals(pytest.fail) as signals,
    ):
        loop = Loop(
            source, JsonLines(place, Redactor()), options, app.chosen_rules(options),
            limits=Limits(), writer=None, write_report=lambda _: "",
        )  # fmt: skip
        os.write(writing, data)
        os.close(writing)
        loop.run(signals)
    return path.read_bytes()


def check(written: bytes) -> list[dict[str, Any]]:
    """Each line is an object, with the keys in the order of the schema, in UTF-8."""
    assert written.endswith(b"\n")
    events = [json.loads(line) for line in written.decode("utf-8").removesuffix("\n").split("\n")]
    for event in events:
        VALIDATOR.validate(event)
        assert list(event) == list(SCHEMAS["live"]["$defs"][event["event"]]["properties"])
    kinds = [event["event"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("started", ["ended", "report"])
    return events


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_events_of_a_recording(capture: Path, tmp_path: Path) -> None:
    events = check(stream_of(capture.read_bytes(), tmp_path))
    told = {event["id"]: event["diagnosis"]["rule"] for event in events if event["event"].startswith("finding-")}
    for event in events:
        if event["event"] == "finding-resolved":
            del told[event["id"]]
    diagnoses = events[-1]["report"]["diagnoses"]
    found = [each["rule"] for cause in diagnoses for each in (cause, *cause["consequences"])]
    assert sorted(told.values()) == sorted(found)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_on_the_wire(seed: int, tmp_path: Path) -> None:
    """What is no UTF-8, surrogates, line separators and control characters here and there in what is said."""
    data = bytearray((RECORDED / "arduino/s3-arduino-old-eio4-to-v484.pcap").read_bytes())
    chance, at = Random(seed), PCAP_HEADER
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        for place in range(at + RECORD_HEADER + HEADERS, at + RECORD_HEADER + length):
            if chance.random() < 0.004:
                odd = chance.choice(ODD)[: at + RECORD_HEADER + length - place]
                data[place : place + len(odd)] = odd
        at += RECORD_HEADER + length
    assert len(check(stream_of(bytes(data), tmp_path))) > 3
