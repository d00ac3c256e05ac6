"""A capture may be judged at any moment: what was not said yet is no fault, and what is one then stays one."""

import pytest

from eiosniff.live.findings import FindingTracker
from eiosniff.model.finding import Severity
from eiosniff.model.live import EventKind
from tests.live_cuts import growing
from tests.streams import RECORDED

HEALTHY = (
    "variants/engine--engine-0.4.3--engine-0.4.3--polling.pcap",
    "variants/engine--engine-0.4.3--engine-0.4.3--websocket.pcap",
    "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz",
    "healthy/node-2.5.1--node-2.5.0--polling.pcap.gz",
    "healthy/python-5.18.1--python-5.18.1--websocket.pcap.gz",
)
FAULTY = (
    "arduino/s3-arduino-old-eio4-to-v484.pcap",
    "encrypted/https-unknown-ca.pcap",
    "faulty/client-ping-in-eio4-v4-server.pcap",
    "faulty/connect-loop-kicked-real-client.pcap",
    "faulty/cors-missing-v3-server.pcap",
    "faulty/eio4-client-on-v2-server-polling.pcap",
    "faulty/ping-timeout-during-transfer-polling.pcap",
    "faulty/ping-timeout-during-transfer-v2-server.pcap",
    "faulty/ping-timeout-during-transfer-websocket.pcap",
    "faulty/scheme-mismatch-http-at-node-https.pcap",
)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_capture_is_healthy_at_each_moment(name: str) -> None:
    loud = [
        f"after packet {packets}: {diagnosis.finding.name}"
        for packets, diagnoses, _ in growing(RECORDED / name, most=40)
        for diagnosis in diagnoses
        if diagnosis.finding.severity > Severity.INFO
    ]
    assert not loud


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_found_in_the_middle_is_found_in_the_end(name: str) -> None:
    tracker = FindingTracker()
    events = [event for _, found, now_ns in growing(RECORDED / name, 3) for event in tracker.update(found, now_ns)]
    assert events
    assert not [event.text for event in events if event.kind is EventKind.FINDING_RESOLVED]
    found = [event.finding.id for event in events if event.kind is EventKind.FINDING_NEW and event.finding]
    assert found == [f"f{number}" for number in range(1, len(found) + 1)]
