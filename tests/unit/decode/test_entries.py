"""A HAR through the session layer: what happened in which order, and what a HAR cannot show."""

import io

import pytest

from eiosniff.capture.source import open_source
from eiosniff.decode.stack import Stack
from eiosniff.model.attempt import Outcome
from eiosniff.model.engineio import Transport
from eiosniff.model.har import FailureKind
from eiosniff.model.provenance import Endpoint, Side
from eiosniff.model.session import CloseHow
from eiosniff.model.summary import CaptureSummary, ConnectFailure
from tests.har_files import BASE_S, OPEN, SID, har, poll, post, session, websocket

NS = 1_000_000_000
MS = 1_000_000


def decode(*entries, step=1000, creator="WebInspector", **options):
    """The stack at the end, and what `eiosniff decode` tells."""
    told = []
    stack = Stack(CaptureSummary("x.har"), told.append, **options)
    decoder = stack.entries()
    with open_source("-", stdin=io.BytesIO(har(*entries, creator=creator))) as source:
        for entry in source.entries(decoder.is_wanted):
            decoder.add(entry)
    for _ in decoder.steps(step):
        stack.retired()
    stack.close()
    assert stack.crashes == []
    return stack, told


def places(stack, told):
    return [stack.summary.numbering.place(packet.completed.number).label for packet in told]


def only(stack):
    (found,) = stack.sessions.sessions
    return found


def test_a_session_is_what_was_said_over_both_transports():
    stack, told = decode(*session())
    found = only(stack)
    assert found.sid == "sid-of-test-1"
    assert found.transports == [Transport.POLLING, Transport.WEBSOCKET]
    assert found.server.endpoint == Endpoint("chat.example", 3000)
    assert found.client_endpoint == Endpoint("browser", 0)
    assert found.socketio_counts == [
        {"CONNECT": 1, "EVENT": 1, "BINARY_EVENT": 1, "DISCONNECT": 1},
        {"CONNECT": 1, "ACK": 1},
    ]
    assert not found.midstream
    assert not found.gaps
    assert (stack.summary.first_ns, stack.summary.last_ns) == (BASE_S * NS, BASE_S * NS + 904 * MS)
    assert places(stack, told) == ["1", "2", "3", "4.1", "4.2", "5", "4.3", "4.4", "4.5", "4.7", "4.8"]


@pytest.mark.parametrize("step", [1, 7, 100, 50_000])
def test_pauses_change_nothing(step):
    def plain(told):
        return [(packet.completed, packet.session, packet.engineio.data, packet.trouble) for packet in told]

    assert plain(decode(*session(), step=step)[1]) == plain(decode(*session())[1])


def test_who_says_goodbye_ends_it():
    closing = only(decode(*session())[0]).closing
    assert (closing.side, closing.how, closing.after_goodbye) == (Side.CLIENT, CloseHow.DISCONNECT, True)


@pytest.mark.parametrize(
    ("silence_ms", "side"), [(900, Side.SERVER), (2_100, Side.CLIENT)], ids=["soon", "after its patience"]
)
def test_without_a_goodbye_it_is_the_server_unless_the_client_lost_patience(silence_ms, side):
    hasty = OPEN.replace("25000", "1000").replace("20000", "1000")
    stack, _ = decode(websocket(0, [("S", 2, hasty), ("C", 3, "40")], sid="", closed=silence_ms))
    closing = only(stack).closing
    assert (closing.side, closing.how) == (side, CloseHow.UNSEEN)


def test_a_websocket_that_is_open_has_no_end():
    assert only(decode(websocket(0, [("S", 2, OPEN), ("C", 3, "40")], sid=""))[0]).closing is None


def test_a_request_that_follows_from_an_answer_comes_after_it():
    # It was asked at 5.95 ms, which is written as 5; the answer before it came at 5.9.
    stack, _ = decode(poll(0, OPEN, sid="", took=5.9), poll(5, "6", took=20.2), poll(25, "6", took=3), post(5, "40"))
    found = only(stack)
    assert not found.midstream
    assert found.polls == 3
    assert not found.refusals.count


def test_an_answer_to_an_event_comes_after_it():
    # Firefox: whole milliseconds, and no word of how long a request waited.
    _, told = decode(
        poll(0, OPEN, sid=""), post(6, "40"), poll(6, '40{"sid":"a"}'), poll(12, "430[1]", took=3),
        post(30, '420["ask"]', took=1), poll(41, "6", took=9),
    )  # fmt: skip
    assert [packet.socketio.type for packet in told if packet.socketio] == [0, 0, 2, 3]  # CONNECT, EVENT, ACK


