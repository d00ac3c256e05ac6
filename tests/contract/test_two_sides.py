"""Two captures of the same sessions: who is who, how far the clocks are apart, and what differs."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eiosniff.cli.main import cli
from eiosniff.model.finding import Severity
from tests.cases import RECORDED, recordings, report_of
from tests.parts import later, records, report, split
from tests.streams import BATCH_SIZES

FOLDER = RECORDED / "two_sides"
ENTRIES = {entry["path"]: entry for entry in recordings("two_sides")}
PAIRS = {path.stem.removesuffix("-server"): path for path in ENTRIES if path.stem.endswith("-server")}
NAMES = sorted(PAIRS)
PROXIED = sorted(
    path.stem.removesuffix("-client-hop")
    for path in (RECORDED / "proxied").glob("*-client-hop.pcap")
    if path.with_name(path.name.replace("client-hop", "server-hop")).exists()
)


def files(name: str) -> list[str]:
    return [str(FOLDER / f"{name}-{side}.pcap") for side in ("client", "server")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [1, -1])
def test_clocks_are_aligned_and_sides_are_told(name: str, order: int) -> None:
    client, server = files(name)
    (sides,) = report([client, server][::order])["sides"]
    assert (sides["client"], sides["server"], sides["sessions"]) == (client, server, 1)
    ahead_ms = ENTRIES[PAIRS[name]]["ahead_s"] * 1000
    assert sides["clock_ahead_ms"] == pytest.approx(ahead_ms, abs=sides["clock_unsure_ms"] + 0.1)
    assert sides["clock_unsure_ms"] < 1


@pytest.mark.parametrize("name", [name for name in NAMES if ENTRIES[PAIRS[name]]["healthy"]])
def test_two_sides_of_healthy_sessions_have_no_faults(name: str) -> None:
    assert all(each.finding.severity is Severity.INFO for each in report_of(*map(Path, files(name))).diagnoses)


@pytest.mark.parametrize("name", PROXIED)
def test_real_proxies_change_nothing_that_matters(name: str) -> None:
    made = report([str(RECORDED / "proxied" / f"{name}-{side}-hop.pcap") for side in ("server", "client")])
    assert not [each["name"] for each in made["diagnoses"] if each["severity"] != "info"]
    if "refused" not in name:
        assert made["sides"][0]["sessions"] == 1


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("name", ["message-dropped", "messages-held"])
def test_batches_make_no_difference(name: str, batch_size: int) -> None:
    assert report(files(name), batch_size=batch_size) == report(files(name))


def found(made: dict[str, Any], name: str) -> dict[str, Any]:
    diagnosis: dict[str, Any] = next(each for each in made["diagnoses"] if each["name"] == name)
    return diagnosis


def test_evidence_names_both_files_and_is_by_one_clock() -> None:
    client, server = files("messages-held")
    proof = found(report([client, server]), "held-back")["evidence"]
    assert {each["capture"] for each in proof} == {client, server}
    assert proof == sorted(proof, key=lambda each: str(each["time"]))
    numbers = {name: len(records(Path(name))[1]) for name in (client, server)}
    assert all(0 < each["packet"] <= numbers[each["capture"]] for each in proof)


def test_the_session_of_the_server_says_which_it_is() -> None:
    first, second = report(files("nginx-upgrade"))["sessions"]
    assert {first.get("same_as"), second.get("same_as")} == {None, "s1"}


def test_one_by_one_compares_nothing() -> None:
    assert "sides" not in report(files("hung-up"), joined=False)


def test_a_side_in_parts(tmp_path: Path) -> None:
    client, server = files("message-dropped")
    parts = split(Path(server), tmp_path, [20, 41], "server_{:05d}.pcap")
    made = report([client, *parts])
    assert made["sides"][0]["server"].endswith("(3 files)")
    whole = found(report([client, server]), "lost-between")
    assert found(made, "lost-between")["cause"] == whole["cause"]


def test_what_the_other_capture_lacks_is_not_lost(tmp_path: Path) -> None:
    client, server = files("nginx-upgrade")
    header, packets = records(Path(server))
    cut = tmp_path / "server.pcap"
    cut.write_bytes(header + b"".join(packets[: len(packets) // 2]))
    assert not [each for each in report([client, str(cut)])["diagnoses"] if each["severity"] != "info"]
    cut.write_bytes(header + b"".join(packets[len(packets) // 2 :]))
    assert not [each for each in report([client, str(cut)])["diagnoses"] if each["name"] == "lost-between"]
    cut.write_bytes(header + b"".join(packet for at, packet in enumerate(packets) if at != len(packets) - 30))
    assert not [each for each in report([client, str(cut)])["diagnoses"] if each["name"] == "lost-between"]


@pytest.mark.parametrize("drift_ppm", [500, -500])
def test_a_clock_that_drifts(drift_ppm: int, tmp_path: Path) -> None:
    client, server = RECORDED / "two_sides/half-closed-client.pcap", tmp_path / "server.pcap"
    header, packets = records(RECORDED / "two_sides/half-closed-server.pcap")
    server.write_bytes(header + b"".join(later(packet, at * drift_ppm // 1000) for at, packet in enumerate(packets)))
    assert "held-back" not in {each["name"] for each in report([str(client), str(server)])["diagnoses"]}


STORY = RECORDED / "arduino" / "s3-arduino-old-eio4-to-v484.pcap"


@pytest.mark.parametrize("ahead_ms", [0, 3_600_000])
def test_a_fault_that_several_captures_show_is_told_once_and_copies_are_told(ahead_ms: int, tmp_path: Path) -> None:
    header, packets = records(STORY)
    copies = [str(tmp_path / "b.pcap"), str(tmp_path / "c.pcap")]
    for at, copy in enumerate(copies, 1):
        Path(copy).write_bytes(header + b"".join(later(packet, at * ahead_ms) for packet in packets))
    once, made = report([str(STORY)]), report([str(STORY), *copies])
    for each in (once, made):
        assert [fault["name"] for fault in each["diagnoses"]] == ["client-ping-in-eio4"]
        assert [fault["name"] for fault in each["diagnoses"][0]["consequences"]] == ["connect-loop", "no-backoff"]
    assert made["summary"]["errors"] == 1
    result = CliRunner().invoke(cli, ["analyze", str(STORY), copies[0]], env={"COLUMNS": "300"})
    assert f"b.pcap has the same packets as {STORY.name} (4 sessions): one of the two files is enough" in result.stdout
    assert f"in {STORY.name} and b.pcap" in result.stdout


def test_what_one_capture_shows_of_more_sessions_is_kept(tmp_path: Path) -> None:
    header, packets = records(STORY)
    begun = tmp_path / "b.pcap"
    begun.write_bytes(header + b"".join(packets[:60]))
    (first,) = report([str(begun), str(STORY)])["diagnoses"]
    assert (first["capture"], first["occurrences"]) == (str(STORY), 3)
