"""What a user relies on when naming a source: one clear line when it is wrong, the same packets when it is right."""

import gzip
import io
import os
import resource
import subprocess
import sys
import threading
import zlib
from itertools import chain, repeat

import pytest
import zstandard

from eiosniff.capture import window
from eiosniff.capture.source import KNOWN_MAGICS, open_source
from eiosniff.errors import CaptureError
from eiosniff.model.trouble import AnomalyKind
from tests.unit.capture.blocks import pcap, pcap_header, pcap_record, pcapng
from tests.unit.capture.reading import Trickle, drain, read_file, read_stream


def refuse(path, data):
    """The one line with which this file is refused."""
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        open_source(str(path))
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.remedy
    assert line.startswith(str(path))
    return line.removeprefix(str(path))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", " is empty; check that the capture ran, and that the disk was not full"),
        (gzip.compress(b"", mtime=0), " is empty; check that the capture ran, and that the disk was not full"),
        (b"<!DOCTYPE html><html>", " is not a capture: it begins with '<!DOCTYPE html><html>', as an HTML page does"),
        (b'{"log": {}}', " is JSON, but not a HAR: there is no list of entries in it; export it again (in the Network"),
        (b"hello\n", " is not a capture: it begins with the text 'hello'; eiosniff reads pcap, pcapng and HAR"),
        (b"\x1b[31mred", " is not a capture: it begins with the bytes 1b 5b 33 31 6d 72 65 64"),
        (b"\x7fELF\x02\x01\x01\x00\x00", " is not a capture: it begins with the bytes 7f 45 4c 46 02 01 01 00;"),
        (b"\n", " is not a capture: it begins with the bytes 0a"),
        (b"\xd4\xc3\xb2", " is not a capture: it begins with the bytes d4 c3 b2;"),
        (
            b"BZh91AY",
            " is bzip2-compressed data; eiosniff reads pcap, pcapng and HAR, plain or in gzip or zstd; decompress it",
        ),
        (gzip.compress(gzip.compress(pcap(1), mtime=0), mtime=0), " is gzip data within compressed data"),
        (gzip.compress(zstandard.compress(pcap(1)), mtime=0), " is zstd data within compressed data"),
        (zstandard.compress(gzip.compress(pcap(1), mtime=0)), " is gzip data within compressed data"),
        (zstandard.compress(b""), " is empty; check that the capture ran, and that the disk was not full"),
        (zstandard.compress(pcap(1))[:6], " cannot be read: the zstd data are cut off; capture again"),
        (b"\x28\xb5\x2f\xfd no zstd", " cannot be read: the zstd data are damaged"),
        (b"\x1f\x8b", " cannot be read: the gzip data are cut off; capture again"),
        (gzip.compress(pcap(1), mtime=0)[:12], " cannot be read: the gzip data are cut off; capture again"),
        (b"\x1f\x8b\x08 this is no gzip", " cannot be read: the gzip data are damaged"),
    ],
)
def test_what_is_not_a_capture_is_named(tmp_path, data, line):
    assert refuse(tmp_path / "x", data).startswith(line)


@pytest.mark.parametrize(("magic", "what"), [(magic, what) for magic, what, _ in KNOWN_MAGICS if "within" not in what])
def test_other_formats_are_named(tmp_path, magic, what):
    assert f" is {what}; " in refuse(tmp_path / "x", magic + bytes(100))


def test_paths_that_cannot_be_opened_are_one_line(tmp_path):
    for path, text in [
        (tmp_path / "absent.pcap", "there is no such file; check the path"),
        (tmp_path, "is a directory; name the captures in it, such as 'FOLDER/[*].pcap'"),
        (f"{tmp_path}/null\0", "cannot be opened"),
        (tmp_path / ("x" * 300), "cannot be opened"),
    ]:
        with pytest.raises(CaptureError, match=text):
            open_source(str(path))


def test_permission_is_denied(tmp_path, monkeypatch):
    def refuse_open(*_args, **_kwargs):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.open", refuse_open)
    with pytest.raises(CaptureError, match="may not be read by you"):
        open_source(str(tmp_path / "x"))


def test_a_terminal_is_no_source():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    with pytest.raises(CaptureError, match="standard input is a terminal; name a capture file"):
        open_source("-", stdin=Terminal())


def test_no_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CaptureError, match="standard input is closed"):
        open_source("-")


@pytest.mark.parametrize(("data", "name"), [(pcap(40), "pcap"), (pcapng(40), "pcapng")])
def test_what_is_known_of_a_source(tmp_path, data, name):
    path = tmp_path / "x"
    packings = [(data, ""), (gzip.compress(data, mtime=0), " (gzip)"), (zstandard.compress(data), " (zstd)")]
    for stored, suffix in packings:
        path.write_bytes(stored)
        source = open_source(str(path), batch_size=10)
        assert (source.name, source.format, source.size) == (str(path), name + suffix, len(stored))
        positions = [source.position for _ in source.batches()]
        assert positions == sorted(positions)
        assert source.position == len(stored)
        source.close()
        source.close()
        assert list(source) == []
    source = open_source("-", stdin=io.BytesIO(data))
    assert (source.name, source.format, source.size) == ("standard input", name, None)


