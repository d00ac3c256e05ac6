"""Rules of the user's own, on a recording: they judge with eiosniff's, and what goes wrong in them stays theirs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from tests.cases import RECORDED

LOOP = RECORDED / "faulty" / "connect-loop-kicked-raw-500ms.pcap"
RULE = '''
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule

@rule(code="MY001", name="thrown-out", subject=Session, severity=Severity.ERROR, title="Thrown out", why="So.",
      message="{client} is thrown out by {server} {how}.", fix="Pay.",
      explains=["connect-loop"], limits={"sessions": 1})
def thrown_out(session, limits):
    """A device that is thrown out."""
    yield Hit(evidence(session.closing.place, Side.SERVER, "closes"), how="at once")
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(RULE)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def changed(file: Path, before: str, after: str) -> None:
    assert before in RULE
    file.write_text(RULE.replace(before, after))


def test_a_rule_of_a_file_is_the_root_cause(file: Path) -> None:
    result = run("analyze", "--rules", "mine.py", LOOP)
    lines = result.stdout.splitlines()
    assert lines[2] == "ERROR  Thrown out"
    assert "thrown-out (MY001), certain, 8 times" in lines[3]
    assert "10.77.0.1 (a client on Node's ws package) is thrown out by 10.77.0.2:3000" in " ".join(
        result.stdout.split()
    )
    assert "(connect-loop)" in result.stdout
    assert lines[-1] == "More: eiosniff rules show --rules mine.py MY001"
    assert "MY001" not in run("analyze", LOOP).stdout


def test_it_can_be_selected_and_set(file: Path) -> None:
    (file.parent / "eiosniff.toml").write_text('select = ["thrown-out"]\n[severity]\nMY001 = "info"\n')
    result = run("analyze", "-f", "json", "--rules", file, LOOP)
    (first,) = json.loads(result.stdout)["diagnoses"]
    assert (first["rule"], first["severity"], result.exit_code) == ("MY001", "info", 0)
    assert "did you mean thrown-out?" in run("analyze", "--rules", file, "--ignore", "thrown-ot", LOOP).stderr
    without = run("analyze", LOOP)
    assert "eiosniff.toml: select: there is no rule 'thrown-out'" in without.stderr


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "session.closing.place",
            "session.end",
            "the rule thrown-out (MY001) of mine.py, line 12 failed: AttributeError: 'Session' object has no",
        ),
        ("yield Hit(", "return Hit(", "of mine.py failed: TypeError: 'Hit' object is not iterable"),
        ('"closes"', "1 / 0", "mine.py, line 12 failed: ZeroDivisionError: division by zero"),
        (', how="at once"', "", "of mine.py failed: a text of it wants {how}, which the Hit does not give"),
    ],
)  # fmt: skip
def test_a_crash_is_named_with_its_place_and_all_else_stands(file: Path, before: str, after: str, words: str) -> None:
    changed(file, before, after)
    result = run("analyze", "--rules", "mine.py", "--fail-on", "never", LOOP)
    said = " ".join(result.stdout.split())
    assert words in said
    assert "INT001" in said
    assert "--ignore thrown-out leaves it out" in said
    assert "Please report" not in said
    assert "\nERROR  The client connects again and again" in result.stdout
    assert "rules show --rules mine.py EIO089" in said
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "the report is not complete" in result.stderr
    assert run("analyze", "--rules", "mine.py", "--ignore", "thrown-out", "--fail-on", "never", LOOP).exit_code == 0


@pytest.mark.parametrize("command", [("analyze", LOOP), ("rules", "list"), ("rules", "show", "EIO038")])
def test_a_file_that_cannot_be_used_is_one_line(file: Path, command: tuple[object, ...]) -> None:
    changed(file, "1})", "1}")
    result = run(*command, "--rules", "mine.py")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "eiosniff: error: mine.py, line 7: SyntaxError: '(' was never closed\n"


def test_lists_say_where_a_rule_is_from(file: Path) -> None:
    lines = run("rules", "list", "--rules", "mine.py").stdout.splitlines()
    assert run("rules", "--rules", "mine.py").stdout.splitlines() == lines
    assert (
        run("rules", "--rules", "mine.py", "show", "my001").stdout
        == run("rules", "show", "--rules", "mine.py", "my001").stdout
    )
    assert "MY001\terror\tthrown-out\tA device that is thrown out\tmine.py" in lines
    assert {line.count("\t") for line in lines if not line.startswith("MY")} == {3}


def test_show_knows_them(file: Path) -> None:
    shown = run("rules", "show", "--rules", "mine.py", "my001").stdout
    assert shown.startswith("# MY001 thrown-out\n\n**A device that is thrown out**\n\nerror · from mine.py · may cause")
    assert "thrown-out.sessions = 1  # number of sessions" in shown
    assert "did you mean thrown-out?" in " ".join(run("rules", "show", "--rules", "mine.py", "throw").stderr.split())


def test_two_files(file: Path) -> None:
    (file.parent / "two.py").write_text(RULE.replace("MY001", "MY002").replace("thrown-out", "two"))
    result = run("analyze", "--rules", "mine.py", "--rules", "two.py", "--select", "MY001,MY002", "-q", LOOP)
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["MY001", "MY002"]
