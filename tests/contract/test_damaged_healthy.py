"""A capture that begins late, ends early or lacks a packet is no fault of its peers: nothing is certain for it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.model.finding import Certainty, Severity
from tests.streams import RECORDED, split

HEALTHY = (
    "healthy/node-2.5.1--node-2.5.0--upgrade.pcap.gz",
    "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz",
    "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz",
    "healthy/python-5.18.1--python-5.18.1--upgrade.pcap.gz",
    "libraries/python-socketio-5.11.4-uvicorn--python-socketio-5.11.4-aiohttp--upgrade.pcap",
    "libraries/socket.io-4.0.2--socket.io-client-4.0.2--upgrade.pcap",
    "libraries/socket.io-4.8.4--arduinoWebSockets-2.7.2--upgrade.pcap",
)
STEP = 3


def damaged(packets: int) -> Iterator[tuple[str, slice, slice]]:
    """What is left of so many packets: two ranges of them."""
    nothing = slice(0, 0)
    for at in range(1, packets, STEP):
        yield f"lacks packet {at + 1}", slice(0, at), slice(at + 1, packets)
        yield f"ends after packet {at}", slice(0, at), nothing
        yield f"begins with packet {at + 1}", slice(at, packets), nothing


@pytest.mark.parametrize("name", HEALTHY)
def test_what_a_capture_lacks_blames_nobody(name: str, tmp_path: Path) -> None:
    whole = (RECORDED / name).read_bytes()
    head, records = split(gzip.decompress(whole) if name.endswith(".gz") else whole)
    capture = tmp_path / "damaged.pcap"
    loud: list[str] = []
    for what, first, second in damaged(len(records)):
        capture.write_bytes(head + b"".join(records[first] + records[second]))
        for diagnosis in app.analyze([str(capture)], app.Options()).diagnoses:
            finding = diagnosis.finding
            blames = finding.severity >= Severity.WARNING and finding.certainty is not Certainty.POSSIBLE
            if blames and not finding.rule.startswith("CAP"):
                loud.append(f"{what}: {finding.name}, {finding.certainty.value}")
    assert not loud
