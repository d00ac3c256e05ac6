"""What a user relies on when reading pcapng files."""

import struct

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter

from eiosniff.capture import pcapng as pcapng_module
from eiosniff.capture.source import open_source
from eiosniff.errors import CaptureError
from eiosniff.model.trouble import AnomalyKind
from tests.cases import RECORDED
from tests.unit.capture.blocks import block, clock, enhanced, interface, obsolete, option, pcapng, section, simple
from tests.unit.capture.reading import drain, read_all_ways, read_file, read_stream

pytestmark = pytest.mark.usefixtures("any_block")

INT64_MAX = (1 << 63) - 1


@pytest.mark.parametrize("order", "<>")
def test_packet_blocks_of_all_three_kinds(tmp_path, order):
    data = (
        section(order)
        + interface(order, snap_length=4)
        + interface(order, link_type=276)
        + enhanced(b"enhanced", order, timestamp=(5 << 32) + 1, number=1, wire=100)
        + simple(b"simp", order, wire=60)
        + obsolete(b"obsolete", order, timestamp=9, number=1)
    )
    packets, problems, link_types = read_all_ways(tmp_path, data)
    assert [p[:] for p in packets] == [
        (1, ((5 << 32) + 1) * 1000, 8, 100, 276, b"enhanced"),
        (2, ((5 << 32) + 1) * 1000, 4, 60, 1, b"simp"),  # no timestamp of its own: the one before
        (3, 9000, 8, 8, 276, b"obsolete"),
    ]
    assert (problems, link_types) == ([], [1, 276])


def test_a_simple_packet_before_any_timestamp_is_at_zero(tmp_path):
    reading = read_all_ways(tmp_path, section() + interface() + simple(b"abcde"))
    assert reading.packets == [(1, 0, 5, 5, 1, b"abcde")]


