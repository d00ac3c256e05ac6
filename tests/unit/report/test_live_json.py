import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from eiosniff import __version__
from eiosniff.model.finding import Report
from eiosniff.model.live import EventKind, LiveEvent
from eiosniff.report import as_json
from eiosniff.report.live_json import SCHEMA, render, render_report
from eiosniff.report.redact import Redactor
from tests.unit.decode.talk_sessions import Talk
from tests.unit.report.builders import finding, healthy, nothing, report, session
from tests.unit.report.live_events import NOW, events, found

SCHEMAS = {
    name: json.loads((files("eiosniff") / f"report/schema/{name}-1.json").read_text("utf-8"))
    for name in ("live", "report")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMAS["live"], registry=REGISTRY)
EVENTS = events()


def read(line: str) -> Any:
    assert "\n" not in line
    value = json.loads(line)
    VALIDATOR.validate(value)
    return value


def rendered(event: LiveEvent, **options: bool) -> Any:
    return read(render(event, Redactor(**options)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS["live"])


def test_each_kind_of_event_is_in_the_schema() -> None:
    assert {event.kind for event in EVENTS.values()} == set(EventKind)
    assert set(SCHEMAS["live"]["$defs"]) == {kind.value for kind in EventKind} | {"report"}


@pytest.mark.parametrize("name", EVENTS)
def test_events_follow_the_schema_with_their_keys_in_its_order(name: str) -> None:
    made = rendered(EVENTS[name])
    assert list(made) == list(SCHEMAS["live"]["$defs"][made["event"]]["properties"])
    assert render(EVENTS[name], Redactor()) == render(EVENTS[name], Redactor())


@pytest.mark.parametrize("wrong", [{"event": "finding-new"}, {"event": "x", "time": "2021-01-23T18:08:16.123456789Z"}])
def test_what_is_no_event_does_not_follow_it(wrong: Mapping[str, str]) -> None:
    assert not VALIDATOR.is_valid(wrong)


def test_the_first_line_says_what_follows() -> None:
    assert rendered(EVENTS["started"]) == {
        "event": "started", "time": "2021-01-23T18:08:16.123456789Z", "schema": SCHEMA, "eiosniff": __version__,
        "source": "eth0", "backend": "dumpcap", "text": "eth0, through dumpcap",
    }  # fmt: skip
    assert SCHEMA == "eiosniff.live/1"


def test_a_finding_is_the_diagnosis_of_a_report() -> None:
    made, live = rendered(EVENTS["new"]), found()
    whole = json.loads(as_json.render(report(diagnoses=[live.diagnosis]), Redactor()))
    assert made["diagnosis"] == whole["diagnoses"][0]
    assert (made["id"], made["explained_by"], made["packet"]) == ("f1", None, 33)
    assert made["delay_ms"] == 480


def test_a_consequence_is_told_in_full_and_names_its_cause() -> None:
    made = rendered(EVENTS["consequence"])
    assert (made["id"], made["explained_by"]) == ("f2", "f1")
    assert (made["diagnosis"]["rule"], made["diagnosis"]["consequences"]) == ("EIO089", [])


def test_what_no_new_packet_shows_has_no_delay() -> None:
    made = rendered(EVENTS["changed"])
    assert (made["packet"], made["delay_ms"], made["changes"]) == (None, None, ["occurrences"])
    assert rendered(EVENTS["resolved"])["merged_into"] is None
    assert rendered(EVENTS["merged"])["merged_into"] == "f3"


def test_a_session_is_that_of_a_report() -> None:
    whole = json.loads(as_json.render(report(sessions=[session(1)]), Redactor()))
    closed = rendered(EVENTS["closed"])
    assert closed["session"] == rendered(EVENTS["opened"])["session"] == whole["sessions"][0]
    assert (closed["lasted_ms"], closed["packets"]) == (20_001, 5)
    silent = rendered(EVENTS["silent"])
    assert (silent["packet"], silent["session"]["closed_time"]) == (None, None)


def test_who_the_peers_are_is_told_as_far_as_the_session_shows_it() -> None:
    """The ledgers learn it at the end of the capture."""
    talk = Talk()
    talk.connect("w", agent="arduino-WebSocket-Client")
    (ledger,) = talk.play("w> WS EIO=4&transport=websocket\nw< 101\nw< open:S").sessions.sessions
    made = rendered(LiveEvent(EventKind.SESSION_OPENED, NOW, "opened", 3, ledger))
    assert (made["session"]["client"]["library"], ledger.client.identity) == ("arduinoWebSockets", None)


@pytest.mark.parametrize("made", [report(), healthy(), nothing()])
def test_the_last_line_is_the_report(made: Report) -> None:
    line = read(render_report(made, NOW, Redactor()))
    assert list(line) == ["event", "time", "report"]
    assert line["report"] == json.loads(as_json.render(made, Redactor()))


def test_secrets_stay_out() -> None:
    fault = finding(title="GET /socket.io/?token=abcdef123456 fails")
    live = found(finding=fault)
    ledger = session(1, path="/socket.io/?token=abcdef123456")
    told = [
        LiveEvent(EventKind.FINDING_NEW, NOW, "token=abcdef123456", 33, finding=live),
        LiveEvent(EventKind.SESSION_OPENED, NOW, "token=abcdef123456", 33, ledger),
        LiveEvent(EventKind.STARTED, NOW, "token=abcdef123456", facts={"source": "token=abcdef123456"}),
        LiveEvent(EventKind.CAPTURE, NOW, "token=abcdef123456", facts={"what": "token=abcdef123456"}),
    ]
    for event in told:
        assert "abcdef123456" not in json.dumps(rendered(event))
        assert "abcdef123456" in json.dumps(rendered(event, enabled=False))


@pytest.mark.parametrize("text", ["\x1b]0;x\x07", "\u202egnirts", "a\u200bb", "\ud800", "line\nline", "\u3164"])
def test_nothing_hides_or_steers_a_terminal(text: str) -> None:
    event = LiveEvent(EventKind.FINDING_NEW, NOW, text, 33, finding=found(finding=finding(title=text)))
    line = render(event, Redactor())
    assert line.isprintable()
    assert text not in line
    assert json.loads(line)["text"] == json.loads(line)["diagnosis"]["title"] == text


def test_a_megabyte_is_clipped() -> None:
    event = LiveEvent(EventKind.SESSION_CLOSED, NOW, "x" * 1_000_000, 33, session(1, path="y" * 1_000_000))
    assert len(render(event, Redactor())) < 10_000
