from datetime import UTC, timedelta, timezone

import pytest

from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.report.live_lines import LiveLines
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import MS, START, finding, session
from tests.unit.report.live_events import NOW, events, found

EVENTS = events()
TITLE = "The client sends PING, which only the server may do in Engine.IO 4"


def lines(*told: LiveEvent) -> list[str]:
    made = LiveLines(Redactor(), UTC)
    return [line for event in told for line in made.lines(event)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("started", "18:08:16.123  started   eth0, through dumpcap"),
        (
            "opened",
            "18:08:16.123  opened    127.0.0.1:40001 -> 127.0.0.1:28954  opened over websocket  (s1, packet 10)",
        ),
        (
            "closed",
            "18:08:36.124  closed    127.0.0.1:40001 -> 127.0.0.1:28954  closed by the server: WebSocket close frame"
            "  (s1, packet 19)",
        ),
        ("silent", "18:08:36.124  closed    127.0.0.1:40002 -> 127.0.0.1:28954  silent for 90.0 s  (s2)"),
        (
            "new",
            f"18:08:36.105  new       ERROR    client-ping-in-eio4 (EIO038)  {TITLE}  127.0.0.1 -> 127.0.0.1:28954"
            "  (f1, packet 33, after 480 ms)",
        ),
        (
            "consequence",
            "18:08:36.105  new       ERROR    connect-loop (EIO089)  The client connects again and again"
            "  127.0.0.1 -> 127.0.0.1:28954  (f2, follows from f1, packet 33, after 480 ms)",
        ),
        ("changed", "18:08:36.105  changed   ERROR    client-ping-in-eio4 (EIO038)  14 times now  (f1)"),
        ("merged", "18:08:36.105  resolved  ERROR    client-ping-in-eio4 (EIO038)  the same fault as f3  (f1)"),
        ("dropped", "18:08:36.105  capture   12 packets were dropped"),
        ("ended", "18:08:36.105  ended     interrupted"),
    ],
)
def test_an_event_is_a_line(name: str, expected: str) -> None:
    assert lines(EVENTS[name])[1:] == [expected]


def test_another_day_begins_with_its_date() -> None:
    day = 24 * 3600 * 1000 * MS
    told = [LiveEvent(EventKind.CAPTURE, START + at * day, "x") for at in (0, 0, 1)]
    assert lines(*told) == [
        "2021-01-23 UTC+0000", "18:08:16.123  capture   x", "18:08:16.123  capture   x",
        "2021-01-24 UTC+0000", "18:08:16.123  capture   x",
    ]  # fmt: skip


def test_what_is_told_of_yesterday_does_not_turn_the_date_back() -> None:
    midnight = START // (24 * 3600 * 1000 * MS) * 24 * 3600 * 1000 * MS
    told = [LiveEvent(EventKind.CAPTURE, midnight + at * 1000 * MS, "x") for at in (2, -3, 4)]
    assert lines(*told) == [
        "2021-01-23 UTC+0000", "00:00:02.000  capture   x", "23:59:57.000  capture   x", "00:00:04.000  capture   x"
    ]  # fmt: skip


def test_a_capture_of_another_day_has_its_own_date() -> None:
    """It was recorded, or comes from a device that does not know the time; what began now is of today."""
    day = 24 * 3600 * 1000 * MS
    told = [LiveEvent(EventKind.CAPTURE, at, "x") for at in (START + day, START, START + 1000 * MS, 0, 1)]
    assert [line for line in lines(*told) if "UTC" in line] == [
        "2021-01-24 UTC+0000", "2021-01-23 UTC+0000", "1970-01-01 UTC+0000"
    ]  # fmt: skip


def test_the_clock_is_that_on_the_wall() -> None:
    made = LiveLines(Redactor(), timezone(timedelta(hours=5, minutes=30)))
    assert made.lines(EVENTS["dropped"])[0] == "2021-01-23 UTC+0530"
    assert made.lines(EVENTS["dropped"])[0].startswith("23:38:36.105")


@pytest.mark.parametrize("ts_ns", [-(10**20), 10**30])
def test_a_damaged_capture_may_name_any_year(ts_ns: int) -> None:
    assert lines(LiveEvent(EventKind.CAPTURE, ts_ns, "x"))[-1].endswith("capture   x")


def test_a_title_that_changed_is_shown_again() -> None:
    changed = LiveEvent(EventKind.FINDING_CHANGED, NOW, "in other words", 0, None, found(), changes=("title",))
    assert lines(changed)[1].endswith(f"in other words  {TITLE}  (f1)")


def test_many_peers_are_counted() -> None:
    live = found(finding=finding(clients=[f"10.0.0.{number}" for number in range(1, 2_001)], servers=[]))
    assert "  10.0.0.1 and 1,999 more  (" in lines(LiveEvent(EventKind.FINDING_NEW, NOW, "found", 33, finding=live))[1]


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202egnirts", "line\nline", "\x9b31m"])
def test_nothing_from_the_wire_steers_a_terminal(text: str) -> None:
    fault = finding(title=text, clients=[text], servers=[text])
    told = [
        LiveEvent(EventKind.FINDING_NEW, NOW, text, 33, finding=found(finding=fault)),
        LiveEvent(EventKind.FINDING_CHANGED, NOW, text, 33, finding=found(finding=fault), changes=("title",)),
        LiveEvent(EventKind.SESSION_CLOSED, NOW, text, 33, session(1)),
        LiveEvent(EventKind.CAPTURE, NOW, text),
    ]
    assert all(line.isprintable() for line in lines(*told))


def test_secrets_stay_out_and_a_megabyte_is_clipped() -> None:
    told = LiveEvent(EventKind.SESSION_CLOSED, NOW, "token=abcdef123456 " + "x" * 1_000_000, 33, session(1))
    (_, line) = lines(told)
    assert "abcdef" not in line
    assert len(line) < 400
