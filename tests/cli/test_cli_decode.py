import json
from pathlib import Path

import pytest

from eiosniff.errors import CaptureError
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import EioType
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioType
from tests.cli.stand_in import Application, Run
from tests.unit.report.test_decode_lines import event, packet


@pytest.fixture(autouse=True)
def packets(application: Application) -> list[DecodedPacket]:
    application.packets = [packet(number=33), event(b'["chat",{"token":"s3cr3t5"}]', name="chat")]
    return application.packets


def test_text(run: Run, application: Application) -> None:
    lines = run("decode", "a.pcap", "--port", 3000, "--path", "/x").stdout.split("\n")
    assert lines[1].endswith('EVENT chat [{"token":"[redacted]"}]')
    assert application.options.ports == {3000}
    assert application.options.path == "/x"


def test_jsonl(run: Run) -> None:
    result = run("decode", "-f", "jsonl", "a.pcap")
    assert [json.loads(line)["packet"] for line in result.stdout.splitlines()] == [33, 34]
    assert result.exit_code == 0
    assert "s3cr3t5" in run("decode", "--no-redact", "-f", "jsonl", "a.pcap").stdout


def test_several_captures_are_told_apart(run: Run, application: Application) -> None:
    application.packets.append(packet(capture="b.pcap"))
    lines = run("decode", "a.pcap", "b.pcap").stdout.splitlines()
    assert (lines[0], lines[3]) == ("a.pcap", "b.pcap")
    lines = run("decode", "-f", "jsonl", "a.pcap", "b.pcap").stdout.splitlines()
    assert json.loads(lines[2])["capture"] == "b.pcap"


def test_what_came_before_an_error_is_shown(run: Run, application: Application, tmp_path: Path) -> None:
    application.error = CaptureError("b.pcap: no such file")
    result = run("decode", "a.pcap", "b.pcap")
    assert result.exit_code == 2
    assert result.stdout.count("\n") == 3
    assert result.stderr == "eiosniff: error: b.pcap: no such file\n"
    assert run("decode", "-o", tmp_path / "x", "a.pcap").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_long_lines_are_whole_when_piped(run: Run, application: Application) -> None:
    application.packets = [packet(data=b"x" * 5_000)]
    assert len(run("decode", "a.pcap").stdout) > 5_000


@pytest.mark.parametrize("arguments", [[], ["-f", "json", "a"], ["--quiet", "a"], ["-o", "/no/where/x", "a"]])
def test_mistakes(run: Run, arguments: list[str]) -> None:
    assert run("decode", *arguments).exit_code == 2


def test_filters_choose_what_is_shown(run: Run, application: Application) -> None:
    application.packets += [packet(EioType.PING), event(b'["x"]', name="other", side=Side.SERVER)]
    shown = run("decode", "a.pcap", "--event", "cha*", "--from", "client", "--session", "s1", "--namespace", "/")
    assert (shown.exit_code, shown.stdout.count("\n"), shown.stderr) == (0, 1, "")
    assert run("decode", "a.pcap", "--no-heartbeat").stdout.count("\n") == 3
    assert run("decode", "a.pcap", "--type", "event", "--type", "PING").stdout.count("\n") == 3


