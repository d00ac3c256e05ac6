import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from eiosniff.model.finding import Certainty, Diagnosis, Evidence, Report
from eiosniff.model.messages import AckFigures
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.session import CloseHow, Closing
from eiosniff.model.summary import CaptureProblem
from eiosniff.report.as_json import render
from eiosniff.report.redact import Redactor
from tests.unit.report.builders import MS, START, capture, finding, healthy, loop, nothing, report, session

SCHEMA = json.loads((files("eiosniff") / "report/schema/report-1.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def rendered(made: Report, **options: bool) -> Any:
    document = json.loads(render(made, Redactor(**options)))
    VALIDATOR.validate(document)
    return document


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("made", [report(), healthy(), nothing(), nothing(first_ns=None, last_ns=None)])
def test_reports_follow_the_schema_and_come_out_the_same_each_time(made: Report) -> None:
    rendered(made)
    assert render(made, Redactor()) == render(made, Redactor())
    assert render(made, Redactor()).endswith("}\n")


def test_keys_come_in_the_order_of_the_schema() -> None:
    document = rendered(report(captures=[capture(problems=[CaptureProblem("capture-truncated", "cut", 156)])]))

    def check(value: Any, schema: Mapping[str, Any]) -> None:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        for item in value if isinstance(value, list) else ():
            check(item, schema["items"])
        if isinstance(value, dict) and "properties" in schema:
            assert list(value) == [key for key in schema["properties"] if key in value]
            for key, item in value.items():
                check(item, schema["properties"][key])

    check(document, SCHEMA)


def test_a_diagnosis() -> None:
    sessions = [session(index) for index in (1, 2)]
    made = rendered(report(diagnoses=[Diagnosis(finding(sessions=sessions), [loop()])]))["diagnoses"][0]
    assert made["rule"] == "EIO038"
    assert made["severity"] == "error"
    assert made["cause"].startswith("127.0.0.1, an arduinoWebSockets")
    assert made["cause"].endswith("keeps the heartbeat of EIO=3.")
    assert made["period_ms"] == 20_503
    assert made["sessions"] == ["s1", "s2"]
    assert made["evidence"][0] == {
        "packet": 32, "time": "2021-01-23T18:08:35.624456789Z", "text": 'client: PING "2"',
    }  # fmt: skip
    assert made["display_filter"] == "frame.number in {32, 33, 75, 76, 118, 119}"
    assert made["consequences"][0]["rule"] == "EIO089"
    assert made["docs"] == "docs/rules/EIO038.md"


def test_a_session() -> None:
    made = rendered(report())["sessions"][0]
    assert made["id"] == "s1"
    assert made["client"] == {
        "address": "127.0.0.1", "port": 40_001, "library": "arduinoWebSockets", "version": "older than 2.3.3",
    }  # fmt: skip
    assert (made["engineio"], made["socketio"]) == (4, 5)
    assert made["closed_by"] == "server"
    assert made["close_reason"] == "WebSocket close frame, no status code"
    assert list(made["packets"]["client"]["engineio"]) == ["ping", "message"]
    assert list(made["packets"]["client"]["socketio"]) == ["CONNECT", "EVENT"]
    assert made["heartbeat"] == {
        "interval_ms": 25_000, "timeout_ms": 20_000, "count": 2, "median_ms": 8, "max_ms": 12,
    }  # fmt: skip
    assert made["connections"] == [{"stream": 0, "first_packet": 10, "last_packet": 19}]


def test_how_long_answers_take() -> None:
    made = report()
    figures = AckFigures()
    figures.asked = 3
    for delay in (MS, 3 * MS):
        figures.delays.add(delay)
    made.sessions[0].messages.acks_of_server = {"state": figures}
    for ledger in made.sessions:
        made.totals.add(ledger)
    times = {"asked_by": "server", "asked": 3, "answered": 2, "median_ms": 1, "p95_ms": 3, "max_ms": 3}
    assert rendered(made)["figures"] == {"acks": [{"event": "state", **times}], "heartbeats": []}


def test_a_session_of_socketio_09() -> None:
    old = session(
        socketio09=True, claimed_eio=None, revisions=[None, None], engineio_counts=[{}, {}],
        socketio_counts=[{"NOOP": 1, "EVENT": 2, "HEARTBEAT": 1}, {"CONNECT": 1}],
    )  # fmt: skip
    made = rendered(report(sessions=[old, session(2)]))["sessions"]
    assert (made[0]["engineio"], made[0]["socketio"]) == (None, 0.9)
    assert made[0]["packets"]["client"] == {"engineio": {}, "socketio": {"EVENT": 2, "HEARTBEAT": 1, "NOOP": 1}}
    assert [repr(made[1][name]) for name in ("engineio", "socketio")] == ["4", "5"], "whole numbers stay whole"


def test_what_the_capture_does_not_show_is_null() -> None:
    unknown = session(sid=None, path=None, midstream=True, closing=None, handshake=None, claimed_eio=None)
    unknown.revisions = [None, None]
    unknown.client.identity = None
    unknown.heartbeats = type(unknown.heartbeats)()
    made = rendered(report(sessions=[unknown]))["sessions"][0]
    for key in ("sid", "path", "opened_time", "closed_time", "closed_by", "close_reason", "engineio", "socketio"):
        assert made[key] is None
    assert made["client"]["library"] is None
    assert set(made["heartbeat"].values()) == {None, 0}


@pytest.mark.parametrize(
    ("closing", "reason"),
    [
        ({"how": CloseHow.WS_CLOSE, "code": 1009, "reason": "too big"}, 'WebSocket close frame, code 1009 "too big"'),
        ({"how": CloseHow.EIO_CLOSE}, "Engine.IO close packet"),
        ({"how": CloseHow.FIN}, "TCP FIN without a goodbye"),
        ({"how": CloseHow.RST, "after_goodbye": True}, "TCP RST after a goodbye"),
        ({"how": CloseHow.DISCONNECT, "after_goodbye": True}, "Socket.IO disconnect"),
    ],
)
def test_how_a_session_ended(closing: dict[str, Any], reason: str) -> None:
    ended = session(closing=Closing(Side.CLIENT, place=PacketRef(9, START), **closing))
    made = rendered(report(sessions=[ended]))["sessions"][0]
    assert (made["closed_by"], made["close_reason"]) == ("client", reason)


def test_with_several_captures_every_piece_of_evidence_names_its_own() -> None:
    several = report(
        captures=[capture("a.pcap"), capture("b.pcap")], diagnoses=[Diagnosis(finding(capture="b.pcap"), [loop()])]
    )
    made = rendered(several)["diagnoses"][0]
    assert {item["capture"] for item in made["evidence"]} == {"b.pcap"}
    assert "capture" not in rendered(report())["diagnoses"][0]["evidence"][0]


def test_hostile_text_is_harmless_and_stays_what_it_was() -> None:
    text = 'PING "\x1b[31m\u202e\x9b"'
    hostile = finding(evidence=[Evidence(1, START, "", text)], certainty=Certainty.LIKELY)
    made = render(report(diagnoses=[Diagnosis(hostile)]), Redactor())
    assert all(line.isprintable() for line in made.split("\n"))
    assert json.loads(made)["diagnoses"][0]["evidence"][0]["text"] == text


def test_secrets_are_redacted_unless_asked_for() -> None:
    leaky = report(diagnoses=[Diagnosis(finding(summary="GET /?token=s3cr3t5", evidence=[]))])
    assert "s3cr3t5" not in json.dumps(rendered(leaky))
    assert "s3cr3t5" in json.dumps(rendered(leaky, enabled=False))
    assert rendered(leaky)["diagnoses"][0]["display_filter"] == ""


def test_long_texts_are_cut() -> None:
    made = rendered(report(diagnoses=[Diagnosis(finding(title="x" * 10_000))]))
    assert len(made["diagnoses"][0]["title"]) == 2_000
