"""Whole captures of what only tshark decrypts: all that is said of them is what is said of the same run in clear."""

import gzip
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.capture import tshark_program
from tests.cases import RECORDED
from tests.decrypted import apart

pytestmark = pytest.mark.interop

RUNS = [
    entry for entry in tomllib.loads((RECORDED / "decrypted_tshark.toml").read_text())["recording"] if "clear" in entry
]
WEBTRANSPORT = RECORDED / "webtransport" / "webtransport-only.pcapng"
ONE = RECORDED / RUNS[0]["file"]


@pytest.fixture(autouse=True)
def _there():
    try:
        tshark_program.find()
    except tshark_program.TsharkError as error:
        pytest.skip(str(error))


def said(path, size=50_000, **options):
    """What each side of each session said, in order."""
    sessions = {}
    for packet in app.decode([str(path)], app.Options(batch_size=size, **options)):
        engineio = packet.engineio
        words = packet.sid, engineio.side, engineio.type, engineio.transport, engineio.data
        sessions.setdefault((packet.session, engineio.side), []).append(words)
    return list(sessions.values())


def judged(report):
    return [(each.finding.rule, each.finding.severity, each.finding.occurrences) for each in report.diagnoses]


@pytest.mark.parametrize("entry", RUNS, ids=lambda entry: Path(entry["file"]).stem)
def test_the_same_is_said_of_both(entry):
    encrypted, clear = RECORDED / entry["file"], RECORDED / entry["clear"]
    assert said(encrypted) == said(clear) != []
    reports = [app.analyze([str(path)], app.Options()) for path in (encrypted, clear)]
    assert judged(reports[0]) == judged(reports[1])
    assert [(one.sid, one.transports) for one in reports[0].sessions] == [
        (one.sid, one.transports) for one in reports[1].sessions
    ]
    (summary,) = reports[0].captures
    assert summary.problems == []
    assert sum(each.decrypted for each in summary.encrypted) == summary.encrypted_connections > 0


@pytest.mark.parametrize("path", [ONE, WEBTRANSPORT], ids=["tls", "webtransport"])
def test_how_it_is_cut_into_batches_does_not_matter(path):
    def packets(size):
        return [
            (packet.session, packet.engineio.place, packet.engineio.side, packet.engineio.data)
            for packet in app.decode([str(path)], app.Options(batch_size=size))
        ]

    assert packets(1) == packets(7) == packets(100) == packets(50_000) != []


def test_compressed_captures_too(tmp_path):
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(gzip.compress(ONE.read_bytes()))
    assert said(path) == said(ONE)


def run(*arguments, **options):
    done = subprocess.run(
        [sys.executable, "-m", "eiosniff", *arguments], capture_output=True, check=False, timeout=120, **options
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def problems(text):
    return [problem["text"] for capture in json.loads(text)["captures"] for problem in capture["problems"]]


@pytest.mark.parametrize(("path", "of"), [(ONE, "TLS connections"), (WEBTRANSPORT, "QUIC connection")])
def test_without_tshark_the_report_comes_with_a_line(tmp_path, path, of):
    code, output, errors = run("analyze", "--format", "json", str(path), env={"PATH": str(tmp_path)})
    assert (code, errors) == (1, "")
    (line,) = problems(output)
    assert of in line
    assert "can only be decrypted by tshark, and tshark is not installed; install" in line
    code, output, _ = run("analyze", "--quiet", str(path), env={"PATH": str(tmp_path)})
    assert "can only be decrypted by tshark, and tshark is not installed" in output.splitlines()[0]
    code, _, errors = run("decode", str(path), env={"PATH": str(tmp_path)})
    assert code == 0
    assert "tshark is not installed" in errors


def test_keys_that_do_not_fit_are_told_from_a_cipher_that_nobody_knows(tmp_path):
    keys, bare = tmp_path / "keys.log", tmp_path / "bare.pcapng"
    kept, lines = apart(ONE)
    bare.write_bytes(kept)
    keys.write_bytes(b"\n".join(line[:-4] + b"0000" for line in lines.splitlines() if line.startswith(b"CLIENT")))
    code, output, _ = run("analyze", "--quiet", "--keylog", str(keys), str(bare))
    assert code == 1
    assert "and it decrypted nothing: the keys do not fit" in output


def test_standard_input_cannot_be_read_twice():
    code, output, errors = run("analyze", "--format", "json", "-", input=ONE.read_bytes())
    assert (code, errors) == (1, "")
    (line,) = problems(output)
    assert "what is read here cannot be read twice; write it to a file first" in line


def test_no_trace_is_left_in_the_temporary_folder(tmp_path):
    code, _, errors = run("analyze", str(ONE), env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)})
    assert (code, errors) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_capture_in_clear_loads_none_of_it():
    clear = str(RECORDED / RUNS[0]["clear"])
    script = (
        "import sys; from eiosniff import app; app.analyze([sys.argv[1]], app.Options()); "
        "print([name for name in ('pyshark', 'cryptography', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, clear], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
