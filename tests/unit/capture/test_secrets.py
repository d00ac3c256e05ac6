"""Key logs: what is read of them, what is said of what is none, and that new lines are taken."""

import os
from pathlib import Path

import pytest

from eiosniff.capture.secrets import TLS_KEY_LOG, KeySource
from eiosniff.errors import EiosniffError
from eiosniff.model.secrets import CLIENT_RANDOM, Secrets

RANDOM = bytes(range(32))
LINE = f"CLIENT_RANDOM {RANDOM.hex()} {'ab' * 48}\n".encode()
NOWHERE: dict[str, str] = {}


class Carrier:
    def __init__(self) -> None:
        self.secrets: list[tuple[int, bytes]] = []


def line_of(random: int) -> bytes:
    return f"CLIENT_RANDOM {random:064x} {'cd' * 48}\n".encode()


def test_lines_of_several_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"# comment\r\n\r\n" + LINE)
    other.write_bytes(line_of(1) + line_of(2).rstrip())
    with KeySource([str(one), str(other), str(one)], environment={"SSLKEYLOGFILE": "x"}) as keys:
        assert keys.secrets.lines == 3
        assert keys.secrets.get(CLIENT_RANDOM, RANDOM) == b"\xab" * 48
        assert keys.secrets.knows((2).to_bytes(32, "big"))
        assert not keys.secrets.grows


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, ": there is no such key log"),
        (Path.mkdir, " is a directory, not a key log"),
        (lambda path: path.write_bytes(b""), " has no keys in it: no program wrote any"),
        (lambda path: path.write_bytes(b"# nothing\n"), " has no keys in it: no program wrote any"),
        (os.mkfifo, " is a pipe or a device, and a key log has to be a file"),
        (lambda path: path.write_bytes(b"\x7fELF" + bytes(5_000)), " is not a key log: no line of it is one of a"),
        (lambda path: path.write_text("-----BEGIN PRIVATE KEY-----\n"), " is not a key log: no line of it is one"),
    ],
)
def test_what_is_no_key_log_is_refused_in_a_line(make: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    make(path)  # type: ignore[operator]
    with pytest.raises(EiosniffError) as caught:
        KeySource([str(path)])
    assert str(caught.value).startswith(f"{path}{says}")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_editors_and_shells_make_of_a_key_log(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    path.write_text(mark + LINE.decode() * 2, encoding=encoding, newline="\r\n")
    with KeySource([str(path)]) as keys:
        assert (len(keys.secrets), keys.secrets.lines, keys.secrets.odd) == (1, 2, 0)


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(EiosniffError):
        KeySource(["a\0b"])


def of_environment(environment: dict[str, str]) -> Secrets:
    with KeySource(environment=environment) as keys:
        return keys.secrets


def test_the_environment_is_asked_where_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    environment = {"SSLKEYLOGFILE": str(path)}
    assert not of_environment(environment)
    path.write_bytes(b"odd\n")  # whoever set it need not have meant us
    assert of_environment(environment).odd == 1
    path.write_bytes(LINE)
    assert len(of_environment(environment)) == 1
    assert not of_environment(NOWHERE)


def test_lines_that_are_added_are_taken_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_bytes(b"")
    with KeySource([str(path)], grows=True) as keys, path.open("ab", buffering=0) as log:
        assert keys.secrets.grows
        log.write(LINE[:60])
        keys.update()
        assert (keys.secrets.lines, keys.secrets.odd) == (0, 0)
        grown = keys.secrets.grown
        log.write(LINE[60:] + line_of(7)[:10])
        keys.update()
        assert keys.secrets.lines == 1
        assert keys.secrets.grown > grown
        log.write(line_of(7)[10:])
        keys.update()
        assert keys.secrets.knows((7).to_bytes(32, "big"))


def test_a_key_log_that_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_bytes(line_of(1) + line_of(2))
    with KeySource([str(path)], grows=True) as keys:
        path.write_bytes(line_of(3))  # emptied, and written again
        keys.update()
        assert len(keys.secrets) == 3
        path.unlink()
        keys.update()
        path.write_bytes(line_of(4) * 9)  # another file
        keys.update()
        assert len(keys.secrets) == 4


def test_what_to_do_if_the_program_has_not_made_it_yet(tmp_path: Path) -> None:
    with pytest.raises(EiosniffError) as caught:
        KeySource([str(tmp_path / "keys.log")], grows=True)
    assert "touch" in caught.value.remedy


def test_a_line_without_end_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_bytes(LINE + b"A" * 3_000_000)
    with KeySource([str(path)]) as keys:
        assert keys.secrets.lines == 1
        assert keys.secrets.odd <= 2


def test_what_a_capture_carries() -> None:
    carrier = Carrier()
    keys = KeySource(environment=NOWHERE)
    keys.update(carrier)
    carrier.secrets.append((0x57474B4C, b"of WireGuard"))
    carrier.secrets.append((TLS_KEY_LOG, LINE))
    keys.update(carrier)
    keys.update(carrier)
    assert keys.secrets.lines == 1
    carrier.secrets.append((TLS_KEY_LOG, line_of(3)))
    keys.update(carrier)
    assert len(keys.secrets) == 2
