"""What the options of `eiosniff live` do to a capture of real peers."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.live.cast import BACKENDS, chat, old_arduino, processes, serve, visit
from tests.live.watcher import found

pytestmark = pytest.mark.interop

RULE = "client-ping-in-eio4"
NOBODY = 65534
CALLER = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody"}


def chatter(lab):
    serve(lab)
    chat(lab)


def test_duration(lab, watch):
    chatter(lab)
    watcher = watch("--duration", "1s")
    assert watcher.ended() == 0
    (ended,) = watcher.of("ended")
    assert ended["reason"] == "the time is over"
    assert 0.5 < (watcher.seen[-1].read_ns - watcher.seen[0].read_ns) / 1e9 < 2.5


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
    assert [diagnosis(each) for each in analyzed(kept)["diagnoses"]] == [
        diagnosis(each) for each in report["diagnoses"]
    ]


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
    [
        (("--host", "10.77.0.2"), 1),
        (("--host", "10.77.0.9"), 0),
        (("--filter", "tcp port 3000"), 1),
        (("--filter", "udp"), 0),
    ],
)
def test_hosts_and_filters(lab, watch, option, shown):
    serve(lab)
    watcher = watch(*option)
    visit(lab, ready=None, lifeMs=300).wait(20)
    report = watcher.end()
    assert len(report["sessions"]) == shown
    assert (report["captures"][0]["packets"] > 0) == bool(shown)


@pytest.fixture
def their_folder():
    """A folder of an ordinary user, in a place that is open to everybody (which those of pytest are not)."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-live-") as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


@pytest.mark.parametrize("backend", BACKENDS)
def test_called_by_sudo(lab, watch, their_folder, backend):
    chatter(lab)
    watcher = watch("--backend", backend, "--write", "kept.pcapng", env=CALLER, folder=their_folder)
    watcher.wait_for("session-opened")
    assert rights(watcher.popen.pid) == {"Uid": f"{NOBODY} " * 3 + str(NOBODY), "CapPrm": "0" * 16, "CapEff": "0" * 16}
    watcher.end()
    kept = their_folder / "kept.pcapng"
    assert (kept.stat().st_uid, kept.stat().st_gid) == (NOBODY, NOBODY)
    assert analyzed(kept)["summary"]["sessions"] == 1
    assert processes(lab) == ["node"], "who kept the rights is gone, too"


def test_what_sudo_writes_belongs_to_the_user(lab, their_folder):
    argv = [sys.executable, "-m", "eiosniff", "live", "eth0", "--no-config", "--duration", "100ms", "--output"]
    done = lab.run("server", [*argv, str(their_folder / "events.jsonl")], env=CALLER, timeout=20)
    assert (done.returncode, done.output) == (0, "")
    assert (their_folder / "events.jsonl").stat().st_uid == NOBODY


def rights(pid):
    lines = (line.split(maxsplit=1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key.rstrip(":"): " ".join(rest[0].split()) for key, *rest in lines if key in ("Uid:", "CapPrm:", "CapEff:")}


def packets(path):
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.number"]
    return subprocess.run(command, capture_output=True, check=True).stdout.split()


def analyzed(path):
    command = [sys.executable, "-m", "eiosniff", "analyze", str(path), "--format", "json", "--no-config"]
    return json.loads(subprocess.run([*command, "--fail-on", "never"], capture_output=True, check=True).stdout)


def diagnosis(told):
    """What is told of a diagnosis, but for the name of the capture."""
    return {key: value for key, value in told.items() if key != "capture"}
