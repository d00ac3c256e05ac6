"""Mistakes in the input, from the command line down to the file: one clear line, the right exit code, no traceback."""

import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from tests.cases import RECORDED

STORY = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 147)
RECORD = struct.pack("<IIII", 1, 0, 4, 4) + b"abcd"


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)


def error_of(result: Result) -> str:
    """The one line on stderr of a run that could not use its input."""
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("eiosniff: error: ")
    return lines[0]


@pytest.mark.parametrize("command", ["analyze", "decode"])
def test_missing_file(command: str, tmp_path: Path) -> None:
    assert "there is no such file" in error_of(run(command, tmp_path / "missing.pcap"))


@pytest.mark.parametrize("command", ["analyze", "decode"])
def test_directory(command: str, tmp_path: Path) -> None:
    assert "is a directory" in error_of(run(command, tmp_path))


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcap"
    path.touch()
    assert "is empty" in error_of(run("analyze", path))


def test_empty_standard_input() -> None:
    assert "standard input" in error_of(run("analyze", "-"))


def test_text_file(tmp_path: Path) -> None:
    path = tmp_path / "text.pcap"
    path.write_text("GET /socket.io/?EIO=3 400\n", encoding="utf-8")
    line = error_of(run("analyze", path))
    assert "is not a capture" in line
    assert "reads pcap, pcapng and HAR" in line


def test_terminal_escapes_of_a_file_are_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "odd.pcap"
    path.write_bytes(b"\x1b]0;owned\x07\x1b[31m" * 4)
    assert "\x1b" not in error_of(run("analyze", path))


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.pcap"
    path.touch()

    def refuse(*_: object, **__: object) -> None:  # as for anybody but root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read by you" in error_of(run("analyze", path))


def test_link_type_that_nothing_can_decode(tmp_path: Path) -> None:
    path = tmp_path / "link.pcap"
    path.write_bytes(HEADER + RECORD)
    assert "link type USER0" in error_of(run("analyze", path))


def test_truncated_file_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(STORY.read_bytes()[:5000])
    result = run("analyze", "--quiet", path)
    assert result.exit_code == 1
    assert "client-ping-in-eio4" in result.stdout.splitlines()[0]
    assert "capture-truncated" in result.stdout
    decoded = run("decode", path)
    assert decoded.exit_code == 0
    assert "the file ends" in decoded.stderr


def test_capture_without_engineio_says_what_was_there_instead() -> None:
    result = run("analyze", RECORDED / "near_miss" / "no-engineio.pcap")
    assert result.exit_code == 1  # of what is encrypted nobody can say that it is well
    assert "is encrypted (TLS)" in result.stdout.splitlines()[2]
    assert "No Engine.IO and no Socket.IO was found" in result.stdout
    assert "HTTP: 2" in result.stdout
    assert "TLS (port 3443): 1" in result.stdout


def test_standard_input_gives_the_same_report() -> None:
    from_file = run("analyze", "--format", "json", STORY).stdout
    from_stdin = run("analyze", "--format", "json", "-", stdin=STORY.read_bytes()).stdout
    assert from_stdin.replace("standard input", str(STORY)) == from_file


def test_several_files_in_one_report() -> None:
    eio3 = RECORDED / "arduino" / "s3-arduino-old-eio3-to-v312-400.pcap"
    result = run("analyze", "--quiet", STORY, eio3)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert any(STORY.name in line and "client-ping-in-eio4" in line for line in lines)
    assert any(eio3.name in line and "eio-unsupported-polling" in line for line in lines)


def test_port_and_path_narrow_the_analysis() -> None:
    assert run("analyze", "--quiet", "--port", "28954", STORY).exit_code == 1
    assert run("analyze", "--quiet", "--port", "1", STORY).exit_code == 0
    assert run("analyze", "--quiet", "--path", "/socket.io/", STORY).exit_code == 1
    assert run("analyze", "--quiet", "--path", "/other/", STORY).exit_code == 0
