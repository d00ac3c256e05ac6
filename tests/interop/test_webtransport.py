"""What is read of WebTransport, which tshark decrypts, is what the browser says that it got."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.engineio import Transport
from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.report import as_json
from eiosniff.report.redact import Redactor
from tests.cases import RECORDED, recordings, report_of

HEALTHY = [entry for entry in recordings("webtransport") if entry["healthy"] and entry["keys"]]
SIZES = (1, 7, 50_000)
FAULTY = ("answered-404", "not-in-settings", "middleware", "zero-length")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing of QUIC was decrypted"),
]
every_healthy = pytest.mark.parametrize("entry", HEALTHY, ids=lambda entry: Path(entry["file"]).stem)


def packets(entry: dict[str, Any], size: int = 50_000) -> list[DecodedPacket]:
    return list(app.decode([str(RECORDED / entry["file"])], app.Options(batch_size=size)))


def told(entry: dict[str, Any], what: str) -> list[int]:
    """The lengths that the page tells of what it got."""
    words = [line.split() for line in entry["log"]]
    return [int(line[2]) for line in words if line[:2] == ["PAGE", what]]


@every_healthy
def test_events_are_those_that_the_page_got(entry: dict[str, Any]) -> None:
    events = [
        packet.socketio
        for packet in packets(entry)
        if packet.engineio.side is Side.SERVER and packet.socketio is not None and packet.socketio.event is not None
    ]
    greetings = [json.loads(event.data) for event in events if event.event == "greeting"]
    assert [len(text) for _, text in greetings] == told(entry, "greeting")
    copies = [event.attachments for event in events if event.event == "copy"]
    assert [len(one) for attachments in copies for one in attachments] == told(entry, "copy")


@every_healthy
def test_sessions_are_whole_and_nothing_is_wrong(entry: dict[str, Any]) -> None:
    report = report_of(RECORDED / entry["file"])
    (session,) = report.sessions
    upgraded = any("upgraded to webtransport" in line for line in entry["log"])
    assert session.transports[-1] is Transport.WEBTRANSPORT
    assert (session.upgraded is not None) == upgraded
    assert all(each.finding.severity is Severity.INFO for each in report.diagnoses)
    assert not report.captures[0].problems


@pytest.mark.parametrize(("name", "size"), [*(("upgrade", size) for size in SIZES), *((name, 1) for name in FAULTY)])
def test_batches_of_any_size_give_the_same(name: str, size: int) -> None:
    entry = next(entry for entry in recordings("webtransport") if entry["file"].endswith(f"-{name}.pcapng"))
    path = str(RECORDED / entry["file"])
    whole, cut = (app.analyze([path], app.Options(batch_size=each)) for each in (50_000, size))
    assert as_json.render(cut, Redactor(enabled=True)) == as_json.render(whole, Redactor(enabled=True))
    assert cut.captures[0].engineio_connections == whole.captures[0].engineio_connections
    expected = [(packet.packets, packet.session, packet.engineio.data) for packet in packets(entry)]
    assert [(packet.packets, packet.session, packet.engineio.data) for packet in packets(entry, size)] == expected


def test_a_fault_of_engineio_is_found_inside() -> None:
    report = report_of(RECORDED / "webtransport/webtransport-client-ping.pcapng")
    assert report.diagnoses[0].finding.name == "client-ping-in-eio4"
