"""What is made while it is read holds what its source says, and no block repeats another."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.model.finding import Report, Severity
from tests.bench.build import LIVE_FAULTS
from tests.bench.stream_source import HOUR_NS, SOURCES, Copies, Hours, Messages, Source, Traffic, handshake, produce
from tests.bench.template import Truth

BLOCKS = 3


def _traffic() -> Source:
    return Traffic(4_000, 800)


def _handshakes(*, one_client: bool) -> Source:
    return Copies(handshake(), one_client=one_client, at_once=50)


def _analyzed(source: Source, folder: Path) -> Report:
    path = folder / "source.pcap"
    with path.open("wb") as file:
        file.write(source.start().data)
        for _ in range(BLOCKS):
            file.write(source.block().data)
    return app.analyze([str(path)], app.Options())


def _found(report: Report) -> Truth:
    messages = sum(sum(count.values()) for session in report.sessions for count in session.socketio_counts)
    return Truth(report.captures[0].packets, report.connections, report.sessions_total, messages)


def test_hours_have_the_same_faults_each_and_do_not_overlap(tmp_path: Path) -> None:
    source = Hours(6_000, 2)
    report = _analyzed(source, tmp_path)
    assert (report.captures[0].packets, report.sessions_total) == (source.truth.packets, source.truth.sessions)
    errors = [each.finding for each in report.diagnoses if each.finding.severity is Severity.ERROR]
    assert {finding.name for finding in errors} == set(LIVE_FAULTS.values())
    assert {finding.occurrences for finding in errors} == {BLOCKS}
    with open_source(str(tmp_path / "source.pcap")) as capture:
        instants = [instant for batch in capture for instant in batch.ts_ns.tolist()]
    assert instants == sorted(instants)
    assert instants[-1] - instants[0] == pytest.approx(BLOCKS * HOUR_NS / 2, rel=0.05)


def test_traffic(tmp_path: Path) -> None:
    source = _traffic()
    report = _analyzed(source, tmp_path)
    assert _found(report) == source.truth
    assert not report.count(Severity.ERROR) + report.count(Severity.WARNING)
    assert report.captures[0].set_aside_packets > 800
    ids = Counter(session.sid for session in report.sessions)
    assert set(ids.values()) == {1}
    clients = {session.client_endpoint.address for session in report.sessions}
    assert len(clients) == len(report.sessions)


@pytest.mark.parametrize("one_client", [True, False])
def test_handshakes(one_client: bool, tmp_path: Path) -> None:
    source = _handshakes(one_client=one_client)
    report = _analyzed(source, tmp_path)
    assert _found(report) == source.truth
    assert source.truth.sessions == 50 * BLOCKS
    assert len({session.sid for session in report.sessions}) == 50 * BLOCKS
    clients = {session.client_endpoint.address for session in report.sessions}
    assert len(clients) == (1 if one_client else 50 * BLOCKS)
    assert all(session.closing is None for session in report.sessions)


def test_messages(tmp_path: Path) -> None:
    source = Messages(100)
    report = _analyzed(source, tmp_path)
    assert _found(report) == source.truth
    assert not report.count(Severity.ERROR) + report.count(Severity.WARNING)
    (session,) = report.sessions
    assert session.heartbeats.delays.count == BLOCKS
    packets = [each.socketio for each in app.decode([str(tmp_path / "source.pcap")], app.Options()) if each.socketio]
    ids = [packet.id for packet in packets if packet.id is not None]
    assert ids == [10_000_000 + at // 2 for at in range(200 * BLOCKS)]  # an event, and its acknowledgement


def test_packets_are_in_order_of_time() -> None:
    for source in (_traffic(), _handshakes(one_client=True), Messages(100)):
        instants: list[float] = []
        for _ in range(2):
            data, at = source.block().tobytes(), 0
            while at < len(data):
                seconds, rest, size = np.frombuffer(data, "<u4", 3, at).tolist()
                instants.append(seconds + rest / 1e6)
                at += 16 + size
        assert instants == sorted(instants)


@pytest.mark.parametrize("kind", list(SOURCES))
def test_as_much_is_produced_as_is_asked_for(kind: str) -> None:
    sizes = {"stream": 1_000_000, "messages": 3}
    pieces = [(len(piece), source.truth) for piece, source in produce(kind, sizes.get(kind, 3))]
    assert len(pieces) == 2  # the beginning, and one block
    assert pieces[-1][1].packets > 0


def test_a_source_ends_with_its_reader() -> None:
    command = [sys.executable, "-m", "tests.bench.stream_source", "messages", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4)
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b""