def test_a_browser_without_messages_leaves_a_hole_and_a_word():
    stack, _ = decode(poll(0, OPEN, sid=""), websocket(10, None, sid=SID), creator="Firefox")
    assert only(stack).gaps
    assert [problem.code for problem in stack.summary.problems] == ["har-without-messages"]


def test_of_a_file_that_is_cut_off_later_answers_are_not_told():
    stack = Stack(CaptureSummary("x.har"), None)
    decoder = stack.entries()
    entries = [
        poll(0, OPEN, sid=""),
        post(6, "40"),
        poll(7, '40{"sid":"a"}'),
        poll(20, "430[1]", took=50),
        post(30, '420["ask"]'),
    ]
    with open_source("-", stdin=io.BytesIO(har(*entries)[:-900])) as source:  # within the last one
        for entry in source.entries(decoder.is_wanted):
            decoder.add(entry)
        assert source.problems
    decoder.end_early()
    assert list(decoder.steps(1000)) == [7]
    assert only(stack).socketio_counts == [{"CONNECT": 1}, {"CONNECT": 1}]


def test_bodies_that_the_file_lacks_are_holes():
    entries = session()
    del entries[1]["request"]["postData"]
    assert only(decode(*entries)[0]).gaps
    entries = session()
    del entries[2]["response"]["content"]["text"]
    assert only(decode(*entries)[0]).gaps
    assert not only(decode(*session())[0]).gaps


def test_answers_without_content_are_told():
    hollow = [
        poll(at, None, sid=sid, content={"size": 9, "_file": "a.txt"}) for at, sid in ((0, ""), (9, SID), (20, SID))
    ]
    (problem,) = decode(*hollow)[0].summary.problems
    assert (problem.code, "3 answers" in problem.text) == ("har-without-content", True)
    assert not decode(*session())[0].summary.problems


def test_a_request_under_way_waits():
    waiting = poll(10, None, status=0)
    waiting["timings"] = {"blocked": -59_816_354.03}
    stack, _ = decode(poll(0, OPEN, sid=""), waiting)
    found = only(stack)
    assert found.polls_cut.count == 0
    assert found.closing is None


def test_an_answer_that_cors_keeps_opens_a_session_that_nobody_uses():
    kept = poll(0, None, sid="", _error="net::ERR_FAILED")
    kept["request"]["headers"].append({"name": "Origin", "value": "http://page.example"})
    found = only(decode(kept)[0])
    assert found.sid is None
    assert found.attempt.withheld
    assert found.attempt.answered.allow_origin == ()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ("net::ERR_CONNECTION_REFUSED", ConnectFailure.REFUSED),
        ("net::ERR_CONNECTION_TIMED_OUT", ConnectFailure.UNANSWERED),
        ("[Errno 111] Connect call failed ('127.0.0.1', 3000)", ConnectFailure.REFUSED),
    ],
)
def test_connections_that_do_not_come_about_are_told_by_their_errors(error, failure):
    stack, _ = decode(poll(0, None, sid="", status=0, _error=error))
    (group,) = stack.summary.failed_connects
    assert (group.server, group.failure) == (Endpoint("chat.example", 3000), failure)
    assert group.asked_for_it
    assert error in group.tally.last.told


@pytest.mark.parametrize(("error", "by"), [("net::ERR_EMPTY_RESPONSE", Side.SERVER), ("net::ERR_ABORTED", Side.CLIENT)])
def test_who_ends_a_poll_is_told_by_its_error(error, by):
    stack, _ = decode(poll(0, OPEN, sid=""), poll(6, None, status=0, _error=error))
    (cut,) = only(stack).polls_cut
    assert cut.by is by


def test_what_never_reaches_the_server_is_told_in_the_words_of_the_browser():
    stack, _ = decode(
        poll(0, None, sid="", status=0, _error="net::ERR_CERT_DATE_INVALID"),
        poll(9, None, sid="", status=0, _error="net::ERR_CERT_DATE_INVALID"),
    )
    (failed,) = stack.summary.failed_requests
    assert (failed.kind, failed.tally.count, failed.recovered) == (FailureKind.CERTIFICATE, 2, False)
    assert not stack.sessions.clients


