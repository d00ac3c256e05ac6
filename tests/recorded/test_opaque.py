"""What is said of TLS from outside agrees with what was inside, as read with the keys when it was recorded."""

from typing import Any

import pytest

from eiosniff import app
from eiosniff.model.finding import Certainty, Finding
from tests.cases import recordings

ENTRIES = recordings("opaque")
OUTSIDE = "TLS23"


def told(entry: dict[str, Any]) -> list[Finding]:
    report = app.analyze([str(entry["path"])], app.Options())
    found = [each.finding for each in report.diagnoses]
    return [finding for finding in found if finding.rule.startswith(OUTSIDE)]


def inside(entry: dict[str, Any], *said: str) -> set[int]:
    lines = [line.split(" ", 2) for line in entry["inside"]]
    return {int(number) for number, who, text in lines if f"{who} {text}" in said}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"].stem)
def test_nothing_is_certain(entry: dict[str, Any]) -> None:
    for finding in told(entry):
        assert finding.certainty is Certainty.POSSIBLE
        assert finding.doubt


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"].stem)
def test_what_looks_like_a_ping_is_one(entry: dict[str, Any]) -> None:
    pings = inside(entry, "client 2", "server 2")
    pongs = inside(entry, "client 3", "server 3")
    for finding in told(entry):
        for item in finding.evidence:
            if "size of PING" in item.text:
                assert item.packet in pings
            elif "size of PONG" in item.text:
                assert item.packet in pongs


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"].stem)
def test_what_is_no_socketio_is_not_taken_for_it(entry: dict[str, Any]) -> None:
    if entry["path"].stem.startswith(("other-", "client-")) and "ping-in-eio4" not in entry["path"].stem:
        assert told(entry) == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"].stem)
def test_the_revision_is_that_of_who_pings(entry: dict[str, Any]) -> None:
    for finding in told(entry):
        if finding.name == "encrypted-heartbeat":
            revision = "4" if inside(entry, "server 2") else "3 (or older)"
            assert f"Engine.IO {revision} over WebSocket" in finding.title


SAME = {
    "client-ping-in-eio4": ("encrypted-client-ping", "client-ping-in-eio4"),
    "client-ping-in-eio4-tls12": ("encrypted-client-ping", "client-ping-in-eio4"),
    "cut-by-nginx": ("encrypted-cut", "idle-cut"),
    "cut-by-age": ("encrypted-cut", "lifetime-cut"),
    "pings-unanswered": ("encrypted-ping-unanswered", "pong-missing"),
    "refused-eio3-polling": ("encrypted-refusals", "eio-unsupported-polling"),
    "reset-after-request": ("encrypted-refusals", "connect-loop"),
}


@pytest.mark.parametrize("name", SAME)
def test_keys_show_the_same_fault_as_often(name: str) -> None:
    (entry,) = [entry for entry in ENTRIES if entry["path"].stem == name]
    outside, fault = SAME[name]
    without = app.analyze([str(entry["path"])], app.Options())
    with_keys = app.analyze([str(entry["path"])], app.Options(keylog=(str(entry["path"].with_suffix(".keys")),)))
    first, same = without.diagnoses[0].finding, with_keys.diagnoses[0].finding
    assert (first.name, same.name) == (outside, fault)
    assert first.occurrences == same.occurrences


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"].stem)
def test_nothing_is_told_from_outside_where_keys_opened_it(entry: dict[str, Any]) -> None:
    keys = entry["path"].with_suffix(".keys")
    if keys.exists():
        report = app.analyze([str(entry["path"])], app.Options(keylog=(str(keys),)))
        assert not [each for each in report.diagnoses if each.finding.rule.startswith(OUTSIDE)]