def test_a_second_loop_goes_on_where_the_first_stopped():
    with open_source("-", stdin=io.BytesIO(pcap(10)), batch_size=4) as source:
        assert len(next(source.batches())) == 4
        assert [int(batch.number[0]) for batch in source] == [5, 9]


def test_batches_stay_readable_after_closing(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(pcap_header() + pcap_record(b"payload"))
    with open_source(str(path)) as source:
        (batch,) = source
    assert bytes(batch.buffer[batch.offset[0] :]) == b"payload"


def test_standard_input_that_was_handed_in_stays_open():
    stdin = io.BytesIO(pcap(1))
    drain(open_source("-", stdin=stdin))
    assert not stdin.closed


def test_a_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(pcap(1000),))
    writer.start()
    try:
        assert len(drain(open_source(str(path))).packets) == 1000
    finally:
        writer.join()


def test_a_file_system_that_cannot_map_files(tmp_path, monkeypatch):
    def cannot_map(*_args, **_kwargs):
        raise OSError

    monkeypatch.setattr(window.mmap, "mmap", cannot_map)
    assert len(read_file(tmp_path / "x", pcap(5)).packets) == 5


class Breaking(Trickle):
    """A stream whose reads fail, or have nothing, when it is used up."""

    def __init__(self, data, end):
        super().__init__(data, 50)
        self._end = end

    def read(self, size=-1):
        data = super().read(size)
        if data:
            return data
        if self._end:
            raise self._end
        return None


@pytest.mark.parametrize("end", [OSError(5, "Input/output error"), ValueError("closed"), None])
def test_a_stream_that_breaks_keeps_what_came(end):
    reading = drain(open_source("-", stdin=Breaking(pcap(20), end)))
    assert len(reading.packets) == 20
    assert [(p.kind, p.packet) for p in reading.problems] == [(AnomalyKind.CAPTURE_TRUNCATED, 20)]
    assert "the input could not be read on" in reading.problems[0].text
    for packed in (gzip.compress(pcap(20), mtime=0), zstandard.compress(pcap(20))):
        reading = drain(open_source("-", stdin=Breaking(packed, end)))
        assert "the input could not be read on" in reading.problems[0].text


class TestGzip:
    DATA = pcap_header() + b"".join(pcap_record(os.urandom(50), seconds=i) for i in range(100))
    PACKETS = read_stream(DATA).packets

    def test_members_in_a_row_and_padding(self):
        half = len(self.DATA) // 2
        packed = gzip.compress(self.DATA[:half], mtime=0) + gzip.compress(self.DATA[half:], mtime=0) + bytes(512)
        for step in (1, 100, 1 << 20):
            assert read_stream(packed, step=step)[:2] == (self.PACKETS, [])

    def test_a_cut_file_gives_what_was_unpacked(self):
        packed = gzip.compress(self.DATA, mtime=0)
        counts = []
        for cut in range(200, len(packed), 97):
            reading = read_stream(packed[:cut])
            assert reading.packets == self.PACKETS[: len(reading.packets)]
            assert [problem.kind for problem in reading.problems] == [AnomalyKind.CAPTURE_TRUNCATED]
            counts.append(len(reading.packets))
        assert counts == sorted(counts)
        assert counts[-1] >= 98

    def test_damage_keeps_what_comes_before(self):
        inner = zlib.compressobj(wbits=31)
        packed = inner.compress(self.DATA) + inner.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 50
        reading = read_stream(packed)
        assert reading.packets == self.PACKETS
        assert [(p.kind, p.packet) for p in reading.problems] == [(AnomalyKind.CAPTURE_DAMAGED, 100)]

    def test_a_wrong_checksum_loses_no_packet(self):
        packed = bytearray(gzip.compress(self.DATA, mtime=0))
        packed[-8] ^= 1
        reading = read_stream(bytes(packed))
        assert reading.packets == self.PACKETS
        assert [p.kind for p in reading.problems] == [AnomalyKind.CAPTURE_DAMAGED]

    def test_what_follows_the_gzip_data_is_a_problem(self):
        reading = read_stream(gzip.compress(self.DATA, mtime=0) + b"trailing")
        assert reading.packets == self.PACKETS
        assert [p.kind for p in reading.problems] == [AnomalyKind.CAPTURE_DAMAGED]


