"""HAR files that browsers and mitmproxy wrote: the diagnosis of each, and what the packets of the same run show."""

import gzip
import json
import tomllib

import pytest

from eiosniff import app
from eiosniff.model.finding import Severity
from tests.cases import RECORDED

RECORDINGS = tomllib.loads((RECORDED / "har.toml").read_text(encoding="utf-8"))["recording"]
WITH_PACKETS = [entry for entry in RECORDINGS if "packets" in entry]


def name(entry):
    return entry["file"].partition("/")[2]


def analysed(file):
    return app.analyze([str(RECORDED / file)], app.Options())


def faults(report):
    return [found.finding.name for found in report.diagnoses if found.finding.severity is not Severity.INFO]


def packets(file):
    """What was said in each session, in order: by whom, over which transport, and what."""
    said: dict[str | None, list[tuple[object, ...]]] = {}
    for packet in app.decode([str(RECORDED / file)], app.Options()):
        eio, sio = packet.engineio, packet.socketio
        what = (sio.type, sio.namespace, sio.event, sio.id, sio.data) if sio else (eio.type, eio.data)
        said.setdefault(packet.sid, []).append((eio.side, eio.transport, what))
    return said


@pytest.mark.parametrize("entry", RECORDINGS, ids=name)
def test_the_diagnosis_is_what_happened(entry):
    assert faults(analysed(entry["file"])) == entry["faults"]


@pytest.mark.parametrize("entry", WITH_PACKETS, ids=name)
def test_packets_and_har_have_the_same_diagnosis(entry):
    assert faults(analysed(entry["file"])) == faults(analysed(entry["packets"]))


@pytest.mark.parametrize("entry", WITH_PACKETS, ids=name)
def test_packets_and_har_have_the_same_sessions_and_packets(entry):
    shown, captured = packets(entry["file"]), packets(entry["packets"])
    if entry["faults"] == ["cors-missing"]:  # Chrome has not what it keeps from the page: the sids are in it
        assert not shown
        return
    assert list(shown) == list(captured)
    for sid, said in shown.items():
        # A poll and a message of a WebSocket may cross: what each side says over each transport has one order.
        for way in {(side, transport) for side, transport, _ in captured[sid]}:
            there = [what for *how, what in captured[sid] if tuple(how) == way]
            here = [what for *how, what in said if tuple(how) == way]
            # The packets were captured for some moments longer.
            assert here == there[: len(here)]
            assert len(there) - len(here) <= (4 if "open" in entry["file"] else 0)


@pytest.mark.parametrize("entry", RECORDINGS, ids=name)
def test_the_summary_is_that_of_a_har(entry):
    summary = analysed(entry["file"]).captures[0]
    assert summary.format == ("HAR (gzip)" if entry["file"].endswith(".gz") else "HAR")
    assert summary.packets > 0
    assert summary.first_ns
    assert summary.last_ns >= summary.first_ns
    assert summary.numbering.unit == "entry"


@pytest.mark.parametrize("entry", RECORDINGS, ids=name)
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batches_change_nothing(entry, batch_size):
    def told(options):
        report = app.analyze([str(RECORDED / entry["file"])], options)
        found = [
            (each.finding.name, each.finding.certainty, each.finding.summary, each.finding.evidence)
            for each in report.diagnoses
        ]
        return found, [(session.sid, session.engineio_counts, session.socketio_counts) for session in report.sessions]

    assert told(app.Options(batch_size=batch_size)) == told(app.Options())


def test_a_har_without_messages_says_so():
    problems = [problem.text for problem in analysed("har/firefox-upgrade.har.gz").captures[0].problems]
    assert problems == [
        "the HAR has no messages with times of a WebSocket: Firefox and Safari write none, Chrome and Edge do"
    ]


def without(name, entry):
    """Take a part out of an entry, as writers and people do."""
    part = {"text": entry["response"]["content"], "postData": entry["request"], "_webSocketMessages": entry}.get(
        name, {}
    )
    part.pop(name, None)


@pytest.mark.parametrize("lacks", ["", "text", "postData", "_webSocketMessages", "its beginning"])
@pytest.mark.parametrize("entry", [entry for entry in WITH_PACKETS if entry["writer"]["name"] != "mitmproxy"], ids=name)
def test_beside_the_packets_it_is_the_client_and_what_it_lacks_blames_nobody(entry, lacks, tmp_path):
    exported = json.loads(gzip.decompress((RECORDED / entry["file"]).read_bytes()))
    entries = exported["log"]["entries"]
    for each in entries:
        without(lacks, each)
    if lacks == "its beginning":
        del entries[:2]
    exported["log"]["entries"] = entries
    (tmp_path / "page.har").write_text(json.dumps(exported), encoding="utf-8")
    report = app.analyze([str(RECORDED / entry["packets"]), str(tmp_path / "page.har")], app.Options())
    names = {each.finding.name for each in report.diagnoses}
    assert not names & {"lost-between", "changed-between", "closed-between", "held-back", "ack-unknown"}
    assert [sides.client for sides in report.sides] in ([], [1])
    assert not any(sides.is_copy for sides in report.sides)