def test_a_websocket_on_another_clock_comes_at_the_beginning():
    lost = websocket(0, [("error", 0, "Error in connection establishment: net::ERR_CONNECTION_REFUSED")], sid="")
    lost["startedDateTime"] = "1969-12-31T23:59:59.000Z"
    lost["response"]["status"] = 0
    lost["_webSocketMessages"][0] |= {"time": 59_831.6, "opcode": -1}
    stack, _ = decode(lost, poll(0, OPEN, sid=""))
    (group,) = stack.summary.failed_connects
    assert group.tally.last.syn.ts_ns == BASE_S * NS


def test_a_refusal_is_one():
    text = '{"code":5,"message":"Unsupported protocol version"}'
    stack, _ = decode(poll(0, text, sid="", status=400, statusText="Bad Request"))
    (client,) = stack.sessions.clients.values()
    (group,) = client.attempts.values()
    attempt = group.last
    assert (attempt.outcome, attempt.status, attempt.error.code) == (Outcome.REFUSED, 400, 5)


def test_a_body_that_the_file_lacks_blames_nobody():
    lacking = poll(0, None, sid="")
    lacking["response"]["content"]["size"] = 118
    stack, _ = decode(lacking)
    (client,) = stack.sessions.clients.values()
    (group,) = client.attempts.values()
    assert group.last.outcome is Outcome.UNSEEN


def test_ports_and_path_choose():
    assert not decode(*session(), ports=frozenset({80}))[0].sessions.sessions
    assert not decode(*session(), path="/other/")[0].sessions.sessions
    assert only(decode(*session(), ports=frozenset({3000}), path="/socket.io")[0])


def test_what_is_not_engineio_is_counted():
    page = poll(0, "<html>")
    page["request"]["url"] = "http://chat.example:3000/index.html"
    stack, _ = decode(page, *session())
    assert stack.summary.other["requests that are not of Engine.IO"] == 1


def test_what_the_user_left_out_is_counted_apart():
    stack, _ = decode(*session(), ports=frozenset({80}))
    assert stack.summary.other == {"requests to other ports": 5}
    assert (stack.summary.first_ns, stack.summary.last_ns) == (BASE_S * NS, BASE_S * NS + 21 * MS)


def test_a_websocket_over_http2_is_accepted_with_200():
    upgraded = websocket(0, [("S", 3, OPEN), ("C", 4, "40")], sid="")
    upgraded["request"] |= {"method": "CONNECT", "httpVersion": "h2", "headers": [{"name": ":authority", "value": "a"}]}
    upgraded["response"]["status"] = 200
    assert only(decode(upgraded)[0]).transports == [Transport.WEBSOCKET]


def test_webtransport_is_told_and_no_fault():
    upgraded = poll(3, None, sid="", status=0)
    upgraded["request"] |= {"method": "CONNECT", "url": "https://chat.example:3000/socket.io/"}
    upgraded["_resourceType"] = "webtransport"
    stack, _ = decode(*session(), upgraded)
    assert only(stack).sid == "sid-of-test-1"
    assert not stack.summary.failed_requests
    assert "WebTransport" in stack.summary.problems[0].text
    refused = upgraded | {"response": upgraded["response"] | {"_error": "net::ERR_CERT_DATE_INVALID"}}
    assert decode(refused)[0].summary.failed_requests


def test_control_frames_and_odd_messages_are_taken():
    entry = websocket(0, [("S", 3, OPEN), ("C", 4, "40"), ("S", 5, ""), ("C", 6, b"x"), ("S", 7, "bye")], sid="")
    entry["_webSocketMessages"][2]["opcode"] = 9
    entry["_webSocketMessages"][3]["data"] = "not base64!"
    entry["_webSocketMessages"][4]["opcode"] = 8
    found = only(decode(entry)[0])
    assert found.ws_pings[Side.SERVER].count == 1
    assert found.unreadable[Side.CLIENT] == 1
    assert found.closing.how is CloseHow.WS_CLOSE


def test_the_session_knows_that_it_was_encrypted():
    entries = session()
    for entry in entries:
        entry["request"]["url"] = entry["request"]["url"].replace("http:", "https:").replace("ws:", "wss:")
    assert only(decode(*entries)[0]).encrypted
    assert not only(decode(*session())[0]).encrypted
