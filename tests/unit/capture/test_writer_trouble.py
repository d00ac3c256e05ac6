"""What cannot be written is refused before, or ends the writing with a clear word; packets are never half there."""

import errno
import os
import platform
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import chain

import pytest

from eiosniff import __version__
from eiosniff.capture.pcapng_blocks import interface_description, section_header
from eiosniff.capture.writer import PcapngWriter, Rotation, check_target
from eiosniff.errors import EiosniffError
from tests.unit.capture.writing import SECOND_NS, Failing, batch_of, made, read

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
not_as_root = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write anywhere"
)


FULL = OSError(errno.ENOSPC, "No space left on device")
# Bytes of a packet in a file, and of what precedes the first.
BLOCK = 28 + 100 + 4
HEADERS = len(section_header(f"{platform.system()} {platform.release()}", f"eiosniff {__version__}")) + len(
    interface_description(1, "eth0", 0, "")
)


@contextmanager
def largest_file(size):
    """No file of this process may become larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Before


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "packets cannot be kept in a file without a name"),
        ("-", "packets cannot be kept in standard output"),
        (".", "is a directory"),
        ("missing/x.pcapng", "there is no directory"),
        ("there.pcapng", "exists already; a capture cannot be made again"),
        ("pipe", "is not a file"),
        ("there.pcapng/x", "there is no directory"),
        ("nul\0", "cannot be written"),
        ("x" * 300, "file name too long"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, name, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pcapng").write_bytes(b"something")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EiosniffError, match=what) as raised:
        PcapngWriter(name, "eth0")
    assert raised.value.remedy
    assert (tmp_path / "there.pcapng").read_bytes() == b"something"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "there.pcapng"]


def test_nothing_is_made_by_the_check(tmp_path):
    check_target(str(tmp_path / "x.pcapng"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_not_written(tmp_path, monkeypatch):
    path = tmp_path / "x.pcapng"
    path.write_bytes(b"something")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(EiosniffError, match="is what is read"):
        check_target(str(path), source=str(tmp_path / "link"))
    with path.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(EiosniffError, match="is what is read"):
            check_target(str(tmp_path / "link"), source="-")


def test_a_ring_beside_a_file_of_its_name(tmp_path):
    (tmp_path / "x.pcapng").write_bytes(b"something")
    check_target(str(tmp_path / "x.pcapng"), Rotation(most_bytes=1))


def test_an_empty_file_is_used(tmp_path):
    (tmp_path / "x.pcapng").touch()
    with PcapngWriter(str(tmp_path / "x.pcapng"), "eth0") as writer:
        writer.write(batch_of(made(1)))
    assert read(tmp_path / "x.pcapng") == made(1)


def test_a_link_to_nothing_is_not_followed(tmp_path):
    (tmp_path / "x.pcapng").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EiosniffError, match="file exists"):
        PcapngWriter(str(tmp_path / "x.pcapng"), "eth0")


@not_as_root
def test_a_directory_where_the_user_may_not_write(tmp_path):
    tmp_path.chmod(0o555)
    code = "import sys; from eiosniff.capture.writer import check_target; check_target(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "x.pcapng")]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]  # a root that may not do all
        os.chown(tmp_path, 65_534, 65_534)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tmp_path.chmod(0o755)
    assert "you may not write into" in done.stderr


# While it is written


def test_a_file_that_may_not_grow(tmp_path):
    path = tmp_path / "x.pcapng"
    every = made(100)
    with largest_file(5000), PcapngWriter(str(path), "eth0") as writer:
        writer.write(batch_of(every[:10]))
        writer.write(batch_of(every[10:]))
        writer.write(batch_of(made(5)))
    kept = read(path)
    assert kept == every[: len(kept)]
    assert 5000 - 136 - 100 < path.stat().st_size <= 5000
    assert writer.packets == len(kept)
    assert writer.problem == (
        "writing stopped, the file may not become larger (see ulimit -f); "
        f"{len(kept)} packets (0.0 MB) were written until then, to {path}"
    )
    assert writer.status == writer.problem


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.EIO, "Input/output error"), "input/output error"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk quota is used up"),
        (FULL, "the disk is full"),
        (OSError("odd"), "odd"),
    ],
)
@pytest.mark.parametrize("room", [0, 131, 132, 1000, 1320, 6599, 6601, 13_199])
def test_what_was_written_stays_as_whole_blocks(tmp_path, error, what, room):
    path = tmp_path / "x.pcapng"
    every = made(100)
    writer = PcapngWriter(str(path), "eth0", create=lambda path: Failing(path, HEADERS + room, error))
    writer.write(batch_of(every[:50]))
    writer.write(batch_of(every[50:]))
    writer.close()
    assert what in writer.problem
    assert read(path) == every[: room // BLOCK]
    assert writer.packets == room // BLOCK
    assert path.stat().st_size == writer.size == HEADERS + room // BLOCK * BLOCK


@pytest.mark.parametrize("room", [0, 10, HEADERS - 1])
def test_not_even_the_headers_can_be_written(tmp_path, room):
    with pytest.raises(EiosniffError, match="cannot be written: the disk is full"):
        PcapngWriter(str(tmp_path / "x.pcapng"), "eth0", create=lambda path: Failing(path, min(room, 20), FULL))
    with PcapngWriter(
        str(tmp_path / "x.pcapng"), "eth0", create=lambda path: Failing(path, room, FULL), rotation=Rotation(1)
    ) as writer:
        writer.write(batch_of(made(1)))
    assert writer.problem == "writing stopped, the disk is full; no packet was written"


def test_no_room_for_the_counters(tmp_path):
    path = tmp_path / "x.pcapng"
    with PcapngWriter(str(path), "eth0", create=lambda path: Failing(path, HEADERS + BLOCK + 10, FULL)) as writer:
        writer.write(batch_of(made(1)))
    assert "the disk is full; 1 packet (0.0 MB)" in writer.problem
    assert read(path) == made(1)


def test_ctrl_c_leaves_whole_blocks(tmp_path):
    path = tmp_path / "x.pcapng"
    writer = PcapngWriter(str(path), "eth0", create=lambda path: Failing(path, 3000, KeyboardInterrupt(), once=True))
    with pytest.raises(KeyboardInterrupt):
        writer.write(batch_of(made(50)))
    writer.close()
    assert read(path) == made(writer.packets)
    assert writer.packets > 15


def test_a_file_that_is_removed_while_it_is_written(tmp_path):
    path = tmp_path / "x.pcapng"
    with PcapngWriter(str(path), "eth0") as writer:
        writer.write(batch_of(made(2)))
        path.unlink()
        writer.write(batch_of(made(2, first=2, every_ns=2 * SECOND_NS)))
        assert writer.problem.startswith("writing stopped, the file was removed; ")


def test_a_file_that_is_moved_is_written_on(tmp_path):
    path = tmp_path / "x.pcapng"
    every = made(9, every_ns=SECOND_NS)
    with PcapngWriter(str(path), "eth0") as writer:
        writer.write(batch_of(every[:3]))
        path.rename(tmp_path / "y.pcapng")
        writer.write(batch_of(every[3:]))
    assert read(tmp_path / "y.pcapng") == every


def test_a_directory_that_vanishes_under_a_ring(tmp_path):
    folder = tmp_path / "ring"
    folder.mkdir()
    with PcapngWriter(str(folder / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=1)) as writer:
        writer.write(batch_of(made(2)))
        shutil.rmtree(folder)
        writer.write(batch_of(made(2)))
        assert writer.problem.startswith("writing stopped, no such file or directory; 2 packets")
    assert not folder.exists()


def test_a_directory_that_vanishes_before_the_first_packet(tmp_path):
    folder = tmp_path / "ring"
    folder.mkdir()
    with PcapngWriter(str(folder / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=1)) as writer:
        folder.rmdir()
        writer.write(batch_of(made(2)))
    assert writer.problem == "writing stopped, no such file or directory; no packet was written"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", f"eiosniff-writer-{os.getpid()}", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.interop
@needs_root
def test_a_full_disk(small_disk):
    path = small_disk / "x.pcapng"
    every = made(3000, size=900)
    with PcapngWriter(str(path), "eth0") as writer:
        for at in range(0, 3000, 500):
            writer.write(batch_of(every[at : at + 500]))
    kept = read(path)
    assert kept == every[: len(kept)]
    assert 1_000_000 < path.stat().st_size <= 1 << 20
    assert writer.problem == (
        f"writing stopped, the disk is full; {len(kept):,} packets (1.0 MB) were written until then, to {path}"
    )


@pytest.mark.interop
@needs_root
def test_a_full_disk_under_a_ring(small_disk):
    every = made(3000, size=900)
    with PcapngWriter(str(small_disk / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=300_000)) as writer:
        writer.write(batch_of(every))
    paths = sorted(small_disk.iterdir())
    kept = list(chain(*map(read, paths)))
    assert [packet.data for packet in kept] == [packet.data for packet in every[: len(kept)]]
    assert len(kept) == writer.packets > 1000
    assert "the disk is full" in writer.problem
    assert str(paths[-1]) in writer.problem


@pytest.mark.interop
@needs_root
def test_a_ring_that_keeps_few_files_never_fills_the_disk(small_disk):
    every = made(3000, size=900)
    with PcapngWriter(str(small_disk / "x.pcapng"), "eth0", rotation=Rotation(most_bytes=300_000, keep=3)) as writer:
        writer.write(batch_of(every))
    assert writer.problem == ""
    assert writer.packets == 3000
