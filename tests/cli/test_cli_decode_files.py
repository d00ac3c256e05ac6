"""`eiosniff decode` on recordings of real peers, with what only files show."""

import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from tests.cases import RECORDED
from tests.cli.test_cli_process import ROOT, environment

HEALTHY = RECORDED / "healthy"
UPGRADE = HEALTHY / "node-4.8.4--node-4.8.4--upgrade.pcap.gz"
POLLING = HEALTHY / "node-2.5.1--node-2.5.0--polling.pcap.gz"
NOT_SOCKETIO = RECORDED / "near_miss" / "no-engineio.pcap"
UPGRADES = sorted(HEALTHY.glob("*--upgrade.pcap.gz"))


def decode(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["decode", *map(str, arguments)])


def lines(*arguments: object) -> list[Any]:
    return [json.loads(line) for line in decode("-f", "jsonl", *arguments).stdout.splitlines()]


@pytest.mark.parametrize("capture", [UPGRADE, POLLING], ids=lambda path: path.stem)
def test_attachments_are_those_that_the_peers_sent(capture: Path, tmp_path: Path) -> None:
    truth = capture.with_name(capture.name.replace(".pcap.gz", ".truth.jsonl")).read_text(encoding="utf-8").splitlines()
    sent = [hash_of for line in truth for hash_of in _hashes(json.loads(line))]
    shown = lines(capture, "--attachments", tmp_path / "out", "--type", "BINARY_EVENT", "--type", "BINARY_ACK")
    named = [Path(attachment["file"]) for line in shown for attachment in line["socketio"]["attachments"]]
    assert named == sorted((tmp_path / "out").iterdir())
    assert sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in named) == sorted(sent)


def _hashes(line: dict[str, Any]) -> Iterator[str]:
    yield from (attachment["sha256"] for attachment in line.get("attachments", ()))


@pytest.mark.parametrize("capture", UPGRADES, ids=lambda path: path.stem)
def test_packets_come_in_the_order_of_the_capture_over_both_transports(capture: Path) -> None:
    """These lost nothing on the way, so the order in which packets were completed is that of their numbers."""
    shown = lines(capture)
    assert [line["packet"] for line in shown] == sorted(line["packet"] for line in shown)
    kinds = [(line["transport"], line["engineio"]["type"]) for line in shown]
    assert kinds[0] == ("polling", "open")
    probe, upgrade = kinds.index(("websocket", "ping")), kinds.index(("websocket", "upgrade"))
    assert 0 < probe < upgrade
    # Once it is confirmed, the client says nothing over polling any more; the server settles the poll under way.
    assert {line["transport"] for line in shown[upgrade:] if line["from"] == "client"} == {"websocket"}
    assert {line["engineio"]["type"] for line in shown[upgrade:] if line["transport"] == "polling"} <= {"noop"}


def test_packets_of_one_body_keep_their_order() -> None:
    shown = [line for line in lines(POLLING) if line["from"] == "server"]
    first = [line["engineio"]["type"] for line in shown if line["packet"] == shown[0]["packet"]]
    assert first == ["open", "message"]


def test_sessions_are_numbered_over_all_captures_as_in_the_report() -> None:
    report = CliRunner().invoke(cli, ["analyze", "-f", "json", "--fail-on", "never", str(UPGRADE), str(POLLING)])
    reported = {session["sid"]: session["id"] for session in json.loads(report.stdout)["sessions"]}
    shown = {line["sid"]: line["session"] for line in lines(UPGRADE, POLLING)}
    assert shown == reported
    assert set(shown.values()) == {"s1", "s2"}
    assert {line["capture"] for line in lines(UPGRADE, POLLING, "--session", "s2")} == {str(POLLING)}


def test_a_capture_without_engineio_is_told() -> None:
    result = decode(NOT_SOCKETIO)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"eiosniff: {NOT_SOCKETIO}: no Engine.IO packet was found; `eiosniff analyze` may say why\n"
    assert "no Engine.IO packet of the chosen ports and path was found" in decode(UPGRADE, "--port", 9).stderr
    assert decode(UPGRADE, "--port", 9, "--event", "x").exit_code == 1


@pytest.mark.interpreted
def test_a_decoder_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("eiosniff.decode.sessions.websockets.WebSockets.message", fail)
    result = decode(UPGRADE)
    assert "a part of eiosniff failed, packets are missing; please report it: ZeroDivisionError in" in result.stderr
    assert result.stdout.count("\n") > 0


def test_a_full_disk_leaves_no_half_of_an_attachment(tmp_path: Path) -> None:
    """A limit on the size of files is what a test can have of it."""
    result = subprocess.run(
        [sys.executable, "-m", "eiosniff", "decode", "--attachments", tmp_path / "out", UPGRADE],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == f"eiosniff: error: cannot write attachments to {tmp_path / 'out'}: File too large\n"
    assert list((tmp_path / "out").iterdir()) == []
