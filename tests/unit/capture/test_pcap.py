"""What a user relies on when reading classic pcap files."""

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import PcapWriter

from eiosniff.capture import pcap as pcap_module
from eiosniff.capture.source import open_source
from eiosniff.errors import CaptureError
from eiosniff.model.trouble import AnomalyKind
from tests.unit.capture.blocks import MODIFIED, NSEC, USEC, pcap, pcap_header, pcap_record
from tests.unit.capture.reading import drain, read_all_ways, read_file, read_stream

pytestmark = pytest.mark.usefixtures("any_block")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "ns"), [(USEC, 1000), (NSEC, 1), (MODIFIED, 1000)])
def test_every_variant_and_byte_order(tmp_path, order, magic, ns):
    extra = bytes(8) if magic == MODIFIED else b""
    data = pcap_header(order, magic, link_type=113) + b"".join(
        pcap_record(text, order, seconds=1_700_000_000 + i, fraction=i, wire=90 + i, extra=extra)
        for i, text in enumerate([b"one", b"", b"three"])
    )
    packets, problems, link_types = read_all_ways(tmp_path, data)
    assert [(p.number, p.data, p.captured, p.wire, p.link_type) for p in packets] == [
        (1, b"one", 3, 90, 113),
        (2, b"", 0, 91, 113),
        (3, b"three", 5, 92, 113),
    ]
    assert [p.ts_ns for p in packets] == [(1_700_000_000 + i) * 10**9 + i * ns for i in range(3)]
    assert (problems, link_types) == ([], [113])


def test_the_last_instant_that_pcap_can_hold(tmp_path):
    reading = read_all_ways(tmp_path, pcap_header() + pcap_record(b"x", seconds=0xFFFFFFFF, fraction=0xFFFFFFFF))
    assert reading.packets[0].ts_ns == 0xFFFFFFFF * 10**9 + 0xFFFFFFFF * 1000


def test_frame_check_bits_are_no_part_of_the_link_type(tmp_path):
    assert read_all_ways(tmp_path, pcap_header(link_type=0x24000001)).link_types == [1]


def test_a_file_without_packets_is_no_error(tmp_path):
    assert read_all_ways(tmp_path, pcap_header()) == ([], [], [1])


def test_what_scapy_writes(tmp_path):
    path = tmp_path / "scapy.pcap"
    frames = [Ether() / bytes([i] * i) for i in range(50)]
    with PcapWriter(str(path), nano=True) as writer:
        for i, frame in enumerate(frames):
            frame.time = i
            writer.write(frame)
    packets = drain(open_source(str(path))).packets
    assert [p.data for p in packets] == [bytes(frame) for frame in frames]
    assert [p.ts_ns for p in packets] == [i * 10**9 for i in range(50)]


def test_a_file_cut_anywhere_gives_every_packet_before_the_cut(tmp_path):
    whole = pcap(12)
    packets = read_stream(whole).packets
    ends = [24]
    for packet in packets:
        ends.append(ends[-1] + 16 + packet.captured)
    for cut in range(24, len(whole)):
        reading = read_stream(whole[:cut])
        expected = sum(end <= cut for end in ends[1:])
        assert reading.packets == packets[:expected]
        if cut in ends:
            assert reading.problems == []
        else:
            (problem,) = reading.problems
            assert (problem.kind, problem.packet) == (AnomalyKind.CAPTURE_TRUNCATED, expected)
            assert f"packet {expected + 1}" in problem.text
    assert read_all_ways(tmp_path, whole[:-1]).packets == packets[:-1]


@pytest.mark.parametrize("after", [b"", bytes(1000)])
@pytest.mark.parametrize("claimed", [(256 << 20) + 1, 0xFFFFFFFF])
def test_an_insane_length_ends_the_reading_there(tmp_path, claimed, after):
    data = pcap(3) + pcap_record(b"junk", claimed=claimed) + after
    reading = read_all_ways(tmp_path, data)
    assert len(reading.packets) == 3
    (problem,) = reading.problems
    assert (problem.kind, problem.packet) == (AnomalyKind.CAPTURE_DAMAGED, 3)
    assert f"packet 4 claims a captured length of {claimed} bytes" in problem.text


@pytest.mark.parametrize("before", [0, 3])
def test_an_insane_length_is_damage_even_where_the_file_is_long_enough(tmp_path, monkeypatch, before):
    monkeypatch.setattr(pcap_module, "RECORD_LIMIT", 50)
    reading = read_all_ways(tmp_path, pcap(before) + pcap_record(bytes(51)) + pcap_record(b"after"))
    assert len(reading.packets) == before
    assert [(p.kind, p.packet) for p in reading.problems] == [(AnomalyKind.CAPTURE_DAMAGED, before)]


def test_a_length_beyond_the_snap_length_and_the_file_is_damage_not_a_cut(tmp_path):
    reading = read_all_ways(tmp_path, pcap(3) + pcap_record(b"junk", claimed=300_000))
    assert [problem.kind for problem in reading.problems] == [AnomalyKind.CAPTURE_DAMAGED]


def test_a_record_longer_than_a_block_is_read(tmp_path):
    long = bytes(5 << 20)
    reading = read_all_ways(tmp_path, pcap_header() + pcap_record(long) + pcap_record(b"after"))
    assert [p.captured for p in reading.packets] == [len(long), 5]


@pytest.mark.parametrize("have", [4, 23])
def test_a_cut_header_is_named(tmp_path, have):
    with pytest.raises(CaptureError, match=f"ends inside its pcap header, after {have} of 24 bytes; capture again"):
        read_file(tmp_path / "cut.pcap", pcap_header()[:have])


@pytest.mark.parametrize("version", [(2, 2), (3, 0), (0xFFFF, 0xFFFF)])
def test_another_version_is_named(version):
    with pytest.raises(CaptureError, match=rf"version {version[0]}\.{version[1]}.*editcap"):
        read_stream(pcap_header(version=version))


def test_zeros_at_the_end_are_empty_packets(tmp_path):
    """As a file system leaves them after a crash; Wireshark counts them too."""
    reading = read_all_ways(tmp_path, pcap(2) + bytes(16 * 3))
    assert [p.number for p in reading.packets] == [1, 2, 3, 4, 5]
