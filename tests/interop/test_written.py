"""What `--write` keeps, as Wireshark's programs and tcpdump read it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from eiosniff.capture.source import open_source
from eiosniff.capture.writer import PcapngWriter
from tests.interop.sample import sample
from tests.unit.capture.writing import SECOND_NS, batch_of, made

CAPTURES = Path(__file__).parents[2] / "captures" / "recorded"
# tshark ends with an error at the end of a damaged file; and the keys that a capture carries are not written again.
WITH_KEYS = ("decrypted", "decrypted_tshark", "tls", "undecrypted", "webtransport")
FILES = [
    path
    for path in sample(CAPTURES.rglob("*.pcap*"))
    if path.parent.name not in WITH_KEYS and "damaged-" not in path.name and "truncated" not in path.name
][::12]
FIELDS = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols", "tcp.stream", "tcp.seq")
MANY = 1000

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: it cannot be asked"),
]


def said(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def fields(path, *names):
    return said("tshark", "-n", "-r", path, "-T", "fields", *(word for name in names for word in ("-e", name)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CAPTURES)))
def test_a_recording_that_is_written_again(tmp_path, path):
    with open_source(str(path), batch_size=50) as source, PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        for batch in source:
            writer.write(batch)
    assert fields(tmp_path / "x.pcapng", *FIELDS) == fields(path, *FIELDS)


def test_instants_lengths_and_interfaces(tmp_path):
    path = tmp_path / "x.pcapng"
    every = [*made(MANY, every_ns=1_234_567), *made(MANY, first=MANY + 1, size=300, every_ns=1_234_567, link_type=101)]
    with PcapngWriter(str(path), "vethä", expression="tcp port 3000", snap_length=300) as writer:
        writer.write(batch_of(every))
        writer.dropped = 17
    names = ("frame.time_epoch", "frame.cap_len", "frame.len", "frame.interface_id", "frame.interface_name")
    assert fields(path, *names) == [
        f"{packet.ts_ns // SECOND_NS}.{packet.ts_ns % SECOND_NS:09}\t{packet.captured}\t{packet.wire}"
        f"\t{int(packet.link_type == 101)}\tvethä"
        for packet in every
    ]
    told = said("capinfos", path)
    assert f"Number of packets:   {2 * MANY}" in told
    assert sum("Filter string = tcp port 3000" in line for line in told) == 2
    assert sum("Capture length = 300" in line for line in told) == 2
    assert sum("Time precision = nanoseconds (9)" in line for line in told) == 2
    assert sum("Number of stat entries = 1" in line for line in told) == 2
    assert any(line.startswith("Capture application:") and "eiosniff" in line for line in told)


def test_a_capture_without_a_packet(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0"):
        pass
    assert fields(tmp_path / "x.pcapng", "frame.number") == []


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed: it cannot be asked")
def test_tcpdump_reads_it(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        writer.write(batch_of(made(5)))
    assert len(said("tcpdump", "-n", "-r", tmp_path / "x.pcapng")) == 5
