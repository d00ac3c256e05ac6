import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from tests.cases import RECORDED

NODE = RECORDED / "healthy" / "node-4.8.4--node-4.8.4--upgrade.pcap.gz"
PYTHON = RECORDED / "healthy" / "python-5.18.1--python-5.18.1--upgrade.pcap.gz"
OLD = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"
REFUSED = RECORDED / "arduino" / "s3-arduino-old-eio3-to-v312-400.pcap"
NO_ENGINEIO = RECORDED / "encrypted" / "imaps.pcap"
ENCRYPTED = RECORDED / "encrypted" / "wss-tls-1.3.pcap"


def run(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], **options)


def chosen(*arguments: object) -> list[str]:
    found = json.loads(run("--format", "json", *arguments).stdout)
    return [found[name]["session"]["id"] for name in ("working", "failing")]


def test_exit_codes() -> None:
    assert run(NODE, REFUSED).exit_code == 1
    alike = run(NODE, PYTHON)
    assert alike.exit_code == 0
    assert alike.stdout.startswith("No difference that matters: what was chosen goes well in both\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([NODE, "missing.pcap"], "missing.pcap"),
        ([NODE, NO_ENGINEIO], "imaps.pcap does not hold a conversation"),
        ([NO_ENGINEIO, NODE], "imaps.pcap does not hold a session that works"),
        ([NODE, ENCRYPTED], "wss-tls-1.3.pcap holds no Socket.IO that can be read: what may be it is encrypted"),
        ([REFUSED, NODE], "does not hold a session that works"),
        ([NODE, NODE], "does not hold a second conversation"),
        (["--failing-session", "s9", NODE, OLD], "has no session s9; there are s1 "),
        (["--failing-client", "10.1.1.1", NODE, OLD], "has no client 10.1.1.1"),
        (["--port", "9", NODE, OLD], "does not hold a session that works"),
        (["--failing-session", "", NODE, OLD], "the value is empty"),
        (["--port", "9", NODE, OLD], "with --port 9; leave that out"),
        (["--working-session", "s1", "-", "-"], "standard input (-) can only be read once"),
        ([NODE], "Missing argument 'FAILING'"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(arguments: list[object], words: str) -> None:
    result = run(*arguments, input=b"")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    if result.stderr.startswith("eiosniff:"):
        assert result.stderr.count("\n") == 1


def test_captures_the_wrong_way_round_are_asked_about() -> None:
    first = " ".join(run(OLD, NODE).stdout.split("\n\n")[0].split())
    assert first.endswith("has a fault, client-ping-in-eio4 (EIO038): is it the failing one?")
    assert run(OLD, NODE).exit_code == 0


def test_one_capture_holds_both() -> None:
    good, bad = chosen(OLD, OLD)
    assert good == "s4"  # the only one that does not end by its ping
    assert bad != good


def test_the_user_may_choose() -> None:
    assert chosen("--failing-session", "s3", NODE, OLD) == ["s1", "s3"]
    assert chosen("--working-session", "s4", "--failing-session", "s2", OLD, OLD) == ["s4", "s2"]
    assert chosen("--failing-client", "127.0.0.1", NODE, OLD)[0] == "s1"
    sid = json.loads(run("-f", "json", NODE, OLD).stdout)["failing"]["session"]["sid"]
    assert chosen("--failing-session", sid[:6], NODE, OLD) == chosen("--failing-session", sid, NODE, OLD)


def test_a_client_without_a_session_may_be_chosen() -> None:
    found = json.loads(run("-f", "json", "--failing-client", "127.0.0.1", NODE, REFUSED).stdout)
    assert found["failing"]["session"] is None
    assert found["failing"]["handshake"]["packet"] == 4


def test_standard_input_is_a_capture() -> None:
    result = run(NODE, "-", input=REFUSED.read_bytes())
    assert result.exit_code == 1
    assert "EIO001" in result.stdout


def test_it_goes_to_a_file_but_not_over_a_capture(tmp_path: Path) -> None:
    place = tmp_path / "difference.json"
    assert run("-f", "json", "-o", place, NODE, OLD).exit_code == 1
    assert json.loads(place.read_text())["verdict"] == "differ"
    copy = tmp_path / "copy.pcap"
    copy.write_bytes(OLD.read_bytes())
    result = run("-o", copy, NODE, copy)
    assert result.exit_code == 2
    assert "it would be lost" in result.stderr
    assert copy.read_bytes() == OLD.read_bytes()


def test_no_traceback_for_a_rule_that_fails(tmp_path: Path) -> None:
    rules = tmp_path / "own.py"
    rules.write_text(
        "from eiosniff.rules.api import Hit, rule\n"
        "from eiosniff.model.session import Session\n"
        "from eiosniff.model.finding import Severity\n"
        "@rule(code='OWN001', name='own', subject=Session, severity=Severity.ERROR, title='mine', message='m', why='w',"
        " fix='f')\n"
        "def check(session):\n    'Mine.'\n    raise ValueError\n    yield Hit()\n"
    )
    result = run("--rules", rules, NODE, OLD)
    assert result.exit_code in (2, 3)
    assert "Traceback" not in result.output


def test_the_files_of_a_rotation_are_one_capture(tmp_path: Path) -> None:
    """Packets are named with their file; files that are no parts of one are refused."""
    data = OLD.read_bytes()
    header, cut = data[:24], 24
    for _ in range(60):
        cut += 16 + int.from_bytes(data[cut + 8 : cut + 12], "little")
    (tmp_path / "cap_00001.pcap").write_bytes(data[:cut])
    (tmp_path / "cap_00002.pcap").write_bytes(header + data[cut:])
    found = json.loads(run("-f", "json", NODE, tmp_path / "cap_*.pcap").stdout)
    assert found["first_difference"]["fact"] == "who pings"
    assert found["first_difference"]["failing_place"]["capture"].endswith("cap_00001.pcap")
    (tmp_path / "cap_00003.pcap").write_bytes(REFUSED.read_bytes())
    refused = run(NODE, tmp_path / "cap_*.pcap")
    assert refused.exit_code == 2
    assert "and not the files of one" in refused.stderr
