"""What comes through a pipe bit by bit gives the packets that the whole would give, each as soon as it is there."""

import gzip
import io
import os
import pty
import select
import signal
import sys
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from eiosniff.capture.live import pipes
from eiosniff.capture.live.pipes import PipeSource, PipeWindow, open_pipe
from eiosniff.capture.live.source import State
from eiosniff.capture.source import open_source
from eiosniff.errors import CaptureError
from eiosniff.model.trouble import AnomalyKind
from tests.unit.capture.blocks import (
    block,
    enhanced,
    interface,
    option,
    pcap,
    pcap_header,
    pcap_record,
    pcapng,
    section,
)
from tests.unit.capture.reading import Packet, Reading, read_stream
from tests.unit.capture.test_hostile import HOSTILE, mutated

NAME = "standard input"


def rows(batches):
    """The packets of batches."""
    packets = []
    for batch in batches:
        columns = (batch.number, batch.ts_ns, batch.captured, batch.wire, batch.link_type, batch.offset)
        for number, ts_ns, captured, wire, link_type, offset in zip(*map(list, columns), strict=True):
            data = bytes(batch.buffer[offset : offset + captured])
            packets.append(Packet(int(number), int(ts_ns), int(captured), int(wire), int(link_type), data))
    return packets


class Feed:
    """A pipe, a source that reads it, and the end that the test writes to."""

    def __init__(self, data=b""):
        reading, self.writing = os.pipe()
        self.write(data)
        self.source = PipeSource(NAME, reading, owned=True)

    def write(self, data):
        assert os.write(self.writing, data) == len(data)

    def end(self):
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.end()
        self.source.close()


def read_in_pieces(data, cuts):
    """All that a pipe gives that is fed piece by piece, and asked after each."""
    packets = []
    with Feed() as feed:
        bounds = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(bounds):
            if feed.source.state is State.ENDED:  # damaged: nobody reads on
                break
            feed.write(data[start:end])
            packets += rows(feed.source.take())
        feed.end()
        packets += rows(feed.source.take())
        source = feed.source
        assert source.state is State.ENDED
        assert source.take() == []
        assert source.packets == len(packets)
        return Reading(packets, source.problems, source.link_types)


def outcome(read, *arguments):
    """A reading, or why there is none; but for how the input begins, of which a pipe may have had less then."""
    try:
        return read(*arguments)
    except CaptureError as error:
        return str(error).partition(": it begins with")[0]


@given(mutated(), st.data())
@settings(HOSTILE)
def test_pieces_give_what_the_whole_gives(data, draw):
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=12))
    result = outcome(read_in_pieces, data, cuts)
    if isinstance(result, str) and "bit by bit" in result:
        return  # gzip and zstd, which only a whole can be
    assert result == outcome(read_stream, data)


@pytest.mark.parametrize("data", [pcap(4), pcap(4, ">"), pcapng(4), pcapng(4, ">")])
def test_byte_by_byte(data):
    assert read_in_pieces(data, range(1, len(data))) == read_stream(data)


def test_packets_are_given_as_soon_as_they_are_whole():
    records = [pcap_record(bytes([i]) * 40, seconds=i) for i in range(4)]
    with Feed(pcap_header() + records[0] + records[1] + records[2][:30]) as feed:
        feed.source.wait()
        assert [packet.number for packet in rows(feed.source.take())] == [1, 2]
        assert feed.source.take() == []
        feed.write(records[2][30:])
        assert [packet.number for packet in rows(feed.source.take())] == [3]
        assert feed.source.state is State.RUNNING
        assert feed.source.note == ""
        assert (feed.source.format, feed.source.link_types) == ("pcap", [1])


@pytest.mark.parametrize("header", [pcap_header(), section()])
def test_opening_takes_no_more_than_the_header(header):
    """So that who waits for the descriptor is told of the packets behind it."""
    packets = pcap_record(b"x" * 20) if header == pcap_header() else interface() + enhanced(b"x" * 20)
    with Feed(header + packets) as feed:
        feed.source.wait()
        readable, _, _ = select.select([feed.source.fileno()], [], [], 0)
        assert readable
        assert len(rows(feed.source.take())) == 1


def test_a_writer_that_ends_well():
    with Feed(pcap(3)) as feed:
        feed.source.wait()
        feed.end()
        assert len(rows(feed.source.take())) == 3
        assert (feed.source.state, feed.source.note) == (State.ENDED, "standard input ended")
        assert feed.source.problems == []
        assert feed.source.fileno() == -1


def test_a_writer_that_ends_within_a_packet():
    with Feed(pcap(3)[:-1]) as feed:
        feed.source.wait()
        feed.end()
        assert len(rows(feed.source.take())) == 2
        assert feed.source.state is State.ENDED
        (problem,) = feed.source.problems
        assert (problem.kind, problem.packet) == (AnomalyKind.CAPTURE_TRUNCATED, 2)
        assert feed.source.note == problem.text


