"""What the pages for users show is what happens: their examples are run as they stand there."""

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from eiosniff.report import live_json
from eiosniff.report.redact import Redactor
from tests.cases import CAPTURES, ROOT
from tests.unit.report.live_events import events

WRITING = (ROOT / "docs" / "writing-a-rule.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIVE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
LOOP = "captures/recorded/faulty/connect-loop-kicked-raw-500ms.pcap"
TWO_RESTARTS = "captures/recorded/near_miss/connect-loop-two-restarts.pcap"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for kind, text in found if kind == language]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example and the captures, to be in."""
    (tmp_path / "fleet_rules.py").write_text(blocks(WRITING, "python")[0], encoding="utf-8")
    (tmp_path / "captures").symlink_to(CAPTURES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_a_rule_finds_what_the_page_says(folder: Path) -> None:
    command, *expected = blocks(WRITING, "")[0].splitlines()
    result = run(*command.removeprefix("$ eiosniff ").split())
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    places = [next(at for at, line in enumerate(lines) if line.startswith(wanted)) for wanted in expected]
    assert len(expected) == 5
    assert places == sorted(places)
    assert places[0] == 2  # the first diagnosis


def test_the_example_has_a_limit_that_counts(folder: Path) -> None:
    found = ["analyze", "--rules", "fleet_rules.py", "--select", "FLEET002", "-q", LOOP]
    assert "FLEET002 many-sessions" in run(*found).stdout
    (folder / "eiosniff.toml").write_text("[limits]\nmany-sessions.sessions = 8\n")
    assert run(*found).stdout == ""


def test_the_test_of_the_page_tests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    names: dict[str, object] = {}
    exec(blocks(WRITING, "python")[1], names)
    found = names["found"]
    assert callable(found)
    assert found(LOOP) == ["device-not-licensed"]
    assert found(TWO_RESTARTS) == []


@pytest.mark.parametrize(("language", "file"), [("toml", "eiosniff.toml"), ("cfg", "setup.cfg")])
def test_the_examples_of_a_configuration_say_the_same(folder: Path, language: str, file: str) -> None:
    (folder / file).write_text(blocks(CONFIGURATION, language)[0])
    result = run("analyze", LOOP)
    assert result.exit_code == 0  # it fails on errors only, and this is a warning now
    assert "WARNING  The client connects again and again" in result.stdout
    assert "(no-backoff)" not in result.stdout
    assert f"Configuration: {file} (ignore, fail-on, severity, limits)" in result.stdout


# ---------------------------------------------------------------- README.md, docs/live.md


def test_what_jq_is_asked_for_is_there() -> None:
    lines = {event.kind.value: json.loads(live_json.render(event, Redactor())) for event in events().values()}
    kind, path = re.findall(r"""jq -r 'select\(\.event == "([a-z-]+)"\) \| \.([a-z_.]+)'""", LIVE)[0]
    found = lines[kind]
    for key in path.split("."):
        found = found[key]
    assert found in ("client-ping-in-eio4", "connect-loop")


def test_the_report_that_the_readme_shows_is_the_one_of_the_demo() -> None:
    shown = blocks(README, "")[0].splitlines()[2:]
    told = [line.rstrip() for line in run("demo", "--fail-on", "never").stdout.splitlines()[1:]]
    assert shown == told[: len(shown)]
