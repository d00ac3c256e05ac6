"""dumpcap and tcpdump capture from a pair of interfaces in a network namespace of the test's own."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eiosniff.capture.live.choose import open_live
from eiosniff.capture.live.opener import DirectOpener
from eiosniff.capture.live.pipes import wait_readable
from eiosniff.capture.live.source import State
from eiosniff.errors import CaptureError
from eiosniff.model.batch import LinkType

PROGRAMS = ("dumpcap", "tcpdump")
NEEDED = (*PROGRAMS, "ip", "setpriv")
CLONE_NEWNET = 0x4000_0000
PATIENCE_S = 10.0

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or any(shutil.which(name) is None for name in NEEDED),
        reason=f"needs root on Linux with {', '.join(NEEDED)}: no program was made to capture",
    ),
]


class Pair:
    """`near` and `far`: what is sent to one arrives at the other. Nothing else is sent."""

    def make(self):
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        for name in ("near", "far"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            ip("link", "set", name, "up")

    def send(self, count):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
            sending.bind(("near", 0))
            for number in range(count):
                sending.send(bytes(12) + b"\x08\x00" + number.to_bytes(4, "big") + bytes(46))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def pair():
    """This process is in a namespace of its own, which is gone with all that is in it when it leaves."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        pytest.skip("no network namespace can be made here: no program was made to capture")
    try:
        made = Pair()
        made.make()
        yield made
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)


@pytest.fixture
def opener():
    opener = DirectOpener()
    yield opener
    opener.close()


def until(source, condition):
    """The packet numbers that come until a condition holds."""
    numbers = []
    deadline = time.monotonic() + PATIENCE_S
    while not condition(numbers):
        assert time.monotonic() < deadline, (numbers, source.state, source.note, source.dropped)
        wait_readable([source.fileno()] if source.fileno() >= 0 else [], 0.05)
        for batch in source.take():
            numbers += batch.number.tolist()
        source.poll()
    return numbers


@pytest.mark.parametrize("backend", PROGRAMS)
def test_packets_arrive_with_numbers_and_counters(pair, opener, backend):
    with open_live("far", backend=backend, opener=opener) as source:
        assert (source.backend, source.name) == (backend, "far")
        pair.send(100)
        assert until(source, lambda numbers: len(numbers) >= 100) == list(range(1, 101))
        assert source.link_types == [LinkType.ETHERNET]
        assert source.wire_bytes == 6400
        if backend == "tcpdump":  # while it runs
            until(source, lambda _: source.dropped is not None)
    assert source.dropped == 0
    assert source.take() == []


@pytest.mark.parametrize("backend", PROGRAMS)
def test_an_interface_goes_down_and_up_and_away_and_comes_again(pair, opener, backend):
    with open_live("far", backend=backend, opener=opener) as source:
        pair.send(3)
        assert until(source, lambda numbers: len(numbers) == 3) == [1, 2, 3]
        ip("link", "set", "far", "down")
        until(source, lambda _: source.state is State.WAITING)
        assert source.note == "far is down"
        ip("link", "set", "far", "up")
        until(source, lambda _: source.state is State.RUNNING)
        pair.send(2)
        assert until(source, lambda numbers: len(numbers) == 2) == [4, 5]

        ip("link", "delete", "far")
        until(source, lambda _: source.state is State.WAITING)
        assert source.note == "far is gone"
        pair.make()
        until(source, lambda _: source.state is State.RUNNING)
        assert source.note == ""
        pair.send(2)
        assert until(source, lambda numbers: len(numbers) == 2) == [6, 7]
        assert source.packets == 7
    assert source.dropped == 0


@pytest.mark.parametrize("backend", PROGRAMS)
def test_an_interface_that_is_down_at_first(pair, opener, backend):
    ip("link", "set", "far", "down")
    with open_live("far", backend=backend, opener=opener) as source:
        assert (source.state, source.note) == (State.WAITING, "far is down")
        ip("link", "set", "far", "up")
        until(source, lambda _: source.state is State.RUNNING)
        pair.send(1)
        assert until(source, lambda numbers: len(numbers) == 1) == [1]


@pytest.mark.parametrize("backend", PROGRAMS)
def test_a_program_that_is_killed_is_started_again(pair, opener, backend):
    with open_live("far", backend=backend, opener=opener) as source:
        (pid,) = opener._running
        os.kill(pid, signal.SIGKILL)
        until(source, lambda _: source.state is State.WAITING)
        until(source, lambda _: source.state is State.RUNNING)
        pair.send(1)
        assert until(source, lambda numbers: len(numbers) == 1) == [1]
    assert not opener._running


@pytest.mark.parametrize("backend", PROGRAMS)
def test_a_filter_and_all_interfaces(pair, opener, backend):
    with open_live("any", backend=backend, expression="ether proto 0x1234", opener=opener) as source:
        pair.send(5)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
            sending.bind(("near", 0))
            sending.send(bytes(12) + b"\x12\x34" + bytes(46))
        until(source, lambda numbers: len(numbers) == 2)  # sent by one, received by the other
        assert set(source.link_types) <= {LinkType.LINUX_SLL, LinkType.LINUX_SLL2}


@pytest.mark.parametrize("backend", PROGRAMS)
@pytest.mark.parametrize("expression", ["tcp prot 80", "-w /nowhere/file"])
def test_a_filter_that_is_none(pair, opener, backend, expression):
    with pytest.raises(CaptureError) as caught:
        open_live("far", backend=backend, expression=expression, opener=opener)
    assert caught.value.problem.startswith(f"the filter {expression!r} cannot be used: ")
    assert "syntax error" in caught.value.problem


class Nobody(DirectOpener):
    """Starts programs as a user without rights."""

    def start(self, command):
        return super().start(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command])


@pytest.mark.parametrize("backend", PROGRAMS)
def test_without_rights(pair, backend):
    opener = Nobody()
    with pytest.raises(CaptureError, match=f"{backend} may not capture on far; .+"):
        open_live("far", backend=backend, opener=opener)
    opener.close()


def test_tcpdump_becomes_the_user_that_is_named(pair, opener):
    with open_live("far", backend="tcpdump", opener=opener, user="nobody") as source:
        (pid,) = opener._running
        status = Path(f"/proc/{pid}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        pair.send(1)
        assert until(source, lambda numbers: len(numbers) == 1) == [1]
