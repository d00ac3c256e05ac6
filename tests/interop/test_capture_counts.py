"""Every capture file of this repository has the packets, instants and lengths that tshark sees in it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from eiosniff.capture.links import LINK_TYPES
from eiosniff.capture.source import open_source
from eiosniff.errors import CaptureError
from tests.interop.sample import sample
from tests.unit.capture.blocks import (
    MODIFIED,
    block,
    clock,
    enhanced,
    interface,
    obsolete,
    pcap_header,
    pcap_record,
    section,
    simple,
)
from tests.unit.capture.blocks import pcap as make_pcap
from tests.unit.capture.blocks import pcapng as make_pcapng

CAPTURES = Path(__file__).parents[2] / "captures"
SUFFIXES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz")
FILES = sample(path for path in CAPTURES.rglob("*") if path.name.endswith(SUFFIXES))
FIELDS = ("frame.number", "frame.time_epoch", "frame.cap_len", "frame.len")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]

MADE = {
    "pcap": make_pcap(300),
    "pcap-big-endian": make_pcap(300, ">"),
    "pcap-modified": pcap_header(magic=MODIFIED)
    + b"".join(pcap_record(bytes(60), seconds=i, extra=bytes(8)) for i in range(20)),
    "pcap-cut": make_pcap(300)[:-1],
    "pcapng": make_pcapng(300),
    "pcapng-big-endian": make_pcapng(300, ">"),
    "pcapng-cut": make_pcapng(300)[:-1],
    # Picoseconds stay below 0.018 s: from there on tshark 4.0 overflows 64 bits.
    "pcapng-clocks": section()
    + interface(options=clock(0x80 | 10, 100))
    + interface(options=clock(12))
    + b"".join(enhanced(bytes(20), timestamp=400_000_007 * i, number=i % 2) for i in range(40)),
    "pcapng-kinds": section()
    + interface(snap_length=20)
    + b"".join(obsolete(bytes(9), timestamp=i) + simple(bytes(20), wire=60) for i in range(9))
    + section(">")
    + interface(">")
    + block(0xBAD, bytes(8), ">")
    + enhanced(bytes(12), ">", timestamp=1 << 50),
}


def nanoseconds(epoch):
    seconds, _, fraction = epoch.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def rows_of_tshark(path):
    """Number, instant (None where there is none), captured and wire length of every packet that tshark can read."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    return [(int(row[0]), nanoseconds(row[1]) if row[1] else None, int(row[2]), int(row[3])) for row in rows]


def compare(path):
    theirs = rows_of_tshark(path)
    try:
        with open_source(str(path)) as source:
            ours = [
                row
                for batch in source
                for row in zip(*map(list, (batch.number, batch.ts_ns, batch.captured, batch.wire)), strict=True)
            ]
            if not LINK_TYPES.isdisjoint(source.link_types):  # they are IP packets by now, and shorter
                lengths = {number: row for number, *row in theirs}
                ours = [(number, ts_ns, *lengths[number][1:]) for number, ts_ns, *_ in dict.fromkeys(ours)]
    except CaptureError:
        ours = []
    instants = {number: instant for number, instant, _, _ in theirs}
    ours = [(n, None if instants.get(n, 0) is None else ts, captured, wire) for n, ts, captured, wire in ours]
    numbers = {row[0] for row in ours}
    # What tshark numbers beside captured packets (custom blocks and the like) has no instant.
    assert ours == [row for row in theirs if row[0] in numbers or row[1] is not None]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CAPTURES)))
def test_captures_of_this_repository(path):
    compare(path)


@pytest.mark.parametrize("name", MADE)
def test_made_captures(tmp_path, name):
    path = tmp_path / "capture"
    path.write_bytes(MADE[name])
    compare(path)
    assert rows_of_tshark(path)
