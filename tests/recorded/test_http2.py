"""Real peers over HTTP/2: whole sessions, and no finding where nothing is wrong, however batches are cut."""

import tomllib
from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.engineio import Transport
from tests.streams import RECORDED

ENTRIES: list[dict[str, Any]] = tomllib.loads((RECORDED / "http2.toml").read_text())["recording"]
FAULTS = {
    "client-ping-haproxy": "client-ping-in-eio4",
    "eio3-haproxy": "eio-unsupported-polling",
    "post-too-large-nginx": "proxy-body-limit",
    "poll-cancelled-nginx": "poll-cut-by-client",
    "websocket-refused-hypercorn": "websocket-over-http2-refused",
}


def named(entry: dict[str, Any]) -> str:
    return str(entry["file"]).removeprefix("http2/").removesuffix(".pcap")


def analyze(entry: dict[str, Any], batch_size: int = 50_000) -> Any:
    return app.analyze([str(RECORDED / entry["file"])], app.Options(batch_size=batch_size))


@pytest.mark.parametrize("entry", ENTRIES, ids=named)
@pytest.mark.parametrize("batch_size", [1, 7, 50_000])
def test_findings(entry: dict[str, Any], batch_size: int) -> None:
    report = analyze(entry, batch_size)
    found = [diagnosis.finding.name for diagnosis in report.diagnoses]
    assert found == ([] if entry["healthy"] else [FAULTS[named(entry)]])


@pytest.mark.parametrize("entry", [each for each in ENTRIES if each["healthy"]], ids=named)
def test_healthy_sessions(entry: dict[str, Any]) -> None:
    report = analyze(entry)
    (session,) = report.sessions
    assert session.server.handshake is not None
    assert session.closing is not None
    counts = session.socketio_counts
    assert (counts[0]["CONNECT"], counts[1]["CONNECT"]) == (1, 1)
    assert counts[0]["EVENT"] == counts[1]["ACK"] > 0
    wanted = [Transport.POLLING, Transport.WEBSOCKET]
    if named(entry).startswith("polling"):
        wanted.pop()
    elif named(entry).startswith("websocket"):
        wanted.pop(0)
    assert session.transports == wanted
    assert len({use.stream for use in session.connections}) == 1  # all on one connection
    assert not report.captures[0].gap_bytes


def test_the_same_over_another_http() -> None:
    """What `decode` says of a stream is `tcp.stream`, not the stream of HTTP/2."""
    (entry,) = [each for each in ENTRIES if named(each) == "upgrade-haproxy"]
    packets = app.decode([str(RECORDED / entry["file"])], app.Options())
    assert {(packet.stream, packet.session) for packet in packets} == {(0, 1)}
