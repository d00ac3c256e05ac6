"""HTTP/1.x as a bystander sees it. `read` reads each conversation in all ways of cutting it, and checks the tiling."""

import gzip
import time

import pytest

from eiosniff.decode.http1.connection import HttpConnection, HttpLimits
from eiosniff.model.provenance import PacketRef, Side
from eiosniff.model.tcp import StreamChunk
from eiosniff.model.trouble import AnomalyKind, Desync, Gap, GapReason
from tests.unit.decode.http1_talk import (
    CHUNKED,
    ENDS,
    GET,
    OK,
    SWITCHING,
    UPGRADE,
    C,
    End,
    Hole,
    S,
    anomalies,
    body_of,
    client,
    crlf,
    read,
    read_once,
    reasons,
    server,
)


# What real servers send
def test_a_polling_exchange():
    answer = server("HTTP/1.1 200 OK\nContent-Type: text/plain; charset=UTF-8\nContent-Length: 6\n\n3probe")
    reading = read(GET, answer, GET, OK, *ENDS)
    request, response, _, _ = reading.events
    assert (request.method, request.target, request.version) == (b"GET", b"/socket.io/?EIO=4&transport=polling", b"1.1")
    assert (request.body_kept, request.body_length, request.packets, request.order) == (True, 0, (1,), 1)
    assert (response.status, response.reason, response.version) == (200, b"OK", b"1.1")
    assert (response.body, response.body_kept, response.body_length, response.complete) == (b"3probe", True, 6, True)
    assert response.header(b"content-type") == b"text/plain; charset=UTF-8"
    assert (response.start, response.end, response.packets) == (0, len(answer.data), (2,))
    assert response.request is request
    assert response.first == response.last == PacketRef(2, 1_700_000_000_002_000_000)


def test_an_engineio_error_in_chunks():
    answer = crlf(
        "HTTP/1.1 400 Bad Request\nContent-Type: application/json\nDate: Mon, 01 Jan 2024 00:00:00 GMT\n"
        "Connection: keep-alive\nKeep-Alive: timeout=5\nTransfer-Encoding: chunked\n\n"
        '22\n{"code":0,"message":"Unknown sid"}\n0\n\n'
    )
    assert body_of(answer) == (b'{"code":0,"message":"Unknown sid"}', [])


def test_a_websocket_refusal_of_node():
    refusal = crlf("HTTP/1.1 400 Bad Request\nConnection: close\nContent-type: text/html\n\nBad request")
    reading = read(UPGRADE, S(refusal), End(Side.SERVER), End(Side.CLIENT))
    assert reading.responses[0].body == b"Bad request"
    assert reading.responses[0].complete
    assert reading.rest is None
    assert not anomalies(reading)


def test_a_json_string_of_python_engineio():
    text = '"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"'
    answer = crlf(f"HTTP/1.1 400 BAD REQUEST\nContent-Type: text/plain\nContent-Length: {len(text)}\n\n{text}")
    assert body_of(answer) == (text.encode(), [])


