import json
import re
import subprocess
import sys

import pytest

from eiosniff.capture import health
from eiosniff.capture.health import Fact, Health, Status
from tests.cases import ROOT
from tests.cli.stand_in import Run

REMEDY = (
    "`sudo dpkg-reconfigure wireshark-common` (answer Yes), `sudo usermod -aG wireshark alice`, then log out and in "
    "again; or just now: `sudo /home/alice/some where/.venv/bin/eiosniff live INTERFACE`"
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Health:
    """What is found out of this system."""
    made = Health("Python 3.11.7, Linux 6.1 x86_64")
    made.facts = [
        Fact("capture", "dumpcap", Status.OK, "4.0.17, /usr/bin/dumpcap, may capture"),
        Fact("capture", "socket", Status.ABSENT, "may not be opened (\x1b[31mno)", "live captures without a program"),
        Fact("programs", "Brotli", Status.ABSENT, "not installed", "HTTP bodies in br", "pip install Brotli"),
    ]
    made.backends = ["dumpcap", "tcpdump"]
    monkeypatch.setattr(health, "examine", lambda: made)
    return made


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A folder without a configuration."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_is_said_in_lines_of_80_columns(run: Run, found: Health) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert re.match(r"eiosniff \d+\.\d+\.\d+\S*, Python 3.11.7, Linux 6.1 x86_64$", lines[0])
    assert "  ok      dumpcap        4.0.17, /usr/bin/dumpcap, may capture" in lines
    assert r"  absent  socket         may not be opened (\x1b[31mno); needed for live" in lines
    assert "  absent  Brotli         not installed; needed for HTTP bodies in br; pip" in lines
    assert "  ok      configuration  none in this folder (eiosniff.toml, setup.cfg)" in lines
    assert lines[-1] == "eiosniff analyze works, and eiosniff live with dumpcap."
    assert max(map(len, lines)) <= 80


def test_without_rights_the_last_lines_say_what_to_do(run: Run, found: Health) -> None:
    found.backends, found.remedy = [], REMEDY
    result = run("doctor")
    assert result.exit_code == 1
    end = result.stdout.split("\n\n")[-1]
    assert " ".join(end.split()) == f"eiosniff analyze works. eiosniff live does not: {REMEDY}."
    for command in re.findall(r"`.*?`", REMEDY):  # each can be copied
        assert command in end


def test_where_nothing_works_that_is_said(run: Run, found: Health) -> None:
    found.facts.append(Fact("programs", "numpy", Status.BROKEN, "not installed", "reading captures"))
    result = run("doctor")
    assert result.exit_code == 1
    assert result.stdout.endswith("\neiosniff does not work here: see what is broken above.\n")


def test_a_configuration_that_counts_here_is_named(run: Run, found: Health, somewhere) -> None:
    (somewhere / "eiosniff.toml").write_text('fail-on = "error"\n')
    assert "configuration  eiosniff.toml (fail-on)" in run("doctor").stdout


def test_a_configuration_that_is_wrong_is_said_so(run: Run, found: Health, somewhere) -> None:
    (somewhere / "eiosniff.toml").write_text('fail-at = "error"\n')
    result = run("doctor")
    assert result.exit_code == 1
    assert "broken  configuration  eiosniff.toml: fail-at: there is no such key; did you" in result.stdout


def test_json_has_all_of_it(run: Run, found: Health) -> None:
    result = run("doctor", "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert list(document) == ["schema", "eiosniff", "system", "works", "backends", "remedy", "facts"]
    assert document["schema"] == "eiosniff.doctor/1"
    assert document["works"] == {"analyze": True, "live": True}
    assert document["backends"] == ["dumpcap", "tcpdump"]
    assert document["remedy"] is None
    assert document["facts"][2] == {
        "area": "programs", "name": "Brotli", "status": "absent", "text": "not installed",
        "needed_for": "HTTP bodies in br", "remedy": "pip install Brotli",
    }  # fmt: skip
    assert {fact["name"] for fact in document["facts"]} >= {"terminal", "configuration"}
    assert "\x1b" not in result.stdout


def test_it_works_without_any_of_the_libraries(somewhere) -> None:
    blocked = ("numpy", "rich", "msgspec", "scapy", "zstandard", "brotli", "tomllib")
    program = f"""
import sys
sys.modules.update(dict.fromkeys({blocked}))
from eiosniff.cli.main import main
sys.argv = ["eiosniff", "doctor"]
main()
"""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={"PATH": "/nowhere"})
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "eiosniff does not work here" in ran.stdout


def test_it_is_among_the_examples(run: Run) -> None:
    assert "eiosniff doctor " in run("--help").stdout
