"""Files of a ring begin in time, have names that tell, and only those of this run are removed."""

import time
from itertools import chain

import pytest

from eiosniff.capture.writer import PcapngWriter, Rotation
from tests.unit.capture.writing import SECOND_NS, START_NS, batch_of, dropped, made, numbered, read


def ring(tmp_path, rotation, *batches, name="x.pcapng"):
    with PcapngWriter(str(tmp_path / name), "eth0", rotation=rotation) as writer:
        for batch in batches:
            writer.write(batch)
    assert writer.problem == ""
    return sorted(tmp_path.iterdir())


def contents(paths):
    return [read(path) for path in paths]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_by_size(tmp_path, at_once):
    every = made(200, size=900)
    batches = [batch_of(every[at : at + at_once]) for at in range(0, 200, at_once)]
    paths = ring(tmp_path, Rotation(most_bytes=20_000), *batches)
    assert len(paths) == 10
    assert numbered(list(chain(*contents(paths)))) == every
    sizes = [path.stat().st_size for path in paths]
    assert max(sizes) <= 20_000 + 100
    assert min(sizes[:-1]) > 19_000


def test_a_packet_that_is_larger_than_a_file(tmp_path):
    every = made(4, size=5000)
    paths = ring(tmp_path, Rotation(most_bytes=1000), batch_of(every))
    assert contents(paths) == [numbered([packet]) for packet in every]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_by_time_of_the_capture(tmp_path, at_once):
    every = made(100, every_ns=SECOND_NS // 4)
    batches = [batch_of(every[at : at + at_once]) for at in range(0, 100, at_once)]
    paths = ring(tmp_path, Rotation(most_ns=10 * SECOND_NS), *batches)
    assert contents(paths) == [numbered(every[:40]), numbered(every[40:80]), numbered(every[80:])]


def test_hours_without_a_packet_make_no_file(tmp_path):
    every = made(4, every_ns=3 * 3600 * SECOND_NS)
    paths = ring(tmp_path, Rotation(most_ns=60 * SECOND_NS), batch_of(every))
    assert contents(paths) == [numbered([packet]) for packet in every]


def test_a_clock_that_is_set_back_begins_no_file(tmp_path):
    every = made(2) + [packet._replace(ts_ns=packet.ts_ns - 3600 * SECOND_NS) for packet in made(2, first=3)]
    assert contents(ring(tmp_path, Rotation(most_ns=60 * SECOND_NS), batch_of(every))) == [every]


def test_by_size_or_time_whichever_comes_first(tmp_path):
    every = made(10, size=900, every_ns=SECOND_NS) + made(3, first=1000, size=900, every_ns=SECOND_NS)
    paths = ring(tmp_path, Rotation(most_bytes=7000, most_ns=60 * SECOND_NS), batch_of(every))
    assert [len(packets) for packets in contents(paths)] == [7, 3, 3]


def test_names_have_the_number_and_the_instant_of_the_first_packet(tmp_path):
    every = made(2, every_ns=90 * SECOND_NS)
    paths = ring(tmp_path, Rotation(most_ns=60 * SECOND_NS), batch_of(every), name="a.b.pcapng")
    at = [time.strftime("%Y%m%d%H%M%S", time.localtime(packet.ts_ns / SECOND_NS)) for packet in every]
    assert [path.name for path in paths] == [f"a.b_00001_{at[0]}.pcapng", f"a.b_00002_{at[1]}.pcapng"]


def test_a_name_without_a_suffix(tmp_path):
    (path,) = ring(tmp_path, Rotation(most_ns=SECOND_NS), batch_of(made(1)), name="kept")
    assert path.name.startswith("kept_00001_")
    assert "." not in path.name


def test_the_oldest_of_this_run_are_removed(tmp_path):
    other = tmp_path / "x_00000_20200101000000.pcapng"
    other.write_bytes(b"of another run")
    every = made(100, size=900)
    paths = ring(tmp_path, Rotation(most_bytes=10_000, keep=3), batch_of(every))
    assert paths[0] == other
    assert other.read_bytes() == b"of another run"
    assert [path.name[2:7] for path in paths[1:]] == ["00008", "00009", "00010"]
    kept = list(chain(*contents(paths[1:])))
    assert numbered(kept) == numbered(every[-len(kept) :])


def test_never_more_files_than_are_kept(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=1, keep=2)) as writer:
        for packet in made(6):
            writer.write(batch_of([packet]))
            assert len(list(tmp_path.iterdir())) <= 2
        assert writer.packets == writer.files == 6


def test_a_file_that_somebody_removed_before(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=1, keep=2)) as writer:
        for packet in made(6):
            writer.write(batch_of([packet]))
            for path in sorted(tmp_path.iterdir())[:-1]:
                path.unlink()
    assert writer.problem == ""
    assert writer.packets == 6


def test_files_of_another_run_with_the_same_names_stay(tmp_path):
    every = made(3, every_ns=10)
    first = ring(tmp_path, Rotation(most_bytes=1), batch_of(every))
    before = [path.read_bytes() for path in first]
    paths = ring(tmp_path, Rotation(most_bytes=1), batch_of(every))
    assert paths[:3] == first
    assert [path.read_bytes() for path in first] == before
    assert contents(paths[3:]) == [numbered([packet]) for packet in every]


def test_each_file_counts_what_was_dropped_meanwhile(tmp_path):
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0", rotation=Rotation(most_ns=SECOND_NS)) as writer:
        for at, total in enumerate((4, 4, 15)):
            writer.write(batch_of(made(2, start_ns=START_NS + 2 * at * SECOND_NS)))
            writer.dropped = total
    assert [dropped(path) for path in sorted(tmp_path.iterdir())] == [4, 0, 11]


def test_each_file_describes_its_own_interfaces(tmp_path):
    every = made(2) + made(2, first=3, link_type=113) + made(2, first=5, link_type=101)
    paths = ring(tmp_path, Rotation(most_bytes=1), batch_of(every))
    assert contents(paths) == [numbered([packet]) for packet in every]


def test_without_a_packet_there_is_no_file(tmp_path):
    assert ring(tmp_path, Rotation(most_bytes=1000)) == []
