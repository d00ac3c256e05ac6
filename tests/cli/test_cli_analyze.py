import json
import os
import stat
from pathlib import Path

import pytest

from eiosniff.errors import CaptureError
from eiosniff.model.finding import Diagnosis, Severity
from tests.cli.stand_in import Application, Run
from tests.unit.report.builders import finding, healthy, loop, report


def test_a_report_as_text(run: Run, application: Application) -> None:
    result = run("analyze", "a.pcap")
    assert result.stdout.startswith("s3-arduino-old-eio4-to-v484.pcap   156 packets")
    assert "ERROR  The client sends PING" in result.stdout
    assert result.stderr == ""
    assert application.captures == ["a.pcap"]
    assert application.options.select is None
    assert application.progress is None  # stderr is no terminal


def test_a_report_as_json(run: Run) -> None:
    result = run("analyze", "-f", "json", "a.pcap")
    assert json.loads(result.stdout)["diagnoses"][0]["rule"] == "EIO038"
    assert result.exit_code == 1


def test_every_option_reaches_the_application(run: Run, application: Application) -> None:
    run(
        "analyze", "--select", "eio038, connect-loop", "--ignore", "EIO089", "--port", 3000, "--port", 80,
        "--path", "/socket.io/", "--max-sessions", 5, "a.pcap", "b.pcap",
    )  # fmt: skip
    assert application.captures == ["a.pcap", "b.pcap"]
    options = application.options
    assert options.select == frozenset({"EIO038", "EIO089"})
    assert options.ignore == {"EIO089"}
    assert options.ports == {3000, 80}
    assert options.path == "/socket.io/"
    assert options.max_sessions == 5


def test_so_many_diagnoses_are_explained(run: Run, application: Application) -> None:
    application.report = report(diagnoses=[Diagnosis(finding()), Diagnosis(loop())])
    assert "--limit" not in run("analyze", "a.pcap").stdout
    assert "--limit 2 explains all" in run("analyze", "--limit", "1", "a.pcap").stdout
    assert "--limit 2 explains all" in run("analyze", "--limit", 0, "a.pcap").stdout


def test_quiet_is_one_line_a_diagnosis(run: Run) -> None:
    assert run("analyze", "-q", "a.pcap").stdout.count("\n") == 1


def test_figures_show_on_demand(run: Run) -> None:
    assert "How long answers take" not in run("analyze", "a.pcap").stdout
    assert "How long answers take" in run("analyze", "--figures", "a.pcap").stdout


def test_secrets_show_on_demand(run: Run, application: Application) -> None:
    application.report = report(diagnoses=[Diagnosis(finding(summary="GET /?token=s3cr3t5"))])
    assert "s3cr3t5" not in run("analyze", "a.pcap").stdout
    assert "s3cr3t5" in run("analyze", "--no-redact", "a.pcap").stdout


def test_selected_rules_promise_less(run: Run, application: Application) -> None:
    application.report = healthy()
    assert "all healthy" in run("analyze", "a.pcap").stdout
    assert "by the selected rules" in run("analyze", "--ignore", "EIO089", "a.pcap").stdout


@pytest.mark.parametrize(
    ("severity", "consequence", "fail_on", "code"),
    [
        (Severity.ERROR, None, None, 1),
        (Severity.WARNING, None, None, 1),
        (Severity.INFO, None, None, 0),
        (Severity.INFO, None, "info", 1),
        (Severity.WARNING, None, "error", 0),
        (Severity.WARNING, Severity.ERROR, "error", 1),
        (Severity.ERROR, None, "never", 0),
    ],
)
def test_exit_codes(
    run: Run, application: Application, severity: Severity, consequence: Severity | None, fail_on: str | None, code: int
) -> None:
    consequences = [loop(severity=consequence)] if consequence else []
    application.report = report(diagnoses=[Diagnosis(finding(severity=severity), consequences)])
    assert run("analyze", *(["--fail-on", fail_on] if fail_on else []), "a.pcap").exit_code == code


def test_no_findings_is_0(run: Run, application: Application) -> None:
    application.report = healthy()
    assert run("analyze", "a.pcap").exit_code == 0


def test_a_crashed_rule_is_3_and_the_report_comes(run: Run, application: Application) -> None:
    application.report.crashed = True
    result = run("analyze", "--fail-on", "never", "a.pcap")
    assert result.exit_code == 3
    assert "ERROR" in result.stdout
    assert "the report is not complete" in result.stderr


