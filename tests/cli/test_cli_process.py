"""What only a real process shows: start, terminals, pipes that break."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eiosniff

ROOT = Path(eiosniff.__file__).parent.parent
FAKE = """
import sys
from eiosniff import app
from tests.cli.stand_in import RULES
from tests.unit.report.builders import report
from tests.unit.report.test_decode_lines import packet
app.analyze = lambda captures, options, progress=None: report()
app.decode = lambda *_: (packet(data=b"x" * 500) for _ in range(20_000))
app.rules = lambda files=(): RULES
from eiosniff.cli.main import main
sys.argv[0] = "eiosniff"
main()
"""


def environment(**changes: Any) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "EIOSNIFF_DEBUG")}
    return kept | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | changes


def python(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env=environment(**options.pop("env", {})), **options,
    )  # fmt: skip


def test_version() -> None:
    assert python("-m", "eiosniff", "--version").stdout == f"eiosniff, version {eiosniff.__version__}\n"


@pytest.mark.parametrize("command", ["analyze", "decode", "demo", "rules"])
def test_every_command_has_help(command: str) -> None:
    result = python("-m", "eiosniff", command, "--help")
    assert result.returncode == 0
    assert f"Usage: eiosniff {command}" in result.stdout


def test_head_may_go_away() -> None:
    script = f'"{sys.executable}" -c "$FAKE" decode a.pcap | head -n 1; echo "${{PIPESTATUS[0]}}"'
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env=environment(FAKE=FAKE),
    )  # fmt: skip
    assert result.stderr == ""
    assert result.stdout.endswith("\n0\n")


def test_a_full_disk_is_an_error_of_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", FAKE, "decode", "a.pcap"], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False, cwd=ROOT, env=environment(),
        )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == "eiosniff: error: cannot write to standard output: No space left on device\n"


def test_old_encodings_get_escapes() -> None:
    result = python("-c", FAKE, "analyze", "a.pcap", env={"PYTHONIOENCODING": "latin-1"})
    assert r" \u2192 " in result.stdout


def on_a_terminal(*arguments: Any, **env: Any) -> str:
    """What a process writes when its standard output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", FAKE, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        cwd=ROOT, env=environment(**env),
    )  # fmt: skip
    os.close(theirs)
    written = b""
    try:
        while block := os.read(ours, 65_536):
            written += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    process.wait(60)
    return written.decode().replace("\r\n", "\n")


def test_colours_on_a_terminal_only() -> None:
    coloured = on_a_terminal("analyze", "a.pcap")
    assert "\x1b[1;31mERROR" in coloured
    for plain in (
        on_a_terminal("analyze", "a.pcap", "--no-color"),
        on_a_terminal("analyze", "a.pcap", NO_COLOR="1"),
        on_a_terminal("analyze", "a.pcap", TERM="dumb"),
        python("-c", FAKE, "analyze", "a.pcap").stdout,
    ):
        assert "\x1b" not in plain
        assert "ERROR" in plain


def test_rules_are_set_for_reading_on_a_terminal() -> None:
    assert "rule severity name what it reports" in " ".join(on_a_terminal("rules", NO_COLOR="1").split())
    shown = on_a_terminal("rules", "show", "EIO038", NO_COLOR="1")
    assert shown.startswith("EIO038 client-ping-in-eio4")
    assert "##" not in shown


def test_lines_are_cut_to_a_terminal() -> None:
    lines = on_a_terminal("decode", "a.pcap", COLUMNS="70").splitlines()
    assert {len(line) for line in lines} == {70}
    assert lines[0].endswith("x…")
