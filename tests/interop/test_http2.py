"""Requests, answers and bytes of DATA are those that tshark's dissector of HTTP/2 sees, in every recording with it."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.events import Record
from eiosniff.decode.http2.frames import Data, FrameReader
from eiosniff.decode.stack import Stack
from eiosniff.model.http import HttpRequest, HttpResponse
from eiosniff.model.summary import CaptureSummary
from tests.streams import RECORDED

FILES = sorted((RECORDED / "http2").glob("*.pcap"))

pytestmark = [
    pytest.mark.interop,
    pytest.mark.interpreted,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]


def of_tshark(path: Path, display_filter: str, *fields: str) -> list[list[str]]:
    """The fields of each packet, with all that it holds of one separated by commas."""
    words = [word for field in fields for word in ("-e", field)]
    argv = ["tshark", "-n", "-r", str(path), "-d", "tcp.port==3000,http2", "-Y", display_filter, "-T", "fields", *words]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def decoded(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], Counter[int]]:
    """The records, and how many bytes of DATA there were on each stream."""
    sizes: Counter[int] = Counter()
    feed = FrameReader.feed

    def counted(reader: FrameReader, chunk: Any) -> Any:
        events = feed(reader, chunk)
        for event in events:
            if isinstance(event, Data) and event.chunk is not None:
                sizes[event.stream] += len(event.chunk.data)
        return events

    monkeypatch.setattr(FrameReader, "feed", counted)
    stack = Stack(CaptureSummary(path.name))
    events: list[Record] = []
    handle = stack.sessions.handle

    def recorded(conversation: Conversation, record: Record) -> None:
        events.append(record)
        handle(conversation, record)

    monkeypatch.setattr(stack.sessions, "handle", recorded)
    with open_source(str(path)) as source:
        for batch in source.batches():
            stack.feed(batch)
    stack.close()
    return events, sizes


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_data(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs: Counter[int] = Counter()
    for types, streams, lengths in of_tshark(path, "http2.type == 0", "http2.type", "http2.streamid", "http2.length"):
        frames = zip(types.split(","), streams.split(","), lengths.split(","), strict=True)
        for kind, stream, length in frames:
            if kind == "0":
                theirs[int(stream)] += int(length)
    assert +decoded(path, monkeypatch)[1] == +theirs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requests_and_answers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = of_tshark(path, "http2.headers.path", "http2.headers.path")
    asked = Counter(target for (line,) in fields for target in line.split(",") if "EIO=" in target)
    records = decoded(path, monkeypatch)[0]
    ours = [record for record in records if isinstance(record, HttpRequest)]
    assert Counter(request.target.decode() for request in ours) == asked
    answers = [record for record in records if isinstance(record, HttpResponse)]
    streams = {stream for stream, _ in _heads(path, "http2.headers.path", "EIO=")}
    theirs = Counter(status for stream, status in _heads(path, "http2.headers.status") if stream in streams)
    assert Counter(str(answer.status) for answer in answers) == theirs
    assert all(answer.request is not None for answer in answers)


def _heads(path: Path, field: str, with_text: str = "") -> list[tuple[str, str]]:
    """Connection and stream of each HEADERS frame with a field, and its value if that has the text in it."""
    heads: list[tuple[str, str]] = []
    for values, tcp, numbers, types in of_tshark(path, field, field, "tcp.stream", "http2.streamid", "http2.type"):
        frames = zip(numbers.split(","), types.split(","), strict=True)
        streams = [f"{tcp} {number}" for number, kind in frames if kind == "1"]
        heads += zip(streams, values.split(","), strict=True)
    return [(stream, value) for stream, value in heads if with_text in value]
