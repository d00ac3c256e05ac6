"""What the options of `eiosniff live` do to a capture of real peers."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.cast import BACKENDS, old_arduino, serve, visit
from tests.live.watcher import found

pytestmark = pytest.mark.interop

CHATTERING = {"hello": {"times": 10_000, "everyMs": 100}}
RULE = "client-ping-in-eio4"
NOBODY = 65534


def chatter(lab):
    serve(lab)
    visit(lab, **CHATTERING)


def test_duration(lab, watch):
    chatter(lab)
    watcher = watch("--duration", "1s")
    began = watcher.seen[0].read_ns
    assert watcher.ended() == 0
    (ended,) = watcher.of("ended")
    assert ended["reason"] == "the time is over"
    assert 1.0 < (watcher.seen[-1].read_ns - began) / 1e9 < 2.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_count(lab, watch, tmp_path, backend):
    chatter(lab)
    watcher = watch("--backend", backend, "--count", 20, "--write", tmp_path / "20.pcapng")
    assert watcher.ended() == 0
    (ended,) = watcher.of("ended")
    assert (ended["reason"], ended["packets"]) == ("enough packets", 20)
    assert watcher.report["captures"][0]["packets"] == 20
    assert len(packets(tmp_path / "20.pcapng")) == 20


def test_until_and_what_is_written(lab, watch, tmp_path):
    serve(lab)
    kept = tmp_path / "kept.pcapng"
    watcher = watch("--until", RULE, "--settle", "1s", "--write", kept)
    old_arduino(lab, ping_ms=600)
    told = watcher.wait_for(found(RULE))
    assert watcher.ended() == 1
    assert watcher.of("ended")[0]["reason"] == "what was waited for was found"
    assert 1.0 < (watcher.seen[-1].read_ns - told.read_ns) / 1e9 < 2.5
    report = watcher.report
    assert report["diagnoses"][0]["name"] == RULE
    assert len(packets(kept)) == report["captures"][0]["packets"]
    assert [diagnosis(each) for each in analyzed(kept)["diagnoses"]] == [diagnosis(each) for each in report["diagnoses"]]


def test_ports(lab, watch):
    for port in (3000, 3001):
        serve(lab, port=port)
    watcher = watch("--port", 3001)
    for port in (3000, 3001):
        visit(lab, port=port, ready=None, lifeMs=300).wait(20)
    watcher.wait_for("session-closed")
    report = watcher.end()
    assert [session["server"]["port"] for session in report["sessions"]] == [3001]
    assert report["summary"]["set_aside"] == {"packets": 0, "bytes": 0}


@pytest.mark.parametrize(
    ("option", "shown"),
    [(("--host", "10.77.0.2"), 1), (("--host", "10.77.0.9"), 0), (("--filter", "tcp port 3000"), 1), (("--filter", "udp"), 0)],
)
def test_hosts_and_filters(lab, watch, option, shown):
    serve(lab)
    watcher = watch(*option)
    visit(lab, ready=None, lifeMs=300).wait(20)
    report = watcher.end()
    assert len(report["sessions"]) == shown
    assert (report["captures"][0]["packets"] > 0) == bool(shown)


@pytest.mark.parametrize("backend", BACKENDS)
def test_called_by_sudo(lab, watch, tmp_path, backend):
    chatter(lab)
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    caller = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody"}
    watcher = watch("--backend", backend, "--write", "kept.pcapng", "--output", "events.jsonl", env=caller, folder=folder)
    report = watcher.end()
    assert report["sessions"]


def packets(path):
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.number"]
    return subprocess.run(command, capture_output=True, check=True).stdout.split()


def analyzed(path):
    command = [sys.executable, "-m", "eiosniff", "analyze", str(path), "--format", "json", "--no-config"]
    return json.loads(subprocess.run([*command, "--fail-on", "never"], capture_output=True, check=True).stdout)


def diagnosis(told):
    """What is told of a diagnosis, but for the name of the capture."""
    return {key: value for key, value in told.items() if key != "capture"}
