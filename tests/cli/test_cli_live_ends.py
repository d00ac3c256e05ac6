"""`eiosniff live` as a command: what ends it, what it waits for, and where it says what."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from eiosniff.cli.quantities import DURATION, SIZE, WAIT
from eiosniff.cli.streams import JsonLines, Stream
from eiosniff.report.redact import Redactor
from tests.streams import RECORDED

SEED = RECORDED / "arduino/s3-arduino-old-eio4-to-v484.pcap"
COMMAND = [sys.executable, "-m", "eiosniff", "live"]
PATIENCE_S = 60


def live(*arguments: str, redirections: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it on a recorded capture through standard input."""
    with SEED.open("rb") as capture:
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", *COMMAND, "-", "--no-config", *arguments],
            stdin=capture, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    "left_out", [("--select", "connect-loop"), ("--ignore", "EIO038"), ("--ignore", "client-ping-in-eio4")]
)
def test_a_rule_that_is_left_out_cannot_be_waited_for(left_out: Sequence[str]) -> None:
    ended = live("--until", "EIO089,client-ping-in-eio4", *left_out)
    assert ended.returncode == 2
    assert "--until waits for EIO038, which is left out by --select" in ended.stderr


def test_it_may_stop_at_once_when_something_is_found() -> None:
    ended = live("--until", "EIO038", "--settle", "0", "--format", "text")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "client-ping-in-eio4" in ended.stdout


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-"])
def test_standard_streams_may_be_closed(redirections: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    ended = live("--output", str(path), redirections=redirections)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")
    assert len(path.read_text("utf-8").splitlines()) > 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_may_be_stopped_while_it_waits_for_a_capture(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with (
        subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        path.open("wb"),  # it waits at the other end now
    ):
        process.send_signal(number)
        told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, *told) == (130, b"", b"")


def test_a_word_that_quotes_the_wire_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Stream(str(tmp_path / "x")) as place:
        JsonLines(place, Redactor()).say("KeyError in x.py:1: \x1b[2J")
    assert capsys.readouterr().err == "eiosniff: KeyError in x.py:1: \\x1b[2J\n"


def test_a_word_that_nobody_reads_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, Stream(str(tmp_path / "x")) as place:
        monkeypatch.setattr(sys, "stderr", stream)
        JsonLines(place, Redactor()).say("a word")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # what it still holds goes there


@pytest.mark.parametrize(
    ("written", "ns"), [("90", 90 * 10**9), ("1.5s", 1_500_000_000), ("5 m", 300 * 10**9), ("250MS", 250_000_000)]
)
def test_times_are_written_as_people_do(written: str, ns: int) -> None:
    assert DURATION.convert(written, None, None) == ns


@pytest.mark.parametrize("written", ["0", "0s", "0.0000000001s", "-5", "5 parsecs", "", "٣", "1e9", "1" * 20])
def test_what_is_no_time_says_what_is_one(written: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time; write 90"):
        DURATION.convert(written, None, None)


def test_a_wait_may_be_none() -> None:
    assert WAIT.convert("0", None, None) == 0
    with pytest.raises(click.BadParameter):
        WAIT.convert("soon", None, None)


@pytest.mark.parametrize(("written", "octets"), [("500kB", 500_000), ("1MiB", 1 << 20), ("2G", 2 * 10**9)])
def test_sizes_are_written_as_people_do(written: str, octets: int) -> None:
    assert SIZE.convert(written, None, None) == octets


PRINTING = '''
from eiosniff.model.finding import Severity
from eiosniff.model.session import Session
from eiosniff.rules.api import rule

@rule(code="MY001", name="my-rule", subject=Session, severity=Severity.INFO, title="T", message="M", why="W", fix="F")
def my_rule(session):
    """Something."""
    print("a word" * 10_000)
    return ()
'''


def test_what_a_rule_prints_is_not_among_the_events(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PRINTING, "utf-8")
    ended = live("--rules", str(tmp_path / "mine.py"))
    assert [json.loads(line)["event"] for line in ended.stdout.splitlines()][-1] == "report"
    assert "a worda word" in ended.stderr
