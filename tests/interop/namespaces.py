"""Two network namespaces of our own with a pair of interfaces between them, for tests that capture."""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_LIBC = ctypes.CDLL(None, use_errno=True)
NEAR_ADDRESS, FAR_ADDRESS = "10.77.0.2", "10.77.0.1"


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def _inside(path: Path) -> Iterator[None]:
    """This thread, and what it starts, in another network namespace."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
    finally:
        os.close(here)
        os.close(there)


def run(*command: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Network:
    """The test is in the namespace of `near`; `far` is in the other one. Both names are of this process alone."""

    def __init__(self, tag: str) -> None:
        self.near, self.far = f"n{tag}", f"f{tag}"
        self._near_space, self._far_space = f"ring-near-{tag}", f"ring-far-{tag}"

    @contextmanager
    def made(self) -> Iterator["Network"]:
        """Make all of it, and be inside."""
        try:
            for name in (self._near_space, self._far_space):
                run("ip", "netns", "add", name)
            self.plug()
            run("ip", "-n", self._near_space, "link", "set", "lo", "up")
            with _inside(Path("/run/netns") / self._near_space):
                yield self
        finally:
            for name in (self._near_space, self._far_space):
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def plug(self) -> None:
        """Make the pair of interfaces. They have no IPv6 address of their own, as with one they would speak unasked."""
        near, far = ("-n", self._near_space), ("-n", self._far_space)
        run("ip", *near, "link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self._far_space)
        for space, name, address in ((near, self.near, NEAR_ADDRESS), (far, self.far, FAR_ADDRESS)):
            run("ip", *space, "link", "set", name, "addrgenmode", "none")
            run("ip", *space, "addr", "add", f"{address}/24", "dev", name)
            run("ip", *space, "link", "set", name, "up")

    def unplug(self) -> None:
        """Delete the pair."""
        run("ip", "-n", self._near_space, "link", "del", self.near)

    def near_is(self, state: str) -> None:
        """Set the near interface `up` or `down`."""
        run("ip", "-n", self._near_space, "link", "set", self.near, state)

    def on_the_far_side(self, make: Callable[[], T]) -> T:
        """What is made over there: a socket stays where it was made."""
        with _inside(Path("/run/netns") / self._far_space):
            return make()

    def sender(self) -> socket.socket:
        """A socket over there that sends whole Ethernet frames."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            made.bind((self.far, 0))
            return made

        return self.on_the_far_side(make)


@pytest.fixture
def network() -> Iterator[Network]:
    """Two namespaces, the test in one of them. Skips where this may not be made."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed: nothing was captured")
    if not _is_allowed():
        pytest.skip("this needs the rights of root: nothing was captured")
    with Network(str(os.getpid())).made() as made:
        yield made


def _is_allowed() -> bool:
    status = Path("/proc/thread-self/status")
    if not status.exists():
        return False
    rights = int(next(line for line in status.read_text().splitlines() if line.startswith("CapEff:")).split()[1], 16)
    return all(rights & 1 << each for each in (12, 13, 21))  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN
