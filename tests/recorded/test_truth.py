"""What eiosniff counts is what the peers say they sent: their own logs beside the recordings are the truth."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.model.engineio import MESSAGE
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioType
from tests.cases import RECORDED, report_of

TRUTHS = sorted(RECORDED.glob("*/*.truth.jsonl"))
ENGINEIO_TRUTHS = sorted(RECORDED.glob("*/*.eio-truth.jsonl"))  # of applications without Socket.IO


def _truth(path: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [line for line in lines if "type" in line]


def _capture(truth: Path) -> Path:
    stem = truth.name.removesuffix(".truth.jsonl")
    return next(path for path in truth.parent.glob(f"{stem}.pcap*"))


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda path: path.name.removesuffix(".truth.jsonl"))
def test_socketio_packets_by_type_and_side(truth: Path) -> None:
    sent = Counter((line["side"], line["type"]) for line in _truth(truth))
    counted: Counter[tuple[str, str]] = Counter()
    for session in report_of(_capture(truth)).sessions:
        for side in Side:
            for kind, count in session.socketio_counts[side].items():
                counted[side.label, kind] += count
    assert counted == sent


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda path: path.name.removesuffix(".truth.jsonl"))
def test_packets_and_attachments_in_order(truth: Path) -> None:
    """Namespaces, ids, event names and the bytes of each attachment (as hashes), in the order of sending."""
    decoded = [packet for packet in app.decode([str(_capture(truth))], app.Options()) if packet.socketio is not None]
    for side in Side:
        expected = [
            (line["type"], line["namespace"], line["id"], line["event"], _hashes(line))
            for line in _truth(truth)
            if line["side"] == side.label
        ]
        found = [
            (
                SioType(packet.socketio.type).name,
                packet.socketio.namespace,
                packet.socketio.id,
                packet.socketio.event,
                [hashlib.sha256(attachment).hexdigest() for attachment in packet.socketio.attachments],
            )
            for packet in decoded
            if packet.socketio is not None and packet.socketio.side is side
        ]
        assert found == expected


@pytest.mark.parametrize("truth", ENGINEIO_TRUTHS, ids=lambda path: path.name.removesuffix(".eio-truth.jsonl"))
def test_engineio_messages_in_order(truth: Path) -> None:
    capture = truth.with_name(truth.name.replace(".eio-truth.jsonl", ".pcap"))
    messages = [
        packet.engineio for packet in app.decode([str(capture)], app.Options()) if packet.engineio.type == MESSAGE
    ]
    for side in Side:
        expected = [(line["binary"], line["sha256"]) for line in _truth(truth) if line["side"] == side.label]
        found = [
            (message.binary, hashlib.sha256(message.data).hexdigest()) for message in messages if message.side is side
        ]
        assert found == expected
    for session in report_of(capture).sessions:
        assert not session.anomalies


def _hashes(line: dict[str, object]) -> list[str]:
    """Of all binary data of a packet: messages of their own, or with msgpack within it."""
    attachments, within = line["attachments"], line.get("binary", [])
    assert isinstance(attachments, list)
    assert isinstance(within, list)
    return [attachment["sha256"] for attachment in (*attachments, *within)]
