"""A laboratory for `eiosniff live`, one at a time: instants are compared here, and more would make them late."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lab import DEVICE, Lab, LabError

from tests.live.watcher import Watcher

_PROGRAMS = ("ip", "ethtool", "tcpdump", "dumpcap", "tshark", "node", "npm")


def _lacking() -> str:
    """What is not here that these tests need, empty if all is."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root on Linux can make network namespaces"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Wait until no other process runs such a test."""
    if reason := _lacking():
        pytest.skip(f"no laboratory: {reason}")
    with Path(tempfile.gettempdir(), "eiosniff-tests-live.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def lab(_alone: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Two hosts and the wire between, on which a relay does what the parameter says, if there is one (`RelayPlan`)."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(Lab(getattr(request, "param", None)))
        except LabError as error:
            if "netns add" in str(error):
                pytest.skip(f"no laboratory: {error}")
            raise
        yield made


@pytest.fixture
def watch(lab: Lab) -> Iterator[Callable[..., Watcher]]:
    """Start `eiosniff live` on the wire's end at the server (`side`), with further arguments; it captures."""
    with ExitStack() as stack:

        def start(*arguments: object, interface: str = DEVICE, side: Any = "server", **how: Any) -> Watcher:
            watcher = Watcher(interface, *arguments, namespace=lab.namespace(side), **how)
            return stack.enter_context(watcher).started()

        yield start
