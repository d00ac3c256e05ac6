"""`eiosniff live` from its command line to its exit, on a capture that comes through standard input."""

import subprocess
import sys
from pathlib import Path

import pytest

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
