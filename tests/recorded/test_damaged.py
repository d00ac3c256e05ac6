"""Captures that lack a part: what eiosniff decodes of them is what the peers sent, minus what the capture lacks."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from eiosniff import app
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.provenance import Side
from eiosniff.model.socketio import SioType
from tests.cases import RECORDED, report_of

AT_MOST = ".atmost-truth.jsonl"
TRUTHS = sorted(RECORDED.glob(f"*/*{AT_MOST}"))
every_capture = pytest.mark.parametrize("truth", TRUTHS, ids=lambda path: path.name.removesuffix(AT_MOST))

Packet = tuple[str, str, int | None, str | None, tuple[str, ...]]


def _sent(truth: Path, side: Side) -> list[Packet]:
    """Type, namespace, id, event and the hashes of all binary data of each packet that a side logged as sent."""
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines() if line]
    return [
        (
            line["type"],
            line["namespace"],
            line["id"],
            line["event"],
            tuple(data["sha256"] for data in (*line["attachments"], *line.get("binary", []))),
        )
        for line in lines
        if line.get("side") == side.label and "type" in line
    ]


@cache
def _all_decoded(capture: Path) -> list[tuple[Side, Packet]]:
    return [
        (
            packet.socketio.side,
            (
                SioType(packet.socketio.type).name,
                packet.socketio.namespace,
                packet.socketio.id,
                packet.socketio.event,
                tuple(hashlib.sha256(attachment).hexdigest() for attachment in packet.socketio.attachments),
            ),
        )
        for packet in app.decode([str(capture)], app.Options())
        if packet.socketio is not None
    ]


def _capture(truth: Path) -> Path:
    return truth.with_name(truth.name.replace(AT_MOST, ".pcap"))


def _decoded(truth: Path, side: Side) -> list[Packet]:
    return [packet for sender, packet in _all_decoded(_capture(truth)) if sender is side]


def _is_of(decoded: Packet, sent: Packet) -> bool:
    """The same, but that attachments may be missing."""
    attachments = iter(sent[4])
    return decoded[:4] == sent[:4] and all(any(each == other for other in attachments) for each in decoded[4])


def _in_order(decoded: Sequence[Packet], sent: Sequence[Packet]) -> bool:
    """Whether what was decoded is what was sent, with some left out."""
    rest = iter(sent)
    return all(any(_is_of(packet, other) for other in rest) for packet in decoded)


def _named(*ends: str) -> pytest.MarkDecorator:
    chosen = [truth for truth in TRUTHS if truth.name.removesuffix(AT_MOST).endswith(ends)]
    assert chosen
    return pytest.mark.parametrize("truth", chosen, ids=lambda path: path.name.removesuffix(AT_MOST))


@every_capture
@pytest.mark.parametrize("side", Side, ids=lambda side: side.label)
def test_nothing_is_decoded_that_was_not_sent(truth: Path, side: Side) -> None:
    assert _in_order(_decoded(truth, side), _sent(truth, side))


@_named("-client-only")
def test_of_one_direction_all_is_decoded_client(truth: Path) -> None:
    assert _decoded(truth, Side.CLIENT) == _sent(truth, Side.CLIENT)
    assert not _decoded(truth, Side.SERVER)


@_named("-server-only")
def test_of_one_direction_all_is_decoded_server(truth: Path) -> None:
    assert _decoded(truth, Side.SERVER) == _sent(truth, Side.SERVER)
    assert not _decoded(truth, Side.CLIENT)


@_named("-stopped")
@pytest.mark.parametrize("side", Side, ids=lambda side: side.label)
def test_up_to_the_end_of_the_capture_all_is_decoded(truth: Path, side: Side) -> None:
    decoded = _decoded(truth, side)
    assert decoded
    assert decoded == _sent(truth, side)[: len(decoded)]


@_named("-late", "-half", "-poll")
@pytest.mark.parametrize("side", Side, ids=lambda side: side.label)
def test_what_comes_after_a_late_beginning_is_decoded(truth: Path, side: Side) -> None:
    decoded = _decoded(truth, side)
    assert decoded
    assert decoded[-1] == _sent(truth, side)[-1]


@every_capture
def test_nothing_is_certain_of_a_session_that_is_not_whole(truth: Path) -> None:
    """What the capture itself lacks is; faults of these healthy sessions may be suspected at most (that the server
    refuses one namespace, and has not got another, is meant)."""
    for diagnosis in report_of(_capture(truth)).diagnoses:
        finding = diagnosis.finding
        if not finding.rule.startswith("CAP") and finding.name not in ("connect-error-auth", "namespace-invalid"):
            assert finding.certainty is Certainty.POSSIBLE or finding.severity < Severity.WARNING, finding.name
