"""Captures that come through a pipe, as `ssh DEVICE tcpdump -U -w - | eiosniff live -` brings them, and readers of the
output that go away."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from lab import DEVICE

from tests.live.cast import chat, old_arduino, processes, serve, visit
from tests.live.watcher import Watcher, found, proof_ns

pytestmark = pytest.mark.interop

RULE = "client-ping-in-eio4"
WRITERS = {
    "tcpdump": ["tcpdump", "-i", DEVICE, "-Z", "root", "-U", "-w"],
    "dumpcap": ["dumpcap", "-q", "-i", DEVICE, "-w"],
}


@contextmanager
def writing(lab, name, place):
    """A program that captures at the server, and writes to a pipe."""
    inside = ["ip", "netns", "exec", lab.namespace("server")]
    command = [*inside, *WRITERS[name], place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("writer", WRITERS)
def test_standard_input(lab, writer):
    serve(lab)
    with writing(lab, writer, "-") as capturing, Watcher("-", stdin=capturing.stdout) as watcher:
        watcher.started()
        old_arduino(lab, ping_ms=600)
        told = watcher.wait_for(found(RULE))
        print(f"\n{RULE}, {writer} by a pipe: {(told.read_ns - proof_ns(told.event)) / 1e6:.0f} ms")
        capturing.send_signal(signal.SIGKILL)  # the connection to the device breaks
        assert watcher.ended() == 1
        assert watcher.of("ended")[0]["reason"] == "the input ended"
        assert watcher.report["diagnoses"][0]["name"] == RULE
        assert watcher.said == ""


@pytest.mark.parametrize("writer", WRITERS)
def test_named_pipe(lab, tmp_path, writer):
    serve(lab)
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    with Watcher(pipe) as watcher, writing(lab, writer, pipe):
        watcher.started()
        visit(lab, ready=None, lifeMs=300).wait(20)
        watcher.wait_for("session-closed")
        assert watcher.end()["sessions"]


def test_a_reader_that_has_enough(lab):
    serve(lab)
    chat(lab)
    command = 'exec "$0" -m eiosniff live eth0 --no-config --format jsonl --duration 20s | head -1'
    done = lab.run("server", ["bash", "-c", f"set -o pipefail; {command}", sys.executable], timeout=10)
    assert len(done.output.splitlines()) == 1, done.output
    assert [name for name in processes(lab) if name in WRITERS] == []