def test_a_compressed_polling_answer():
    body = gzip.compress(b'42["news","' + b"x" * 500 + b'"]', mtime=0)
    head = crlf("HTTP/1.1 200 OK\nContent-Encoding: gzip\nTransfer-Encoding: chunked\n\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    reading = read(GET, S(head + chunks), *ENDS)
    assert reading.responses[0].body == gzip.decompress(body)
    assert reading.responses[0].body_length == len(body)


def test_http_inside_a_websocket():
    request = read(UPGRADE, SWITCHING).requests[0]
    refusal = crlf("HTTP/1.1 400 Bad Request\nContent-Length: 28\n\nUnsupported protocol version")
    inside = HttpConnection.inside_websocket(request)
    events = inside.feed(StreamChunk(Side.SERVER, 500, refusal, [0], [7], [0]))
    response = events[-1]
    assert response.inside_websocket
    assert response.request is request
    assert response.body == b"Unsupported protocol version"
    again = HttpConnection.inside_websocket(None).feed(StreamChunk(Side.SERVER, 0, SWITCHING.data, [0], [7], [0]))
    assert [type(event).__name__ for event in again] == ["HttpResponse", "Upgrade"]


# Which response answers which request
def test_pipelining():
    both = C(GET.data + client("POST /x HTTP/1.1\nContent-Length: 3\n\nabc").data)
    reading = read(both, S(OK.data + crlf("HTTP/1.1 204 No Content\n\n")), *ENDS)
    assert [response.request for response in reading.responses] == reading.requests
    assert reading.requests[1].body == b"abc"


def test_interim_responses_leave_the_request_waiting():
    reading = read(
        client("POST / HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n"),
        server("HTTP/1.1 100 Continue\n\n"), C(b"ok"), server("HTTP/1.1 103 Early Hints\nLink: x\n\n"), OK, *ENDS,
    )  # fmt: skip
    assert [response.status for response in reading.responses] == [100, 103, 200]
    assert {response.request for response in reading.responses} == set(reading.requests)
    assert reading.events[0].status == 100  # the request was not complete


@pytest.mark.parametrize(
    ("request_", "status"),
    [("HEAD / HTTP/1.1\n\n", 200), ("GET / HTTP/1.1\n\n", 304), ("GET / HTTP/1.1\n\n", 204)],
)
def test_responses_without_a_body(request_, status):
    reading = read(client(request_), server(f"HTTP/1.1 {status} X\nContent-Length: 10\n\n"), GET, OK, *ENDS)
    assert [response.body for response in reading.responses] == [b"", b"ok"]
    assert not anomalies(reading)


def test_a_response_without_a_request():
    reading = read(S(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno"), *ENDS)
    assert reading.responses[0].request is None
    assert reading.responses[0].body == b"no"


def test_bodies_that_nobody_asked_for():
    reading = read(client("POST / HTTP/1.1\nContent-Length: 2\n\nhi"), OK, *ENDS, keep=lambda _: False)
    for message in reading.events:
        assert (message.body, message.body_kept, message.body_length) == (b"", False, 2)
    unasked = S(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 30)
    reading = read(unasked, *ENDS, limits=HttpLimits(unasked_body=20))
    assert (reading.responses[0].body_kept, reading.responses[0].body_length) == (False, 30)
    assert not anomalies(reading)


def test_responses_that_were_lost_do_not_shift_the_others():
    reading = read(GET, Hole(Side.SERVER, 40), GET, OK, *ENDS)
    assert reading.responses[0].request is reading.requests[1]


def test_more_requests_than_anybody_pipelines():
    limits = HttpLimits(unanswered=2)
    assert AnomalyKind.HTTP_TOO_LARGE in anomalies(read(OK, GET, GET, GET, *ENDS, limits=limits))
    assert not anomalies(read(GET, GET, GET, *ENDS, limits=limits))  # the server was not captured


# Heads that depart
@pytest.mark.parametrize(
    ("head", "target", "kinds"),
    [
        (b"\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"/a", []),
        (b"GET /a b HTTP/1.1\r\n\r\n", b"/a b", [AnomalyKind.HTTP_BAD_START_LINE]),
        (b"GET  /a HTTP/1.0 \r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_START_LINE]),
        (b"GET /a HTTP/1.1\nHost: a\n\n", b"/a", [AnomalyKind.HTTP_BAD_START_LINE, AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nHost: a\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nno colon\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nHost : a\r\nA: b\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\nA: b\0c\r\n\r\n", b"/a", [AnomalyKind.HTTP_BAD_HEADER]),
        (b"GET /a HTTP/1.1\r\n\r\n", b"/a", []),
    ],
)
def test_request_heads(head, target, kinds):
    reading = read(C(head), GET, *ENDS)
    assert [request.target for request in reading.requests] == [target, GET.data.split()[1]]
    assert anomalies(reading) == kinds
    assert not reasons(reading)


@pytest.mark.parametrize(
    ("line", "status", "reason", "odd"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK", False), (b"HTTP/1.0 404 Not Found At All", 404, b"Not Found At All", False),
        (b"HTTP/1.1 200 ", 200, b"", False), (b"HTTP/1.1 200", 200, b"", True), (b"HTTP/1.1  200 OK", 200, b"OK", True),
        (b"HTTP/1.1 999 Odd", 999, b"Odd", True),
    ],
)  # fmt: skip
def test_status_lines(line, status, reason, odd):
    reading = read(GET, S(line + b"\r\nContent-Length: 0\r\n\r\n"), *ENDS)
    assert (reading.responses[0].status, reading.responses[0].reason) == (status, reason)
    assert anomalies(reading) == [AnomalyKind.HTTP_BAD_START_LINE] * odd


def test_a_head_above_the_limit():
    big = [C(b"GET / HTTP/1.1\r\n"), *[C(b"A: b\r\n") for _ in range(40)], C(b"\r\n")]
    reading = read(*big, GET, *ENDS, limits=HttpLimits(head=100))
    assert len(reading.requests) == 1
    assert anomalies(reading) == [AnomalyKind.HTTP_TOO_LARGE]
    assert [(d.start, d.end) for d in reading.of(Desync)] == [(0, reading.requests[0].start)]


@pytest.mark.parametrize(
    "garbage", [b"\r\n" * 60, b"GET " + b"x" * 200, b"GET / HTTP/2.0\r\n\r\n", b"\x16\x03\x01", b"x" * 30]
)
def test_what_is_no_head(garbage):
    reading = read(C(garbage), GET, *ENDS, limits=HttpLimits(head=100))
    assert len(reading.requests) == 1
    assert reasons(reading) == ["no HTTP start line"]


# Lost places
def test_a_capture_that_begins_inside_a_tunnel():
    """What a proxy says to a CONNECT has no body, although nothing but the request tells."""
    reading = read(server("HTTP/1.0 200 Connection established\n\n"), GET, OK, UPGRADE, SWITCHING, *ENDS)
    assert [response.request for response in reading.responses] == [None, *reading.requests]


def test_a_capture_that_begins_inside_a_response():
    reading = read(S(b'..."}]'), S(b"more"), OK, GET, OK, *ENDS)
    assert [(d.side, d.start, d.end) for d in reading.of(Desync)] == [(Side.SERVER, 0, 10)]
    assert [response.request for response in reading.responses] == [None, reading.requests[0]]


def test_a_gap_inside_a_body_is_counted():
    answer = server("HTTP/1.1 200 OK\nContent-Length: 10\n\nab")
    reading = read(GET, answer, Hole(Side.SERVER, 6), S(b"yz"), GET, OK, *ENDS)
    damaged, good = reading.responses
    assert (damaged.body, damaged.missing, damaged.body_length, damaged.complete) == (b"ab\0\0\0\0\0\0yz", 6, 10, True)
    assert damaged.packets == (2, 4)
    assert good.request is reading.requests[1]
    assert not reasons(reading)


def test_a_gap_with_the_end_of_a_body():
    answer = server("HTTP/1.1 200 OK\nContent-Length: 10\n\nab")
    exact = read(GET, answer, Hole(Side.SERVER, 8), GET, OK, *ENDS)
    beyond = read(GET, answer, Hole(Side.SERVER, 100), GET, OK, *ENDS)
    for reading in (exact, beyond):
        assert reading.responses[0].end == len(answer.data) + 8
        assert reading.responses[0].last.number == reading.responses[0].order == 3
        assert reading.responses[1].request is reading.requests[1]
        assert not reasons(reading)


def test_a_response_behind_a_gap_answers_the_last_request_before_it():
    """The gap is believed only after the next request: the first response was lost, and nobody pipelines."""
    reading = read(GET, GET, Hole(Side.SERVER, len(OK.data)), OK, GET, OK, *ENDS)
    assert [response.request for response in reading.responses] == reading.requests[1:]


def test_a_request_behind_a_gap_was_answered_by_what_came_meanwhile():
    """Packets: 1 (lost) and 2 ask, 3 and 4 answer; 5 asks again, which shows the gap, and 6 answers."""
    asked, answered = len(GET.data), len(OK.data)
    told = [
        StreamChunk(Side.SERVER, 0, OK.data * 2, [0, answered], [3, 4], [3, 4]),
        Gap(Side.CLIENT, 0, asked, GapReason.NOT_CAPTURED, PacketRef(5, 5)),
        StreamChunk(Side.CLIENT, asked, GET.data, [0], [2], [2], 5),
        StreamChunk(Side.CLIENT, 2 * asked, GET.data, [0], [5], [5]),
        StreamChunk(Side.SERVER, 2 * answered, OK.data, [0], [6], [6]),
    ]
    reading = read_once(iter(told), HttpConnection(lambda _: True))
    assert [request.first.number for request in reading.requests] == [2, 5]
    assert [response.request for response in reading.responses] == [None, None, reading.requests[1]]


def test_a_gap_in_a_body_without_length_and_in_a_large_one():
    reading = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 3), *ENDS)
    assert (reading.responses[0].body, reading.responses[0].missing) == (b"ab\0\0\0", 3)
    limits = HttpLimits(body=20)
    large = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 30), *ENDS, limits=limits)
    assert anomalies(large) == [AnomalyKind.HTTP_TOO_LARGE]
    assert large.responses[0].missing == 30
    unkept = read(GET, S(b"HTTP/1.1 200 OK\r\n\r\nab"), Hole(Side.SERVER, 3), *ENDS, keep=lambda _: False)
    assert (unkept.responses[0].body, unkept.responses[0].missing) == (b"", 3)


def test_gaps_in_a_chunked_body():
    inside = read(GET, S(CHUNKED + b"5\r\na"), Hole(Side.SERVER, 3), S(b"z\r\n0\r\n\r\n"), *ENDS)
    assert (inside.responses[0].body, inside.responses[0].complete) == (b"a\0\0\0z", True)
    for before in (b"5\r\na", b"1\r\na\r\n", b"1\r\na\r\n5"):
        reading = read(GET, S(CHUNKED + before), Hole(Side.SERVER, 9), S(b"z\r\n0\r\n\r\n"), GET, OK, *ENDS)
        broken, good = reading.responses
        assert (broken.body, broken.complete, broken.end) == (b"a", False, len(CHUNKED + before))
        assert good.request is reading.requests[1]
        assert reasons(reading) == ["no HTTP start line after a gap"]
        assert not anomalies(reading)


def test_a_gap_inside_a_head():
    reading = read(C(GET.data[:20]), Hole(Side.CLIENT, 10), C(b"st: a\r\n\r\n"), GET, OK, *ENDS)
    assert reasons(reading) == ["a gap inside a head", "no HTTP start line after a gap"]
    assert reading.responses[0].request is reading.requests[0]


def test_a_gap_inside_what_is_not_understood():
    reading = read(S(b"\0garbage"), Hole(Side.SERVER, 5), OK, *ENDS)
    assert [(d.start, d.end, d.reason) for d in reading.of(Desync)] == [(0, 8, "no HTTP start line")]


def test_ends_inside_a_head():
    reading = read(C(GET.data[:20]), S(b"\r\n"), *ENDS)
    assert anomalies(reading) == [AnomalyKind.HTTP_INCOMPLETE]
    assert reasons(reading) == ["the stream ended inside a head", "empty lines after the last message"]


# Cost
def test_garbage_takes_linear_time():
    def seconds(packets: int) -> float:
        data = b"GET / HTTP/1.1 " * packets
        numbers = list(range(1, packets + 1))
        chunk = StreamChunk(Side.CLIENT, 0, data, [15 * at for at in range(packets)], numbers, numbers)
        begin = time.process_time()
        HttpConnection(lambda _: True).feed(chunk)
        return time.process_time() - begin

    seconds(1000)
    assert seconds(80_000) < 60 * seconds(8_000) + 0.1


def test_a_message_of_very_many_packets():
    answer = [S(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"), *[S(b"xx") for _ in range(10)]]
    reading = read(GET, *answer, *ENDS, limits=HttpLimits(packets=4))
    assert reading.responses[0].packets == (2, 3, 4, 5)
    assert reading.responses[0].last.number == 12
