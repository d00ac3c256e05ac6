"""Packets through a socket like those of scapy."""

import os

import pytest

from eiosniff.capture.live.portable import PortableSource
from eiosniff.capture.live.source import State
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType

scapy_l2 = pytest.importorskip("scapy.layers.l2")
NOTHING = (None, None, None)


class Socket:
    """Gives what it is told to. It is readable (a pipe) after a `shout`."""

    def __init__(self, **options):
        self.options = options
        self.answers = []
        self.stats = (0, 0)
        self.closed = False
        self._out, self._in = os.pipe()

    def set_nonblock(self, on):
        assert on

    def shout(self):
        os.write(self._in, b"!")

    def recv_raw(self, *_size):
        answer = self.answers.pop(0) if self.answers else NOTHING
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def get_stats(self):
        return self.stats

    def fileno(self):
        return self._out

    def close(self):
        assert not self.closed
        self.closed = True
        os.close(self._out)
        os.close(self._in)


class Sockets:
    """Opens sockets, unless there is an `error`."""

    def __init__(self):
        self.all = []
        self.error = None
        self.now_s = 100.0

    def open(self, **options):
        if self.error is not None:
            raise self.error
        self.all.append(Socket(**options))
        return self.all[-1]

    def clock(self):
        return self.now_s


@pytest.fixture
def sockets():
    return Sockets()


@pytest.fixture
def source(sockets):
    with PortableSource("en0", "tcp port 3000", listen=sockets.open, clock=sockets.clock) as made:
        yield made


def packet(data, ts_s=1_700_000_000.25, layer=scapy_l2.Ether):
    return layer, data, ts_s


def test_what_has_come_is_one_batch(source, sockets):
    (socket,) = sockets.all
    assert socket.options == {"iface": "en0", "filter": "tcp port 3000", "promisc": True}
    socket.answers = [packet(b"first"), packet(b"second", 1_700_000_000.5)]
    (batch,) = source.take()
    assert batch.buffer == b"firstsecond"
    assert batch.offset.tolist() == [0, 5]
    assert batch.captured.tolist() == batch.wire.tolist() == [5, 6]
    assert batch.ts_ns.tolist() == [1_700_000_000_250_000_000, 1_700_000_000_500_000_000]
    assert batch.link_type.tolist() == [LinkType.ETHERNET] * 2
    assert source.link_types == [LinkType.ETHERNET]
    assert source.take() == []
    socket.answers = [packet(b"third")]
    assert source.take()[0].number.tolist() == [3]
    assert (source.packets, source.captured_bytes) == (3, 16)


def test_the_link_type_is_what_scapy_takes_packets_for(source, sockets):
    sockets.all[0].answers = [packet(b"loop", layer=scapy_l2.Loopback)]
    assert source.take()[0].link_type.tolist() == [LinkType.NULL]


def test_a_take_has_an_end(source, sockets):
    sockets.all[0].answers = [packet(b"x")] * 6_000
    assert [len(batch) for batch in source.take()] == [5_000]
    assert [len(batch) for batch in source.take()] == [1_000]


def test_what_scapy_has_read_already_is_not_left_behind(source, sockets):
    (socket,) = sockets.all
    socket.answers = [packet(b"x")] * 6_000
    socket.buffered_frames = lambda: len(socket.answers)
    assert [len(batch) for batch in source.take()] == [6_000]


def test_an_interface_that_goes_is_opened_again(source, sockets):
    socket = sockets.all[0]
    socket.stats = (10, 3)
    socket.answers = [packet(b"last"), OSError("device is down")]
    assert len(source.take()) == 1
    assert socket.closed
    assert (source.state, source.note) == (State.WAITING, "en0 is down or gone")
    assert source.fileno() == -1
    sockets.error = OSError("no such device")
    sockets.now_s += 1
    source.poll()
    assert source.state is State.WAITING
    sockets.error = None
    source.poll()  # a second has not passed again
    assert source.state is State.WAITING
    sockets.now_s += 1
    source.poll()
    assert (source.state, source.note) == (State.RUNNING, "")
    sockets.all[1].answers = [packet(b"next")]
    sockets.all[1].stats = (1, 2)
    assert source.take()[0].number.tolist() == [2]
    source.poll()
    assert source.dropped == 5


def test_a_socket_that_says_there_is_something_and_gives_nothing_does_not_keep_us_busy(source, sockets):
    sockets.all[0].shout()
    assert source.take() == []
    assert source.state is State.WAITING
    assert source.fileno() == -1


def test_silence_is_no_trouble(source):
    assert source.take() == []
    assert source.state is State.RUNNING


def test_a_buffer_of_many_short_packets_is_not_the_end(source, sockets):
    sockets.all[0].answers = [RecursionError(), packet(b"x")]
    assert len(source.take()) == 1


def test_after_the_end_there_is_nothing(source, sockets):
    sockets.all[0].answers = [packet(b"x")]
    source.close()
    source.close()
    source.poll()
    assert source.take() == []
    assert source.state is State.ENDED


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("Interface 'en0' not found !"), "there is no interface 'en0'"),
        (RuntimeError("no Npcap"), "no Npcap"),
    ],
)
def test_what_cannot_be_opened_is_told(sockets, error, words):
    sockets.error = error
    with pytest.raises(CaptureError, match=words):
        PortableSource("en0", "", listen=sockets.open)


def test_who_may_not_is_told_by_the_system(sockets):
    sockets.error = PermissionError()
    with pytest.raises(PermissionError):
        PortableSource("en0", "", listen=sockets.open)
