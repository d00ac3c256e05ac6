"""Old ledgers are let go in long captures: that changes nothing in what is found, and memory is bounded."""

import gc
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.decode.conversation import Conversation
from eiosniff.decode.stack import Stack
from eiosniff.model.session import Session
from eiosniff.model.summary import CaptureSummary
from eiosniff.report import as_json
from eiosniff.report.redact import Redactor
from tests.streams import BATCH_SIZES, RECORDED, as_let_go, plain

KEPT = (1, 2, 3)
SEVERAL_SESSIONS = (
    "arduino/s3-arduino-old-eio4-to-v484.pcap",
    "faulty/connect-loop-kicked-raw-500ms.pcap",
    "faulty/connect-loop-kicked-real-client.pcap",
    "faulty/eio3-client-on-3.0-server-websocket.pcap",
    "faulty/eio4-client-on-v2-server-websocket.pcap",
    "faulty/sid-unknown-sticky-haproxy-roundrobin.pcap",
    "near_miss/connect-loop-two-restarts.pcap",
    "near_miss/no-backoff-growing-delays.pcap",
    "faulty/server-kick-no-reconnect-v4-server-again.pcap",
    "faulty/recovery-failed-cluster-three-workers.pcap",
)


def _report(capture: Path, kept: int, batch_size: int = 50_000) -> str:
    options = app.Options(max_sessions=kept, kept_sessions=kept, batch_size=batch_size)
    return as_json.render(app.analyze([str(capture)], options), Redactor())


@cache
def _whole(capture: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_report(capture, 10_000))
    return found


@pytest.fixture(params=SEVERAL_SESSIONS)
def capture(request: pytest.FixtureRequest) -> Path:
    return RECORDED / str(request.param)


@pytest.mark.parametrize("kept", KEPT)
def test_folding_changes_nothing_but_what_is_listed(capture: Path, kept: int) -> None:
    whole, folded = _whole(capture), json.loads(_report(capture, kept))
    total = whole["summary"]["sessions"]
    assert folded["summary"] == whole["summary"] | {"sessions_folded": max(0, total - kept)}
    assert len(folded["sessions"]) == min(total, kept)
    assert all(session in whole["sessions"] for session in folded["sessions"])
    assert len(folded["diagnoses"]) == len(whole["diagnoses"])
    for ours, theirs in zip(folded["diagnoses"], whole["diagnoses"], strict=True):
        assert set(ours.pop("sessions")) <= set(theirs["sessions"])
        assert ours == {key: value for key, value in theirs.items() if key != "sessions"}


def test_what_is_let_go_does_not_depend_on_batches(capture: Path) -> None:
    assert len({_report(capture, 1, size) for size in BATCH_SIZES}) == 1
    gone = [_gone(capture, size) for size in BATCH_SIZES]
    assert gone[0]
    assert gone[0] == gone[1] == gone[2]


def _gone(capture: Path, batch_size: int) -> list[object]:
    """The ledgers that were let go, as they were then."""
    stack = Stack(CaptureSummary(capture.name), most=1)
    gone: list[object] = []
    with open_source(str(capture), batch_size=batch_size) as source:
        for batch in source.batches():
            stack.feed(batch)
            gone.extend(as_let_go(retired.ledger) for retired in stack.retired())
    stack.close()
    return gone + [as_let_go(retired.ledger) for retired in stack.retired()]


def test_totals_are_of_all_sessions() -> None:
    restarts = [str(RECORDED / "near_miss/connect-loop-two-restarts.pcap")]
    folded = app.analyze(restarts, app.Options(max_sessions=1, kept_sessions=1)).totals
    assert plain(folded) == plain(app.analyze(restarts, app.Options()).totals)
    assert folded.engineio > 10


def test_several_captures_are_numbered_through() -> None:
    pings = RECORDED / "arduino/s3-arduino-old-eio4-to-v484.pcap"
    report = app.analyze([str(pings)] * 2, app.Options(max_sessions=3, kept_sessions=1))
    assert (report.sessions_total, report.sessions_folded) == (8, 5)
    listed = [[session.index for session in diagnosis.finding.sessions] for diagnosis in report.diagnoses]
    assert all(index <= 4 for index in listed[0])
    assert all(index > 4 for index in listed[1])


def test_ledgers_that_were_let_go_are_freed_without_the_collector() -> None:
    """The command runs with the collector nearly off."""
    gc.collect()
    before = {id(each) for each in gc.get_objects() if isinstance(each, Session)}
    gc.disable()
    try:
        stack = Stack(CaptureSummary("loop"), most=1)
        with open_source(str(RECORDED / "faulty/connect-loop-kicked-raw-500ms.pcap"), batch_size=7) as source:
            for batch in source.batches():
                stack.feed(batch)
                stack.retired()
        alive = [each for each in gc.get_objects() if isinstance(each, Session) and id(each) not in before]
        assert len(alive) < stack.sessions.total == 8
        assert len(alive) == len(stack.sessions.sessions) == 1
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "recording",
    [
        "healthy/python-5.18.1--python-5.18.1--polling.pcap.gz",
        "healthy/node-4.8.4--node-4.8.4--polling.pcap.gz",
        "healthy/node-4.8.4--node-4.8.4--upgrade.pcap.gz",
    ],
)
def test_connections_that_are_over_are_freed_though_their_session_lives(recording: str) -> None:
    gc.collect()
    gc.disable()
    others = [each for each in gc.get_objects() if isinstance(each, Conversation)]  # of other tests
    try:
        stack = Stack(CaptureSummary("polls"))
        with open_source(str(RECORDED / recording), batch_size=7) as source:
            for batch in source.batches():
                stack.feed(batch)
        assert stack.sessions.sessions[0].connection_count > 1
        stack.close()
        left = [each for each in gc.get_objects() if isinstance(each, Conversation)]
        assert len(left) == len(others)
    finally:
        gc.enable()
