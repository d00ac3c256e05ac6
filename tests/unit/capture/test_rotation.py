"""Which files are one capture, and how they are read."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from eiosniff.capture.rotation import expand, plan
from eiosniff.capture.series import Series
from eiosniff.errors import CaptureError
from tests.parts import FILE_HEADER, later, records, split
from tests.streams import RECORDED

STORY = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"  # of 69.5 s
THIRDS = (50, 100)


def named(folder: Path, names: Sequence[str], cuts: Sequence[int] = THIRDS) -> list[str]:
    """The recording in parts with these names."""
    files = split(STORY, folder, cuts, "{}")
    return [str(Path(file).rename(folder / name)) for file, name in zip(files, names, strict=True)]


def read(files: Sequence[str], **options: bool) -> list[Series]:
    """All captures that the files are, read to their ends."""
    made = []
    for run in plan(files, **options):
        left = run
        while left is not None:
            with Series(left, 10) as series:
                for _ in series.batches():
                    pass
            made.append(series)
            left = series.rest
    return made


@pytest.mark.parametrize(
    "names",
    [
        ("cap.pcap", "cap.pcap1", "cap.pcap2"),  # tcpdump -C
        ("cap.pcap0", "cap.pcap1", "cap.pcap2"),  # tcpdump -C -W
        ("cap.pcap2", "cap.pcap0", "cap.pcap1"),  # a ring that began again
        ("trace", "trace1", "trace2"),
        ("cap_09:58:00.pcap", "cap_09:59:00.pcap", "cap_10:00:00.pcap"),  # tcpdump -G
        ("cap-2026-11-26_235900", "cap-2026-11-27_000000", "cap-2026-11-27_000100"),
        ("cap_1795600000.pcap", "cap_1795600000.pcap1", "cap_1795600030.pcap"),  # tcpdump -C -G
        ("cap_00009_20261126100000.pcapng", "cap_00010_20261126100030.pcapng", "cap_00011_20261126100100.pcapng"),
        ("cap_20261126100000_00001.pcapng", "cap_20261126100030_00002.pcapng", "cap_20261126100100_00003.pcapng"),
        ("part9.pcap", "part10.pcap", "part11.pcap"),
    ],
)
def test_names_of_a_rotation(names: Sequence[str], tmp_path: Path) -> None:
    files = named(tmp_path, names)
    (series,) = read(files[::-1])
    assert series.numbering.files == files
    assert not series.problems
    assert series.packets == 156


@pytest.mark.parametrize(
    "names",
    [
        ("before.pcap", "after.pcap", "later.pcap"),
        ("cap3.pcap", "cap1.pcap", "cap2x.pcap"),  # only tcpdump makes rings
        ("cap3.pcap", "cap2.pcap", "cap1.pcap"),  # the later the file, the earlier its packets
        ("cap_20261126_3.pcap", "cap_20261126_1.pcap", "cap_20261126_2.pcap"),  # a date and no ring
    ],
)
def test_other_names_are_captures_of_their_own(names: Sequence[str], tmp_path: Path) -> None:
    files = named(tmp_path, names)
    assert sorted(series.name for series in read(files)) == sorted(files)
    assert len(read(files, joined=True)) == 1


def test_one_by_one(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap.pcap", "cap.pcap1", "cap.pcap2"))
    assert [series.name for series in read(files, joined=False)] == files


def moved(file: str, ms: int) -> None:
    """Captured so much later."""
    header, packets = records(Path(file))
    Path(file).write_bytes(header + b"".join(later(packet, ms) for packet in packets))


@pytest.mark.parametrize(
    ("names", "pause_s", "captures"),
    [
        (("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"), 500, 1),
        (("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"), 700, 2),
        (("run1.pcap", "run2.pcap", "run3.pcap"), 60, 2),
        (("run1.pcap", "run2.pcap", "run3.pcap"), -10, 2),  # at the same time
    ],
)
def test_what_does_not_go_on_is_another_capture(
    names: Sequence[str], pause_s: int, captures: int, tmp_path: Path
) -> None:
    files = named(tmp_path, names)
    moved(files[2], pause_s * 1000)
    assert len(read(files)) == captures


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap_00003.pcap", "cap_00004.pcap", "cap_00007.pcap"))
    (series,) = read(files)
    assert [problem.text for problem in series.problems] == [
        "2 files are missing between cap_00004.pcap and cap_00007.pcap"
    ]
    ((begin_ns, end_ns),) = series.missing
    assert begin_ns < end_ns


def test_an_overlap_is_told_where_the_user_wants_one(tmp_path: Path) -> None:
    files = named(tmp_path, ("a.pcap", "b.pcap", "c.pcap"))
    moved(files[2], -10_000)
    (series,) = read(files, joined=True)
    assert [problem.text for problem in series.problems] == [
        "c.pcap begins 10.0 s before the end of the files before it; its packets are taken after theirs (mergecap puts "
        "packets in order of time)"
    ]


def test_other_link_types_are_told(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"))
    data = bytearray(Path(files[1]).read_bytes())
    data[FILE_HEADER - 4] = 113
    Path(files[1]).write_bytes(data)
    (series,) = read(files)
    assert series.link_types == [1, 113]
    assert (
        series.problems[0].text == "cap_00002.pcap was captured on another kind of interface than the files before it"
    )


def test_a_file_that_is_begun_and_not_written_to(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"))
    (tmp_path / "cap_00004.pcap").write_bytes(b"")
    (tmp_path / "cap_00005.pcap").write_bytes(Path(files[0]).read_bytes()[:FILE_HEADER])
    (series,) = read(expand([str(tmp_path / "cap_*")]))
    assert series.problems[0].text == "cap_00004.pcap is empty"
    assert series.packets == 156


@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize(("data", "words"), [(b"", "is empty"), (b"garbage", "is not a capture"), (b"\xd4\xc3", "not")])
def test_a_file_of_which_nothing_can_be_read_is_told_and_the_others_are_read(
    damaged: int, data: bytes, words: str, tmp_path: Path
) -> None:
    files = named(tmp_path, ("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"))
    Path(files[damaged]).write_bytes(data)
    (series,) = read(files)
    (problem,) = series.problems
    assert problem.text.startswith(f"cap_0000{damaged + 1}.pcap ")
    assert words in problem.text
    assert series.packets == (100 if damaged == 2 else 106)
    assert len(series.missing) == (damaged == 1)
    for file in files:
        Path(file).write_bytes(data)
    with pytest.raises(CaptureError, match=words):
        read(files)


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"))
    (tmp_path / "link.pcap").symlink_to(files[1])
    assert expand([files[1], f"{tmp_path}/cap_*", files[1], f"{tmp_path}/link.pcap", "-"]) == [
        files[1], files[0], files[2], "-",
    ]  # fmt: skip


def test_a_cut_file_does_not_end_the_capture(tmp_path: Path) -> None:
    files = named(tmp_path, ("cap_00001.pcap", "cap_00002.pcap", "cap_00003.pcap"))
    Path(files[1]).write_bytes(Path(files[1]).read_bytes()[:-3])
    (series,) = read(files)
    assert [problem.packet for problem in series.problems] == [99]
    assert series.numbering.place(99) == (files[1], 49, 0)
    assert series.packets == 155


def test_patterns(tmp_path: Path) -> None:
    named(tmp_path, ("cap_1.pcap", "cap_2.pcap", "cap_[x].pcap"))
    assert expand([f"{tmp_path}/cap_?.pcap", "-", f"{tmp_path}/cap_[x].pcap", "no.pcap"]) == [
        f"{tmp_path}/cap_1.pcap", f"{tmp_path}/cap_2.pcap", "-", f"{tmp_path}/cap_[x].pcap", "no.pcap",
    ]  # fmt: skip
    with pytest.raises(CaptureError, match="nor any that fits this pattern"):
        expand([f"{tmp_path}/dump_*"])