def test_filters_that_fit_nothing(run: Run) -> None:
    result = run("decode", "a.pcap", "--event", "caht")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "eiosniff: no packet matches: of 2 packets, none with --event caht; did you mean chat? there is chat\n"
    )
    beside = run("decode", "a.pcap", "--event", "caht", "--event", "chat")
    assert (beside.exit_code, beside.stdout.count("\n")) == (0, 1)
    assert beside.stderr == "eiosniff: nothing fits --event caht\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--type", "evnt"], "there is no packet type 'evnt'; did you mean EVENT?"),
        (["--type", "zzz"], "there is no packet type 'zzz'; there are open, close, ping,"),
        (["--from", "peer"], "'peer' is not one of"),
        (["--event", ""], "the value is empty"),
        (["--attachments", ""], "the name is empty"),
        (["--attachments", "/no/where/x"], "there is no directory /no/where"),
        (["--attachments", __file__], "is not a directory"),
        (["--attachments", str(Path(__file__).parent)], "is not empty; name a new directory, or empty this one"),
        (["--attachments-limit", "0"], "0 is not in the range"),
    ],
)
def test_mistakes_are_told_in_one_line(run: Run, arguments: list[str], message: str) -> None:
    result = run("decode", "a.pcap", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr.splitlines()[-1]


def test_type_names_in_any_spelling(run: Run, application: Application) -> None:
    application.packets = [event(b"{}", SioType.CONNECT_ERROR), event(b'["a"]', SioType.BINARY_EVENT, name="a")]
    for spelling in ("connect_error", "CONNECT-ERROR", "error"):
        assert "CONNECT_ERROR" in run("decode", "a.pcap", "--type", spelling).stdout
    assert run("decode", "a.pcap", "--type", "binary-event").stdout.count("\n") == 1


@pytest.fixture
def binaries(application: Application) -> None:
    """Two events that one captured packet completed, and a binary message that belongs to none."""
    bare = packet(data=b"bare", number=50)
    bare.engineio.binary = True
    application.packets = [
        event(b'["a"]', SioType.BINARY_EVENT, name="a", attachments=(b"one", b"two")),
        event(b'["b"]', SioType.BINARY_EVENT, name="b", attachments=(b"three",)),
        packet(),
        bare,
    ]


def written(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.mark.usefixtures("binaries")
def test_attachments(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "new"
    result = run("decode", "a.pcap", "-f", "jsonl", "--attachments", directory)
    assert written(directory) == {
        "000000034-s1-0001.bin": b"one",
        "000000034-s1-0002.bin": b"two",
        "000000034-s1-0003.bin": b"three",
        "000000050-s1-0001.bin": b"bare",
    }
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    named = [attachment["file"] for line in lines[:2] for attachment in line["socketio"]["attachments"]]
    named.append(lines[3]["engineio"]["file"])
    assert [Path(name) for name in named] == sorted(directory.iterdir())
    assert "file" not in lines[2]["engineio"]
    again = run("decode", "a.pcap", "--attachments", directory)
    assert again.exit_code == 2
    assert len(written(directory)) == 4
    assert "<3 bytes: 000000034-s1-0001.bin>" in run("decode", "a.pcap", "--attachments", tmp_path / "text").stdout


@pytest.mark.usefixtures("binaries")
def test_attachments_of_what_is_shown_only(run: Run, tmp_path: Path) -> None:
    tmp_path.joinpath("empty").mkdir()
    run("decode", "a.pcap", "--event", "b", "--attachments", tmp_path / "empty")
    assert written(tmp_path / "empty") == {"000000034-s1-0001.bin": b"three"}


@pytest.mark.usefixtures("binaries")
def test_attachments_of_several_captures(run: Run, application: Application, tmp_path: Path) -> None:
    application.packets.append(event(b'["a"]', SioType.BINARY_EVENT, attachments=(b"x",), name="a"))
    application.packets[-1].capture = "../b.pcap"
    captures = [f"{number}.pcap" for number in range(10)]
    assert run("decode", *captures, "--attachments", tmp_path / "x").exit_code == 0
    names = list(written(tmp_path / "x"))
    assert (names[0], names[-1]) == ("01-000000034-s1-0001.bin", "02-000000034-s1-0001.bin")


@pytest.mark.usefixtures("binaries")
def test_attachments_stop_at_the_limit(run: Run, application: Application, tmp_path: Path) -> None:
    application.packets = [event(b'["a"]', SioType.BINARY_EVENT, attachments=(b"x",)) for _ in range(250)]
    result = run("decode", "a.pcap", "--attachments", tmp_path / "x", "--attachments-limit", 1)
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "eiosniff: error: the attachments take more than 1 MB (a small file counts as 4 kB)"
    )
    assert len(written(tmp_path / "x")) == 1_000_000 // 4096 == result.stdout.count("\n")


@pytest.mark.usefixtures("binaries")
def test_a_file_that_somebody_else_makes_is_not_written_over(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "x"
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(()))  # it comes after the check
    directory.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (directory / "000000034-s1-0001.bin").symlink_to(elsewhere)
    (directory / "000000034-s1-0002.bin").symlink_to(tmp_path / "dangling")
    assert run("decode", "a.pcap", "--event", "b", "--attachments", directory).exit_code == 0
    assert elsewhere.read_bytes() == b"precious"
    assert not (tmp_path / "dangling").exists()
    assert (directory / "000000034-s1-0003.bin").read_bytes() == b"three"
