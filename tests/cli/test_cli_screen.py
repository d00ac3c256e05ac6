"""The full-screen view on a real terminal (a pseudo-terminal), from the other end of it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiosniff.cli.screen import Screen
from eiosniff.errors import EiosniffError
from eiosniff.report.redact import Redactor

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
SGR = re.compile(r"\x1b\[[\d;]*m")


class Terminal:
    """One end of a terminal, with a program at the other one."""

    def __init__(self, how: str, command: list[str] | None = None, *, typed_there: bool = True, **changes: str) -> None:
        self.end, self.far = pty.openpty()
        self.resize(80, 24)
        self.modes = termios.tcgetattr(self.far)
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        environment.pop("NO_COLOR", None)
        self.program = subprocess.Popen(
            command or [sys.executable, "-m", "tests.cli.screen_child", how], cwd=ROOT, env=environment | changes,
            stdin=self.far if typed_there else subprocess.DEVNULL, stdout=self.far, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        self.seen = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.end, keys)

    def read(self) -> None:
        """Take what the program wrote, waiting for it a moment."""
        if select.select([self.end], [], [], 0.05)[0]:
            self.seen += os.read(self.end, 65_536)

    def until(self, *wanted: str | bytes, since: int = 0) -> None:
        """Read until all of these have been written, after so many bytes; texts whatever their styles."""
        end = time.monotonic() + PATIENCE_S
        for one in wanted:
            while not self.has(one, since):
                assert time.monotonic() < end, f"{one!r} is not in {self.seen[since:]!r}; {self.complaint()}"
                self.read()

    def has(self, wanted: str | bytes, since: int) -> bool:
        seen = self.seen[since:]
        return wanted in seen if isinstance(wanted, bytes) else wanted in SGR.sub("", seen.decode("utf-8", "ignore"))

    def screen(self) -> list[str]:
        """The lines as they stand, of a program that writes each whole."""
        lines: dict[int, str] = {}
        text = self.seen.rpartition(b"\x1b[2J")[2].decode()
        for number, line in re.findall(r"\x1b\[(\d+);1H\x1b\[K([^\x1b]*(?:\x1b\[[\d;]*m[^\x1b]*)*)", text):
            lines[int(number)] = SGR.sub("", line)
        return [lines.get(number, "") for number in range(1, max(lines, default=0) + 1)]

    def complaint(self) -> str:
        if self.program.poll() is None or self.program.stderr is None:
            return "it runs"
        return f"exit {self.program.returncode}: {self.program.stderr.read().decode()}"

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        if self.program.stderr is not None:
            self.program.stderr.close()
        for descriptor in {self.end, self.far} - {-1}:
            os.close(descriptor)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_it_shows_takes_keys_and_gives_the_terminal_back(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys"))
    terminal.until(ENTER, "? help")
    assert len(terminal.screen()) == 24
    assert terminal.screen()[1].startswith("▸ Diagnosis  1 error")
    assert not termios.tcgetattr(terminal.far)[3] & termios.ECHO
    terminal.type(b"\x1b")  # an arrow in pieces
    terminal.type(b"[B")
    terminal.until(">          └ so: 3 sessions")
    terminal.type(b"w")
    terminal.until("a report is in eiosniff.txt")
    terminal.type(b"q")
    terminal.until(LEAVE, "wishes: WRITE_REPORT, STOP")
    assert b"report of 4 sessions" in terminal.seen.partition(LEAVE)[2]  # where it stays to be read
    assert terminal.program.wait(PATIENCE_S) == 0
    assert termios.tcgetattr(terminal.far) == terminal.modes
    assert b"\x1b[?25h" in terminal.seen.rpartition(ENTER)[2]


def test_escape_alone_goes_back(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys"))
    terminal.until("? help")
    terminal.type(b"\r")
    terminal.until("Diagnosis: client-ping-in-eio4")
    before = len(terminal.seen)
    terminal.type(b"\x1b")
    terminal.until("Newest events", since=before)
    terminal.type(b"\x1b[200~q\x1b[201~\x1b[<0;1;1Mq")  # a paste and a mouse are no keys
    terminal.until("wishes: STOP")


def test_keys_come_from_the_terminal_when_standard_input_is_the_capture(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys", typed_there=False))
    terminal.until("? help")
    terminal.type(b"q")
    terminal.until(LEAVE, "wishes: STOP")
    assert termios.tcgetattr(terminal.far) == terminal.modes


def test_another_size_is_another_picture(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys"))
    terminal.until("? help")
    for size, wanted in (((200, 50), "client's library"), ((60, 15), "Newest events")):
        before = len(terminal.seen)
        terminal.resize(*size)
        terminal.until(wanted, since=before)
        terminal.until(f"\x1b[{size[1]};1H".encode(), since=before)
    terminal.resize(40, 5)
    terminal.until("eiosniff needs 60x15, this is 40x5")
    terminal.resize(40, 5)
    terminal.until("eiosniff needs 60x15, this is 40x5")
    terminal.type(b"q")
    terminal.until("wishes: STOP")


def test_only_changed_lines_are_sent(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys"))
    terminal.until("? help")
    before = len(terminal.seen)
    terminal.type(b"jx")  # to the next finding: two lines or three change
    terminal.until(b"\x1b[7m> ", since=before)
    assert len(terminal.seen) - before < 1_000
    terminal.type(b"\x0c")  # Ctrl-L
    terminal.until(b"\x1b[2J", "? help", since=before)


def test_a_terminal_that_takes_nothing_holds_nothing_back(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("flood"))
    assert terminal.program.stderr is not None
    assert select.select([terminal.program.stderr], [], [], PATIENCE_S)[0]  # while nobody reads the terminal
    assert terminal.program.stderr.readline() == b"drawn\n"
    terminal.until(LEAVE, "wishes")
    assert len(terminal.seen) < 300_000  # of some megabytes
    assert terminal.program.wait(PATIENCE_S) == 0


def test_a_bug_leaves_the_terminal_as_it_was(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("raise"))
    terminal.until(LEAVE)
    assert terminal.program.wait(PATIENCE_S) == 1
    assert termios.tcgetattr(terminal.far) == terminal.modes


def test_a_terminal_that_is_gone_ends_it(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys"))
    terminal.until("? help")
    os.close(terminal.far)
    os.close(terminal.end)
    terminal.end = terminal.far = -1
    assert terminal.program.wait(PATIENCE_S) == 42


def test_it_stops_and_comes_back(terminals: list[Terminal]) -> None:
    script = f"set -m; '{sys.executable}' -m tests.cli.screen_child bare; stty -a; echo stop''ped; fg"
    shell = f"os.execv('/bin/sh', ['sh', '-c', {script!r}])"
    leader = f"import fcntl, os, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {shell}"
    terminals.append(terminal := Terminal("", [sys.executable, "-c", leader]))
    terminal.until("? help")
    terminal.type(b"\x1a")
    terminal.until(LEAVE, "stopped")
    before = terminal.seen.index(b"stopped")
    assert b" icanon" in terminal.seen
    terminal.until(ENTER, "? help", since=before)
    terminal.type(b"q")
    terminal.until("wishes: STOP", since=before)
    assert terminal.program.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_can_do_nothing_is_refused(terminals: list[Terminal], term: str) -> None:
    terminals.append(terminal := Terminal("keys", TERM=term))
    terminal.until("no screen: this terminal (TERM) cannot show")
    assert terminal.program.wait(PATIENCE_S) == 2
    assert ENTER not in terminal.seen


def test_without_colour_and_without_unicode(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal("keys", NO_COLOR="1", PYTHONIOENCODING="ascii"))
    terminal.until("? help")
    assert terminal.seen.isascii()
    assert not re.search(rb"\x1b\[[\d;]*3\dm", terminal.seen)
    assert terminal.screen()[1].startswith("> Diagnosis  1 error -")
    terminal.type(b"q")
    terminal.until("wishes: STOP")


def test_where_there_is_no_terminal_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EiosniffError, match=r"standard output is no terminal.*--format text"):
        Screen([], Redactor(), lambda report: None)
