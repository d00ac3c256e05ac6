"""The captures of the benchmark hold what their builder says: copies of healthy conversations, all different."""

import base64
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.model.finding import Report, Severity
from tests.bench.build import CLIENTS, LIVE_FAULTS, RECORDED, SERVERS, START_NS, Built, Part, build, write
from tests.bench.template import Template, Truth, recorded
from tests.bench.traffic import CLIENT, SERVER, FlowWriter

PACKETS = 6_000


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build("busy", PACKETS, tmp_path_factory.mktemp("bench"))


def _socketio_packets(report: Report) -> int:
    return sum(sum(count.values()) for session in report.sessions for count in session.socketio_counts)


@pytest.mark.parametrize("name", ["busy", "haystack"])
def test_eiosniff_counts_what_was_written(name: str, tmp_path: Path) -> None:
    built = build(name, PACKETS, tmp_path)
    report = app.analyze([str(built.path)], app.Options())
    found = Truth(report.captures[0].packets, report.connections, report.sessions_total, _socketio_packets(report))
    assert found == built.truth
    assert found.packets == pytest.approx(PACKETS, rel=0.3)
    assert not report.count(Severity.ERROR) + report.count(Severity.WARNING)


def test_the_live_capture_has_each_fault_once(tmp_path: Path) -> None:
    built = build("live", PACKETS, tmp_path)
    report = app.analyze([str(built.path)], app.Options())
    assert (report.captures[0].packets, report.sessions_total) == (built.truth.packets, built.truth.sessions)
    errors = [each.finding for each in report.diagnoses if each.finding.severity is Severity.ERROR]
    assert sorted(finding.name for finding in errors) == sorted(LIVE_FAULTS.values())
    assert {finding.occurrences for finding in errors} == {1}
    assert report.captures[0].set_aside_packets == pytest.approx(PACKETS / 2, rel=0.3)


def test_copies_differ(busy: Built) -> None:
    sessions = app.analyze([str(busy.path)], app.Options()).sessions
    names = Counter(session.sid for session in sessions)
    names.update(namespace.socket_id for session in sessions for namespace in session.namespaces.values())
    del names[None]  # Socket.IO 2 has no ids of its own
    assert set(names.values()) == {1}
    assert len({session.client_endpoint.address for session in sessions}) == len(sessions)


def test_captured_packets_are_in_order_of_time(busy: Built) -> None:
    with open_source(str(busy.path)) as source:
        instants = [instant for batch in source for instant in batch.ts_ns.tolist()]
    assert len(instants) == busy.truth.packets
    assert instants == sorted(instants)


def test_a_capture_is_used_again_while_its_parameters_stay(tmp_path: Path) -> None:
    first = build("haystack", PACKETS, tmp_path)
    built_at = first.path.stat().st_mtime_ns
    assert build("haystack", PACKETS, tmp_path) == first
    assert first.path.stat().st_mtime_ns == built_at
    note = first.path.with_suffix(".json")
    note.write_text(note.read_text(encoding="utf-8").replace('"version": ', '"version": 9'), encoding="utf-8")
    assert build("haystack", PACKETS, tmp_path) == first
    assert first.path.stat().st_mtime_ns > built_at


def test_ids_in_masked_frames_are_replaced(tmp_path: Path) -> None:
    sid, mask = b"abcdefghijklmnopqrst", b"\x11\x80\x00\xff"
    said = b'42["i am","' + sid + b'"]'
    frame = bytes([0x81, 0x80 | len(said)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(said))
    flow = FlowWriter(40_000, 3000)
    key = base64.b64encode(bytes(16))
    flow.say(
        CLIENT,
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n",
    )
    flow.say(SERVER, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    opening = b'0{"sid":"' + sid + b'","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
    flow.say(SERVER, bytes([0x81, len(opening)]) + opening)
    flow.say(CLIENT, frame[:20])
    flow.say(CLIENT, frame[20:])
    flow.packets.append(flow.packets[-1])  # a retransmission
    flow.times_ns.append(flow.now_ns)
    known = flow.finish()
    template = Template(flow.packets, flow.times_ns, known.truth, [sid])
    path = tmp_path / "masked.pcap"
    write(path, [Part(template, np.zeros(3, np.int64))], np.random.default_rng(1))
    messages = [packet for packet in app.decode([str(path)], app.Options()) if packet.engineio.data.startswith(b"2[")]
    assert len({packet.sid for packet in messages}) == 3
    assert all(packet.engineio.data == b'2["i am","%s"]' % (packet.sid or "").encode() for packet in messages)
    assert sid.decode() not in {packet.sid for packet in messages}


def test_copies_keep_their_packets_and_take_new_addresses() -> None:
    template = recorded(RECORDED / "near_miss/capture-truncated-whole-session.pcap")
    rows = np.empty((2, len(template.data)), np.uint8)
    starts = np.array([0, 7_000_000], np.int64)
    times = template.fill(rows, START_NS + starts, CLIENTS, SERVERS, np.random.default_rng(1))
    assert (times[1] - times[0] == 7_000_000).all()
    differing = np.count_nonzero((rows != template.data).any(axis=0))
    assert 0 < differing < len(template.data) / 2
    assert (np.count_nonzero(rows != template.data, axis=1) > 0).all()


def test_a_recording_with_gaps_is_refused() -> None:
    flow = FlowWriter(40_000, 3000)
    for text in (b"a", b"b", b"c"):
        flow.say(CLIENT, text)
    del flow.packets[4], flow.times_ns[4]
    with pytest.raises(ValueError, match="gaps"):
        Template(flow.packets, flow.times_ns, Truth(), [])
