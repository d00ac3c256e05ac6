"""One conversation, however its packets arrived: wrapped, in pieces, over the air, twice, or in a compressed file."""

from typing import Any

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.decode.quality import Quality
from eiosniff.decode.stack import Stack
from eiosniff.model.summary import CaptureSummary
from tests.cases import RECORDED, recordings, report_of

WRAPPED = [entry for entry in recordings("carriers") if "made_from" in entry]


def _decoded(path: Any) -> list[tuple[object, ...]]:
    """What was said, without the numbers of the packets: some are in several, or others are between them."""
    return [
        (each.engineio.side, each.engineio.transport, each.engineio.type, each.engineio.data)
        for each in app.decode([str(path)], app.Options())
    ]


@pytest.mark.parametrize("entry", WRAPPED, ids=lambda entry: str(entry["path"].name))
def test_what_is_wrapped_says_the_same(entry: dict[str, Any]) -> None:
    assert _decoded(entry["path"]) == _decoded(RECORDED / entry["made_from"])
    report = report_of(entry["path"])
    # The peers of the recordings ping more often than anybody should, so as not to wait.
    assert {diagnosis.finding.name for diagnosis in report.diagnoses} <= {"heartbeat-too-fast"}
    assert report.connections == 4


@pytest.mark.parametrize("name", ["gzip.pcap.gz", "zstd.pcap.zst"])
def test_compressed_files_on_standard_input(name: str) -> None:
    """Names and formats apart, the captures are the same to the byte."""
    carriers = RECORDED / "carriers"
    with open_source(str(carriers / "plain.pcap")) as source, (carriers / name).open("rb") as stdin:
        (expected,) = source
        packed = open_source("-", stdin=stdin)
        (found,) = packed
        assert bytes(found.buffer) == bytes(expected.buffer)
        assert packed.format == f"pcap ({name.partition('.')[0]})"


def test_what_else_is_in_the_air_is_counted() -> None:
    (capture,) = report_of(RECORDED / "carriers/radiotap.pcap").captures
    assert capture.other["encrypted Wi-Fi frames"] == capture.other["not IP"] == 8  # as many as there are beacons
    assert capture.packets == 123 + 12 + 2 * 8  # with what was sent again


@pytest.mark.interpreted
@pytest.mark.parametrize(("name", "copied"), [("any-bridge", True), ("plain", False), ("any-dnat", False)])
def test_packets_that_were_captured_twice_are_no_retransmissions(
    name: str, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(CaptureSummary(name))
    ledgers = []
    note = Quality.note

    def noted(quality: Quality, conversation: Any) -> None:
        ledgers.append(conversation.ledger)
        note(quality, conversation)

    monkeypatch.setattr(Quality, "note", noted)
    with open_source(str(RECORDED / f"carriers/{name}.pcap"), batch_size=50) as source:
        for batch in source:
            stack.feed(batch)
    stack.close()
    assert ledgers
    assert all(not any(ledger.retransmissions) for ledger in ledgers)
    for ledger in ledgers:
        assert all(bool(count) == copied for count in ledger.duplicates)
    assert bool(stack.summary.duplicates) == copied


def test_heartbeats_of_a_capture_with_copies() -> None:
    """Each ping is one, and its pong the first that was captured."""
    (session,) = report_of(RECORDED / "carriers/any-bridge.pcap").sessions
    assert session.heartbeats.pings == session.heartbeats.pongs == 3
    assert not session.heartbeats.unanswered
    assert not session.heartbeats.reversed
