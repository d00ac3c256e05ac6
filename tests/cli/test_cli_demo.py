from pathlib import Path

from tests.cli.stand_in import Application, Run


def test_the_recording_is_analysed_and_named(run: Run, application: Application) -> None:
    result = run("demo")
    assert result.exit_code == 0
    assert Path(application.captures[0]).name == "s3-arduino-old-eio4-to-v484.pcap"
    assert "ERROR  The client sends PING" in result.stdout
    assert application.captures[0] in result.stdout


def test_a_fault_was_expected(run: Run) -> None:
    assert run("demo", "--fail-on", "error").exit_code == 1
