"""The same runs encrypted, with keys, and in clear (recorded/tls.toml): all that is said of both is the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.decoded import DecodedPacket
from eiosniff.model.finding import Report
from tests.cases import RECORDED, recordings

RUNS = recordings("tls")
# Told of whom it is: the proxy behind which the clear run was captured, and the connections between it and the server.
_OF_THE_CONNECTION = {"no-multiplexing"}


def same_run(entry: dict[str, Any]) -> bool:
    return bool(entry["same_run"])


def paths(entry: dict[str, Any]) -> tuple[str, str]:
    return str(RECORDED / entry["file"]), str(RECORDED / entry["clear"])


def packets(path: str) -> list[DecodedPacket]:
    return list(app.decode([path], app.Options()))


def said(packet: DecodedPacket, *, whole: bool) -> tuple[object, ...]:
    """What a packet says; of another run, without what differs from one to the next."""
    engineio, socketio = packet.engineio, packet.socketio
    words: tuple[object, ...] = (engineio.side, engineio.type)
    if socketio is not None:
        words += (socketio.type, socketio.namespace, socketio.event, len(socketio.attachments))
    if whole:
        words += (packet.sid, engineio.transport, engineio.data, socketio.data if socketio else None)
    return words


def by_session(path: str, *, whole: bool) -> Iterator[list[tuple[object, ...]]]:
    """Of each session what each side said, in order."""
    sessions: dict[tuple[object, int], list[tuple[object, ...]]] = {}
    for packet in packets(path):
        sessions.setdefault((packet.session, packet.engineio.side), []).append(said(packet, whole=whole))
    yield from sessions.values()


@pytest.mark.parametrize("entry", RUNS, ids=lambda entry: entry["file"])
def test_packets(entry: dict[str, Any]) -> None:
    encrypted, clear = (list(by_session(path, whole=same_run(entry))) for path in paths(entry))
    if same_run(entry):
        assert encrypted == clear
    else:  # the upgrade is a race, and so are heartbeats: what was said is the same, and who said it
        assert [set(one) for one in encrypted] == [set(one) for one in clear]


def diagnoses(report: Report) -> list[tuple[object, ...]]:
    return [
        (each.finding.rule, each.finding.severity, each.finding.occurrences, [one.rule for one in each.consequences])
        for each in report.diagnoses
        if each.finding.name not in _OF_THE_CONNECTION
    ]


@pytest.mark.parametrize("entry", RUNS, ids=lambda entry: entry["file"])
def test_diagnoses(entry: dict[str, Any]) -> None:
    encrypted, clear = (app.analyze([path], app.Options()) for path in paths(entry))
    assert diagnoses(encrypted) == diagnoses(clear)
    assert [len(one.sessions) for one in (encrypted,)] == [len(one.sessions) for one in (clear,)]


@pytest.mark.parametrize("entry", [each for each in RUNS if same_run(each)], ids=lambda entry: entry["file"])
def test_sessions(entry: dict[str, Any]) -> None:
    encrypted, clear = (app.analyze([path], app.Options()).sessions for path in paths(entry))
    for one, other in zip(encrypted, clear, strict=True):
        assert (one.sid, one.path, one.transports, one.engineio_counts, one.socketio_counts) == (
            other.sid,
            other.path,
            other.transports,
            other.engineio_counts,
            other.socketio_counts,
        )
