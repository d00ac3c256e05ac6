"""What is written is what was captured, whatever that is, and can be read at any time."""

import mmap
import struct
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eiosniff import __version__
from eiosniff.capture.pcapng_blocks import packet_blocks
from eiosniff.capture.source import open_source
from eiosniff.capture.writer import PcapngWriter
from tests.unit.capture.reading import Packet
from tests.unit.capture.writing import START_NS, batch_of, dropped, made, read

# Of Wi-Fi and the like, `open_source` gives other packets than the file has.
LINK_TYPES = (0, 1, 101, 113, 147, 276, 65_535)

packets = st.builds(
    lambda ts_ns, link_type, data, more: Packet(0, ts_ns, len(data), len(data) + more, link_type, data),
    st.one_of(st.integers(0, 2**63 - 1), st.integers(START_NS, START_NS + 1000)),
    st.sampled_from(LINK_TYPES),
    st.binary(max_size=700),
    st.integers(0, 70_000),
)


def write(path, *batches, **options):
    with PcapngWriter(str(path), "eth0", **options) as writer:
        for batch in batches:
            writer.write(batch)
    assert writer.problem == ""
    return writer


@given(batches=st.lists(st.lists(packets, max_size=8), max_size=4))
def test_any_packets_come_back(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("any") / "x.pcapng"
    writer = write(path, *map(batch_of, batches))
    every = [packet._replace(number=number) for number, packet in enumerate(chain(*batches), 1)]
    assert read(path) == every
    assert writer.packets == len(every)
    assert writer.size <= path.stat().st_size


def test_packets_of_every_length(tmp_path):
    every = [
        Packet(size + 1, START_NS + size, size, size, 1, bytes((size + at) % 251 for at in range(size)))
        for size in range(1100)
    ]
    write(tmp_path / "x.pcapng", batch_of(every))
    assert read(tmp_path / "x.pcapng") == every


@pytest.mark.parametrize("size", [9000, 65_549, 3_000_000])
def test_large_packets(tmp_path, size):
    every = made(3, size=size) + made(2, first=4) + made(1, first=6, size=size)
    write(tmp_path / "x.pcapng", batch_of(every))
    assert read(tmp_path / "x.pcapng") == every


def test_many_packets_in_one_batch(tmp_path):
    every = made(30_000, size=400)
    write(tmp_path / "x.pcapng", batch_of(every))
    assert read(tmp_path / "x.pcapng") == every


def test_packets_out_of_a_mapped_file(tmp_path):
    every = made(5)
    batch = batch_of(every)
    (tmp_path / "buffer").write_bytes(batch.buffer)
    with (tmp_path / "buffer").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        batch.buffer = mapped
        blocks = packet_blocks(batch, slice(0, 5), batch.number)
        batch.buffer = b""
    assert blocks.tobytes() == packet_blocks(batch_of(every), slice(0, 5), batch.number).tobytes()


def test_instants_before_1970_are_1970(tmp_path):
    write(tmp_path / "x.pcapng", batch_of([Packet(1, -5, 0, 0, 1, b"")]))
    assert read(tmp_path / "x.pcapng") == [Packet(1, 0, 0, 0, 1, b"")]


def test_a_link_type_that_appears_later(tmp_path):
    every = made(3) + made(3, first=4, link_type=113) + made(3, first=7)
    write(tmp_path / "x.pcapng", *(batch_of([packet]) for packet in every))
    assert read(tmp_path / "x.pcapng") == every
    with open_source(str(tmp_path / "x.pcapng")) as source:
        list(source)
        assert source.link_types == [1, 113]


def test_a_file_can_be_read_while_it_grows(tmp_path):
    path = tmp_path / "x.pcapng"
    every = made(50)
    with PcapngWriter(str(path), "eth0") as writer:
        assert read(path) == []
        for at in range(0, 50, 10):
            writer.write(batch_of(every[at : at + 10]))
            assert read(path) == every[: at + 10]
    assert read(path) == every


def test_what_was_dropped_is_in_the_file(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        writer.write(batch_of(made(2)))
        writer.dropped = 5
        writer.write(batch_of(made(2, link_type=101)))
        writer.dropped = 12
    assert dropped(tmp_path / "x.pcapng") == 12


@pytest.mark.parametrize("count", [None, 0])
def test_nothing_counts_or_nothing_was_dropped(tmp_path, count):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        writer.write(batch_of(made(2)))
        writer.dropped = count
    assert dropped(tmp_path / "x.pcapng") == count


def blocks_of(data):
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        found.append((kind, data[8 : length - 4]))
        assert data[length - 4 : length] == data[4:8]
        data = data[length:]
    return found


def options_of(data):
    found = {}
    while True:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert data[4:] == b""
            return found
        found[code] = data[4 : 4 + length]
        data = data[4 + (length + 3 & -4) :]


def test_what_the_file_says_of_itself(tmp_path):
    write(tmp_path / "x.pcapng", batch_of(made(2)), expression="tcp port 3000", snap_length=2000)
    section, interface, *_, statistics = blocks_of((tmp_path / "x.pcapng").read_bytes())
    assert options_of(section[1][16:])[4] == f"eiosniff {__version__}".encode()
    assert options_of(section[1][16:])[3]
    assert interface[1][:8] == struct.pack("<HHI", 1, 0, 2000)
    assert options_of(interface[1][8:]) == {2: b"eth0", 9: b"\x09", 11: b"\0tcp port 3000"}
    assert statistics[0] == 5
    assert options_of(statistics[1][12:]) == {4: struct.pack("<Q", 2)}


def test_names_that_are_no_utf_8_or_longer_than_an_option(tmp_path):
    path = tmp_path / "x.pcapng"
    with PcapngWriter(str(path), "eth\udcff", expression="port 1 or " * 10_000) as writer:
        writer.write(batch_of(made(1)))
    assert read(path) == made(1)


def test_only_the_owner_may_read_it(tmp_path):
    write(tmp_path / "x.pcapng")
    assert (tmp_path / "x.pcapng").stat().st_mode & 0o077 == 0


def test_nothing_is_written_once_it_is_closed(tmp_path):
    writer = write(tmp_path / "x.pcapng", batch_of(made(2)))
    size = (tmp_path / "x.pcapng").stat().st_size
    writer.write(batch_of(made(2)))
    writer.close()
    assert (tmp_path / "x.pcapng").stat().st_size == size == writer.size


def test_where_packets_are_kept(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        writer.write(batch_of(made(12_000, size=400)))
        assert writer.status == f"12,000 packets (5.2 MB) written to {tmp_path / 'x.pcapng'}"