@pytest.mark.parametrize(
    ("resolution", "offset_s", "timestamp", "ns"),
    [
        (None, None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (6, None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, None, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (3, None, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (0, None, 1_700_000_000, 1_700_000_000_000_000_000),
        (12, None, 7_000_000_123_999, 7_000_000_123),
        (0x80 | 10, None, 1025, 1_000_976_562),
        (0x80 | 3, None, 9, 1_125_000_000),
        (0x80 | 32, None, (1 << 63) + 1, (1 << 31) * 10**9),
        (127, None, (1 << 64) - 1, 0),
        (0xFF, None, (1 << 64) - 1, 0),
        (6, 1_600_000_000, 5, 1_600_000_000_000_005_000),
        (9, -5, 7_000_000_000, 2_000_000_000),
        (6, None, (1 << 64) - 1, INT64_MAX),
        (0x80 | 10, None, (1 << 64) - 1, INT64_MAX),
        (9, INT64_MAX, 1, INT64_MAX),
        (9, -(1 << 63), 0, -(1 << 63)),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_timestamps_are_exact(tmp_path, order, resolution, offset_s, timestamp, ns):
    data = section(order) + interface(order, options=clock(resolution, offset_s, order))
    data += enhanced(b"x", order, timestamp=timestamp)
    assert read_file(tmp_path / "clock.pcapng", data).packets[0].ts_ns == ns
    # The same beside an interface with another clock.
    data += interface(order, options=clock(9, 1, order)) + enhanced(b"y", order, timestamp=3, number=1)
    assert [p.ts_ns for p in read_all_ways(tmp_path, data).packets] == [ns, 1_000_000_003]


def test_each_section_has_its_own_byte_order_and_interfaces(tmp_path):
    first = section("<") + interface("<", link_type=101) + enhanced(b"one", "<", timestamp=1)
    second = (
        section(">") + interface(">", link_type=113, options=clock(9, order=">")) + enhanced(b"two", ">", timestamp=2)
    )
    packets, problems, link_types = read_all_ways(tmp_path, first + second + first)
    assert [(p.number, p.ts_ns, p.link_type, p.data) for p in packets] == [
        (1, 1000, 101, b"one"),
        (2, 2, 113, b"two"),
        (3, 1000, 101, b"one"),
    ]
    assert (problems, link_types) == ([], [101, 113])


def test_other_blocks_are_skipped_and_numbered_as_wireshark_does(tmp_path):
    data = section() + interface() + block(4, bytes(4)) + enhanced(b"1") + block(5, bytes(12)) + enhanced(b"2")
    data += block(0x777, b"unknown") + enhanced(b"3") + block(0xBAD, bytes(8)) + enhanced(b"5") + block(9, b"A=1\n")
    reading = read_all_ways(tmp_path, data + enhanced(b"7"))
    assert [(p.number, p.data) for p in reading.packets] == [(int(n), n.encode()) for n in "12357"]
    assert reading.problems == []


def test_blocks_that_do_not_count_their_padding_are_read(tmp_path):
    body = struct.pack("<IIIII", 0, 0, 0, 5, 5) + b"odd!!"
    length = struct.pack("<I", len(body) + 12)
    data = section() + interface() + struct.pack("<I", 6) + length + body + bytes(3) + length + enhanced(b"next")
    assert [p.data for p in read_all_ways(tmp_path, data).packets] == [b"odd!!", b"next"]


@pytest.mark.parametrize(
    "options",
    [
        struct.pack("<HH", 9, 77) + b"\x09\0\0\0",
        option(9, b""),
        option(9, b"\x09\x09"),
        option(14, b"\x01\x02"),
        option(0, b"") + option(9, b"\x03"),
        b"\x09",
    ],
)
def test_options_that_make_no_sense_are_as_if_not_there(options):
    reading = read_stream(section() + interface(options=options) + enhanced(b"x", timestamp=1))
    assert [p.ts_ns for p in reading.packets] == [1000]


def test_what_scapy_writes(tmp_path):
    path = tmp_path / "scapy.pcapng"
    frames = [Ether() / bytes([i] * i) for i in range(50)]
    writer = PcapNgWriter(str(path))
    for i, frame in enumerate(frames):
        frame.time = i
        writer.write(frame)
    writer.close()
    packets = drain(open_source(str(path))).packets
    assert [(p.number, p.data) for p in packets] == [(i + 1, bytes(frame)) for i, frame in enumerate(frames)]
    assert [p.ts_ns for p in packets] == [i * 10**9 for i in range(50)]


def test_a_file_cut_anywhere_gives_every_packet_before_the_cut(tmp_path):
    whole = pcapng(12)
    packets = read_stream(whole).packets
    start = len(section())
    ends = [start, start + 20, start + 48]
    for packet in packets:
        ends.append(ends[-1] + 32 + (packet.captured + 3) // 4 * 4)
    assert ends[-1] == len(whole)
    for cut in range(start, len(whole)):
        reading = read_stream(whole[:cut])
        expected = sum(end <= cut for end in ends[3:])
        assert reading.packets == packets[:expected]
        kinds = [(problem.kind, problem.packet) for problem in reading.problems]
        assert kinds == ([] if cut in ends else [(AnomalyKind.CAPTURE_TRUNCATED, expected)])
    assert "bytes into packet 12" in read_all_ways(tmp_path, whole[:-1]).problems[0].text


GOOD = enhanced(b"good")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (struct.pack("<II", 6, 8) + GOOD, "a block has a length of 8 bytes"),
        (struct.pack("<II", 6, 28) + bytes(16) + struct.pack("<I", 28), "a block has a length of 28 bytes"),
        (struct.pack("<II", 0x777, 1 << 29) + GOOD, "a block has a length of 536870912 bytes"),
        (b"hello world, this is garbage", "a block has a length of 1870078063 bytes"),
        (bytes(100), "a block has a length of 0 bytes"),
        (GOOD[:-4] + struct.pack("<I", 99), "a block has a length of 36 at its start and 99 at its end"),
        (enhanced(b"x", number=1), "packet 2 is of interface 1, which is not described before it"),
        (enhanced(b"x", number=1) + interface(), "packet 2 is of interface 1, which is not described before it"),
        (enhanced(b"four", claimed=5), "packet 2 claims 5 captured bytes, and its block has 4"),
        (section(magic=0x1A2B3C4E), "a section header has the byte-order magic 4e3c2b1a"),
        (section(major=2), r"a section is of pcapng version 2.0, and only 1 is read"),
        (section() + enhanced(b"x"), "packet 2 is of interface 0, which is not described before it"),
        (section() + simple(b"x"), "packet 2 is of interface 0, which is not described before it"),
    ],
)
def test_damage_ends_the_reading_there(tmp_path, damage, text):
    reading = read_all_ways(tmp_path, section() + interface() + GOOD + damage + GOOD * 3)
    assert [p.data for p in reading.packets] == [b"good"]
    (problem,) = reading.problems
    assert (problem.kind, problem.packet) == (AnomalyKind.CAPTURE_DAMAGED, 1)
    assert problem.text.startswith(text)


def test_interfaces_behind_damage_are_not_reported(tmp_path):
    data = section() + interface() + enhanced(b"x", number=9) + interface(link_type=113)
    assert read_all_ways(tmp_path, data).link_types == [1]


def test_too_many_interfaces_are_damage(monkeypatch, tmp_path):
    monkeypatch.setattr(pcapng_module, "INTERFACE_LIMIT", 3)
    reading = read_all_ways(tmp_path, section() + interface() * 3 + GOOD + interface() + GOOD)
    assert len(reading.packets) == 1
    assert "more than 3 interfaces" in reading.problems[0].text


@pytest.mark.parametrize("have", [4, 11, 12, 27])
def test_a_cut_first_section_header_is_an_error(have):
    with pytest.raises(CaptureError, match=r"holds no packets: the file ends early.*; capture again"):
        read_stream(section()[:have])


SHORT_SECTION = struct.pack("<III", 0x0A0D0D0A, 12, 0x1A2B3C4D)  # as short as a block can be


@pytest.mark.parametrize("start", [section(magic=1), section(major=9), section()[:-4] + b"oops", SHORT_SECTION])
def test_a_damaged_first_section_header_is_an_error(start):
    with pytest.raises(CaptureError, match=r"holds no packets: a (section|block)"):
        read_stream(start + interface() + GOOD)


def test_a_file_without_packets_is_no_error(tmp_path):
    assert read_all_ways(tmp_path, section()) == ([], [], [])
    assert read_all_ways(tmp_path, section() + interface()) == ([], [], [1])


def test_decryption_secrets_that_editcap_injected_are_kept():
    with open_source(str(RECORDED / "carriers" / "secrets.pcapng")) as source:
        assert sum(map(len, source)) == 123
        ((kind, data),) = source.secrets
    assert kind == 0x544C534B  # "TLSK": a TLS key log
    assert data.startswith(b"CLIENT_RANDOM 0101")
    assert source.problems == []


def test_decryption_secrets_are_kept_within_limits(tmp_path):
    secrets = struct.pack("<II", 0x544C534B, 5) + b"KEYS\n"
    path = tmp_path / "secrets.pcapng"
    path.write_bytes(section() + block(10, secrets) * 100 + interface() + GOOD)
    with open_source(str(path)) as source:
        assert sum(map(len, source)) == 1
        assert source.secrets == [(0x544C534B, b"KEYS\n")] * 64
    large = struct.pack("<II", 1, 700_000) + bytes(700_000)
    path.write_bytes(section() + block(10, large) * 3)
    with open_source(str(path)) as source:
        assert list(source) == []
        assert [len(data) for _, data in source.secrets] == [700_000]


def _statistics(interface_id, *options, order="<"):
    body = struct.pack(order + "III", interface_id, 0, 0) + b"".join(option(*each, order) for each in options)
    return block(5, body, order)


def _dropped(tmp_path, data):
    path = tmp_path / "statistics.pcapng"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        list(source.batches())
        assert not source.problems
        return source.dropped


@pytest.mark.parametrize("order", "<>")
def test_dropped_packets_are_counted_by_interface_and_section(tmp_path, order):
    def count(number):
        return struct.pack(order + "Q", number)

    first = section(order) + interface(order) + interface(order)
    first += _statistics(0, (5, count(3)), (7, count(4)), order=order) + _statistics(1, (7, count(1)), order=order)
    first += _statistics(0, (4, count(99)), (5, count(5)), (7, count(6)), order=order)  # they count on
    second = section(order) + interface(order) + _statistics(0, (5, count(10)), order=order)
    assert _dropped(tmp_path, first) == 12
    assert _dropped(tmp_path, first + second) == 22


def test_statistics_without_counters_say_nothing(tmp_path):
    known = section() + interface()
    assert _dropped(tmp_path, known) is None
    assert _dropped(tmp_path, known + _statistics(0, (4, bytes(8)))) is None
    assert _dropped(tmp_path, known + _statistics(0, (5, b"\1\2"))) is None  # no number
    assert _dropped(tmp_path, known + _statistics(7, (5, bytes(8)))) is None  # no such interface
    assert _dropped(tmp_path, known + _statistics(0, (5, bytes(8)))) == 0
