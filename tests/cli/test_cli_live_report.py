"""`eiosniff live` from its command line to its exit, on a capture that comes through standard input."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from eiosniff.capture.live import devices
from eiosniff.capture.live.devices import Device, Rate
from eiosniff.cli.interfaces import list_interfaces
from tests.cli.test_cli_process import ROOT, environment
from tests.contract.test_docs import WRITING, blocks

CAPTURE = ROOT / "eiosniff" / "demo" / "s3-arduino-old-eio4-to-v484.pcap"


def live(*arguments: str, folder: Path, capture: Path = CAPTURE) -> subprocess.CompletedProcess[str]:
    """Runs it in a folder, with a capture as standard input."""
    with capture.open("rb") as packets:
        return subprocess.run(
            [sys.executable, "-m", "eiosniff", "live", "-", *arguments], stdin=packets, capture_output=True, text=True,
            timeout=60, check=False, cwd=folder, env=environment(),
        )  # fmt: skip


def test_the_report_says_what_it_is_based_on_and_how_to_read_on(tmp_path: Path) -> None:
    (tmp_path / "my_rules.py").write_text(blocks(WRITING, "python")[0], encoding="utf-8")
    (tmp_path / "eiosniff.toml").write_text('ignore = ["no-backoff"]\n', encoding="utf-8")
    result = live("--format", "text", "--rules", "my_rules.py", folder=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    assert "configuration: eiosniff.toml" in result.stdout.lower()
    assert "eiosniff rules show --rules my_rules.py" in result.stdout
    assert "--limit" not in result.stdout, "live has no such option"


def test_rules_that_were_left_out_promise_no_health(tmp_path: Path) -> None:
    assert "selected rules" in live("--format", "text", "--select", "EIO001", folder=tmp_path).stdout


@pytest.mark.parametrize("other", ["kept", "./kept"])
def test_packets_and_events_go_to_different_files(other: str, tmp_path: Path) -> None:
    result = live("--write", "kept", "--output", other, folder=tmp_path)
    assert result.returncode == 2
    assert "--write and --output name the same file" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("system", "told"), [("linux", True), ("darwin", False)])
def test_without_an_interface_they_are_listed(
    system: str, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Device("eth0", addresses=("192.0.2.7",), up=True), Device("tap1", up=False)]
    monkeypatch.setattr(devices, "devices", lambda: found)
    monkeypatch.setattr(devices, "traffic", lambda *_: {"eth0": Rate(12.0, 3_400.0)})
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(sys, "platform", system)
    list_interfaces(no_color=True)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1].split() == ["eth0", "192.0.2.7", "12", "packets/s,", "3.4", "kB/s"]
    assert lines[2].split() == ["tap1", "down"]
    assert lines[3:5] == ["", "Most goes over eth0 now: eiosniff live eth0"]
    assert ("All at once: eiosniff live any" in lines) is told, "only Linux has that interface"
