"""Recordings of Socket.IO 0.9: what is decoded is what the peers' own parsers logged as sent, to the letter."""

import json
from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioType
from tests.cases import RECORDED, recordings, report_of

LOGGED = [entry for entry in recordings("legacy") if "packets" in entry]


def _name(entry: dict[str, Any]) -> str:
    return str(entry["way"])


def _sent(entry: dict[str, Any], side: Side) -> list[dict[str, str]]:
    lines = (RECORDED / entry["packets"]).read_text(encoding="utf-8").splitlines()
    sent = [line for line in map(json.loads, lines) if line["side"] == side.label]
    unsent = entry.get("unsent", 0) if side is Side.SERVER else 0
    return sent[: len(sent) - unsent]


@pytest.mark.parametrize("entry", LOGGED, ids=_name)
def test_packets_in_order(entry: dict[str, Any]) -> None:
    decoded = list(app.decode([str(entry["path"])], app.Options()))
    for side in Side:
        sent = _sent(entry, side)
        found = [packet for packet in decoded if packet.engineio.side is side]
        assert [packet.engineio.data.decode() for packet in found] == [line["text"] for line in sent]
        labels = [
            (SioType(packet.socketio.type).name, packet.socketio.namespace) for packet in found if packet.socketio
        ]
        assert labels == [(line["type"].upper(), line["endpoint"] or "/") for line in sent]


@pytest.mark.parametrize("entry", LOGGED, ids=_name)
def test_packets_by_type_and_side(entry: dict[str, Any]) -> None:
    (session,) = report_of(entry["path"]).sessions
    assert session.socketio09
    assert session.engineio_counts == [{}, {}]
    for side in Side:
        sent = [line["type"].upper() for line in _sent(entry, side)]
        assert session.socketio_counts[side] == {kind: sent.count(kind) for kind in sent}
