"""How a capture ends that is told to: the whole report, exit code 130, and no program left behind."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest

from tests.live.cast import BACKENDS, chat, processes, serve
from tests.live.watcher import PATIENCE_S

pytestmark = pytest.mark.interop

CAPTURING = {"dumpcap", "tcpdump"}
PORT = 9999
PACKETS = 10
SEND = f"""
import socket
sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range({PACKETS}):
    sending.sendto(b"x", ("10.77.0.2", {PORT}))
"""


def nothing_left(lab, patience_s):
    """Whether no capturing program and no eiosniff runs any more."""
    deadline = time.monotonic() + patience_s
    while left := [name for name in processes(lab) if name in CAPTURING or name.startswith(("eiosniff", "python"))]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.02)
    return []


@pytest.mark.parametrize(
    ("backend", "number"),
    [*((backend, signal.SIGINT) for backend in BACKENDS), ("dumpcap", signal.SIGTERM), ("tcpdump", signal.SIGHUP)],
)
def test_one_signal(lab, watch, backend, number):
    watcher = watch("--backend", backend, "--filter", f"udp port {PORT}")
    lab.run("client", [sys.executable, "-c", SEND])
    watcher.send(number)
    assert watcher.ended() == 130
    assert watcher.report["captures"][0]["packets"] == PACKETS, "what was captured before the signal is in it"
    (ended,) = watcher.of("ended")
    assert (ended["reason"], ended["packets"], ended["dropped"]) == ("interrupted", PACKETS, 0)
    assert watcher.said == ""
    assert nothing_left(lab, 0) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_one_at_once(lab, watch, backend):
    serve(lab)
    watcher = watch("--backend", backend)
    chat(lab)
    watcher.wait_for("session-opened")
    watcher.send(signal.SIGINT)
    time.sleep(0.05)
    began = time.monotonic()
    with suppress(ProcessLookupError):  # it may be that fast
        watcher.send(signal.SIGINT)
    assert watcher.ended() == 130
    assert time.monotonic() - began < 0.3
    assert nothing_left(lab, 1) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed(lab, watch, backend):
    serve(lab)
    watcher = watch("--backend", backend)
    chat(lab)
    watcher.wait_for("session-opened")
    watcher.send(signal.SIGKILL)
    assert watcher.ended() == -signal.SIGKILL
    assert nothing_left(lab, 3) == []


def test_a_terminal_that_is_closed(lab):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    command = [sys.executable, "-m", "eiosniff", "live", "eth0", "--no-config"]
    inside = ["ip", "netns", "exec", lab.namespace("server"), *command]
    # In a session of its own, which has this terminal.
    process = subprocess.Popen(
        ["setsid", "--ctty", *inside], stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    try:
        shown, until = b"", time.monotonic() + PATIENCE_S
        while b"eth0 (" not in shown:
            assert select.select([ours], [], [], until - time.monotonic())[0], shown
            shown += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(PATIENCE_S) == 130
        assert nothing_left(lab, 0) == []
    finally:
        process.kill()
        process.wait()