def test_unusable_input_is_one_line_and_2(run: Run, application: Application) -> None:
    application.error = CaptureError("no\x1b[31m.pcap: no such file", "check the path")
    result = run("analyze", "no.pcap")
    assert result.exit_code == 2
    assert result.stderr == "eiosniff: error: no\\x1b[31m.pcap: no such file; check the path\n"
    assert result.stdout == ""


def test_a_bug_is_one_line_and_3(run: Run, application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    application.error = KeyError("oops\n")
    result = run("analyze", "a.pcap")
    assert result.exit_code == 3
    assert result.stderr.startswith("eiosniff: internal error: KeyError in eiosniff/cli/analyze.py:")
    assert "oops" in result.stderr
    assert result.stderr.count("\n") == 1
    monkeypatch.setenv("EIOSNIFF_DEBUG", "1")
    assert "Traceback" in run("analyze", "a.pcap").stderr


def test_interrupted_is_130(run: Run, application: Application) -> None:
    application.error = KeyboardInterrupt()
    result = run("analyze", "a.pcap")
    assert (result.exit_code, result.stdout) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument 'CAPTURE...'"),
        (["-f", "sarif", "a"], "'sarif' is not one of"),
        (["--fail-on", "maybe", "a"], "'maybe' is not one of"),
        (["--select", "EIO999", "a"], "there is no rule 'EIO999'; did you mean EIO089"),
        (["--select", "client-ping", "a"], "did you mean client-ping-in-eio4"),
        (["--select", "zzzzzz", "a"], "`eiosniff rules` lists all of them"),
        (["--ignore", "EIO038,", "a"], "a rule is missing in the list"),
        (["--ignore", "", "a"], "a rule is missing in the list"),
        (["--port", "0", "a"], "0 is not in the range"),
        (["--port", "http", "a"], "'http' is not a valid integer"),
        (["--path", "socket.io", "a"], "a request path begins with a slash: /socket.io"),
        (["--max-sessions", "0", "a"], "0 is not in the range"),
        (["--limit", "-1", "a"], "-1 is not in the range"),
        (["--output", "", "a"], "the name is empty"),
        (["--output", "nowhere/report", "a"], "there is no directory nowhere"),
        (["--output", ".", "a"], "is a directory"),
        (["--output", "x" * 5000, "a"], "File name too long"),
        (["-", "-"], "standard input (-) can only be read once"),
        (["--live", "a"], "No such option"),
    ],
)
def test_each_mistake_is_named_and_2(run: Run, arguments: list[str], complaint: str) -> None:
    result = run("analyze", *arguments)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_terminal_is_no_capture(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    assert "is a terminal" in run("analyze", "-").stderr


def test_an_output_file_appears_complete(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    result = run("analyze", "-f", "json", "-o", target, "a.pcap")
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(target.read_text("utf-8"))["schema"] == "eiosniff.report/1"
    assert list(tmp_path.iterdir()) == [target]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


@pytest.mark.interpreted
def test_an_old_output_file_stays_when_the_work_fails(run: Run, application: Application, tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("old")
    target.chmod(0o640)
    application.report.captures[0].packets = "no number"  # type: ignore[assignment]
    assert run("analyze", "-o", target, "a.pcap").exit_code == 3
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    application.report = healthy()
    run("analyze", "-o", target, "a.pcap")
    assert "healthy" in target.read_text("utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_stays_a_link(run: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    run("analyze", "-o", link, "a.pcap")
    assert link.is_symlink()
    assert "ERROR" in target.read_text("utf-8")


def test_a_capture_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(b"precious")
    result = run("analyze", "-o", capture, capture)
    assert result.exit_code == 2
    assert "it would be lost" in " ".join(result.stderr.split())
    assert capture.read_bytes() == b"precious"


def test_devices_are_written_to_not_replaced(run: Run, tmp_path: Path) -> None:
    assert run("analyze", "-o", "/dev/null", "a.pcap").exit_code == 1
    full = run("analyze", "-o", "/dev/full", "a.pcap")
    assert full.exit_code == 2
    assert "cannot write to /dev/full: No space left on device" in full.stderr
    assert not full.stdout


def test_a_minus_is_standard_output(run: Run) -> None:
    assert "ERROR" in run("analyze", "-o", "-", "a.pcap").stdout


def test_a_directory_that_cannot_be_written_to(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    result = run("analyze", "-o", tmp_path / "x", "a.pcap")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "Permission denied" in result.stderr


def test_a_file_that_cannot_take_its_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    result = run("analyze", "-o", tmp_path / "x", "a.pcap")
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_columns_of_the_environment_count_for_what_is_piped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert "  sid  " in run("analyze", "a.pcap").stdout
    monkeypatch.setenv("COLUMNS", "wide")
    assert "  sid  " not in run("analyze", "a.pcap").stdout
