"""Splits captures into files, as a rotation does, and puts reports of the parts together again."""

import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from eiosniff import app
from eiosniff.report import as_json
from eiosniff.report.redact import Redactor

FILE_HEADER, RECORD_HEADER = 24, 16


def records(capture: Path) -> tuple[bytes, list[bytes]]:
    """The file header of a pcap file (little-endian), and its records, header and all; what is cut at the end is the
    last one."""
    data = capture.read_bytes()
    found = []
    at = FILE_HEADER
    while at < len(data):
        length = RECORD_HEADER + struct.unpack_from("<I", data, at + 8)[0] if at + RECORD_HEADER <= len(data) else 1
        found.append(data[at : at + length])
        at += length
    return data[:FILE_HEADER], found


def later(record: bytes, ms: int, *, digits: int = 6) -> bytes:
    """A record whose packet was captured so many milliseconds later; `digits` of a second are in the file."""
    unit: int = 10**digits
    seconds, fraction = struct.unpack_from("<II", record)
    instant = seconds * unit + fraction + ms * unit // 1000
    return struct.pack("<II", *divmod(instant, unit)) + record[8:]


def split(capture: Path, folder: Path, cuts: Sequence[int], names: str = "cap_{:05d}.pcap") -> list[str]:
    """Write the packets before, between and behind the cuts to files of their own; returns their names."""
    header, packets = records(capture)
    files = []
    for number, (begin, end) in enumerate(pairwise((0, *cuts, len(packets))), start=1):
        file = folder / names.format(number)
        file.write_bytes(header + b"".join(packets[begin:end]))
        files.append(str(file))
    return files


def report(captures: Sequence[str], **options: Any) -> dict[str, Any]:
    """What `analyze --format json` says."""
    made: dict[str, Any] = json.loads(as_json.render(app.analyze(captures, app.Options(**options)), Redactor()))
    return made


def joined(value: Any, before: dict[str, int]) -> Any:
    """(A part of) a report of several files as if they were one: so many packets there are before each of them."""
    if isinstance(value, list):
        return [joined(each, before) for each in value]
    if not isinstance(value, dict):
        return value
    known = dict(value)
    for number, file in (("packet", "capture"), ("first_packet", "first_capture"), ("last_packet", "last_capture")):
        if known.get(number) and file in known:
            known[number] += before[known[file]]
        known.pop(file, None)
    for name in ("file", "files", "format", "display_filter"):
        known.pop(name, None)
    return {key: joined(each, before) for key, each in known.items()}