class TestZstd:
    DATA = pcap_header() + b"".join(pcap_record(os.urandom(500), seconds=i) for i in range(1000))  # four blocks
    PACKETS = read_stream(DATA).packets

    @staticmethod
    def packed(data, **options):
        return zstandard.ZstdCompressor(**options).compress(data)

    @pytest.mark.parametrize("options", [{}, {"write_checksum": True}, {"write_content_size": False}])
    def test_frames_in_a_row(self, options):
        half = len(self.DATA) // 2
        packed = self.packed(self.DATA[:half], **options) + self.packed(self.DATA[half:], **options)
        for step in (7, 100, 1 << 20):
            assert read_stream(packed, step=step)[:2] == (self.PACKETS, [])

    @pytest.mark.parametrize("first", [0x50, 0x5F])
    def test_skippable_frames_are_skipped(self, first):
        """pzstd puts one before each frame; the seekable format one behind the last."""
        skippable = bytes([first]) + b"\x2a\x4d\x18" + (100_000).to_bytes(4, "little") + bytes(100_000)
        packed = skippable + self.packed(self.DATA) + skippable
        assert read_stream(packed)[:2] == (self.PACKETS, [])

    def test_a_frame_of_unknown_size_as_a_stream_is_written(self):
        writer = zstandard.ZstdCompressor().compressobj()
        parts = [self.DATA[at : at + 999] for at in range(0, len(self.DATA), 999)]
        packed = b"".join(writer.compress(part) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts)
        assert read_stream(packed + writer.flush())[:2] == (self.PACKETS, [])

    def test_a_cut_file_gives_every_whole_block(self):
        packed = self.packed(self.DATA)
        counts = []
        for cut in range(140_000, len(packed), 9973):
            reading = read_stream(packed[:cut])
            assert reading.packets == self.PACKETS[: len(reading.packets)]
            assert [problem.kind for problem in reading.problems] == [AnomalyKind.CAPTURE_TRUNCATED]
            assert "the zstd data are cut off" in reading.problems[0].text
            counts.append(len(reading.packets))
        assert counts == sorted(counts)
        assert counts[-1] > 700

    def test_damage_keeps_what_comes_before(self):
        packed = self.packed(self.DATA[:-10]) + self.packed(self.DATA[-10:]) + b"\xff" * 50
        reading = read_stream(packed)
        assert reading.packets == self.PACKETS
        assert [(p.kind, p.packet) for p in reading.problems] == [(AnomalyKind.CAPTURE_DAMAGED, 1000)]

    def test_a_block_that_cannot_be_unpacked(self):
        data = pcap_header() + b"".join(pcap_record(b"%d" % i * 100, seconds=i) for i in range(3000))
        packed = bytearray(self.packed(data, write_checksum=True))
        packed[-40:-10] = bytes(30)  # within the last block
        reading = read_stream(bytes(packed))
        assert [p.kind for p in reading.problems] == [AnomalyKind.CAPTURE_DAMAGED]
        assert 0 < len(reading.packets) < 3000

    def test_a_wrong_checksum_loses_no_packet(self):
        packed = bytearray(self.packed(self.DATA, write_checksum=True))
        packed[-1] ^= 1
        reading = read_stream(bytes(packed))
        assert reading.packets == self.PACKETS
        assert [p.kind for p in reading.problems] == [AnomalyKind.CAPTURE_DAMAGED]

    def test_a_window_that_is_too_large_says_so(self, tmp_path):
        """`zstd --long=31` asks whoever reads it for 2 GB."""
        parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
        writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        line = refuse(tmp_path / "x", writer.compress(self.DATA) + writer.flush())
        assert "too much memory" in line
        assert "zstd -d --long=31" in line


def _gzip_bomb(records):
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(map(packer.compress, records)) + packer.flush()


def _zstd_bomb(records):
    packer = zstandard.ZstdCompressor(level=19).compressobj()
    return b"".join(map(packer.compress, records)) + packer.flush()


@pytest.mark.parametrize("pack", [_gzip_bomb, _zstd_bomb])
def test_a_bomb_takes_no_memory(pack):
    """500 MB of packets in less than 500 KB: read in a process that may not have 300 MB."""
    megabyte = pcap_record(bytes((1 << 20) - 16))
    packed = pack(chain([pcap_header()], repeat(megabyte, 500)))
    assert len(packed) < 1 << 20
    code = "from eiosniff.capture.source import open_source; print(sum(map(len, open_source('-'))))"
    limit = 300 << 20
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=packed,
        capture_output=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert (done.stdout, done.stderr) == (b"500\n", b"")


def test_pages_of_a_mapped_file_are_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(window, "RELEASE_STEP", window.mmap.PAGESIZE)
    data = pcap(5000)
    batches = []
    path = tmp_path / "x"
    path.write_bytes(data)
    with open_source(str(path), batch_size=100) as source:
        batches.extend(source)
        assert source._window._released > len(data) - 10 * window.mmap.PAGESIZE
    assert bytes(batches[0].buffer) == data  # who still looks at the pages sees what was there
