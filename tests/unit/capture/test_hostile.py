"""No bytes make the reader raise anything but `CaptureError`, and no way of reading gives another result."""

import gzip
import random
from io import BytesIO

import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eiosniff.capture import window
from eiosniff.capture.window import GzipStream, RawStream
from eiosniff.errors import CaptureError
from tests.unit.capture.blocks import (
    NSEC,
    clock,
    enhanced,
    interface,
    obsolete,
    pcap,
    pcap_header,
    pcap_record,
    pcapng,
    section,
    simple,
)
from tests.unit.capture.reading import read_file, read_stream

MIXED = (
    section()
    + interface(snap_length=40)
    + interface(link_type=101, options=clock(0x80 | 20, 7))
    + simple(b"s" * 30)
    + enhanced(b"e" * 33, timestamp=1 << 40, number=1)
    + obsolete(b"o" * 5, timestamp=5)
    + section(">")
    + interface(">", link_type=113, options=clock(12, order=">"))
    + enhanced(b"E" * 8, ">", timestamp=1 << 50)
    + simple(b"S" * 3, ">")
)
VALID = [
    pcap(6),
    pcap(6, ">"),
    pcap_header(magic=NSEC) + pcap_record(b"x" * 40),
    pcapng(6),
    pcapng(6, ">"),
    MIXED,
    gzip.compress(pcap(30), mtime=0),
    gzip.compress(MIXED, mtime=0),
    zstandard.compress(pcap(30)),
    zstandard.ZstdCompressor(write_checksum=True).compress(MIXED),
]
HOSTILE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw):
    """A valid file with bytes changed, pieces taken out, doubled or put in, and its end cut off."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.binary(max_size=12) | st.sampled_from([b"\0" * 4, b"\xff" * 4, MIXED[:28], bytes(data[:40])]))
        data[at : at + draw(st.sampled_from([0, len(piece), 50]))] = piece
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def outcome(read, *args, **kwargs):
    try:
        return read(*args, **kwargs)
    except CaptureError:
        return CaptureError


def check(path, data):
    mapped = outcome(read_file, path, data)
    assert outcome(read_file, path, data, batch_size=1) == mapped
    assert outcome(read_stream, data, step=3, batch_size=2) == mapped
    if mapped is not CaptureError:
        assert [packet.number for packet in mapped.packets] == sorted({packet.number for packet in mapped.packets})
        assert len(mapped.problems) <= 1


@HOSTILE
@given(data=mutated(), block=st.sampled_from([32, 100, window.BLOCK]))
def test_mutated_files(tmp_path, monkeypatch, data, block):
    monkeypatch.setattr(window, "BLOCK", block)
    check(tmp_path / "x", data)


@HOSTILE
@given(
    start=st.sampled_from(
        [
            b"",
            b"\x1f\x8b\x08\0",
            b"\x28\xb5\x2f\xfd",
            pcap_header(),
            pcap_header(">"),
            section(),
            section() + interface(),
        ]
    ),
    data=st.binary(max_size=300),
)
def test_arbitrary_bytes(tmp_path, start, data):
    check(tmp_path / "x", start + data)


def test_gzip_data_whose_damage_was_taken_before_it_shows():
    """The inflater may hold the damage in it already when it is asked for more: then nothing can be salvaged."""
    noise = random.Random(1)
    packed = gzip.compress(bytes(noise.randrange(4) for _ in range(300)) + bytes(300))
    for _ in range(200):
        damaged = bytearray(packed)
        damaged[noise.randrange(10, len(packed))] = noise.randrange(256)
        stream = GzipStream(RawStream(BytesIO(bytes(damaged)), owned=True))
        while stream.read(1):
            pass
