import json
from pathlib import Path

import pytest

from eiosniff.errors import CaptureError
from eiosniff.model.decoded import DecodedPacket
from tests.cli.stand_in import Application, Run
from tests.unit.report.test_decode_lines import event, packet


@pytest.fixture(autouse=True)
def packets(application: Application) -> list[DecodedPacket]:
    application.packets = [packet(number=33), event(b'["chat",{"token":"s3cr3t5"}]', name="chat")]
    return application.packets


def test_text(run: Run, application: Application) -> None:
    lines = run("decode", "a.pcap", "--port", 3000, "--path", "/x").stdout.split("\n")
    assert lines[1].endswith('EVENT chat [{"token":"[redacted]"}]')
    assert application.options.ports == {3000}
    assert application.options.path == "/x"


def test_jsonl(run: Run) -> None:
    result = run("decode", "-f", "jsonl", "a.pcap")
    assert [json.loads(line)["packet"] for line in result.stdout.splitlines()] == [33, 34]
    assert result.exit_code == 0
    assert "s3cr3t5" in run("decode", "--no-redact", "-f", "jsonl", "a.pcap").stdout


def test_several_captures_are_told_apart(run: Run, application: Application) -> None:
    application.packets.append(packet(capture="b.pcap"))
    lines = run("decode", "a.pcap", "b.pcap").stdout.splitlines()
    assert (lines[0], lines[3]) == ("a.pcap", "b.pcap")
    lines = run("decode", "-f", "jsonl", "a.pcap", "b.pcap").stdout.splitlines()
    assert json.loads(lines[2])["capture"] == "b.pcap"


def test_what_came_before_an_error_is_shown(run: Run, application: Application, tmp_path: Path) -> None:
    application.error = CaptureError("b.pcap: no such file")
    result = run("decode", "a.pcap", "b.pcap")
    assert result.exit_code == 2
    assert result.stdout.count("\n") == 3
    assert result.stderr == "eiosniff: error: b.pcap: no such file\n"
    assert run("decode", "-o", tmp_path / "x", "a.pcap").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_long_lines_are_whole_when_piped(run: Run, application: Application) -> None:
    application.packets = [packet(data=b"x" * 5_000)]
    assert len(run("decode", "a.pcap").stdout) > 5_000


@pytest.mark.parametrize("arguments", [[], ["-f", "json", "a"], ["--quiet", "a"], ["-o", "/no/where/x", "a"]])
def test_mistakes(run: Run, arguments: list[str]) -> None:
    assert run("decode", *arguments).exit_code == 2
