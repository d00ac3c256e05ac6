"""Configurations: which one is read, what it changes, and what is said of one that cannot be used."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eiosniff.cli.main import cli
from eiosniff.model.finding import Severity
from tests.cases import RECORDED
from tests.cli.stand_in import Application, Run

LOOP = RECORDED / "faulty" / "connect-loop-kicked-raw-500ms.pcap"
TOML = """
select = ["connect-loop", "eio038"]
ignore = ["EIO038"]
fail-on = "error"

[severity]
connect-loop = "info"

[limits]
connect-loop.short_life_ms = 1000
connect-loop.fewest_lives = 5
"""
CFG = """
[metadata]
name = fleet

[eiosniff]
select = connect-loop, eio038
ignore =
    # of no interest
    EIO038
fail-on = error
severity =
    connect-loop = info
limits =
    connect-loop.short_life_ms = 1e3
    connect-loop.fewest_lives = 5

[flake8]
max-line-length = 120
"""


def here(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> Path:
    """The current folder with these files; `_` in a name stands for a dot."""
    monkeypatch.chdir(folder)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return here(tmp_path, monkeypatch)


def analyze(*arguments: object) -> Result:
    """The real thing."""
    return CliRunner().invoke(cli, ["analyze", *map(str, arguments)])


def error_of(result: Result) -> str:
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line.removeprefix("eiosniff: error: ")


@pytest.mark.parametrize(("name", "text"), [("eiosniff.toml", TOML), ("setup.cfg", CFG)])
def test_all_keys_reach_the_application(run: Run, application: Application, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    result = run("analyze", "a.pcap")
    options = application.options
    assert options.select == {"EIO089", "EIO038"}
    assert options.ignore == {"EIO038"}
    assert options.severity == {"EIO089": Severity.INFO}
    assert options.limits == {"EIO089": {"short_life_ms": 1000, "fewest_lives": 5}}
    assert f"\nConfiguration: {name} (select, ignore, fail-on, severity, limits)\n" in result.stdout


def test_without_one_nothing_changes_and_nothing_is_said(run: Run, application: Application, folder: Path) -> None:
    assert "Configuration" not in run("analyze", "a.pcap").stdout
    assert (application.options.select, application.options.severity, application.options.limits) == (None, {}, {})


def test_the_one_of_this_project_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(RECORDED.parent.parent)
    assert Path("setup.cfg").exists()
    assert "Configuration" not in run("analyze", "a.pcap").stdout


def test_our_own_file_wins_over_the_shared_one(
    run: Run, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(tmp_path, monkeypatch, eiosniff_toml='ignore = ["EIO089"]', setup_cfg="[eiosniff]\nselect = EIO038\n")
    run("analyze", "a.pcap")
    assert (application.options.select, application.options.ignore) == (None, {"EIO089"})


def test_a_file_may_be_named_and_the_folder_is_then_not_looked_at(
    run: Run, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(tmp_path, monkeypatch, eiosniff_toml="nonsense", ci_toml='ignore = "EIO089"', ci_cfg=CFG)
    assert "Configuration: ci.toml (ignore)" in run("analyze", "--config", "ci.toml", "a.pcap").stdout
    assert application.options.ignore == {"EIO089"}
    assert "Configuration: ci.cfg (select" in run("analyze", "--config", "ci.cfg", "a.pcap").stdout
    assert "Configuration" not in run("analyze", "--no-config", "a.pcap").stdout
    both = run("analyze", "--no-config", "--config", "ci.toml", "a.pcap")
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)


def test_json_and_quiet_say_nothing_of_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(tmp_path, monkeypatch, eiosniff_toml='fail-on = "never"')
    assert "onfiguration" not in run("analyze", "-f", "json", "a.pcap").stdout
    assert "onfiguration" not in run("analyze", "-q", "a.pcap").stdout


@pytest.mark.parametrize(
    ("arguments", "select", "ignore"),
    [
        ([], {"EIO089", "EIO038"}, {"EIO038"}),
        (["--select", "EIO038"], {"EIO038"}, set()),
        (["--ignore", "EIO089"], {"EIO089", "EIO038"}, {"EIO089"}),
        (["--select", "EIO038", "--ignore", "EIO089"], {"EIO038"}, {"EIO089"}),
    ],
)
def test_options_win(
    run: Run, application: Application, folder: Path, arguments: list[str], select: set[str], ignore: set[str]
) -> None:
    (folder / "eiosniff.toml").write_text(TOML)
    run("analyze", *arguments, "a.pcap")
    assert (application.options.select, application.options.ignore) == (select, ignore)


def test_fail_on_of_the_command_line_wins(run: Run, folder: Path) -> None:
    (folder / "eiosniff.toml").write_text('fail-on = "never"')
    assert run("analyze", "a.pcap").exit_code == 0
    assert run("analyze", "--fail-on", "warning", "a.pcap").exit_code == 1  # the default, but said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ignroe = []", "ignroe: there is no such key; did you mean ignore?"),
        ("zzz = 1", "zzz: there is no such key; there are select, ignore, fail-on, severity, limits"),
        ("[eiosniff]", "eiosniff: there is no such key; keys stand in eiosniff.toml without a section around them"),
        ("rules = ['x.py']", "rules: there is no such key"),
        ("ignore = 3", 'ignore: this is no list of rules; write ignore = ["connect-loop", "EIO038"]'),
        ("ignore = [3]", "ignore: this is no list of rules"),
        ("select = []", "select: the list is empty"),
        ("select = ['conect-loop']", "select: there is no rule 'conect-loop'; did you mean connect-loop?"),
        ("fail-on = 'eror'", "fail-on: 'eror' is not known; did you mean error?"),
        ("fail-on = 3", "fail-on: 3 is not known; there are error, warning, info, never"),
        ("severity = 3", "severity: this is no table; write [severity] and below it RULE = error"),
        ("[severity]\nEIO99 = 'info'", "severity: there is no rule 'EIO99'; did you mean"),
        ("[severity]\nEIO089 = 'warn'", "severity: EIO089: 'warn' is not known; did you mean warning?"),
        ("[severity]\nEIO089 = 'never'", "severity: EIO089: 'never' is not known; there are info, warning, error"),
        ("[severity]\nEIO089 = 'info'\nconnect-loop = 'info'", "severity: connect-loop (EIO089) is there twice"),
        ("limits = []", "limits: this is no table"),
        ("[limits]\nfewest_lives = 3", "limits: 'fewest_lives' does not name a rule and a limit"),
        ("[limits]\nx.y = 3", "limits: there is no rule 'x'; `eiosniff rules` lists all of them"),
        ("[limits]\nEIO089.fewest = 3", "limits: connect-loop has no limit 'fewest'; did you mean fewest_lives?"),
        ("[limits]\nEIO089.x = 3", "limits: connect-loop has no limit 'x'; it has fewest_lives, short_life_ms"),
        ("[limits]\nEIO038.x = 3", "limits: client-ping-in-eio4 has no limit 'x'; it has none at all"),
        ("[limits]\nEIO089.fewest_lives = 0", "EIO089.fewest_lives: 0 is not usable; it is a whole number from 1 to"),
        ("[limits]\nEIO089.fewest_lives = 2.5", "EIO089.fewest_lives: 2.5 is not usable"),
        ("[limits]\nEIO089.fewest_lives = true", "EIO089.fewest_lives: True is no number"),
        ("[limits]\nEIO089.short_life_ms = -1", "EIO089.short_life_ms: -1 is not usable; it is a number from 0 to"),
        ("[limits]\nEIO089.short_life_ms = nan", "nan is not usable"),
        ("[limits]\nEIO089.short_life_ms = inf", "inf is not usable"),
        ("[limits]\nEIO089.short_life_ms = '30 s'", "'30 s' is no number; it is in milliseconds"),
        (
            "[limits]\nEIO089.fewest_lives = 3\nconnect-loop.fewest_lives = 3",
            "limits: fewest_lives of connect-loop (EIO089) is there twice",
        ),
        (f"[limits]\n{'x.' * 5000}y = 3", "limits: there is no rule"),
        ("x =", "this is not TOML: Invalid value"),
        ("a = 1\n= 2", "this is not TOML: Invalid statement (at line 2, column 1)"),
        (f"x = {'9' * 5000}", "this is not TOML"),
        (f"x = {'[' * 5000}", "nested too deeply"),
        (f"x = '{'9' * 1_000_000}'", "the file is too large"),
    ],
)
def test_each_mistake_in_toml_is_named(run: Run, folder: Path, text: str, complaint: str) -> None:
    (folder / "eiosniff.toml").write_text(text)
    said = error_of(run("analyze", "a.pcap"))
    assert said.startswith("eiosniff.toml: ")
    assert complaint in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[eiosniff]\nignroe = x", "ignroe: there is no such key; did you mean ignore?"),
        ("[eiosniff]\nignore =", "ignore: the list is empty"),
        ("[eiosniff]\nignore = EIO089 EIO038", "ignore: there is no rule 'EIO089 EIO038'"),
        ("[eiosniff]\nseverity =\n  EIO089 info", "severity: there is no '=' in 'EIO089 info'; write RULE = error"),
        ("[eiosniff]\nlimits =\n  EIO089.fewest_lives = few", "EIO089.fewest_lives: 'few' is no number"),
        ("[eiosniff]\n\nignore = EIO089\nignore = EIO089", "line  4]: option 'ignore' in section 'eiosniff' already"),
        ("\n[eiosniff] # ours\nignore", "[line  3]: 'ignore'"),
    ],
)
def test_each_mistake_in_a_section_is_named(run: Run, folder: Path, text: str, complaint: str) -> None:
    (folder / "setup.cfg").write_text(text)
    said = error_of(run("analyze", "a.pcap"))
    assert said.startswith("setup.cfg: ")
    assert complaint.replace("  ", " ") in said


@pytest.mark.parametrize("text", ["[metadata\nbroken", "\xff", "[tool:eiosniff]\nx = 1", "[x]\ny =\n  [eiosniff]\n"])
def test_a_setup_cfg_that_is_not_for_us_is_no_mistake(run: Run, folder: Path, text: str) -> None:
    (folder / "setup.cfg").write_text(text, encoding="latin-1")
    assert run("analyze", "a.pcap").exit_code == 1


def test_what_others_wrote_beside_our_section_is_no_mistake(run: Run, application: Application, folder: Path) -> None:
    (folder / "setup.cfg").write_text("[DEFAULT]\nx = 1\n[a]\n y\n[eiosniff]\nignore = EIO089\n[b]\nz\n%(nothing)s\n")
    assert run("analyze", "a.pcap").exit_code == 1
    assert application.options.ignore == {"EIO089"}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("none.toml", "none.toml: there is no such file; --config takes the path of a .toml or .cfg file"),
        ("folder.toml", "folder.toml: Is a directory"),
        ("ci.json", "ci.json: by its name this is no configuration; name a .toml or .cfg file"),
        ("empty.cfg", "empty.cfg has no section [eiosniff]"),
        ("latin.toml", "latin.toml: the file is not text in UTF-8"),
    ],
)
def test_a_named_file_that_is_of_no_use(run: Run, folder: Path, name: str, complaint: str) -> None:
    (folder / "folder.toml").mkdir()
    for empty in ("ci.json", "empty.cfg"):
        (folder / empty).touch()
    (folder / "latin.toml").write_bytes(b"\xff")
    assert complaint in error_of(run("analyze", "--config", name, "a.pcap"))


def test_a_name_steers_no_terminal(run: Run, folder: Path) -> None:
    (folder / "eiosniff.toml").write_text('ignore = ["\\u001b[31m"]')
    assert "\x1b" not in error_of(run("analyze", "a.pcap"))


def test_a_severity_counts_in_the_report_the_json_and_the_exit_code(folder: Path) -> None:
    (folder / "eiosniff.toml").write_text('[severity]\nconnect-loop = "info"\n')
    result = analyze("-f", "json", LOOP)
    first = json.loads(result.stdout)["diagnoses"][0]
    # What it explains is worse now: the cause stays first.
    assert (first["rule"], first["severity"], result.exit_code) == ("EIO089", "info", 1)
    (folder / "eiosniff.toml").write_text('ignore = ["no-backoff"]\n[severity]\nconnect-loop = "info"\n')
    result = analyze(LOOP)
    assert result.exit_code == 0
    assert "\nINFO  The client connects again and again" in result.stdout
    assert "\nNo error and no warning by the selected rules: " in result.stdout


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("fewest_lives = 8", True),
        ("fewest_lives = 9", False),
        ("short_life_ms = 3", False),
        ("quick_return_ms = 1e2", False),
    ],
)
def test_a_limit_counts(folder: Path, setting: str, found: bool) -> None:
    (folder / "eiosniff.toml").write_text(f'select = ["EIO089"]\n[limits]\nconnect-loop.{setting}\n')
    assert ("connect-loop" in analyze("-q", LOOP).stdout) is found


def test_names_with_dots_need_no_quotes(folder: Path) -> None:
    (folder / "eiosniff.toml").write_text('[severity]\neio3-client-on-3.0-server = "info"\n')
    assert "(severity)" in analyze(LOOP).stdout
