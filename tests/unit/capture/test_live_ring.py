"""The ring where there is no right to open one: what it does about what goes wrong. (Packets: `tests/interop`.)"""

import errno
import os
import struct
import sys

import pytest

from eiosniff.capture.live.opener import DirectOpener
from eiosniff.errors import CaptureError

if sys.platform != "linux":
    pytest.skip("packet rings are of Linux", allow_module_level=True)

from eiosniff.capture.live import ring
from eiosniff.capture.live.ring import RingSource


class Refusing(DirectOpener):
    """An opener that may not, or does not find."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def packet_socket(self, interface, expression):
        raise self.error


class FewBlocks:
    """A socket that gets a ring of at most so many blocks."""

    def __init__(self, most):
        self.most = most
        self.asked = []

    def setsockopt(self, level, option, value):
        if option != ring._PACKET_RX_RING:
            return
        size, count, frame, frames, *_ = struct.unpack("=7I", value)
        assert size // frame * count == frames  # which the kernel demands
        self.asked.append(count)
        if count > self.most:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_who_may_not_is_told_by_the_system():
    with pytest.raises(PermissionError):
        RingSource("lo", "", Refusing(PermissionError(errno.EPERM, "Operation not permitted")))


def test_an_interface_that_is_none_is_told_with_those_there_are():
    with pytest.raises(CaptureError, match=r"no interface 'loo'.*did you mean 'lo'"):
        RingSource("loo", "", Refusing(OSError(errno.ENODEV, "No such device")))


def test_the_ring_is_as_large_as_the_system_lets_it_be():
    socket = FewBlocks(50)
    assert ring._make_ring(socket, ring.RING_BYTES) == 32
    assert socket.asked == [256, 128, 64, 32]


def test_a_system_without_rings_is_told_what_else_there_is():
    with pytest.raises(CaptureError, match=r"no memory.*--backend tcpdump"):
        ring._make_ring(FewBlocks(0), ring.RING_BYTES)
