"""The bytes of every connection of every recording are those that tshark follows, in the same packets."""

import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode.packets.decoder import PacketDecoder
from eiosniff.errors import CaptureError
from eiosniff.model.provenance import Side
from eiosniff.model.trouble import Gap, GapReason
from tests.interop.sample import sample
from tests.streams import BATCH_SIZES, RECORDED, RECORDINGS, Follower

pytestmark = [
    pytest.mark.interop,
    pytest.mark.interpreted,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing was compared with it"),
]

FIELDS = ("frame.number", "tcp.stream", "tcp.seq", "tcp.len")
# Where tshark (4.0) is not the judge.
OTHERWISE = {
    "damaged-browser--node-2.5.1--chromium-2.5.0--upgrade-reordered": "it puts a frame in the wrong place; the streams "
    "are those of the recording before it was reordered",
    "damaged-namespaces--node-4.8.4--node-4.8.4--polling-lost": "it says nothing of bytes missing before a FIN",
}


def _tshark(path: Path, *arguments: str) -> str:
    # What it prints of a file that is cut is as good as what it prints of a sound one.
    command = ["tshark", "-n", "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@cache
def _frames(path: Path) -> dict[int, tuple[int, int, int]]:
    """By packet number: the stream, the relative sequence number and the payload length."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    frames = {}
    for line in _tshark(path, "-Y", "tcp.flags", "-T", "fields", "-E", "occurrence=f", *fields).splitlines():
        number, *numbers = map(int, line.split("\t"))
        stream, seq, length = numbers
        frames[number] = (stream, seq, length)
    return frames


@cache
def _followed(path: Path) -> dict[int, list[bytes]]:
    """By stream: the bytes of the node that tshark saw first, and of the other."""
    streams = sorted({stream for stream, _, _ in _frames(path).values()})
    words = [word for stream in streams for word in ("-z", f"follow,tcp,raw,{stream}")]
    followed = {}
    for block in re.split(r"^=+\nFollow: tcp,raw\n", _tshark(path, "-q", *words), flags=re.MULTILINE)[1:]:
        lines = block.split("\n=====")[0].splitlines()
        stream = int(lines[0].removeprefix("Filter: tcp.stream eq "))
        sides = [bytearray(), bytearray()]
        for line in lines[3:]:
            sides[line.startswith("\t")] += bytes.fromhex(line.strip())
        followed[stream] = [bytes(side) for side in sides]
    return followed


def _ours(path: Path, batch_size: int) -> Follower:
    follower, decoder = Follower(), PacketDecoder()
    try:
        with open_source(str(path), batch_size=batch_size) as source:
            for batch in source.batches():
                follower.table.feed(decoder.decode(batch))
    except CaptureError:
        pass  # what cannot be opened has no streams for tshark either
    follower.table.close()
    return follower


def _as_tshark_writes(gap: Gap) -> bytes:
    """tshark says where bytes are missing, but not where they were cut."""
    if gap.reason is GapReason.SNAP_LENGTH:
        return b""
    return b"[%d bytes missing in capture file]\0" % gap.length


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("path", sample(RECORDINGS), ids=lambda path: str(path.relative_to(RECORDED)))
def test_streams(path: Path, batch_size: int) -> None:
    if path.stem in OTHERWISE:
        return
    frames, followed = _frames(path), _followed(path)
    follower = _ours(path, batch_size)
    connections = follower.connections
    assert [each.flow.stream for each in connections] == sorted(followed)
    firsts: dict[int, int] = {}
    for number, (stream, _, _) in frames.items():
        firsts.setdefault(stream, number)
    for each in connections:
        stream = each.flow.stream
        assert each.flow.first.number == firsts[stream]
        found = {each.data(side, _as_tshark_writes) for side in Side}
        assert found == set(followed[stream])


@pytest.mark.parametrize("path", sample(RECORDINGS), ids=lambda path: str(path.relative_to(RECORDED)))
def test_packets_of_the_bytes(path: Path) -> None:
    """Bytes that came in order and were not repeated are those of the packets that tshark names."""
    frames = _frames(path)
    for each in _ours(path, 50_000).connections:
        for side in Side:
            lengths: dict[int, int] = defaultdict(int)
            for number, offset, length, _ in each.packets(side):
                stream, seq, on_wire = frames[number]
                assert stream == each.flow.stream
                lengths[number] += length
                if not each.flow.midstream and lengths[number] == on_wire:
                    assert seq == offset + 1
            assert all(length <= frames[number][2] for number, length in lengths.items())
            carriers = {number for number, frame in frames.items() if frame[0] == each.flow.stream and frame[2]}
            missing = sum(gap.length for gap in each.gaps[side])
            if not missing and not sum(each.retransmissions):
                assert all(length == frames[number][2] for number, length in lengths.items())
                assert set(lengths) <= carriers
