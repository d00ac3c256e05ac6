"""How to get keys, by client."""

import pytest

from eiosniff import app
from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.knowledge import keys
from eiosniff.model.summary import CaptureSummary
from tests.cases import RECORDED

RECORDINGS = {
    "opaque/heartbeat-eio4-tls13": "Node.js",
    "opaque/heartbeat-chromium": "Chrome, Chromium or Edge",
    "opaque/client-firefox": "Firefox",
    "opaque/client-requests": "Python",
    "opaque/client-websocket-client": "Python",
    "opaque/client-aiohttp": "Python",
    "opaque/client-curl": "curl",
    "opaque/client-mbedtls": "a device with Mbed TLS (such as ESP32)",
    "opaque/client-go": "Go",
    "opaque/client-java": "Java",
}


def test_each_says_what_to_do_and_where_that_is_from() -> None:
    entries = keys.load()
    assert len({entry.of for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.side in {"client", "server"}
        assert entry.short
        assert entry.how
        assert entry.source


def test_no_two_look_alike() -> None:
    shapes = [shape for entry in keys.load() for shape in entry.shapes]
    assert len(set(shapes)) == len(shapes)


def test_each_shape_is_recorded() -> None:
    assert {entry.of for entry in keys.load() if entry.shapes} == set(RECORDINGS.values())


@pytest.mark.parametrize("capture", RECORDINGS)
def test_the_likely_client_comes_first(capture: str) -> None:
    stack = Stack(CaptureSummary(capture))
    with open_source(str(RECORDED / f"{capture}.pcap")) as source:
        for batch in source.batches():
            stack.feed(batch)
    stack.close()
    shapes = [entry.shapes for entry in stack.summary.encrypted]
    assert shapes
    for each in shapes:
        (told,) = keys.likely(each)
        assert told.startswith(f"By its ClientHello, the client may be {RECORDINGS[capture]}: ")
        assert f" {keys.seen(each)[0].short};" not in keys.others(each)


def test_a_report_says_how_for_the_client_at_hand() -> None:
    report = app.analyze([str(RECORDED / "opaque/client-curl.pcap")], app.Options())
    (told,) = [each.finding.fix[-1] for each in report.diagnoses if each.finding.name == "encrypted-without-keys"]
    assert "By its ClientHello, the client may be curl: start it with SSLKEYLOGFILE=keys.log" in told
    assert told.endswith("For others see: eiosniff rules show CAP227.")


def test_others_are_named_where_a_hello_is_not_recognised() -> None:
    (node,) = keys.load()[0].shapes
    assert keys.are_known({node: 2})
    assert not keys.are_known({node: 2, "of nobody": 1})
    assert not keys.are_known({})


def test_others_are_named_shortly() -> None:
    assert keys.likely({"of nobody": 3}) == []
    assert keys.others({}).startswith("How, by client: Node: NODE_OPTIONS=--tls-keylog=keys.log; Chrome")