def test_damage_ends_the_reading_though_the_writer_goes_on():
    with Feed(pcap_header() + pcap_record(b"good") + pcap_record(b"bad", claimed=1 << 30)) as feed:
        feed.source.wait()
        assert len(rows(feed.source.take())) == 1
        feed.write(pcap_record(b"never read"))
        assert feed.source.take() == []
        assert feed.source.state is State.ENDED
        assert feed.source.problems[0].kind is AnomalyKind.CAPTURE_DAMAGED


def test_what_the_capture_says_was_dropped():
    statistics = block(5, bytes(12) + option(5, (7).to_bytes(8, "little")))
    with Feed(section() + interface()) as feed:
        feed.source.wait()
        feed.source.take()
        assert feed.source.dropped is None
        feed.write(statistics)
        feed.source.take()
        assert feed.source.dropped == 7


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_compressed_data_are_to_be_unpacked_on_the_way(packing):
    data = gzip.compress(pcap(1)) if packing == "gzip" else zstandard.compress(pcap(1))
    with Feed(data) as feed, pytest.raises(CaptureError) as caught:
        feed.source.wait()
    assert f"is {packing} data, which cannot be read bit by bit" in caught.value.problem
    assert f"{packing} -dc FILE | eiosniff live -" in caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [b"", b"a", b"hello, what is it that we have here?\n", b"BZh91AY&SY", pcap(1)[:20], section()[:20], b"\n\r\r\n"],
)
def test_what_is_no_capture_is_told_as_for_files(data):
    with Feed(data) as feed:
        feed.end()
        with pytest.raises(CaptureError) as caught:
            feed.source.wait()
    with pytest.raises(CaptureError) as of_files:
        open_source("-", stdin=io.BytesIO(data))
    assert str(caught.value) == str(of_files.value)


def test_text_is_told_while_its_writer_goes_on():
    """As with a tcpdump whose user forgot `-w -`."""
    with (
        Feed(b"12:00:01 IP 10.0.0.1") as feed,
        pytest.raises(CaptureError, match=r"it begins with the text '12:00:01 IP"),
    ):
        feed.source.wait()


def test_one_call_takes_no_more_than_some_megabytes(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(pcap_header() + pcap_record(bytes(984)) * 10_000)
    source = PipeSource("large", os.open(path, os.O_RDONLY), owned=True)
    with source:
        taken = []
        while source.state is not State.ENDED:
            taken.append(sum(len(batch) for batch in source.take()))
    assert sum(taken) == 10_000
    assert max(taken) <= pipes.MOST_AT_ONCE // 1000 + 1
    assert len(taken) == 3


def test_pieces_of_a_long_record_are_put_together_once():
    reading, writing = os.pipe()
    window = PipeWindow(reading)
    try:
        assert not window.more(10_000)
        for _ in range(9):
            os.write(writing, bytes(1000))
            window.fill(pipes.MOST_AT_ONCE)
            assert window.buffer == b""
            assert not window.more(10_000)
        os.write(writing, bytes(1000))
        window.fill(pipes.MOST_AT_ONCE)
        assert window.more(10_000)
    finally:
        os.close(reading)
        os.close(writing)


def test_standard_input_keeps_its_settings_and_stays_open(monkeypatch):
    reading, writing = os.pipe()
    os.write(writing, pcap(2))
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with open_pipe("-") as source:
            assert source.name == "standard input"
            os.close(writing)
            assert len(rows(source.take())) == 2
        assert os.get_blocking(reading)


def test_a_terminal_is_no_source(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0), os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(CaptureError, match="standard input is a terminal"):
            open_pipe("-")


def test_a_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writing = os.open(path, os.O_RDWR)  # of Linux: opens without a reader
    os.write(writing, pcap(2))
    with open_pipe(str(path)) as source:
        os.close(writing)
        assert source.name == str(path)
        assert len(rows(source.take())) == 2
        assert source.state is State.ENDED


def test_waiting_for_a_header_can_be_interrupted(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writing = os.open(path, os.O_RDWR)
    os.write(writing, pcap(1)[:10])
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_pipe(str(path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(writing)


def test_a_path_that_is_none():
    with pytest.raises(CaptureError, match="there is no such file"):
        open_pipe("/nowhere/pipe")


def test_a_har_is_read_as_a_whole():
    with Feed(b'{"log": {"version": "1.2", "entries": []}}') as feed, pytest.raises(CaptureError) as caught:
        feed.source.wait()
    assert "is JSON, as a HAR is, which is not written bit by bit" in caught.value.problem
