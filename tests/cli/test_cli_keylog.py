"""`--keylog` and SSLKEYLOGFILE: what is in clear with them, and one line where they cannot be used."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from eiosniff.cli.main import cli
from tests import decrypted
from tests.streams import RECORDED


@pytest.fixture
def apart(tmp_path: Path) -> tuple[str, str]:
    """A capture without its secrets, and these in a file of their own."""
    kept, keys = decrypted.apart(RECORDED / "tls" / "python-tls-1.3.pcapng")
    (tmp_path / "bare.pcapng").write_bytes(kept)
    (tmp_path / "keys.log").write_bytes(keys)
    return str(tmp_path / "bare.pcapng"), str(tmp_path / "keys.log")


def run(*args: str, environment: str | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, args, env={"SSLKEYLOGFILE": environment})
    return done.exit_code, done.stdout, done.stderr


def test_without_keys_it_is_said_how_to_get_some(apart: tuple[str, str]) -> None:
    code, out, _ = run("analyze", apart[0])
    assert code == 1
    assert "encrypted-without-keys" in out
    assert "--keylog" in out


def test_what_to_try_is_not_said_twice(apart: tuple[str, str], tmp_path: Path) -> None:
    _, out, _ = run("analyze", apart[0])
    assert out.count("Capture on the interface and port") == 1
    assert "Capture whole packets" not in out
    others = tmp_path / "others.log"
    others.write_text(f"CLIENT_RANDOM {'0' * 64} {'1' * 96}\n")
    code, out, _ = run("analyze", "--keylog", str(others), apart[0])
    assert code == 1
    assert "The keys are not those of the TLS connections" in out
    assert "Capture on the interface and port" not in out


def test_with_keys_it_is_read_as_if_in_clear(apart: tuple[str, str]) -> None:
    capture, keys = apart
    _, expected, _ = run("decode", str(RECORDED / "tls" / "python-tls-1.3.pcapng"))
    for args, environment in ((["--keylog", keys], None), ([], keys)):
        code, out, _ = run("decode", *args, capture, environment=environment)
        assert code == 0
        assert out == expected
        assert len(out.splitlines()) == 12
    code, out, _ = run("analyze", "--keylog", keys, capture)
    assert code == 0
    assert "encrypted" not in out.lower()


def test_a_key_log_of_the_environment_that_is_not_there_does_no_harm(apart: tuple[str, str]) -> None:
    code, out, err = run("analyze", apart[0], environment="/nowhere/keys.log")
    assert code == 1
    assert "encrypted-without-keys" in out
    assert err == ""


@pytest.mark.parametrize("command", ["analyze", "decode"])
def test_a_key_log_that_cannot_be_used_is_said_in_a_line(command: str, apart: tuple[str, str], tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none", "there is no such key log"),
        (tmp_path, "is a directory, not a key log"),
        (Path(apart[0]), "is not a key log"),
    ):
        code, out, err = run(command, "--keylog", str(path), apart[0])
        assert (code, out) == (2, "")
        assert says in err
        assert len(err.splitlines()) == 1
